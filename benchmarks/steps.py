"""What a training step costs: how much of the matrix-multiply peak it reaches, and what
the input adds.

`triptych bench sports-cnn --image-size S --batch-size 32` at 64 and 224 px, float32,
all frameworks, each in a process of its own, in turn; then PyTorch in bfloat16 at 64
px, in a separate benchmark, compared round by round. The peak is NumPy's float32 matrix
product, measured in every round along with the frameworks. The input cost is how much
longer a step takes on images, prepared at the same time, than on a batch of noise held
in memory.

Budget: 380 seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from benchmarks.measuring import (
    TITLES,
    ChildFailed,
    Part,
    Row,
    Settings,
    Values,
    at_least,
    at_most,
    attempt,
    output_of,
    ratios,
    say,
    triptych,
)

NETWORK, BATCH = "sports-cnn", 32
SIZES, QUICK_SIZES = (64, 224), (16,)
REPEATS, QUICK_REPEATS = {64: 4, 224: 3}, 1
SHARES = {"tensorflow": 0.70, "pytorch": 0.60, "keras": 0.55, "jax": 0.40}
"""Targets: the part of the peak that a float32 step reaches."""
INPUT_COST = 0.05
BFLOAT16 = 1.7
TIMEOUT = 420.0


def bench(
    settings: Settings, size: int, precision: str, frameworks: tuple[str, ...]
) -> Values:
    """The bench.json of `triptych bench`, which is there although a framework has
    failed; no latencies.
    """
    out = settings.scratch / f"bench-{size}-{precision}"
    command = triptych(
        "bench", NETWORK, "--image-size", size, "--batch-size", BATCH,
        "--precision", precision, "--frameworks", ",".join(frameworks),
        "--repeats", QUICK_REPEATS if settings.quick else REPEATS[size],
        "--images", settings.images().folder, "--out", out, "--json",
    )  # fmt: skip
    if settings.quick:
        command += ["--seconds", "0.1"]
    try:
        output_of(command, TIMEOUT)
    except ChildFailed:
        if not (out / "bench.json").exists():
            raise
    found: Values = json.loads((out / "bench.json").read_text("utf-8"))
    for one in found["frameworks"].values():
        for turn in one["rounds"]:
            del turn["latencies"]
    return {"bench": found}


def speeds(found: Values, framework: str) -> list[float]:
    """Images a second of each round, on a batch in memory."""
    turns = found["frameworks"][framework]["rounds"]
    return [
        found["asked"]["batch_size"] * turn["steps"] / turn["train_seconds"]
        for turn in turns
    ]


def shares(found: Values, framework: str) -> list[float]:
    """The part of the machine's peak of the same round; none if that is not known."""
    peaks = [
        turn["flops"] / found["network"]["training_flops"]
        for turn in found["peak"]["rounds"]
    ]
    own = speeds(found, framework)
    return ratios(own, peaks) if len(own) == len(peaks) else []


def input_costs(found: Values, framework: str) -> list[float]:
    """How much longer a step is on images, by round: 0.1 is a tenth."""
    turns = found["frameworks"][framework]["rounds"]
    return [turn["real_seconds"] / turn["train_seconds"] - 1 for turn in turns]


def measure(settings: Settings) -> Values:
    """Each size in float32, then PyTorch in bfloat16; by "size precision"."""
    found = {}
    for size in QUICK_SIZES if settings.quick else SIZES:
        for precision, frameworks in (
            ("float32", settings.frameworks),
            ("bfloat16", ("pytorch",)),
        ):
            if (size, precision) == (224, "bfloat16"):
                continue  # a minute for what 64 px has said already
            say(f"  {size} px, {precision}")
            found[f"{size} {precision}"] = attempt(
                bench, settings, size, precision, frameworks
            )
    return {"benches": found}


def rows(values: Values) -> list[Row]:
    """Shares of the peak, costs of input, and what bfloat16 brings."""
    benches = values["benches"]
    found = []
    for size in sorted({int(key.split()[0]) for key in benches}):
        single = benches[f"{size} float32"]
        for name in single["bench"]["frameworks"] if "bench" in single else SHARES:
            what = f"{TITLES[name]}, {size} px"
            share, failed = _told(single, name, shares)
            target = at_least(SHARES[name])
            found.append(
                Row(
                    f"{what}: share of the peak",
                    share,
                    "%",
                    target,
                    failed,
                    headline=True,
                )
            )
            cost, failed = _told(single, name, input_costs)
            target = at_most(INPUT_COST)
            found.append(
                Row(f"{what}: input cost", cost, "%", target, failed, headline=True)
            )
        if f"{size} bfloat16" not in benches:
            continue
        full, failed_full = _told(single, "pytorch", speeds)
        half, failed_half = _told(benches[f"{size} bfloat16"], "pytorch", speeds)
        gain = ratios(half, full) if len(half) == len(full) else []
        failed = failed_full or failed_half or (None if gain else "not as many rounds")
        what = f"PyTorch, {size} px: bfloat16 against float32"
        found.append(Row(what, gain, "x", at_least(BFLOAT16), failed, headline=True))
    return found


def _told(
    one: Values, framework: str, what: Callable[[Values, str], list[float]]
) -> tuple[list[float], str | None]:
    """What a bench says of a framework, or why it says nothing."""
    if "failed" in one:
        return [], one["failed"]
    own = one["bench"]["frameworks"][framework]
    if own["status"] != "done":
        return [], own["error"] or own["status"]
    found = what(one["bench"], framework)
    return found, None if found else own["share_missing"] or "no rounds"


PART = Part("steps", "Steps", 380, measure, rows)
