"""What a training step costs: how much of the machine's matrix-multiply peak it reaches, and what pictures
cost.

`triptych bench sports-cnn --size S --batch 32` at 64 and 224 px, float32, all frameworks, each in a
process of its own; then PyTorch in bfloat16. The peak is the one that `triptych bench` measures in the
same run. What pictures cost is how much longer a step takes on pictures from the store than on a batch
that is held in memory.

Budget: 240 seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

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
REPEATS, QUICK_REPEATS = 5, 1
SHARES = {"tensorflow": 0.70, "pytorch": 0.60, "keras": 0.55, "jax": 0.40}
"""Targets: the part of the peak that a float32 step reaches."""
INPUT_COST = 0.05
BFLOAT16 = 1.7

KEYS = {
    "share": ("share_of_peak", "peak_share", "share"),
    "rate": ("pictures_per_second", "rate"),
    "memory": ("in_memory_seconds", "memory_seconds", "step_seconds"),
    "real": ("real_seconds", "store_seconds", "with_input_seconds"),
}
"""Under which names a framework's figures may stand in bench.json; the first that is there counts."""


def bench(settings: Settings, size: int, precision: str, frameworks: tuple[str, ...]) -> Values:
    """What `triptych bench --json` prints."""
    command = triptych(
        "bench", NETWORK, "--size", size, "--batch", BATCH, "--precision", precision,
        "--frameworks", ",".join(frameworks), "--repeats", QUICK_REPEATS if settings.quick else REPEATS,
        "--pictures", settings.pictures().folder, "--out", settings.scratch / f"bench-{size}-{precision}",
        "--json",
    )  # fmt: skip
    printed = output_of(command, timeout=150)
    try:
        found = json.loads(printed)
    except ValueError:
        raise ChildFailed("triptych bench printed no JSON") from None
    return {"bench": found}


def figures(table: Any, framework: str, what: str) -> list[float]:
    """One framework's measurements of `what` (one of KEYS), wherever they stand in its part of bench.json."""
    own = next(_tables(table, framework), None)
    for key in KEYS[what]:
        for value in _tables(own, key):
            if isinstance(value, Mapping):
                value = value.get("values", value.get("median"))
            return [float(one) for one in (value if isinstance(value, list) else [value])]
    return []


def _tables(table: Any, key: str) -> Iterator[Any]:
    """Every value that stands under `key`, at any depth."""
    if isinstance(table, Mapping):
        if table.get(key) is not None:
            yield table[key]
        for value in table.values():
            yield from _tables(value, key)
    elif isinstance(table, list):
        for value in table:
            yield from _tables(value, key)


def measure(settings: Settings) -> Values:
    """Each size in float32, then PyTorch in bfloat16; by "size precision"."""
    found = {}
    for size in QUICK_SIZES if settings.quick else SIZES:
        for precision, frameworks in (("float32", settings.frameworks), ("bfloat16", ("pytorch",))):
            say(f"  {size} px, {precision}")
            found[f"{size} {precision}"] = attempt(bench, settings, size, precision, frameworks)
    return {"benches": found}


def rows(values: Values) -> list[Row]:
    """Shares of the peak, costs of input, and what bfloat16 brings."""
    benches = values["benches"]
    found = []
    for key, one in benches.items():
        size, precision = key.split()
        if precision != "float32":
            continue
        for name, share in SHARES.items():
            what = f"{TITLES[name]}, {size} px"
            shares, failed = _told(one, name, "share")
            found.append(
                Row(f"{what}: share of the peak", shares, "%", at_least(share), failed, headline=True)
            )
            cost = [real / held - 1 for real, held in _pairs(one, name)]
            missing = failed or (None if cost else "bench.json does not say")
            found.append(Row(f"{what}: input cost", cost, "%", at_most(INPUT_COST), missing))
        half, failed = _told(benches[f"{size} bfloat16"], "pytorch", "rate")
        full, failed_full = _told(one, "pytorch", "rate")
        gain = ratios(half, full) if len(half) == len(full) else []
        what = f"PyTorch, {size} px: bfloat16 against float32"
        found.append(Row(what, gain, "x", at_least(BFLOAT16), failed or failed_full, headline=True))
    return found


def _told(one: Values, framework: str, what: str) -> tuple[list[float], str | None]:
    """The measurements, or why there are none."""
    found = figures(one.get("bench"), framework, what)
    return found, None if found else one.get("failed", "bench.json does not say")


def _pairs(one: Values, framework: str) -> list[tuple[float, float]]:
    """Seconds of a step with pictures from the store and from memory, measurement by measurement."""
    real, memory = (figures(one.get("bench"), framework, what) for what in ("real", "memory"))
    return list(zip(real, memory, strict=True)) if len(real) == len(memory) else []


PART = Part("steps", "Steps", 240, measure, rows)
