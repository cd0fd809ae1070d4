"""What emitted Keras quotes: layers that keep the conventions, and a training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from triptych.frameworks.contract import Images, Labels
from triptych.network.conventions import PIXEL_SCALE
from triptych.network.layouts import Array


def channel_sums(x: keras.KerasTensor) -> keras.KerasTensor:
    """The sums over all axes but the last: (batch, ..., channels) to (channels,).

    Over the batch it is a matrix product: of a large x at least twice as fast as
    `ops.sum` on a CPU.
    """
    batch = ops.shape(x)[0]
    summed = ops.matmul(ops.ones((1, batch), x.dtype), ops.reshape(x, (batch, -1)))
    return ops.sum(ops.reshape(summed, (-1, x.shape[-1])), 0)


def normalize(*inputs: keras.KerasTensor, epsilon: float) -> keras.KerasTensor:
    """Batch norm of (x, scale, offset, mean, variance), the last two those of x.

    Its gradient in closed form (Ioffe and Szegedy, 2015) reads the pixels less often
    than the chain rule.
    """

    @ops.custom_gradient
    def normal(x, scale, offset, mean, variance):  # type: ignore[no-untyped-def]
        def gradient(*given, upstream=None):  # type: ignore[no-untyped-def]
            g = given[0] if upstream is None else upstream
            n = ops.cast(ops.size(x) // x.shape[-1], x.dtype)
            deviation = ops.sqrt(variance + epsilon)
            by_offset = channel_sums(g)
            by_scale = (channel_sums(g * x) - mean * by_offset) / deviation
            slope = by_scale / (n * deviation)
            centered = g - (x * slope + (by_offset / n - mean * slope))
            by_x = centered * (scale / deviation)
            return by_x, by_scale, by_offset, ops.zeros_like(mean), ops.zeros_like(mean)

        y = ops.batch_normalization(x, mean, variance, -1, offset, scale, epsilon)
        return y, gradient

    return normal(*inputs)


@keras.saving.register_keras_serializable("triptych")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' own, but each batch's unbiased variance is averaged: n / (n - 1) times."""

    def call(
        self, inputs: keras.KerasTensor, training: bool = False
    ) -> keras.KerasTensor:
        if not training:
            return super().call(inputs, training=False)
        x = ops.cast(inputs, self.variable_dtype)
        fixed, n = ops.stop_gradient(x), ops.cast(ops.size(x) // x.shape[-1], x.dtype)
        mean = channel_sums(fixed) / n
        variance = channel_sums(ops.square(fixed - mean)) / n
        unbiased = variance * (n / ops.maximum(n - 1, 1))
        kept, taken = self.momentum, 1 - self.momentum
        self.moving_mean.assign(kept * self.moving_mean + taken * mean)
        self.moving_variance.assign(kept * self.moving_variance + taken * unbiased)
        scale, offset = (
            ops.cast(variable, x.dtype) for variable in (self.gamma, self.beta)
        )
        x = normalize(x, scale, offset, mean, variance, epsilon=self.epsilon)
        return ops.cast(x, self.compute_dtype)


@keras.saving.register_keras_serializable("triptych")
class Bias(keras.layers.Layer):
    """Adds one trained number a channel; Keras has biases inside other layers only."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.bias


@keras.saving.register_keras_serializable("triptych")
class Scale(keras.layers.Layer):
    """Multiplies each channel by a trained number, which is `start` at first."""

    def __init__(self, start: float, **options: object) -> None:
        super().__init__(**options)
        self.start = start

    def build(self, shape: tuple[int, ...]) -> None:
        start = keras.initializers.Constant(self.start)
        self.scale = self.add_weight(shape=shape[-1:], initializer=start, name="scale")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs * self.scale


class Padded(keras.layers.Layer):
    """A pool that is padded by so many pixels, which never count."""

    def __init__(
        self,
        size: int | tuple[int, ...],
        strides: int | tuple[int, ...],
        pads: tuple[tuple[int, int], ...],
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.size, self.strides, self.pads = size, strides, pads


@keras.saving.register_keras_serializable("triptych")
class PaddedMax(Padded):
    """The largest pixel of each window."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        lowest = float("-inf")
        padded = ops.pad(inputs, ((0, 0), *self.pads, (0, 0)), constant_values=lowest)
        return ops.max_pool(padded, self.size, self.strides, "valid")


@keras.saving.register_keras_serializable("triptych")
class PaddedAverage(Padded):
    """The mean of each window; Keras' own repeats the edge on PyTorch."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        def mean(x: keras.KerasTensor) -> keras.KerasTensor:
            padded = ops.pad(x, ((0, 0), *self.pads, (0, 0)))
            return ops.average_pool(padded, self.size, self.strides, "valid")

        return mean(inputs) / mean(ops.ones_like(inputs))


@keras.saving.register_keras_serializable("triptych")
class Dropout(keras.layers.Dropout):
    """Inverted dropout: `keep` says which units; without it, all are kept."""

    def call(
        self,
        inputs: keras.KerasTensor,
        keep: keras.KerasTensor | None = None,
        training: bool = False,
    ) -> keras.KerasTensor:
        if not training or keep is None:
            return inputs
        return inputs * ops.cast(keep, inputs.dtype) / (1 - self.rate)


@keras.saving.register_keras_serializable("triptych")
class StochasticDepth(Dropout):
    """Dropout of whole images: `keep` has one number for each."""


@keras.saving.register_keras_serializable("triptych")
class LeakyReLU(keras.layers.Layer):
    """x above 0, slope x elsewhere; on TensorFlow Keras' own rounds it to float32."""

    def __init__(self, slope: float, **options: object) -> None:
        super().__init__(**options)
        self.slope = slope

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return ops.where(inputs > 0, inputs, self.slope * inputs)


@keras.saving.register_keras_serializable("triptych")
class HardSigmoid(keras.layers.Layer):
    """min(max(x / 6 + 1/2, 0), 1); Keras' own rounds x + 3, onto the edge maybe."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        outside = ops.cast(inputs > 0, inputs.dtype)
        return ops.where(ops.abs(inputs) < 3, inputs / 6 + 0.5, outside)


@keras.saving.register_keras_serializable("triptych")
class HardSwish(HardSigmoid):
    """x times its hard sigmoid."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs * super().call(inputs)


@keras.saving.register_keras_serializable("triptych")
class GELU(keras.layers.Layer):
    """x Phi(x); Keras' own rounds the root of 2 to float32 on TensorFlow."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return 0.5 * inputs * (1 + ops.erf(inputs / 2**0.5))


@keras.saving.register_keras_serializable("triptych")
class ClassToken(keras.layers.Layer):
    """One more token, the same for every image and trained, before all others."""

    def build(self, shape: tuple[int, ...]) -> None:
        drawn = keras.initializers.RandomNormal(stddev=0.02)
        options = {"initializer": drawn, "name": "token"}
        self.token = self.add_weight(shape=(1, 1, shape[-1]), **options)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        first = ops.repeat(self.token, ops.shape(inputs)[0], axis=0)
        return ops.concatenate([ops.cast(first, inputs.dtype), inputs], axis=1)


@keras.saving.register_keras_serializable("triptych")
class PositionEmbedding(keras.layers.Layer):
    """A trained number for each token and channel, added to it."""

    def build(self, shape: tuple[int, ...]) -> None:
        drawn = keras.initializers.RandomNormal(stddev=0.02)
        options = {"initializer": drawn, "name": "position"}
        self.position = self.add_weight(shape=(1, *shape[1:]), **options)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.position


@keras.saving.register_keras_serializable("triptych")
class Attention(keras.layers.Layer):
    """Self-attention of several heads; Keras' own draws its dropout by itself."""

    def __init__(self, heads: int, rate: float = 0.0, **options: object) -> None:
        super().__init__(**options)
        self.heads, self.rate = heads, rate

    def build(self, shape: tuple[int, ...]) -> None:
        self.qkv = keras.layers.Dense(3 * shape[-1], name="qkv")
        self.out = keras.layers.Dense(shape[-1], name="out")
        self.qkv.build(shape)
        self.out.build(shape)

    def call(
        self,
        inputs: keras.KerasTensor,
        keep: keras.KerasTensor | None = None,
        training: bool = False,
    ) -> keras.KerasTensor:
        _, tokens, channels = inputs.shape
        split = (-1, tokens, 3, self.heads, channels // self.heads)
        together = ops.reshape(self.qkv(inputs), split)
        q, k, v = ops.unstack(ops.transpose(together, (2, 0, 3, 1, 4)), 3)
        scores = q @ ops.transpose(k, (0, 1, 3, 2)) / split[-1] ** 0.5
        weights = ops.softmax(scores)
        if training and keep is not None:
            weights *= ops.cast(keep, weights.dtype) / (1 - self.rate)
        mixed = ops.transpose(weights @ v, (0, 2, 1, 3))
        return self.out(ops.reshape(mixed, (-1, tokens, channels)))


@keras.saving.register_keras_serializable("triptych")
class FirstToken(keras.layers.Layer):
    """The first token of a sequence, which is the class token if there is one."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs[:, 0]


class Slots(keras.optimizers.Optimizer):
    """An optimizer that keeps the slots of these names for each variable."""

    names: tuple[str, ...] = ()

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        for name in self.names:
            setattr(self, name, self.add_optimizer_variables(variables, name))

    def slots(self, variable: keras.Variable) -> list[keras.Variable]:
        """Those of one variable, in the order of the names."""
        # The one private name, by which Keras' documentation has a slot found.
        place = self._get_variable_index(variable)
        return [getattr(self, name)[place] for name in self.names]


class SGD(Slots):
    """v = momentum v + g, w = w - lr v; Keras' own has lr in v, where it acts late.

    In Nesterov's form w = w - lr (g + momentum v).
    """

    names = ("velocity",)

    def __init__(
        self, momentum: float, nesterov: bool = False, **options: object
    ) -> None:
        super().__init__(**options)
        self.momentum, self.nesterov = momentum, nesterov

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        (v,) = self.slots(variable)
        self.assign(v, self.momentum * v + gradient)
        change = gradient + self.momentum * v if self.nesterov else v
        self.assign_sub(variable, learning_rate * change)


class Adam(Slots):
    """As in its paper; Keras' own adds epsilon before the root is corrected."""

    names = ("first_moment", "second_moment")

    def __init__(
        self, beta_1: float, beta_2: float, epsilon: float, **options: object
    ) -> None:
        super().__init__(**options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        m, v = self.slots(variable)
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign_add(m, (1 - self.beta_1) * (gradient - m))
        self.assign_add(v, (1 - self.beta_2) * (ops.square(gradient) - v))
        # Both corrections are numbers, not one for each weight.
        root = ops.sqrt(1 - self.beta_2**step)
        rate = learning_rate * root / (1 - self.beta_1**step)
        self.assign_sub(variable, rate * m / (ops.sqrt(v) + self.epsilon * root))


class RMSprop(Slots):
    """With epsilon outside the root; Keras' own adds it inside."""

    names = ("mean_square",)

    def __init__(self, rho: float, epsilon: float, **options: object) -> None:
        super().__init__(**options)
        self.rho, self.epsilon = rho, epsilon

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        (s,) = self.slots(variable)
        self.assign(s, self.rho * s + (1 - self.rho) * ops.square(gradient))
        change = learning_rate * gradient / (ops.sqrt(s) + self.epsilon)
        self.assign_sub(variable, change)


def compile_network(
    network: keras.Model, optimizer: keras.Optimizer, label_smoothing: float = 0.0
) -> None:
    """Get ready to train: cross-entropy from logits, weight decay on kernels only."""
    # By name, since a GRU's biases are two-dimensional.
    others = [v for v in network.trainable_variables if not v.name.endswith("kernel")]
    optimizer.exclude_from_weight_decay(others)
    optimizer.build(network.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing
    )
    network.compile(optimizer, loss, metrics=["accuracy"])


def train_step(
    network: keras.Model, inputs: Any, labels: Labels, learning_rate: float
) -> tuple[float, int]:
    """One step on a batch; gives the loss before it and how many were right."""
    network.optimizer.learning_rate = learning_rate
    targets = keras.utils.to_categorical(labels, network.output_shape[-1])
    logs = network.train_on_batch(inputs, targets, return_dict=True)
    return logs["loss"], round(logs["accuracy"] * len(labels))


def run_by_size(
    functions: dict[object, object],
    key: object,
    model: keras.Model,
    function: Callable[..., Any],
    *values: object,
) -> Any:
    """`function(model, *values)`, compiled for each `key`: for each size of batch.

    Keras' one function, in TensorFlow, is compiled for any size once it has met a
    second one, and then rounds otherwise: what a step gives would depend on the batches
    before it.
    """
    kind = "train_function" if function is train_step else "predict_function"
    setattr(model, kind, functions.get((kind, key)))
    result = function(model, *values)
    functions[kind, key] = getattr(model, kind)
    return result


def filled_up(images: Images) -> Images:
    """As many images as the next power of two, black ones at the end."""
    count = 1 << max(len(images) - 1, 0).bit_length()
    filled = np.zeros((count, *images.shape[1:]), images.dtype)
    filled[: len(images)] = images
    return filled


def prepare(
    images: Images, mean: tuple[float, ...], std: tuple[float, ...], dtype: str
) -> Array:
    """Images as the network sees them: (pixel / 255 - mean) / std."""
    pixels: Array = images.astype(dtype) / PIXEL_SCALE
    if any(mean) or set(std) != {1.0}:
        pixels = (pixels - np.array(mean, dtype)) / np.array(std, dtype)
    return pixels
