"""Who carries a job to a worker, and its events back: processes on this machine.

Another carrier, such as a cluster engine, implements `Transport` and `Worker`; nobody
else knows where a worker is. What a job refers to by path must then be visible to both
sides.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self, TypeVar, cast

import msgspec

from triptych.children import child_command
from triptych.errors import WorkerFailed
from triptych.frameworks.registry import WAITING, Entry
from triptych.running.machine import cores
from triptych.running.protocol import Event, Job, Raised, Replied, Reply, Said

TIMEOUT = 600.0
"""Seconds a worker may be silent before it counts as hung: longer than any compilation
or step we know.
"""

STRICT = {
    "NVIDIA_TF32_OVERRIDE": "0",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
    "TF_SET_ONEDNN_FPMATH_MODE": "STRICT",
}
"""float32 means float32: no TF32 on a GPU, no bfloat16 inside oneDNN, whatever the
user's shell says.
"""

LOG_LINES = 12
"""How much of a failed worker's log goes into the message."""

_SAID: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)

R = TypeVar("R", bound=Reply)
Hear = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Hear nothing."""


class Worker(Protocol):
    """A process with one framework, asked one job after another; there is none left
    after the `with`.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None:
        """End the process, by an interruption too."""

    def ask(self, job: Job[R], hear: Hear = ignore) -> R:
        """What comes of a job; `hear` is told every event on the way.

        Raises WorkerFailed, with the end of its log, if the worker raises, dies, or is
        silent for longer than its timeout.
        """
        ...

    def kill(self) -> None:
        """End the process at once, from any thread; who waits gets a WorkerFailed."""


class Transport(Protocol):
    """Where workers come from."""

    def open(
        self, entry: Entry, log: Path, timeout: float, threads: int | None
    ) -> Worker:
        """A worker of that framework that has nothing to do yet.

        What it prints goes to the file `log`. `timeout` is how many seconds it may be
        silent; it uses so many `threads`, or one a core.
        """
        ...


class LocalProcesses:
    """Workers as child processes of this one."""

    def open(
        self, entry: Entry, log: Path, timeout: float, threads: int | None
    ) -> Worker:
        """A child process, which ends with this one."""
        return LocalWorker(entry, log, timeout, threads)


LOCAL: Transport = LocalProcesses()


def environment(entry: Entry, threads: int | None = None) -> dict[str, str]:
    """What a worker sees: the framework's own settings and one thread a core, named in
    each dialect.

    A number of `threads` that is asked for holds whatever the user's shell says, so
    that it is everyone's.
    """
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "NPROC",
    )
    counts = dict.fromkeys(names, str(threads or cores()))
    ours = {**counts, **WAITING, "PYTHONHASHSEED": "0"}
    asked = counts if threads else {}
    return {**ours, **os.environ, **asked, **STRICT, **entry.environment}


class LocalWorker:
    """A child process that reads jobs from its standard input and sleeps without."""

    def __init__(
        self, entry: Entry, log: Path, timeout: float, threads: int | None
    ) -> None:
        self.entry, self.log, self.timeout = entry, log, timeout
        log.parent.mkdir(parents=True, exist_ok=True)
        # Whatever it is: a pipe would not let go, a link lead elsewhere.
        log.unlink(missing_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                child_command("triptych.running.worker", entry.name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment(entry, threads),
                # Ctrl-C reaches the parent alone, which ends its workers in order.
                start_new_session=True,
            )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no process behind: close its input, which is a sign, then insist."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # Only now: until the worker's end, a thread waits in it.
        self.process.stdout.close()

    def ask(self, job: Job[R], hear: Hear = ignore) -> R:
        """Write it to the process's input, and read lines until one is the reply."""
        assert self.process.stdin is not None
        # It has died; its exit status, below, says how.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(msgspec.json.encode(job) + b"\n")
            self.process.stdin.flush()
        while True:
            said = self._next()
            if isinstance(said, Replied):
                return cast(R, said.reply)
            if isinstance(said, Raised):
                raise WorkerFailed(
                    f"{self.entry.title} failed: {said.message}{_tail(self.log)}"
                )
            hear(said)

    def kill(self) -> None:
        """By the signal that nothing can catch."""
        self.process.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _next(self) -> Said:
        title = self.entry.title
        try:
            line = self._lines.get(timeout=self.timeout)
        except queue.Empty:
            raise WorkerFailed(
                f"{title} hung: no sign of life for {self.timeout:g} s, "
                f"so it was stopped{_tail(self.log)}"
            ) from None
        if line is None:
            raise WorkerFailed(
                f"{title} {_death(self.process.wait())}{_tail(self.log)}"
            )
        return _SAID.decode(line)


def _death(status: int) -> str:
    if status >= 0:
        return f"exited without a result (exit status {status})"
    name = signal.Signals(-status).name
    hint = (
        ", most likely out of memory: try a smaller --batch-size or --image-size"
        if name == "SIGKILL"
        else ""
    )
    return f"was killed ({name}{hint})"


def _tail(log: Path) -> str:
    """The end of a log for a message; nothing if the log is empty."""
    lines = [
        line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()
    ]
    return f"; end of {log}:\n  " + "\n  ".join(lines[-LOG_LINES:]) if lines else ""
