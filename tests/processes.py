"""Commands under way, with their workers: to be watched, signalled and killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psutil

DEFAULT = {signal.SIGINT: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
"""Of a command at a terminal: one is ignored below a background job, the other below
nohup.
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "triptych.cli", *words]


@contextmanager
def started(
    *words: str,
    signals: Mapping[signal.Signals, signal.Handlers] = DEFAULT,
    **options: Any,
) -> Iterator[subprocess.Popen[str]]:
    """A command under way, started with these `signals`; nothing of it stays behind."""

    def take() -> None:
        for number, handler in signals.items():
            signal.signal(number, handler)

    process = subprocess.Popen(
        command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=take,
        **options,
    )
    try:
        yield process
    finally:
        end(family(process))
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The process and its children that are alive."""
    try:
        parent = psutil.Process(process.pid)
        return [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return []


def end(processes: Iterable[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def worker(process: subprocess.Popen[str]) -> psutil.Process:
    """The process of the framework that trains, as soon as there is one."""
    found: list[psutil.Process] = []

    def there() -> bool:
        found[:] = workers(process)
        return bool(found)

    wait_until(there)
    return found[0]


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [one for one in family(process) if _is_worker(one)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "triptych.running.worker" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it has just ended
        return False


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
