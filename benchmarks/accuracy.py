"""How soon there is a good classifier: 88 % test accuracy at 64 px, from the start of
the process.

- Ours: `triptych train FOLDER --network compact-cnn --image-size 64 --precision
  bfloat16`, PyTorch, an empty cache. It uses the test split once, at the end, so its
  time is that of the whole command: imports, decoding, the reference's check of the
  first step, all epochs, the report.
- (b): the talk's network and recipe written the framework's native way,
  `benchmarks/peers/native_pytorch.py`, until the end of the epoch that reaches this
  test accuracy, imports included. It is given three times our time; if it does not get
  there, three times our time is counted.

Both take turns, with a new seed each round. On the drawn sports there is no target.
Budget: 270 seconds.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

from benchmarks.epochs import PEERS
from benchmarks.measuring import (
    ChildFailed,
    Part,
    Row,
    Settings,
    Values,
    at_least,
    attempt,
    environment,
    events_of,
    output_of,
    rounds,
    triptych,
)

UNTIL = 0.88
LIMIT = 3.0
"""How many times our time the other is given; the target, too."""


@dataclass(frozen=True)
class Ours:
    """What ours is trained by: the one place to tune it."""

    framework: str = "pytorch"
    network: str = "compact-cnn"
    size: int = 64
    epochs: int = 15
    precision: str = "bfloat16"
    batch: int = 32
    learning_rate: float = 3e-3


OURS = Ours()
QUICK = Ours(size=16, epochs=1)


def own(settings: Settings, seed: int) -> Values:
    """Seconds of the whole command, and the accuracy that it ends with."""
    ours = QUICK if settings.quick else OURS
    folder = settings.scratch / f"accuracy-{seed}"
    command = triptych(
        "train", settings.images().folder,
        "--network", ours.network, "--framework", ours.framework,
        "--image-size", ours.size, "--epochs", ours.epochs,
        "--batch-size", ours.batch, "--precision", ours.precision,
        "--learning-rate", ours.learning_rate, "--seed", seed,
        "--out", folder, "--json",
    )  # fmt: skip
    started = time.perf_counter()
    printed = output_of(
        command, 300, environment(TRIPTYCH_CACHE=str(folder) + "-cache")
    )
    seconds = time.perf_counter() - started
    found = json.loads(printed)["frameworks"][ours.framework]
    return {
        "seconds": seconds,
        "test_accuracy": found["test_accuracy"],
        "epochs": ours.epochs,
    }


def other(settings: Settings, seed: int, limit: float) -> Values:
    """Seconds to the accuracy, or None; and how far it came."""
    script = PEERS / f"native_{OURS.framework}.py"
    if not script.exists():
        raise ChildFailed(f"there is no {script.name}")
    size, epochs = (QUICK.size, 1) if settings.quick else (OURS.size, 1000)
    command = [
        sys.executable, script, settings.images().folder,
        "--image-size", str(size), "--epochs", str(epochs),
        "--until", str(UNTIL), "--limit-seconds", str(limit), "--seed", str(seed),
    ]  # fmt: skip
    epochs_seen = [
        event
        for event in events_of(command, 2 * limit + 60)
        if event["event"] == "epoch"
    ]
    return {
        "seconds": reached(epochs_seen, limit),
        "limit": limit,
        "best": max((epoch["test_accuracy"] for epoch in epochs_seen), default=0.0),
        "epochs": len(epochs_seen),
    }


def reached(epochs: list[Values], limit: float) -> float | None:
    """When the first epoch ended that was good enough; None if none was, or only after
    the limit.
    """
    good = (epoch["at"] for epoch in epochs if epoch["test_accuracy"] >= UNTIL)
    return next((at for at in good if at <= limit), None)


def measure(settings: Settings) -> Values:
    """Rounds of both, another seed each."""
    drawn = settings.images().drawn  # here: making them is no part of a round
    found = []
    for seed in rounds(settings, PART.budget, most=3):
        ours = attempt(own, settings, seed)
        limit = LIMIT * ours.get("seconds", 60.0)
        theirs = attempt(other, settings, seed, limit)
        found.append({"ours": ours, "theirs": theirs})
    return {"rounds": found, "drawn": drawn}


def rows(values: Values) -> list[Row]:
    """The ratio; it counts only in rounds in which ours got there."""
    ours, theirs = (
        [one[who] for one in values["rounds"]] for who in ("ours", "theirs")
    )
    failed = next((one["failed"] for one in [*ours, *theirs] if "failed" in one), None)
    times, short, never = [], 0, 0
    for own, other in zip(ours, theirs, strict=True):
        if "failed" in own or "failed" in other:
            continue
        if own["test_accuracy"] < UNTIL:
            short += 1
            continue
        never += other["seconds"] is None
        times.append((other["seconds"] or other["limit"]) / own["seconds"])
    if not times and failed is None:
        failed = f"ours did not reach {UNTIL:.0%} itself"
    notes = []
    if never:
        missed = f"in {never} of {len(times)}"
        notes.append(f"(b) did not get there within {LIMIT:g} times ours {missed}")
    if short and times:
        notes.append(f"ours stayed below in {short} of {len(ours)}")
    done = [one for one in ours if "failed" not in one]
    peers = [one for one in theirs if "failed" not in one]
    own_seconds = [one["seconds"] for one in done]
    their_seconds = [one["seconds"] for one in peers if one["seconds"]]
    target = None if values["drawn"] else at_least(LIMIT)
    return [
        Row(
            f"{UNTIL:.0%} sooner than (b)",
            times,
            "x",
            target,
            None if times else failed,
            True,
            "; ".join(notes),
        ),
        Row(
            "ours: the whole command", own_seconds, "s", failed=None if done else failed
        ),
        Row("ours: test accuracy", [one["test_accuracy"] for one in done], "%"),
        Row("(b): to the accuracy", their_seconds, "s"),
        Row("(b): best test accuracy in its time", [one["best"] for one in peers], "%"),
    ]


PART = Part("accuracy", "Time to accuracy", 270, measure, rows)
