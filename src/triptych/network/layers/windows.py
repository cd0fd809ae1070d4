"""Layers that slide a window over an image: convolutions and pools."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from triptych.errors import ArchitectureError
from triptych.network import conventions
from triptych.network.conventions import Padding
from triptych.network.layers.base import (
    BiasInitial,
    Initial,
    Layer,
    Pair,
    Shape,
    image_of,
    pair,
)


@dataclass(frozen=True, kw_only=True)
class _Window(Layer, ABC):
    """What slides a window over an image: convolutions and pools share the arithmetic
    of sizes.
    """

    @property
    @abstractmethod
    def window(self) -> tuple[int, int]:
        """Height and width of the window."""

    @property
    @abstractmethod
    def strides(self) -> tuple[int, int]:
        """Vertical and horizontal step of the window."""

    padding: Padding = "same"

    def pads(self, shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
        """((top, bottom), (left, right)) for an input of `shape`; zeros for "valid"."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        height, width = (
            conventions.same_padding(size, window, stride)
            for size, window, stride in zip(
                shape, self.window, self.strides, strict=False
            )
        )
        return height, width

    def moves(self, shape: Shape) -> tuple[int, int]:
        """How many places the window stops at, vertically and horizontally."""
        height, width = (
            (size + sum(pads) - window) // stride + 1
            for size, pads, window, stride in zip(
                image_of(shape),
                self.pads(shape),
                self.window,
                self.strides,
                strict=False,
            )
        )
        if height < 1 or width < 1:
            raise ArchitectureError(
                f"its window of {self.window} is larger than its input of {shape}: "
                "use padding 'same', fewer pools or a larger image"
            )
        return height, width


@dataclass(frozen=True, kw_only=True)
class Conv(_Window):
    """2-D convolution (cross-correlation, as in every framework). Kernel: (height,
    width, in, out).
    """

    kind = "conv"
    filters: int
    kernel: Pair = 3
    stride: Pair = 1
    bias: bool = True
    initial: Initial = "auto"
    bias_initial: BiasInitial = "zeros"

    @property
    def window(self) -> tuple[int, int]:
        return pair(self.kernel)

    @property
    def strides(self) -> tuple[int, int]:
        return pair(self.stride)

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*self.moves(inputs[0]), self.filters)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        kernel = {"kernel": (*self.window, image_of(inputs[0])[2], self.filters)}
        return kernel | ({"bias": (self.filters,)} if self.bias else {})

    def flops(self, *inputs: Shape) -> int:
        products = 2 * math.prod(self.window) * inputs[0][2]
        return math.prod(self.output_shape(*inputs)) * (products + self.bias)


@dataclass(frozen=True, kw_only=True)
class DepthwiseConv(_Window):
    """2-D convolution of each channel by itself. Kernel: (height, width, channels,
    1).
    """

    kind = "depthwise_conv"
    kernel: Pair = 3
    stride: Pair = 1
    bias: bool = True
    initial: Initial = "auto"
    bias_initial: BiasInitial = "zeros"

    @property
    def window(self) -> tuple[int, int]:
        return pair(self.kernel)

    @property
    def strides(self) -> tuple[int, int]:
        return pair(self.stride)

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*self.moves(inputs[0]), inputs[0][2])

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        channels = image_of(inputs[0])[2]
        kernel = {"kernel": (*self.window, channels, 1)}
        return kernel | ({"bias": (channels,)} if self.bias else {})

    def flops(self, *inputs: Shape) -> int:
        return math.prod(self.output_shape(*inputs)) * (
            2 * math.prod(self.window) + self.bias
        )


@dataclass(frozen=True, kw_only=True)
class _Pool(_Window, ABC):
    """What reduces each window of each channel to one number. `stride` is the window's
    size if not given.
    """

    padding: Padding = "valid"
    size: Pair = 2
    stride: Pair | None = None

    @property
    def window(self) -> tuple[int, int]:
        return pair(self.size)

    @property
    def strides(self) -> tuple[int, int]:
        return self.window if self.stride is None else pair(self.stride)

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*self.moves(inputs[0]), inputs[0][2])

    def flops(self, *inputs: Shape) -> int:
        return math.prod(self.output_shape(*inputs)) * math.prod(self.window)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest value of each window; padding never wins."""

    kind = "max_pool"


@dataclass(frozen=True)
class AveragePool(_Pool):
    """The mean of each window; padding never counts."""

    kind = "average_pool"


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """The mean of each channel over the whole image."""

    kind = "global_average_pool"

    def output_shape(self, *inputs: Shape) -> Shape:
        return image_of(inputs[0])[2:]

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])
