"""What of a bench runs inside a worker: get ready, say what that took, then measure
once a turn.
"""

from __future__ import annotations

from triptych.commands.bench import measuring
from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.running.protocol import (
    Emit,
    PeakReady,
    PeakTurnTaken,
    Ready,
    StartBench,
    StartPeak,
    TakePeakTurn,
    TakeTurn,
    TurnTaken,
)
from triptych.running.worker import Conversation


def measure(
    job: StartBench, framework: Framework, entry: Entry, emit: Emit
) -> Conversation:
    """What a framework costs."""
    ready = measuring.ReadyFramework(framework, job.load, emit)
    asked = yield Ready(ready.startup, framework.facts())
    while isinstance(asked, TakeTurn):
        asked = yield TurnTaken(ready.turn())


def measure_peak(
    job: StartPeak, framework: Framework, entry: Entry, emit: Emit
) -> Conversation:
    """What the machine itself can do."""
    measuring.peak(job.precision)  # to warm up
    asked = yield PeakReady()
    while isinstance(asked, TakePeakTurn):
        asked = yield PeakTurnTaken(measuring.peak(job.precision))
