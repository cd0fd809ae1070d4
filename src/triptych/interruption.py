"""Interruptions: Ctrl-C, SIGTERM and SIGHUP, which all end the same way.

Each becomes a KeyboardInterrupt, so that workers are ended and files closed on the way
out. Whoever knows how to go on afterwards says so in a note on it.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

GRACE = 5.0
"""Seconds in which further signals count as the same one: `timeout` sends each twice, a
terminal that closes does, too, and an impatient second Ctrl-C must not break off the
ending of workers."""


AGAIN = 0.05
"""Seconds after which an interruption that was lost comes again."""


class Interrupted(KeyboardInterrupt):
    """One of SIGNALS has come; `exit_code` is what a shell makes of it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.exit_code = 128 + number


def raise_on_signals() -> None:
    """From now on each of SIGNALS raises Interrupted in the main thread, unless it is
    ignored: see nohup.
    """
    last = -GRACE

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= GRACE:
            last = now
            raise Interrupted(number)

    def lost(unraisable: sys.UnraisableHookArgs) -> None:
        """What is raised in a callback of a weak reference or in `__del__` is dropped:
        raise it once more.
        """
        if not isinstance(unraisable.exc_value, Interrupted):
            sys.__unraisablehook__(unraisable)
            return
        number = unraisable.exc_value.number

        def again(alarm: int, frame: FrameType | None) -> None:
            raise Interrupted(number)

        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, AGAIN)

    sys.unraisablehook = lost
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


@contextlib.contextmanager
def noting(note: str) -> Iterator[None]:
    """Around work that may be interrupted: the interruption says what became of it."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        interruption.add_note(note)
        raise


def continued_by(*command: object) -> contextlib.AbstractContextManager[None]:
    """Around work that a `triptych` command can continue."""
    return noting(f"continue with: triptych {shlex.join(map(str, command))}")
