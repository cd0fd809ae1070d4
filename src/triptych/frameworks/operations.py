"""NumPy operations in float64, each with its derivative: what the reference is made of.

Each gives a `Tensor`, which `backward` can walk from; those that are made of pieces
name them.

Within `rounding_to` every result is rounded at random, to see how far that alone moves
an answer.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from triptych.frameworks.contract import Labels
from triptych.frameworks.recurrence import gru, logistic, lstm
from triptych.frameworks.rounding import Values, rounded, summed
from triptych.frameworks.tensors import (
    OVERFLOW,
    SHUT,
    Pieces,
    Tensor,
    backward,
    stretches,
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
    "average_pool",
    "backward",
    "batch_norm",
    "bias",
    "concat",
    "conv",
    "cross_entropy",
    "dense",
    "depthwise_conv",
    "dropout",
    "flatten",
    "gelu",
    "global_average_pool",
    "gru",
    "lstm",
    "max_pool",
    "relu",
    "relu6",
    "rows",
    "sigmoid",
    "tanh",
]


def dense(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """x @ kernel + bias."""

    def derivative(gradient: Values) -> tuple[Values, ...]:
        shares = (gradient @ kernel.values.T, x.values.T @ gradient)
        return shares if bias is None else (*shares, summed(gradient))

    if bias is None:
        return Tensor(x.values @ kernel.values, (x, kernel), derivative)
    return Tensor(x.values @ kernel.values + bias.values, (x, kernel, bias), derivative)


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


def bias(x: Tensor, values: Tensor) -> Tensor:
    """One number a channel, added; its gradient is the sum over all places."""
    return Tensor(
        x.values + values.values,
        (x, values),
        lambda gradient: (gradient, summed(gradient)),
    )


def relu(x: Tensor) -> Tensor:
    """max(x, 0); its derivative at 0 is 0."""

    def pieces() -> Pieces:
        return {
            "relu: below 0": x.values < 0,
            "relu: at 0": x.values == 0,
            "relu: above 0": x.values > 0,
        }

    return Tensor(
        np.maximum(x.values, 0),
        (x,),
        lambda gradient: (gradient * (x.values > 0),),
        pieces,
    )


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6); its derivative at 0 and at 6 is 0."""
    inside = (x.values > 0) & (x.values < 6)

    def pieces() -> Pieces:
        return {
            "relu6: below 0": x.values < 0,
            "relu6: at 0": x.values == 0,
            "relu6: between": inside,
            "relu6: at 6": x.values == 6,
            "relu6: above 6": x.values > 6,
        }

    return Tensor(
        np.clip(x.values, 0, 6), (x,), lambda gradient: (gradient * inside,), pieces
    )


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    values = np.tanh(x.values)
    return Tensor(
        values,
        (x,),
        lambda gradient: (gradient * (1 - values**2),),
        lambda: stretches("tanh", x.values),
    )


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    values = logistic(x.values)
    return Tensor(
        values,
        (x,),
        lambda gradient: (gradient * values * (1 - values),),
        lambda: stretches("sigmoid", x.values),
    )


erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: Tensor) -> Tensor:
    """x Phi(x), with the normal distribution function Phi and its density phi."""
    cumulative = 0.5 * (1 + erf(x.values / math.sqrt(2)))
    density = np.exp(-0.5 * x.values**2) / math.sqrt(2 * math.pi)
    return Tensor(
        x.values * cumulative,
        (x,),
        lambda gradient: (gradient * (cumulative + x.values * density),),
        lambda: stretches("gelu", x.values),
    )


def dropout(x: Tensor, rate: float, mask: NDArray[np.bool_] | None) -> Tensor:
    """Inverted dropout; without a mask every unit is kept."""
    if mask is None:
        return x
    factor = mask / (1 - rate)

    def pieces() -> Pieces:
        return {"dropout: kept": mask, "dropout: dropped": ~mask}

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
