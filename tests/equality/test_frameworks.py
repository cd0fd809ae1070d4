"""Every framework, Keras' other backends included, against the reference: layers,
gradients, steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from tests.equality.asking import ProofSettings, prove

from triptych.equality.questions import PROBES, probe_cases
from triptych.network.conventions import OptimizerName, Precision
from triptych.running.exam import Case


def cases(precision: Precision) -> dict[str, Case]:
    return {case.name: case for case in probe_cases(precision, seed=5)}


@pytest.fixture(scope="module", params=["keras:jax", "keras:torch"])
def backend(request: pytest.FixtureRequest) -> Iterator[ProofSettings]:
    asked = ProofSettings(request.param)
    yield asked
    asked.end()


@pytest.mark.parametrize("name", PROBES)
def test_the_four_are_equal(
    tmp_path: Path, four: list[ProofSettings], name: str
) -> None:
    prove(tmp_path, cases("float64")[name], four).check()


def test_other_backends_are_equal(tmp_path: Path, backend: ProofSettings) -> None:
    case = dataclasses.replace(
        cases("float64")["odd"], trainings=cases("float64")["even"].trainings
    )
    prove(tmp_path, case, [backend]).check()


@pytest.mark.parametrize("name", ["rows", "wide"])
def test_other_backends_read_rows_and_reach_ends_alike(
    tmp_path: Path, backend: ProofSettings, name: str
) -> None:
    prove(tmp_path, cases("float64")[name], [backend]).check()


@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
@pytest.mark.parametrize("name", ["scales", "rows"])
def test_state_goes_out_and_in_and_nothing_changes(
    tmp_path: Path, four: list[ProofSettings], name: str, optimizer: str
) -> None:
    training = next(
        one for one in cases("float64")["scales"].trainings if one.name == optimizer
    )
    case = dataclasses.replace(cases("float64")[name], trainings=(training,))
    case.write(tmp_path)
    for one in four:
        (tmp_path / one.name).mkdir()
        one.ask("roundtrip", tmp_path, case)
