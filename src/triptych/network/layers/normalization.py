"""Layers that normalize."""

from __future__ import annotations

import math
from dataclasses import dataclass

from triptych.errors import ArchitectureError
from triptych.network import conventions
from triptych.network.layers.base import Layer, Shape, image_of


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalization over all but the last axis (Ioffe and Szegedy, 2015).

    `momentum` is the share of the running value that is kept.
    """

    kind = "batch_norm"
    epsilon: float = conventions.BATCH_NORM_EPSILON
    momentum: float = conventions.BATCH_NORM_MOMENTUM

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon > 0:
            raise ArchitectureError(f"epsilon is {self.epsilon}, but must be above 0")
        if not 0 <= self.momentum <= 1:
            raise ArchitectureError(
                f"momentum is {self.momentum}, but must be in [0, 1]"
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) == 2:
            raise ArchitectureError(
                "normalizes images or flat features, "
                f"but gets a sequence of {inputs[0]}"
            )
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"scale": inputs[0][-1:], "offset": inputs[0][-1:]}

    def statistics(self, *inputs: Shape) -> dict[str, Shape]:
        return {"mean": inputs[0][-1:], "variance": inputs[0][-1:]}

    def flops(self, *inputs: Shape) -> int:
        return 2 * math.prod(inputs[0])  # in evaluation: one multiply, one add


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Layer normalization over the last axis: the channels of each place by themselves,
    in training and evaluation alike (Ba, Kiros and Hinton, 2016).
    """

    kind = "layer_norm"
    epsilon: float = conventions.LAYER_NORM_EPSILON

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon > 0:
            raise ArchitectureError(f"epsilon is {self.epsilon}, but must be above 0")

    def output_shape(self, *inputs: Shape) -> Shape:
        if inputs[0][-1] < 2:
            raise ArchitectureError(
                "normalizes over the channels, so needs two or more, "
                f"but gets {inputs[0]}"
            )
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"scale": inputs[0][-1:], "offset": inputs[0][-1:]}

    def flops(self, *inputs: Shape) -> int:
        # two for the mean and its subtraction, two for the variance, three to apply
        return 7 * math.prod(inputs[0])


@dataclass(frozen=True, kw_only=True)
class GroupNorm(Layer):
    """Normalization over all pixels of each image and over the channels of each of so
    many `groups`, in training and evaluation alike (Wu and He, 2018).
    """

    kind = "group_norm"
    groups: int
    epsilon: float = conventions.GROUP_NORM_EPSILON

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon > 0:
            raise ArchitectureError(f"epsilon is {self.epsilon}, but must be above 0")

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = image_of(inputs[0])
        if shape[2] % self.groups:
            raise ArchitectureError(
                f"gets {shape[2]} channels, which {self.groups} groups cannot share"
            )
        if math.prod(shape) == self.groups:
            raise ArchitectureError(
                f"normalizes over a group's numbers, but of {shape} each group gets one"
            )
        return shape

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"scale": inputs[0][-1:], "offset": inputs[0][-1:]}

    def flops(self, *inputs: Shape) -> int:
        return 7 * math.prod(inputs[0])  # as layer norm
