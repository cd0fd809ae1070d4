"""Layers that multiply or add by number: dense, bias and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from triptych.errors import ArchitectureError
from triptych.network.layers.base import BiasInitial, Initial, Layer, Shape, flat_of


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer, on features or on each step of a sequence. Kernel: (in,
    out).
    """

    kind = "dense"
    units: int
    bias: bool = True
    initial: Initial = "auto"
    bias_initial: BiasInitial = "zeros"

    def output_shape(self, *inputs: Shape) -> Shape:
        *steps, _ = flat_of(inputs[0])
        return (*steps, self.units)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        kernel = {"kernel": (flat_of(inputs[0])[-1], self.units)}
        return kernel | ({"bias": (self.units,)} if self.bias else {})

    def flops(self, *inputs: Shape) -> int:
        *steps, features = inputs[0]
        return math.prod(steps) * self.units * (2 * features + self.bias)


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


@dataclass(frozen=True)
class Scale(Layer):
    """One trained number a channel (or feature), multiplied with it; each begins at
    `start` (LayerScale: Touvron et al., 2021).
    """

    kind = "scale"
    start: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.start):
            raise ArchitectureError(f"start is {self.start}, but must be finite")

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"scale": inputs[0][-1:]}

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])
