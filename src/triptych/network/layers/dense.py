"""Layers that multiply or add by number: dense and bias."""

from __future__ import annotations

import math
from dataclasses import dataclass

from triptych.network.layers.base import BiasInitial, Initial, Layer, Shape, features_of


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer. Kernel: (in, out)."""

    kind = "dense"
    units: int
    bias: bool = True
    initial: Initial = "auto"
    bias_initial: BiasInitial = "zeros"

    def output_shape(self, *inputs: Shape) -> Shape:
        features_of(inputs[0])
        return (self.units,)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        kernel = {"kernel": (features_of(inputs[0]), self.units)}
        return kernel | ({"bias": (self.units,)} if self.bias else {})

    def flops(self, *inputs: Shape) -> int:
        return self.units * (2 * inputs[0][0] + self.bias)


@dataclass(frozen=True)
class Bias(Layer):
    """One trained number a channel (or feature), added to it: where a bias does not
    stand in a layer.
    """

    kind = "bias"
    bias_initial: BiasInitial = "zeros"

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"bias": inputs[0][-1:]}

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])
