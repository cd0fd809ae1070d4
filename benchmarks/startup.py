"""How long one waits before anything happens, in whole processes, from start to end.

`triptych --help`; `python -c "import triptych"`; and `python -c pass` as a baseline for
the import, whose own time is the difference, pair by pair. The three take turns, ten
times; files are in the system's cache.

Median of 10. Budget: 15 seconds.
"""

from __future__ import annotations

import sys

from benchmarks.measuring import (
    Part,
    Row,
    Settings,
    Values,
    at_most,
    attempt,
    seconds_of,
    triptych,
)

REPEATS, QUICK_REPEATS = 10, 2

COMMANDS = {
    "help": triptych("--help"),
    "import": [sys.executable, "-c", "import triptych"],
    "bare": [sys.executable, "-c", "pass"],
}


def measure(settings: Settings) -> Values:
    """Seconds of each command, in turns; the first turn does not count."""

    def in_turns() -> Values:
        found: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for turn in range(1 + (QUICK_REPEATS if settings.quick else REPEATS)):
            for name, command in COMMANDS.items():
                seconds = seconds_of(command, 60)
                found[name] += [seconds] if turn else []
        return found

    return attempt(in_turns)


def rows(values: Values) -> list[Row]:
    """With the import's own time."""
    failed = values.get("failed")
    own = [
        whole - bare
        for whole, bare in zip(
            values.get("import", ()), values.get("bare", ()), strict=True
        )
    ]
    return [
        Row(
            "`triptych --help`, s",
            values.get("help", ()),
            "s",
            at_most(0.3),
            failed,
            headline=True,
        ),
        Row(
            "`import triptych` alone, s", own, "s", at_most(0.15), failed, headline=True
        ),
        Row(
            '`python -c "import triptych"`',
            values.get("import", ()),
            "s",
            failed=failed,
        ),
        Row("`python -c pass`", values.get("bare", ()), "s", failed=failed),
    ]


PART = Part("startup", "Starting", 15, measure, rows)
