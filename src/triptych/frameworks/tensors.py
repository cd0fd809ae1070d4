"""What the reference's operations hand to each other: values that know where they came
from.

A forward pass leaves a chain of `Tensor`s, each knowing how to hand its gradient to
what it was made from; `backward` walks the chain from the loss to the pixels.

An operation that is made of pieces, such as a ReLU, names them, so that a test can tell
which of them the probes reach: what no probe reaches, no proof holds against anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.frameworks.rounding import Values, rounded

Pieces = Mapping[str, NDArray[np.bool_]]
"""By the name of each piece of an operation: which values it gave, in a shape that
broadcasts with theirs.
"""


class Tensor:
    """Values, the loss's gradient for them, and how that goes on to the parents."""

    def __init__(
        self,
        values: Values,
        parents: tuple[Tensor, ...] = (),
        derivative: Callable[[Values], tuple[Values, ...]] | None = None,
        pieces: Callable[[], Pieces] = dict,
    ) -> None:
        self.values = rounded(values)
        self.gradient = np.zeros_like(values)
        self.parents = parents
        self.derivative = derivative
        """From the gradient of these values to the gradients of the parents' values, in
        their order.
        """
        self.pieces = pieces
        """The pieces that the operation is made of; asked by tests only."""


def backward(output: Tensor, gradient: Values) -> None:
    """Add to every ancestor of `output` its gradient, given that of `output` itself."""
    output.gradient = gradient
    for tensor in reversed(chain(output)):
        if tensor.derivative is not None:
            for parent, share in zip(
                tensor.parents, tensor.derivative(tensor.gradient), strict=True
            ):
                parent.gradient = parent.gradient + rounded(share)


def chain(output: Tensor) -> list[Tensor]:
    """All that `output` was made from, each behind what it was made from itself;
    `output` comes last.
    """
    order: list[Tensor] = []

    def visit(tensor: Tensor) -> None:
        if not any(tensor is other for other in order):
            for parent in tensor.parents:
                visit(parent)
            order.append(tensor)

    visit(output)
    return order


class Reached(NamedTuple):
    """Whether a piece of an operation gave a value, and whether the loss wanted
    anything of such a value.
    """

    forward: bool = False
    backward: bool = False


def reached(output: Tensor) -> dict[str, Reached]:
    """Every piece of every operation that `output` was made by, after `backward`."""
    found: dict[str, Reached] = {}
    for tensor in chain(output):
        for name, mask in tensor.pieces().items():
            before = found.get(name, Reached())
            wanted = bool((mask & (tensor.gradient != 0)).any())
            found[name] = Reached(
                before.forward or bool(mask.any()), before.backward or wanted
            )
    return found


SATURATED = 8.0
"""Beyond it on either side sigmoid and tanh are all but constant, SiLU and GELU 0 or
x.
"""

OVERFLOW = 710.0
"""Beyond it exp overflows in float64: a formula written carelessly gives no number."""

SHUT = 0.01
"""How near to its end a gate of a recurrent layer counts as shut, or open."""


def stretches(kind: str, x: Values) -> Pieces:
    """The pieces of a smooth function with two ends."""
    edges = (-np.inf, -OVERFLOW, -SATURATED, SATURATED, OVERFLOW, np.inf)
    names = ("far below", "below", "between", "above", "far above")
    return {
        f"{kind}: {name}": (low <= x) & (x < high)
        for name, low, high in zip(names, edges[:-1], edges[1:], strict=True)
    }


def gates(kind: str, low: float, **values: Values) -> Pieces:
    """The pieces of a recurrent layer's gates, which lie between `low` and 1."""
    found = {}
    for name, gate in values.items():
        found[f"{kind}: {name} at its lower end"] = gate < low + SHUT
        found[f"{kind}: {name} between"] = (gate >= low + SHUT) & (gate <= 1 - SHUT)
        found[f"{kind}: {name} at its upper end"] = gate > 1 - SHUT
    return found
