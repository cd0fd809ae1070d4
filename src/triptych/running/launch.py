"""The parent's side: give workers jobs, a few at a time, and leave none behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from triptych.errors import WorkerFailed
from triptych.frameworks.registry import Entry
from triptych.running.protocol import Event, Failed, Job, Reply
from triptych.running.transport import LOCAL, TIMEOUT, Hear, Transport, Worker, ignore

R = TypeVar("R", bound=Reply)


@dataclass(frozen=True)
class Task(Generic[R]):
    """A job for a worker, with its log and who hears of it."""

    entry: Entry
    job: Job[R]
    log: Path
    hear: Hear = ignore


def run_task(
    task: Task[R],
    timeout: float = TIMEOUT,
    threads: int | None = None,
    transport: Transport = LOCAL,
    started: Callable[[Worker], None] = lambda worker: None,
) -> R:
    """What comes of a job that a worker does all by itself.

    Raises as `Worker.ask`. An interruption ends the worker and goes on.
    """
    with transport.open(task.entry, task.log, timeout, threads) as worker:
        started(worker)
        return worker.ask(task.job, task.hear)


def run_tasks(
    tasks: Mapping[str, Task[R]],
    timeout: float = TIMEOUT,
    at_once: int = 2,
    threads: int | None = None,
    transport: Transport = LOCAL,
) -> dict[str, R | WorkerFailed]:
    """What comes of several jobs, `at_once` at a time, or why nothing does; by name.

    Whoever hears of a task is called from several threads; if one raises, or at an
    interruption, all workers are ended and that goes on.
    """
    workers: list[Worker] = []
    ended = threading.Event()

    def started(worker: Worker) -> None:
        workers.append(worker)
        if ended.is_set():
            worker.kill()

    def one(task: Task[R]) -> R | WorkerFailed:
        try:
            return run_task(task, timeout, threads, transport, started)
        except WorkerFailed as error:
            task.hear(Failed(str(error)))
            return error

    with ThreadPoolExecutor(at_once) as pool:
        waiting = {name: pool.submit(one, task) for name, task in tasks.items()}
        try:
            return {name: future.result() for name, future in waiting.items()}
        except BaseException:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
            raise


def ask_all(
    entries: Sequence[Entry],
    job: Job[R],
    log: Callable[[Entry], Path],
    hear: Callable[[Entry, Event], None] = lambda entry, event: None,
    timeout: float = TIMEOUT,
) -> dict[str, R | WorkerFailed]:
    """What comes of the same job in several frameworks, by name; as `run_tasks`."""

    def task(entry: Entry) -> Task[R]:
        return Task(entry, job, log(entry), lambda event: hear(entry, event))

    return run_tasks({entry.name: task(entry) for entry in entries}, timeout)
