"""NumPy operations in float64, each with its derivative: what the reference is made of.

Each gives a `Tensor`, which `backward` can walk from; those that are made of pieces
name them.

Within `rounding_to` every result is rounded at random, to see how far that alone moves
an answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.frameworks.activations import (
    gelu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    relu,
    relu6,
    sigmoid,
    silu,
    tanh,
)
from triptych.frameworks.attention import (
    attention,
    class_token,
    dense,
    position_embedding,
    token_pool,
    tokens,
)
from triptych.frameworks.contract import Labels
from triptych.frameworks.recurrence import gru, lstm
from triptych.frameworks.rounding import Values, rounded, summed
from triptych.frameworks.tensors import (
    OVERFLOW,
    SHUT,
    Pieces,
    Tensor,
    backward,
)
from triptych.frameworks.windows import (
    average_pool,
    conv,
    depthwise_conv,
    global_average_pool,
    max_pool,
)

__all__ = [
    "Tensor",
    "add",
    "attention",
    "average_pool",
    "backward",
    "batch_norm",
    "bias",
    "class_token",
    "concat",
    "conv",
    "cross_entropy",
    "dense",
    "depthwise_conv",
    "dropout",
    "flatten",
    "gelu",
    "global_average_pool",
    "group_norm",
    "gru",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "lstm",
    "max_pool",
    "multiply",
    "position_embedding",
    "relu",
    "relu6",
    "rows",
    "scale",
    "sigmoid",
    "silu",
    "stochastic_depth",
    "tanh",
    "token_pool",
    "tokens",
]


def batch_norm(
    x: Tensor,
    scale: Tensor,
    offset: Tensor,
    running: tuple[Values, Values],
    epsilon: float,
    momentum: float,
    training: bool,
) -> tuple[Tensor, tuple[Values, Values]]:
    """Normalize each channel; gives the running (mean, variance) after this batch with
    the output.
    """
    n = x.values.size // x.values.shape[-1]
    mean, variance = running
    if training:
        mean = summed(x.values) / n
        variance = summed((x.values - mean) ** 2) / n
        unbiased = variance * (n / max(n - 1, 1))
        running = (
            momentum * running[0] + (1 - momentum) * mean,
            momentum * running[1] + (1 - momentum) * unbiased,
        )
    deviation = np.sqrt(variance + epsilon)
    normal = (x.values - mean) / deviation

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_scale, to_offset = summed(gradient * normal), summed(gradient)
        to_x = gradient
        # The batch's mean and deviation move with x, and take their part away.
        if training:
            to_x = gradient - to_offset / n - normal * to_scale / n
        return to_x * scale.values / deviation, to_scale, to_offset

    values = normal * scale.values + offset.values
    return Tensor(values, (x, scale, offset), derivative), running


def layer_norm(x: Tensor, scale: Tensor, offset: Tensor, epsilon: float) -> Tensor:
    """Normalize the channels of each place by themselves."""
    centered = x.values - x.values.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centered**2).mean(axis=-1, keepdims=True) + epsilon)
    normal = centered / deviation

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_normal = gradient * scale.values
        # The place's mean and deviation move with x, and take their part away.
        common = to_normal.mean(axis=-1, keepdims=True)
        along = (to_normal * normal).mean(axis=-1, keepdims=True)
        to_x = (to_normal - common - normal * along) / deviation
        return to_x, summed(gradient * normal), summed(gradient)

    values = normal * scale.values + offset.values
    return Tensor(values, (x, scale, offset), derivative)


def group_norm(
    x: Tensor, scale: Tensor, offset: Tensor, groups: int, epsilon: float
) -> Tensor:
    """Normalize each group of an image's channels, over all its pixels."""
    shape = x.values.shape
    parted = (shape[0], -1, groups, shape[-1] // groups)
    within = (1, 3)
    centered = x.values.reshape(parted)
    centered = centered - centered.mean(axis=within, keepdims=True)
    deviation = np.sqrt((centered**2).mean(axis=within, keepdims=True) + epsilon)
    normal = centered / deviation

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_normal = (gradient * scale.values).reshape(parted)
        # The group's mean and deviation move with x, and take their part away.
        common = to_normal.mean(axis=within, keepdims=True)
        along = (to_normal * normal).mean(axis=within, keepdims=True)
        to_x = (to_normal - common - normal * along) / deviation
        to_scale = summed(gradient * normal.reshape(shape))
        return to_x.reshape(shape), to_scale, summed(gradient)

    values = normal.reshape(shape) * scale.values + offset.values
    return Tensor(values, (x, scale, offset), derivative)


def scale(x: Tensor, factors: Tensor) -> Tensor:
    """One number a channel, multiplied with it."""
    return Tensor(
        x.values * factors.values,
        (x, factors),
        lambda gradient: (gradient * factors.values, summed(gradient * x.values)),
    )


def bias(x: Tensor, values: Tensor) -> Tensor:
    """One number a channel, added; its gradient is the sum over all places."""
    return Tensor(
        x.values + values.values,
        (x, values),
        lambda gradient: (gradient, summed(gradient)),
    )


def dropout(x: Tensor, rate: float, mask: NDArray[np.bool_] | None) -> Tensor:
    """Inverted dropout; without a mask every unit is kept."""
    return _masked(x, rate, mask, "dropout")


def stochastic_depth(x: Tensor, rate: float, mask: NDArray[np.bool_] | None) -> Tensor:
    """Dropout of whole images: of each, `mask` has one number."""
    return _masked(x, rate, mask, "stochastic_depth")


def _masked(
    x: Tensor, rate: float, mask: NDArray[np.bool_] | None, kind: str
) -> Tensor:
    if mask is None:
        return x
    factor = mask / (1 - rate)

    def pieces() -> Pieces:
        return {f"{kind}: kept": mask, f"{kind}: dropped": ~mask}

    return Tensor(
        x.values * factor, (x,), lambda gradient: (gradient * factor,), pieces
    )


def flatten(x: Tensor) -> Tensor:
    """One row an image, channels running fastest."""
    return Tensor(
        x.values.reshape(len(x.values), -1),
        (x,),
        lambda gradient: (gradient.reshape(x.values.shape),),
    )


def rows(x: Tensor) -> Tensor:
    """The rows of an image, from top to bottom; in a row the channels run fastest."""
    return Tensor(
        x.values.reshape(*x.values.shape[:2], -1),
        (x,),
        lambda gradient: (gradient.reshape(x.values.shape),),
    )


def add(*inputs: Tensor) -> Tensor:
    """The sum; each input gets the whole gradient."""
    return Tensor(
        np.sum([x.values for x in inputs], axis=0),
        inputs,
        lambda gradient: (gradient,) * len(inputs),
    )


def multiply(x: Tensor, factors: Tensor) -> Tensor:
    """The product; features, where x is an image, count for all its pixels."""
    given = factors.values
    if given.ndim < x.values.ndim:
        given = given[:, None, None, :]

    def derivative(gradient: Values) -> tuple[Values, Values]:
        to_factors = gradient * x.values
        if factors.values.ndim < to_factors.ndim:
            to_factors = to_factors.sum(axis=(1, 2))
        return gradient * given, to_factors

    return Tensor(x.values * given, (x, factors), derivative)


def concat(*inputs: Tensor) -> Tensor:
    """Side by side along the last axis; each input gets its part of the gradient."""
    ends = np.cumsum([x.values.shape[-1] for x in inputs])[:-1]
    return Tensor(
        np.concatenate([x.values for x in inputs], axis=-1),
        inputs,
        lambda gradient: tuple(np.split(gradient, ends, axis=-1)),
    )


def cross_entropy(logits: Tensor, labels: Labels, smoothing: float = 0.0) -> Tensor:
    """Mean softmax cross-entropy against (1 - smoothing) one_hot + smoothing /
    classes.
    """
    batch, classes = logits.values.shape
    target = np.full((batch, classes), smoothing / classes)
    target[np.arange(batch), labels] += 1 - smoothing
    # The exp of a large logit overflows.
    shifted = logits.values - logits.values.max(axis=1, keepdims=True)
    log_probability = rounded(
        shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    )
    loss = -(target * log_probability).sum() / batch

    def pieces() -> Pieces:
        right = log_probability[np.arange(batch), labels]
        return {
            "cross_entropy: sure and right": right > -SHUT,
            "cross_entropy: unsure": (right <= -SHUT) & (right >= -OVERFLOW),
            "cross_entropy: sure and wrong": right < -OVERFLOW,
        }

    return Tensor(
        np.array(loss),
        (logits,),
        lambda gradient: (gradient * (np.exp(log_probability) - target) / batch,),
        pieces,
    )
