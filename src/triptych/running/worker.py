"""The child process: one framework, one job after another.

Jobs come as lines of JSON on standard input; when it ends, the parent is gone and so is
the worker. What the worker has to say goes out as lines of JSON on what was standard
output; everything that a framework prints goes to standard error, the log.
"""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Any

import msgspec

from triptych.errors import TriptychError
from triptych.frameworks import registry
from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.running import protocol
from triptych.running.protocol import (
    AnyJob,
    AnyReply,
    Emit,
    Raised,
    Replied,
    Said,
    Started,
)

Conversation = Generator[AnyReply, AnyJob, None]
"""The reply to a job, then to each that follows on it; it ends when what follows is a
job of its own.
"""

Handler = Callable[[Any, Framework, Entry, Emit], Conversation]
"""Takes up a job of the type that it is listed for, in a framework of that entry."""

HANDLERS: dict[type[AnyJob], str] = {
    protocol.Train: "triptych.commands.compare.child:train",
    protocol.Answer: "triptych.commands.verify.child:answer",
    protocol.Open: "triptych.commands.predict.child:predict",
    protocol.StartBench: "triptych.commands.bench.child:measure",
    protocol.StartPeak: "triptych.commands.bench.child:measure_peak",
}
"""Where each job is done; the others follow on one of these. Loaded when asked for:
nothing here knows it.
"""


def handler(job: AnyJob) -> Handler:
    """Whoever takes up such a job."""
    module, _, name = HANDLERS[type(job)].partition(":")
    found: Handler = getattr(importlib.import_module(module), name)
    return found


def replies(entry: Entry, jobs: Iterator[AnyJob], emit: Emit) -> Iterator[AnyReply]:
    """One for each job."""
    framework = entry.load()
    conversation: Conversation | None = None
    for job in jobs:
        if type(job) in HANDLERS:
            conversation = handler(job)(job, framework, entry, emit)
            yield next(conversation)
        else:
            assert conversation is not None
            yield conversation.send(job)


def main(name: str) -> int:
    """Do what is asked of a framework of that name until it fails; the exit status."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_hear_parent, args=(lines,), daemon=True).start()
    decoder: msgspec.json.Decoder[AnyJob] = msgspec.json.Decoder(AnyJob)
    jobs = (decoder.decode(line) for line in iter(lines.get, None))
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def say(said: Said) -> None:
        out.write(msgspec.json.encode(said) + b"\n")

    try:
        say(Started())
        for reply in replies(registry.find(name), jobs, say):
            say(Replied(reply))
    except TriptychError as error:
        say(Raised(str(error)))
    except Exception as error:  # noqa: BLE001 - whatever it was, the parent hears of it
        traceback.print_exc()
        say(Raised(f"{type(error).__name__}: {str(error).strip() or 'no message'}"))
    return 1


def _hear_parent(lines: queue.SimpleQueue[bytes]) -> None:
    """Pass on what is asked; at the end of standard input leave at once: no orphan goes
    on training.
    """
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    status = 1
    try:
        status = main(sys.argv[-1])
        sys.stderr.flush()
    finally:
        # Some frameworks hang or crash while their threads are torn down.
        os._exit(status)
