"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from triptych.errors import RecipeError

ScheduleName = Literal["constant", "cosine", "one-cycle", "inverse-time"]

WARMED_UP: tuple[ScheduleName, ...] = ("constant", "cosine")
"""Those that can be given a warm-up."""
WARM_UP = 0.3
"""Of one-cycle."""
START = 1 / 25
END = 1e-4


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes over a run.

    - constant:  `learning_rate` throughout
    - cosine:    from `learning_rate` to 0 along half a cosine (Loshchilov and Hutter,
      2017)
    - one-cycle: up from 1/25 of it over the first 30 % of the steps, then down to
      1/10,000 of that start, both along half a cosine (Smith and Topin, 2018, in the
      form that PyTorch ships)
    - inverse-time: `learning_rate` / (1 + `decay` step), the `decay` of Keras'
      optimizers in 2017

    With a `warm_up`, constant and cosine begin after that share of the steps, over
    which the rate rises linearly from 0 (Goyal et al., 2017): step k (from 0) of n such
    steps has (k + 1) / n of `learning_rate`, so that the first one is not lost.
    """

    name: ScheduleName = "one-cycle"
    learning_rate: float = 3e-3
    decay: float = 0.0
    """Of inverse-time alone."""
    warm_up: float = 0.0
    """Share of the steps, in [0, 1); of constant and cosine alone."""

    def __post_init__(self) -> None:
        if not 0 <= self.decay < math.inf:
            raise RecipeError(
                f"schedule: decay is {self.decay}, but must be 0 or more and finite"
            )
        if self.decay and self.name != "inverse-time":
            raise RecipeError(
                f"schedule: {self.name} has no decay, only inverse-time has"
            )
        if not 0 <= self.warm_up < 1:
            raise RecipeError(
                f"schedule: warm_up is {self.warm_up}, but must be in [0, 1)"
            )
        if self.warm_up and self.name not in WARMED_UP:
            own = "has its own" if self.name == "one-cycle" else "has no"
            raise RecipeError(
                f"schedule: {self.name} {own} warm_up; "
                f"leave it out, or choose {' or '.join(WARMED_UP)}"
            )
        if not 0 <= self.learning_rate < math.inf:
            raise RecipeError(
                f"schedule: learning_rate is {self.learning_rate}, "
                "but must be 0 or more and finite"
            )

    def at(self, step: int, steps: int) -> float:
        """The learning rate of step `step` (from 0) of `steps`."""
        top = self.learning_rate
        rise = min(int(self.warm_up * steps + 0.5), steps - 1)
        if step < rise:
            return top * ((step + 1) / rise)
        if self.name == "constant":
            return top
        if self.name == "inverse-time":
            return top / (1 + self.decay * step)
        if self.name == "cosine":
            return _half_cosine(top, 0.0, (step - rise) / (steps - rise))
        turn = max(WARM_UP * steps - 1, 1)
        if step <= turn:
            return _half_cosine(top * START, top, step / turn)
        return _half_cosine(
            top, top * START * END, min((step - turn) / max(steps - 1 - turn, 1), 1)
        )


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
