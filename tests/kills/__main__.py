"""Kills, and hostile files, in numbers; 0 executed, 0 lost, 0 tracebacks, 0 hangs. make
kills
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.kills import archives, images, killing, runs, tables
from tests.kills.watching import FAULTS, Tally, Watched

WHOLE = {"kills": 100, "images": 1000, "archives": 100, "runs": 100, "tables": 200}
QUICK = {"kills": 6, "images": 50, "archives": 20, "runs": 8, "tables": 40}
"""How many of each; the quick share takes a minute and is in the test suite."""


def campaigns(home: Path, seed: int, numbers: dict[str, int]) -> list[Tally]:
    """Every part, one after the other; what it leaves is below `home`."""
    found = []
    with Watched(home) as watched:
        for name, number in numbers.items():
            began = time.monotonic()
            if name == "kills":
                parts = [killing.campaign(seed, number, home)]
            elif name == "tables":
                parts = tables.campaign(seed, number, watched)
            else:
                part = {"images": images, "archives": archives, "runs": runs}[name]
                parts = [part.campaign(seed, number, watched)]
            found += parts
            print(
                f"{name}: {number} in {time.monotonic() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return found


def show(tallies: list[Tally]) -> None:
    """The table, what became of what, and every fault."""
    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    for heading in ("tried", *FAULTS):
        table.add_column(heading, justify="right")
    for tally in tallies:
        table.add_row(
            tally.name,
            f"{tally.trials:,}",
            *(str(tally.number(kind)) for kind in FAULTS),
        )
    console = Console(width=120, highlight=False)
    console.print(table)
    for tally in tallies:
        became = sorted(tally.outcomes.items(), key=lambda item: -item[1])
        console.print(
            f"{tally.name}: "
            + ", ".join(f"{count:,} {name}" for name, count in became),
            markup=False,
        )
    for tally in tallies:
        for kind, what in tally.faults:
            said = f"  {kind}: {tally.name}: {what}"
            print(said.encode(errors="backslashreplace").decode())


def main() -> int:
    """0 if there was no fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="the share that is part of the test suite"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="decides all that is random but the time of kills",
    )
    parser.add_argument("--only", choices=list(WHOLE), help="one part")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="where the files go, to be looked at"
    )
    given = parser.parse_args()
    numbers = QUICK if given.quick else WHOLE
    if given.only:
        numbers = {given.only: numbers[given.only]}
    with tempfile.TemporaryDirectory(
        prefix="kills-", ignore_cleanup_errors=True
    ) as folder:
        home = Path(folder) if given.keep is None else given.keep
        home.mkdir(parents=True, exist_ok=True)
        tallies = campaigns(home.resolve(), given.seed, numbers)
    show(tallies)
    return any(tally.faults for tally in tallies)


if __name__ == "__main__":
    sys.exit(main())
