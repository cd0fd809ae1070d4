"""How far two frameworks may be apart and still count as equal: one table, with its reasons.

A gap is the largest difference, relative to the largest number that the reference has there: in the tensor,
or, for what belongs to parameters, in all tensors of that kind of the layer, since a bias is added to what
the kernel gives.

In float64 a bound is a plain number. Below, it is measured for each tensor: the *envelope* is how far the
answer itself moves when the weights move by one unit in the last place, and a framework, which rounds at
every operation, may be a stated factor further away. The floor is for tensors that no weight moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from triptych.network.conventions import ULP, Precision

Name = Literal[
    "forward", "forward_training", "refed", "loss", "activation_gradient", "gradient", "step", "running",
    "trajectory",
]  # fmt: skip
"""What is compared, in the order in which a cause shows before what it causes."""

QUANTITIES: tuple[Name, ...] = get_args(Name)

Rule = Name | Literal["idle"]
"""What has a bound: every quantity, and the steps of tensors whose gradient is nothing but rounding."""

Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Bound:
    """How large a gap may be: `floor` units in the last place, or `factor` envelopes if that is more."""

    factor: float
    floor: float
    reason: str

    def of(self, envelope: float, precision: Precision) -> float:
        """The bound where the answer's own envelope is `envelope`."""
        return max(self.factor * envelope, self.floor * ULP[precision])


def _float64(bound: float, measured: str) -> Bound:
    reason = f"rounding in float64; honest frameworks were seen up to {measured}"
    return Bound(0.0, bound / ULP["float64"], reason)


PROOF: dict[Rule, Bound] = {name: _float64(1e-12, "?") for name in QUANTITIES}
PROOF["idle"] = _float64(1e-6, "?")

BUDGET: dict[tuple[Rule, Precision], Bound] = {
    (name, precision): Bound(8.0, 32.0, "?")
    for name in (*QUANTITIES, "idle")
    for precision in ("float32", "bfloat16")
}
for _name in ("gradient", "activation_gradient"):
    BUDGET[_name, "float32"] = Bound(16.0, 64.0, "?")
for _name in ("step", "trajectory"):
    BUDGET[_name, "float32"] = Bound(16.0, 1024.0, "?")
for _name in QUANTITIES:
    BUDGET[_name, "bfloat16"] = Bound(16.0, 4.0, "?")


def bound(name: Rule, precision: Precision, device: Device = "cpu") -> Bound:
    """The bound of a quantity."""
    return PROOF[name] if precision == "float64" else BUDGET[name, precision]
