"""Every change in a framework is caught and rightly located; what is honest raises no
alarm.

Here in the two frameworks that are quick to ask; `make mutants` asks all four and
prints the table.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutants.asking import PRECISIONS
from tests.mutants.first_steps import prove
from tests.mutants.judging import ask, find
from tests.mutants.mutants import MUTANTS

from triptych.network.conventions import Precision

QUICK = ("pytorch", "tensorflow")
NUMBERS = [number for number, one in enumerate(MUTANTS) if one.framework in QUICK]
ROLL = Path(__file__).with_name("roll.txt")

SMALL = (3, 27, 33, 62, 98)
"""First steps that take a second each; `make honest` takes two hundred."""


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    ask(folder, NUMBERS)
    return folder


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "number",
    [pytest.param(number, id=MUTANTS[number].title) for number in NUMBERS],
)
def test_a_mutant_is_caught_where_it_was_changed(
    exam: Path, number: int, precision: Precision
) -> None:
    found = find(exam, number, precision)
    if precision == "float32" and found.mutant.float32:
        assert found.difference is None, found.mutant.float32
    else:
        assert found.located, found.difference


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
