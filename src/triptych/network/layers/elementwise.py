"""Layers that treat every number alike: activations and dropout."""

from __future__ import annotations

import math
from abc import ABC
from dataclasses import dataclass

from triptych.errors import ArchitectureError
from triptych.network import conventions
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
class LeakyReLU(Activation):
    """x above 0, `slope` times x elsewhere (Maas et al., 2013)."""

    kind = "leaky_relu"
    slope: float = conventions.LEAKY_RELU_SLOPE

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.slope < 1:
            raise ArchitectureError(
                f"slope is {self.slope}, but must be above 0 and below 1"
            )


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    kind = "tanh"


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"


@dataclass(frozen=True)
class HardSigmoid(Activation):
    """min(max(x / 6 + 1/2, 0), 1) (Howard et al., 2019)."""

    kind = "hard_sigmoid"


@dataclass(frozen=True)
class SiLU(Activation):
    """x sigmoid(x), also called swish (Elfwing et al., 2018)."""

    kind = "silu"


@dataclass(frozen=True)
class HardSwish(Activation):
    """x times the hard sigmoid of x (Howard et al., 2019)."""

    kind = "hard_swish"


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

    def mask(self, *inputs: Shape) -> tuple[float, Shape]:
        return self.rate, inputs[0]

    def flops(self, *inputs: Shape) -> int:
        return 0  # in evaluation it does nothing


@dataclass(frozen=True)
class StochasticDepth(Dropout):
    """Dropout of everything that an image has here at once: at the end of a branch that
    is added to another, it leaves the whole branch out (Huang et al., 2016).
    """

    kind = "stochastic_depth"
    rate: float = 0.1

    def mask(self, *inputs: Shape) -> tuple[float, Shape]:
        return self.rate, (1,) * len(inputs[0])
