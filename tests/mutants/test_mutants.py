"""What the table of mutants says: `make mutants` asks every one in all four frameworks;
here one is, and it is seen what a mutant that lives would do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.mutants.__main__ import main
from tests.mutants.first_steps import prove
from tests.mutants.mutants import MUTANTS

QUICK = ("pytorch", "tensorflow")
ROLL = Path(__file__).with_name("roll.txt")

SMALL = (3, 27, 33, 62, 98)
"""First steps that take a second each; `make honest` takes two hundred."""


def test_a_mutant_is_caught_where_it_was_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["pytorch: ReLU6: ReLU"]) == 0
    assert "\n1 of 1 caught and rightly located" in capsys.readouterr().out


@pytest.fixture
def misplaced() -> Iterator[str]:
    """The title of a mutant that is said to be where it is not."""
    number = [one.title for one in MUTANTS].index("pytorch: ReLU6: ReLU")
    known = MUTANTS[number]
    MUTANTS[number] = dataclasses.replace(known, where=("conv1",))
    yield known.title
    MUTANTS[number] = known


def test_one_that_is_found_elsewhere_counts_as_missed(
    misplaced: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([misplaced]) == 1
    said = capsys.readouterr().out
    assert "WRONG PLACE" in said
    assert "\n0 of 1 caught and rightly located" in said


def test_no_mutant_goes_or_comes_unseen() -> None:
    """Who adds one writes it into the roll; who takes one away has to cross it out
    there, for all to see.
    """
    assert ROLL.read_text("utf-8").splitlines() == [mutant.title for mutant in MUTANTS]
    assert len({mutant.title for mutant in MUTANTS}) == len(MUTANTS)


def test_honest_first_steps_raise_no_alarm(tmp_path: Path) -> None:
    """Photographs and drawn sports: biases before batch norm, ties of pools, a batch of
    one.
    """
    for one, certificate in prove(tmp_path, SMALL, QUICK):
        assert certificate.verdict == "equal", f"{one}: {certificate.sentence()}"
