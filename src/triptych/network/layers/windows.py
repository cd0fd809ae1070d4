"""Layers that slide a window over an image: convolutions and pools."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

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
class Window(Layer, ABC):
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

    least: ClassVar = {"padding": 0}
    padding: Padding | Pair = "same"

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width of what one stop of the window sees."""
        return self.window

    def pads(self, shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
        """((top, bottom), (left, right)) for an input of `shape`; zeros for "valid"."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        if self.padding != "same":
            vertical, horizontal = pair(self.padding)
            return (vertical, vertical), (horizontal, horizontal)
        height, width = (
            conventions.same_padding(size, reach, stride)
            for size, reach, stride in zip(
                shape, self.reach, self.strides, strict=False
            )
        )
        return height, width

    def moves(self, shape: Shape) -> tuple[int, int]:
        """How many places the window stops at, vertically and horizontally."""
        height, width = (
            (size + sum(pads) - reach) // stride + 1
            for size, pads, reach, stride in zip(
                image_of(shape),
                self.pads(shape),
                self.reach,
                self.strides,
                strict=False,
            )
        )
        if height < 1 or width < 1:
            raise ArchitectureError(
                f"its window of {self.reach} is larger than its input of {shape}: "
                "use padding 'same', fewer pools or a larger image"
            )
        return height, width


@dataclass(frozen=True, kw_only=True)
class Convolution(Window, ABC):
    """What multiplies each window by a kernel. With `dilation` d its window sees every
    d-th pixel only.
    """

    kernel: Pair = 3
    stride: Pair = 1
    dilation: Pair = 1
    bias: bool = True
    initial: Initial = "auto"
    bias_initial: BiasInitial = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dilation not in (1, (1, 1)) and self.stride not in (1, (1, 1)):
            raise ArchitectureError(
                "has a stride and a dilation, but TensorFlow takes only one of them"
            )

    @property
    def window(self) -> tuple[int, int]:
        return pair(self.kernel)

    @property
    def strides(self) -> tuple[int, int]:
        return pair(self.stride)

    @property
    def dilations(self) -> tuple[int, int]:
        """Vertical and horizontal distance of the pixels in a window."""
        return pair(self.dilation)

    @property
    def reach(self) -> tuple[int, int]:
        height, width = (
            (size - 1) * dilation + 1
            for size, dilation in zip(self.window, self.dilations, strict=True)
        )
        return height, width


@dataclass(frozen=True, kw_only=True)
class Conv(Convolution):
    """2-D convolution (cross-correlation, as in every framework). Kernel: (height,
    width, in / groups, out).

    With `groups` g the channels are cut into g parts, and the filters too: each part of
    them sees its own part of the channels only.
    """

    kind = "conv"
    filters: int
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.filters % self.groups:
            raise ArchitectureError(
                f"has {self.filters} filters, which {self.groups} groups cannot share"
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        if image_of(inputs[0])[2] % self.groups:
            raise ArchitectureError(
                f"gets {inputs[0][2]} channels, which {self.groups} groups cannot share"
            )
        return (*self.moves(inputs[0]), self.filters)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        channels = image_of(inputs[0])[2] // self.groups
        kernel = {"kernel": (*self.window, channels, self.filters)}
        return kernel | ({"bias": (self.filters,)} if self.bias else {})

    def flops(self, *inputs: Shape) -> int:
        products = 2 * math.prod(self.window) * inputs[0][2] // self.groups
        return math.prod(self.output_shape(*inputs)) * (products + self.bias)


@dataclass(frozen=True, kw_only=True)
class DepthwiseConv(Convolution):
    """2-D convolution of each channel by itself. Kernel: (height, width, channels,
    1).
    """

    kind = "depthwise_conv"

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
class Pool(Window, ABC):
    """What reduces each window of each channel to one number. `stride` is the window's
    size if not given.
    """

    padding: Padding | Pair = "valid"
    size: Pair = 2
    stride: Pair | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, str):
            return
        if any(
            pads >= size
            for pads, size in zip(pair(self.padding), self.window, strict=True)
        ):
            raise ArchitectureError(
                f"padding is {self.padding}, but must be below {self.size}, its size: "
                "a window would see padding only"
            )

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
class MaxPool(Pool):
    """The largest value of each window; padding never wins."""

    kind = "max_pool"


@dataclass(frozen=True)
class AveragePool(Pool):
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
