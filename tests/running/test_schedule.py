"""Learning-rate schedules against PyTorch's, and their shapes."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import RecipeError
from triptych.files import from_table
from triptych.running import schedule
from triptych.running.schedule import Schedule

TORCH = """
import json, sys, torch
from torch.optim.lr_scheduler import (
    CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR
)

def rates(make, steps, top):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=top)
    scheduler = make(optimizer, steps, top)
    found = []
    for step in range(steps):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return found

def warmed(o, rise, steps):
    up = LinearLR(o, 1 / rise, 1, max(rise - 1, 1))
    return SequentialLR(o, [up, CosineAnnealingLR(o, steps - rise)], [rise])

makers = {
    "one-cycle": lambda o, steps, top: OneCycleLR(
        o, top, total_steps=steps, cycle_momentum=False
    ),
    "cosine": lambda o, steps, top: CosineAnnealingLR(o, steps),
    "cosine after a warm-up": lambda o, steps, top: warmed(
        o, int(0.2 * steps + 0.5), steps
    ),
}
cases = json.load(sys.stdin)
print(json.dumps([
    [name, steps, top, rates(makers[name], steps, top)] for name, steps, top in cases
]))
"""
CASES = [
    (name, steps, top)
    for name in ("one-cycle", "cosine", "cosine after a warm-up")
    for steps in (7, 10, 57, 456, 1000)
    for top in (3e-3, 0.7)
]
BOUND = 1e-12
"""Of the top of the schedule."""


@cache
def torchs() -> dict[tuple[str, int, float], list[float]]:
    """PyTorch's rates, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", TORCH],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        (name, steps, top): rates for name, steps, top, rates in json.loads(done.stdout)
    }


def gap(name: str, steps: int, top: float) -> float:
    """Largest difference from PyTorch, relative to the top."""
    plain = name.removesuffix(" after a warm-up")
    made = from_table(
        Schedule,
        {"name": plain, "learning_rate": top, "warm_up": 0.2 * (plain != name)},
    )
    ours = [made.at(step, steps) for step in range(steps)]
    theirs = torchs()[name, steps, top]
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / top


needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)


@needs_torch
@pytest.mark.parametrize(("name", "steps", "top"), CASES)
def test_equal_to_pytorch(name: str, steps: int, top: float) -> None:
    assert gap(name, steps, top) < BOUND


@needs_torch
@pytest.mark.parametrize(
    ("constant", "value"), [("WARM_UP", 0.31), ("START", 1 / 24), ("END", 1.1e-4)]
)
def test_the_bound_catches_another_shape(
    constant: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, constant, value)
    assert gap("one-cycle", 456, 0.7) > BOUND


TOPS = st.floats(0, 10)
STEPS = st.integers(1, 400)


@given(top=TOPS, steps=STEPS)
def test_constant(top: float, steps: int) -> None:
    assert {Schedule("constant", top).at(step, steps) for step in range(steps)} == {top}


@given(top=st.floats(1e-6, 10), steps=STEPS, share=st.floats(0, 1, exclude_max=True))
def test_a_warm_up_rises_linearly_and_the_rest_is_as_without(
    top: float, steps: int, share: float
) -> None:
    rise = min(int(share * steps + 0.5), steps - 1)
    for name in schedule.WARMED_UP:
        made = Schedule(name, top, warm_up=share)
        rates = [made.at(step, steps) for step in range(steps)]
        assert rates[:rise] == pytest.approx(
            [top * (step + 1) / rise for step in range(rise)]
        )
        assert rates[rise] == top
        rest = Schedule(name, top)
        assert rates[rise:] == [
            rest.at(step, steps - rise) for step in range(steps - rise)
        ]


@pytest.mark.parametrize(
    ("name", "share", "said"),
    [
        ("one-cycle", 0.1, "schedule: one-cycle has its own warm_up; leave it out, or"),
        ("inverse-time", 0.1, "has no warm_up; .*choose constant or cosine"),
        ("cosine", 1.0, r"schedule: warm_up is 1.0, but must be in \[0, 1\)"),
        ("cosine", -0.1, "schedule: warm_up is -0.1"),
        ("cosine", math.nan, "schedule: warm_up is nan"),
    ],
)
def test_warm_ups_that_are_none(
    name: schedule.ScheduleName, share: float, said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        Schedule(name, warm_up=share)


@given(top=TOPS, steps=STEPS)
def test_inverse_time_is_what_keras_did(top: float, steps: int) -> None:
    """lr / (1 + decay step), whatever the length of the run."""
    made = Schedule("inverse-time", top, decay=1e-6)
    assert made.at(0, steps) == top
    assert made.at(1_000_000, steps) == pytest.approx(top / 2)
    with pytest.raises(
        RecipeError, match="schedule: cosine has no decay, only inverse-time has"
    ):
        Schedule("cosine", top, decay=1e-6)
    with pytest.raises(RecipeError, match="schedule: decay is -1"):
        Schedule("inverse-time", top, decay=-1)


@given(top=TOPS, steps=STEPS)
def test_cosine_falls_from_the_top(top: float, steps: int) -> None:
    rates = [Schedule("cosine", top).at(step, steps) for step in range(steps)]
    assert rates[0] == top
    assert rates == sorted(rates, reverse=True)
    assert all(rate >= 0 for rate in rates)
    assert Schedule("cosine", top).at(steps, steps) == pytest.approx(0, abs=1e-12)


@given(top=st.floats(1e-6, 10), steps=STEPS)
def test_one_cycle_rises_and_falls_once(top: float, steps: int) -> None:
    """However short the run is: from 1/25 of the top, up, then down, never above the
    top nor below 0.
    """
    rates = [Schedule("one-cycle", top).at(step, steps) for step in range(steps)]
    assert rates[0] == pytest.approx(top / 25)
    assert all(0 <= rate <= top * (1 + 1e-12) for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    if steps > 20:
        assert abs(peak - 0.3 * steps) <= 2
        assert rates[peak] == pytest.approx(top, rel=0.05)
        assert rates[-1] == pytest.approx(top / 25 * 1e-4, abs=1e-12)


@pytest.mark.parametrize("rate", [-1e-9, math.nan, math.inf, -math.inf])
def test_rates_that_are_none(rate: float) -> None:
    with pytest.raises(
        RecipeError,
        match=r"schedule: learning_rate is .*, but must be 0 or more and finite",
    ):
        Schedule("constant", rate)
