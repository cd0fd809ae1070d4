"""How far two frameworks may be apart and still count as equal: one table, with its
reasons.

A gap is the largest difference, relative to the largest number that the reference has
there: in the tensor, or, for what belongs to parameters, in all tensors of that kind of
the layer, since a bias is added to what the kernel gives.

In float64 a bound is a plain number. Below, it is measured for each tensor: the
*envelope* is how far the answer itself moves when the weights and whatever the
reference computes are off by one unit in the last place. A framework may be a stated
factor further away. The floor is for tensors that no rounding moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from triptych.network.conventions import ULP, Precision

Name = Literal[
    "forward",
    "forward_training",
    "teacher_forced",
    "loss",
    "activation_gradient",
    "gradient",
    "step",
    "running",
    "trajectory",
]
"""What is compared, in the order in which a cause shows before what it causes."""

QUANTITIES: tuple[Name, ...] = get_args(Name)

Rule = Literal[Name, "shift_invariant"]
"""What has a bound: every quantity, and the steps of tensors whose gradient is nothing
but rounding.
"""

Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Bound:
    """How large a gap may be: `factor` envelopes, or `floor` units in the last place if
    that is more.
    """

    factor: float
    floor: float
    reason: str

    def of(self, envelope: float, precision: Precision) -> float:
        """The bound where the answer's own envelope is `envelope`."""
        return max(self.factor * envelope, self.floor * ULP[precision])


WANDER = 8.0
"""How many learning rates two noises may drive a number apart in a step: RMSprop's
first is 1 / sqrt(0.1).
"""


def _of_float64() -> dict[Rule, Bound]:
    unit = ULP["float64"]
    return _column(
        Bound(
            0,
            1e-12 / unit,
            "sums in another order; honest frameworks were seen up to 2e-14",
        ),
        step=Bound(
            0, 1e-11 / unit, "the same, divided by roots of itself; seen up to 2e-13"
        ),
        trajectory=Bound(
            0, 1e-10 / unit, "the same, carried through the steps; seen up to 1e-11"
        ),
        shift_invariant=Bound(
            0,
            1e-6 / unit,
            "Adam divides what rounding leaves of a zero gradient by 1e-8; "
            "seen up to 2e-8",
        ),
    )


def _of_float32() -> dict[Rule, Bound]:
    backward = Bound(
        8,
        256,
        "sums over every pixel of a batch, ties set apart; seen up to 0.3 of this",
    )
    steps = Bound(
        16,
        256,
        "1 - 0.999 in float32 is off by 1e-5, and ties flip; seen up to 0.5 of this",
    )
    return _column(
        Bound(16, 64, "rounding at every sum; seen up to 0.5 of this"),
        activation_gradient=backward,
        gradient=backward,
        step=steps,
        trajectory=steps,
        shift_invariant=Bound(
            WANDER,
            1024,
            "Adam and RMSprop make whole steps of rounding, in either direction",
        ),
    )


def _of_bfloat16() -> dict[Rule, Bound]:
    backward = Bound(
        16,
        64,
        "the same, forward and back: the order of magnitude only; seen up to 0.9",
    )
    steps = Bound(16, 16, "the same, through the steps; seen up to 0.4 of this")
    return _column(
        Bound(
            8,
            4,
            "outputs rounded to 8 bits, in places of each framework's own; "
            "seen up to 0.5",
        ),
        activation_gradient=backward,
        gradient=backward,
        step=steps,
        trajectory=steps,
        shift_invariant=replace(steps, factor=WANDER, floor=64.0),
    )


def _column(usual: Bound, **own: Bound) -> dict[Rule, Bound]:
    """A column of the table, for a CPU: the usual bound, and what has its own."""
    rules: tuple[Rule, ...] = (*QUANTITIES, "shift_invariant")
    return {rule: own.get(rule, usual) for rule in rules}


COLUMNS: dict[Precision, dict[Rule, Bound]] = {
    "float32": _of_float32(),
    "float64": _of_float64(),
    "bfloat16": _of_bfloat16(),
}

GPU = 4.0
"""How much wider a bound below float64 is on a GPU, whose libraries choose among
algorithms, such as Winograd's, that round more. Not measured yet."""

TABLE: dict[tuple[Rule, Precision, Device], Bound] = {
    (rule, precision, device): bound
    if device == "cpu" or precision == "float64"
    else replace(bound, factor=GPU * bound.factor, floor=GPU * bound.floor)
    for precision in get_args(Precision)
    for rule, bound in COLUMNS[precision].items()
    for device in get_args(Device)
}
"""Every bound there is."""
