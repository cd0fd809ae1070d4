"""Intervals, held against SciPy's."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest, t

from triptych.commands.replay.result import student_t
from triptych.running.scores import interval


@pytest.mark.parametrize("of", [1, 2, 10, 372, 450, 60_000])
def test_wilsons_interval_is_that_of_scipy(of: int) -> None:
    for right in {0, 1, of // 3, of - 1, of}:
        theirs = binomtest(right, of).proportion_ci(0.95, method="wilson")
        assert interval(right, of) == pytest.approx(
            (theirs.low, theirs.high), rel=1e-12, abs=1e-15
        )
    assert interval(0, of)[0] == 0
    assert interval(of, of)[1] == 1


@pytest.mark.parametrize("freedom", [*range(1, 30), 99, 100, 1_000, 10_001])
def test_students_t_is_that_of_scipy(freedom: int) -> None:
    assert math.isclose(student_t(freedom), t.ppf(0.975, freedom), rel_tol=1e-9)
