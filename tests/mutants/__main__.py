"""The table of mutants: what was changed, which check caught it, where, and at what
gap. make mutants

python -m tests.mutants WORDS... asks those only in whose titles, such as "jax: ReLU6:
ReLU", one of the words stands, and makes no honest proofs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.mutants.honest import prove
from tests.mutants.judging import Found, ask, find
from tests.mutants.mutants import MUTANTS

from triptych.frameworks import registry


def main(words: list[str]) -> int:
    """0 if each mutant was caught and rightly located, and no honest proof alarmed."""
    numbers = [
        number
        for number, one in enumerate(MUTANTS)
        if not words or any(word in one.title for word in words)
    ]
    table = Table(title="Mutants", title_justify="left", box=None, pad_edge=False)
    for heading in (
        "framework",
        "what was changed",
        "float64: caught by",
        "at",
        "gap",
        "float32: gap",
    ):
        table.add_column(heading)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        ask(Path(folder), numbers)
        for number in numbers:
            mutant = MUTANTS[number]
            proof, budget = (
                find(Path(folder), number, precision)
                for precision in ("float64", "float32")
            )
            missed += not proof.located or not (budget.located or mutant.float32)
            one = proof.difference
            said = (
                ("missed", "", "")
                if one is None
                else (one.quantity, _where(proof), _gap(proof))
            )
            missing = mutant.float32 or f"MISSED {_where(budget)}"
            table.add_row(
                registry.find(mutant.framework).title,
                mutant.name,
                *said,
                _gap(budget) if budget.located else missing,
            )
        certificates = [] if words else prove(Path(folder))
    Console(width=170).print(table)
    print(f"\n{len(numbers) - missed} of {len(numbers)} caught and rightly located")
    if words:
        return missed > 0
    alarms = [one for one in certificates if one.verdict != "equal"]
    print(f"{len(alarms)} false alarms in {len(certificates)} honest proofs")
    for alarm in alarms:
        print(f"  {alarm.precision}: {alarm.sentence()}")
    return missed + len(alarms) > 0


def _where(found: Found) -> str:
    if found.difference is None:
        return ""
    return found.difference.where + ("" if found.located else " (WRONG PLACE)")


def _gap(found: Found) -> str:
    assert found.difference is not None
    gap = found.difference.gap
    return "no number" if gap is None else f"{gap:.0e}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
