"""The parent's side: start a worker, relay what it says, fail loudly when it fails."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from triptych.children import child_command
from triptych.errors import WorkerFailed
from triptych.frameworks.registry import WAITING, Entry
from triptych.running.machine import cores

Listener = Callable[[str, dict[str, Any]], None]
"""Hears (who, event) while long work goes on, from any thread.

Who is a framework or a training, or "pictures", "plan" or "run".
"""


def silence(name: str, event: dict[str, Any]) -> None:
    """Hear nothing."""


PATIENCE = 600.0
"""Seconds a worker may be silent before it counts as hung: longer than any compilation or step we know."""

STRICT = {
    "NVIDIA_TF32_OVERRIDE": "0",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
    "TF_SET_ONEDNN_FPMATH_MODE": "STRICT",
}
"""float32 means float32: no TF32 on a GPU, no bfloat16 inside oneDNN, whatever the user's shell says."""

LOG_LINES = 12
"""How much of a failed worker's log goes into the message."""


def environment(entry: Entry, threads: int | None = None) -> dict[str, str]:
    """What a worker sees: the framework's own settings and one thread a core, named in each dialect.

    A number of `threads` that is asked for holds whatever the user's shell says, so that it is everyone's.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC")
    counts = dict.fromkeys(names, str(threads or cores()))
    ours = {**counts, **WAITING, "PYTHONHASHSEED": "0"}
    asked = counts if threads else {}
    return {**ours, **os.environ, **asked, **STRICT, **entry.environment}


class Worker:
    """A framework's process, asked one thing after another; there is none left after the `with`.

    The first thing asked is its job. A job that takes turns is asked for each by a further line; while it
    waits for one it sleeps. Leaving the `with`, by an interruption too, ends the process.
    """

    def __init__(
        self, entry: Entry, log: Path, patience: float = PATIENCE, threads: int | None = None
    ) -> None:
        self.entry, self.log, self.patience = entry, log, patience
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)  # whatever it is: a pipe would not let go, a link lead elsewhere
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                child_command("triptych.running.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment(entry, threads),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its workers in order
            )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(
        self, what: dict[str, Any], listen: Callable[[dict[str, Any]], None] = lambda event: None
    ) -> dict[str, Any]:
        """The final event of what is asked; `listen` hears every other.

        Raises WorkerFailed, with the end of its log, if the worker raises, dies, or is silent for as long as
        its patience.
        """
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died; its exit status, below, says how
            self.process.stdin.write(msgspec.json.encode({**what, "framework": self.entry.name}) + b"\n")
            self.process.stdin.flush()
        while True:
            event = self._next_event()
            if event["event"] == "done":
                return event
            listen(event)

    def end(self) -> None:
        """Leave no process behind: close its input, which it takes as a sign, then insist."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()  # only now: until the worker's end, a thread waits in it

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _next_event(self) -> dict[str, Any]:
        title = self.entry.title
        try:
            line = self._lines.get(timeout=self.patience)
        except queue.Empty:
            raise WorkerFailed(
                f"{title} hung: no sign of life for {self.patience:g} s, so it was ended{_tail(self.log)}"
            ) from None
        if line is None:
            raise WorkerFailed(f"{title} {_death(self.process.wait())}{_tail(self.log)}")
        event: dict[str, Any] = msgspec.json.decode(line)
        if event["event"] == "error":
            raise WorkerFailed(f"{title} failed: {event['message']}{_tail(self.log)}")
        return event


def run_worker(
    entry: Entry,
    job: dict[str, Any],
    log: Path,
    listen: Callable[[dict[str, Any]], None] = lambda event: None,
    patience: float = PATIENCE,
    started: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Do `job` in a process of its own and give its final event; `listen` hears every other.

    Raises as `Worker.ask`. An interruption ends the worker and goes on.
    """
    with Worker(entry, log, patience, threads) as worker:
        started(worker.process)
        return worker.ask(job, listen)


def run_workers(
    entries: Sequence[Entry],
    job: dict[str, Any],
    log: Callable[[Entry], Path],
    listen: Callable[[Entry, dict[str, Any]], None],
    patience: float = PATIENCE,
    at_once: int = 2,
) -> dict[str, dict[str, Any] | WorkerFailed]:
    """The same job by several workers, `at_once` at a time; by name the final event or why there is none.

    `listen` is called from several threads. An interruption ends all workers and goes on.
    """

    def task(entry: Entry) -> Task:
        return Task(entry, job, log(entry), lambda event: listen(entry, event))

    return run_tasks({entry.name: task(entry) for entry in entries}, patience, at_once)


@dataclass(frozen=True)
class Task:
    """A job for a worker, with its log and who hears of it."""

    entry: Entry
    job: dict[str, Any]
    log: Path
    listen: Callable[[dict[str, Any]], None]


def run_tasks(
    tasks: Mapping[str, Task], patience: float = PATIENCE, at_once: int = 2, threads: int | None = None
) -> dict[str, dict[str, Any] | WorkerFailed]:
    """Jobs of any kind, `at_once` at a time, as `run_workers`; each worker may use so many `threads`.

    Whatever a listener raises ends all workers, too.
    """
    processes: list[subprocess.Popen[bytes]] = []
    ended = threading.Event()

    def started(process: subprocess.Popen[bytes]) -> None:
        processes.append(process)
        if ended.is_set():
            process.kill()

    def one(task: Task) -> dict[str, Any] | WorkerFailed:
        try:
            return run_worker(task.entry, task.job, task.log, task.listen, patience, started, threads)
        except WorkerFailed as error:
            task.listen({"event": "failed", "message": str(error)})
            return error

    with ThreadPoolExecutor(at_once) as pool:
        waiting = {name: pool.submit(one, task) for name, task in tasks.items()}
        try:
            return {name: future.result() for name, future in waiting.items()}
        except BaseException:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()
            raise


def _death(status: int) -> str:
    if status >= 0:
        return f"ended without a result (exit status {status})"
    name = signal.Signals(-status).name
    hint = ", most likely for lack of memory: try a smaller --batch or --size" if name == "SIGKILL" else ""
    return f"was killed ({name}{hint})"


def _tail(log: Path) -> str:
    """The end of a log for a message; nothing if the log is empty."""
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return f"; the end of {log}:\n  " + "\n  ".join(lines[-LOG_LINES:]) if lines else ""
