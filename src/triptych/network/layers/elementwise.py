"""Layers that treat every number alike: activations and dropout."""

from __future__ import annotations

import math
from abc import ABC
from dataclasses import dataclass

from triptych.errors import ArchitectureError
from triptych.network.layers.base import Layer, Shape


@dataclass(frozen=True)
class Activation(Layer, ABC):
    """A function of each number by itself; counted as one operation."""

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])


@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0)."""

    kind = "relu"


@dataclass(frozen=True)
class ReLU6(Activation):
    """min(max(x, 0), 6)."""

    kind = "relu6"


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    kind = "tanh"


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"


@dataclass(frozen=True)
class GELU(Activation):
    """x Phi(x) with the exact normal distribution function (erf), not its tanh form."""

    kind = "gelu"


@dataclass(frozen=True)
class Dropout(Layer):
    """Inverted dropout: in training a share `rate` of the units is 0, the rest is
    divided by 1 - rate.
    """

    kind = "dropout"
    rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rate < 1:
            raise ArchitectureError(f"rate is {self.rate}, but must be in [0, 1)")

    def flops(self, *inputs: Shape) -> int:
        return 0  # in evaluation it does nothing
