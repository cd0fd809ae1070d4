"""Layers that put numbers in another shape or together."""

from __future__ import annotations

import math
from dataclasses import dataclass

from triptych.errors import ArchitectureError
from triptych.network.layers.base import Layer, Shape, image_of


@dataclass(frozen=True)
class Flatten(Layer):
    """(height, width, channels) or (steps, features) to (features,), the last axis
    running fastest.
    """

    kind = "flatten"

    def output_shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def flops(self, *inputs: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Rows(Layer):
    """(height, width, channels) to (height, width * channels): an image as the
    sequence of its rows.

    From top to bottom; in a row the channels run fastest.
    """

    kind = "rows"

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = image_of(inputs[0])
        return (height, width * channels)

    def flops(self, *inputs: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Add(Layer):
    """The sum of two or more inputs of one shape."""

    kind = "add"
    merges = True

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise ArchitectureError(
                f"adds inputs of the same shape, but gets {', '.join(map(str, inputs))}"
            )
        return inputs[0]

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0]) * (len(inputs) - 1)


@dataclass(frozen=True)
class Multiply(Layer):
    """The product of two inputs: of one shape, or of an image and as many features as
    it has channels, each of which then counts for all its pixels.
    """

    kind = "multiply"
    merges = True

    def output_shape(self, *inputs: Shape) -> Shape:
        one, *others = inputs
        if len(others) != 1 or others[0] not in (one, one[-1:]) or len(one) == 2:
            raise ArchitectureError(
                "multiplies two inputs of one shape, or an image by one number a "
                f"channel, but gets {', '.join(map(str, inputs))}"
            )
        return one

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])


@dataclass(frozen=True)
class Concat(Layer):
    """Two or more inputs side by side along the channels (or features)."""

    kind = "concat"
    merges = True

    def output_shape(self, *inputs: Shape) -> Shape:
        if len({shape[:-1] for shape in inputs}) != 1:
            raise ArchitectureError(
                "joins inputs of the same height and width, or number of steps, "
                f"but gets {', '.join(map(str, inputs))}"
            )
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))

    def flops(self, *inputs: Shape) -> int:
        return 0
