"""The layer vocabulary: what a network can be made of.

A layer is a frozen dataclass of numbers. It knows the shape it gives, the tensors it
needs and the work it is; it computes nothing. Shapes are without the batch: (height,
width, channels) of an image, (steps, features) of a sequence, or (features,).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from triptych.errors import ArchitectureError
from triptych.network import conventions
from triptych.network.conventions import Padding

Shape = tuple[int, ...]
Pair = int | tuple[int, int]
Initial = Literal[
    "auto",
    "he_normal",
    "he_uniform",
    "glorot_normal",
    "glorot_uniform",
    "lecun_normal",
    "fan_in_uniform",
    "normal",
    "zeros",
]
"""The law that a kernel is drawn by: see `triptych.network.weights`."""
BiasInitial = Literal["zeros", "fan_in_uniform", "normal"]
"""The law that a bias is drawn by; `fan_in_uniform` counts the inputs of the kernel
beside or before it.
"""


def pair(value: Pair) -> tuple[int, int]:
    """(vertical, horizontal) of a number that may be given once for both."""
    return (value, value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Layer(ABC):
    """Base of all layers: one input, no tensors, the shape unchanged, unless a layer
    says otherwise.
    """

    kind: ClassVar[str]
    merges: ClassVar[bool] = False
    """Whether it takes two inputs or more."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            numbers = value if isinstance(value, tuple) else (value,)
            if any(type(number) is int and number < 1 for number in numbers):
                raise ArchitectureError(f"{name} is {value}, but must be 1 or more")

    def output_shape(self, *inputs: Shape) -> Shape:
        """The shape it gives; raises ArchitectureError if it cannot take `inputs`."""
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        """Its trainable tensors and their canonical shapes."""
        return {}

    def statistics(self, *inputs: Shape) -> dict[str, Shape]:
        """Its running values: kept with the weights, never trained."""
        return {}

    @abstractmethod
    def flops(self, *inputs: Shape) -> int:
        """Floating-point operations of one image's forward pass; a multiply-add
        counts as two.
        """


def _image(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ArchitectureError(
            f"needs an input of (height, width, channels), but gets {shape}"
        )
    return shape


def _sequence(shape: Shape) -> Shape:
    if len(shape) != 2:
        raise ArchitectureError(
            f"needs a sequence of (steps, features), but gets {shape}: "
            "put a rows layer before it, "
            "and give every recurrent layer but the last one sequence = true"
        )
    return shape


def _features(shape: Shape) -> int:
    if len(shape) == 2:
        raise ArchitectureError(
            f"needs a flat input, but gets a sequence of {shape}: "
            "put a flatten before it, "
            "or let the recurrent layer before it give its last state only"
        )
    if len(shape) != 1:
        raise ArchitectureError(
            f"needs a flat input, but gets {shape}: "
            "put a flatten or a global pool before it"
        )
    return shape[0]


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
                _image(shape), self.pads(shape), self.window, self.strides, strict=False
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
        kernel = {"kernel": (*self.window, _image(inputs[0])[2], self.filters)}
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
        channels = _image(inputs[0])[2]
        kernel = {"kernel": (*self.window, channels, 1)}
        return kernel | ({"bias": (channels,)} if self.bias else {})

    def flops(self, *inputs: Shape) -> int:
        return math.prod(self.output_shape(*inputs)) * (
            2 * math.prod(self.window) + self.bias
        )


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalization over all but the last axis (Ioffe and Szegedy, 2015).

    `momentum` is the share of the running value that is kept.
    """

    kind = "batch_norm"
    epsilon: float = conventions.BATCH_NORM_EPSILON
    momentum: float = conventions.BATCH_NORM_MOMENTUM

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ArchitectureError(f"epsilon is {self.epsilon}, but must be above 0")
        if not 0 <= self.momentum <= 1:
            raise ArchitectureError(
                f"momentum is {self.momentum}, but must lie in [0, 1]"
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


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer. Kernel: (in, out)."""

    kind = "dense"
    units: int
    bias: bool = True
    initial: Initial = "auto"
    bias_initial: BiasInitial = "zeros"

    def output_shape(self, *inputs: Shape) -> Shape:
        _features(inputs[0])
        return (self.units,)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        kernel = {"kernel": (_features(inputs[0]), self.units)}
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
        return _image(inputs[0])[2:]

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])


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
        if not 0 <= self.rate < 1:
            raise ArchitectureError(f"rate is {self.rate}, but must lie in [0, 1)")

    def flops(self, *inputs: Shape) -> int:
        return 0  # in evaluation it does nothing


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
        height, width, channels = _image(inputs[0])
        return (height, width * channels)

    def flops(self, *inputs: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Recurrent(Layer, ABC):
    """What reads a sequence step by step and keeps a state of `units` numbers, which is
    0 at first.

    It gives the state after the last step, (units,), or with `sequence` those after
    every step, (steps, units). Its gates, in the order of `GATES`, stand side by side
    along the last axis of each tensor.
    """

    GATES: ClassVar[str]
    """A letter each."""
    units: int
    sequence: bool = False

    @property
    def gates(self) -> int:
        """How many."""
        return len(self.GATES)

    def output_shape(self, *inputs: Shape) -> Shape:
        steps, _ = _sequence(inputs[0])
        return (steps, self.units) if self.sequence else (self.units,)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        width = self.gates * self.units
        return {
            "kernel": (_sequence(inputs[0])[1], width),
            "recurrent_kernel": (self.units, width),
            "bias": (width,),
        }

    def _products(self, shape: Shape) -> int:
        """Operations of one step's matrix products and bias."""
        return self.gates * self.units * (2 * (shape[1] + self.units) + 1)


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with a forget gate
    (Gers et al., 2000).

    With s = x kernel + h recurrent_kernel + bias, cut into the gates i, f, g and o::

        c = sigmoid(f) c + sigmoid(i) tanh(g)
        h = sigmoid(o) tanh(c)
    """

    kind = "lstm"
    GATES = conventions.LSTM_GATES

    def flops(self, *inputs: Shape) -> int:
        # five functions, three products, one sum for each unit
        return inputs[0][0] * (self._products(inputs[0]) + 9 * self.units)


@dataclass(frozen=True)
class GRU(Recurrent):
    """A gated recurrent unit (Cho et al., 2014), with the reset gate after the product,
    as cuDNN has it.

    With a = x kernel + bias and b = h recurrent_kernel + recurrent_bias, each cut into
    the gates r, z, n::

        r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
        h = (1 - z) tanh(a_n + r b_n) + z h
    """

    kind = "gru"
    GATES = conventions.GRU_GATES

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {
            **super().parameters(*inputs),
            "recurrent_bias": (self.gates * self.units,),
        }

    def flops(self, *inputs: Shape) -> int:
        # a second bias, and for each unit: three functions, three products, 1 - z, one
        # sum
        return inputs[0][0] * (
            self._products(inputs[0]) + (self.gates + 8) * self.units
        )


@dataclass(frozen=True)
class Add(Layer):
    """The sum of two or more inputs of one shape."""

    kind = "add"
    merges = True

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise ArchitectureError(
                f"adds inputs of one shape, but gets {', '.join(map(str, inputs))}"
            )
        return inputs[0]

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0]) * (len(inputs) - 1)


@dataclass(frozen=True)
class Concat(Layer):
    """Two or more inputs side by side along the channels (or features)."""

    kind = "concat"
    merges = True

    def output_shape(self, *inputs: Shape) -> Shape:
        if len({shape[:-1] for shape in inputs}) != 1:
            raise ArchitectureError(
                "joins inputs of one height and width, or of one number of steps, "
                f"but gets {', '.join(map(str, inputs))}"
            )
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))

    def flops(self, *inputs: Shape) -> int:
        return 0


VOCABULARY: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Conv,
        DepthwiseConv,
        BatchNorm,
        LayerNorm,
        Bias,
        Dense,
        MaxPool,
        AveragePool,
        GlobalAveragePool,
        ReLU,
        ReLU6,
        Tanh,
        Sigmoid,
        GELU,
        Dropout,
        Flatten,
        Rows,
        LSTM,
        GRU,
        Add,
        Concat,
    )
}
"""Every layer by the name that architecture files use."""
