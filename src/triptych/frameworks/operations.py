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
from triptych.frameworks.rounding import Values, rounded, summed
from triptych.frameworks.tensors import OVERFLOW, SHUT, Pieces, Tensor, gates, stretches

Pads = tuple[tuple[int, int], tuple[int, int]]


def windows(
    values: Values, size: tuple[int, int], stride: tuple[int, int]
) -> list[tuple[tuple[slice, slice, slice], Values]]:
    """For each place (i, j) in a window: the index of the pixels that stand there, and
    these pixels.
    """
    height = (values.shape[1] - size[0]) // stride[0] + 1
    width = (values.shape[2] - size[1]) // stride[1] + 1
    places = []
    for i in range(size[0]):
        for j in range(size[1]):
            rows = slice(i, i + (height - 1) * stride[0] + 1, stride[0])
            columns = slice(j, j + (width - 1) * stride[1] + 1, stride[1])
            index = (slice(None), rows, columns)
            places.append((index, values[index]))
    return places


def pad(values: Values, pads: Pads, filler: float = 0.0) -> Values:
    """Values with `filler` added above, below, left and right."""
    return np.pad(values, ((0, 0), *pads, (0, 0)), constant_values=filler)


def unpad(values: Values, pads: Pads) -> Values:
    """Values without what `pad` added."""
    (top, bottom), (left, right) = pads
    return values[:, top : values.shape[1] - bottom, left : values.shape[2] - right]


def conv(
    x: Tensor, kernel: Tensor, bias: Tensor | None, stride: tuple[int, int], pads: Pads
) -> Tensor:
    """Each output pixel: the sum over the window's places of pixel @ kernel there."""
    padded = pad(x.values, pads)
    size = (kernel.values.shape[0], kernel.values.shape[1])
    places = windows(padded, size, stride)
    matrices = kernel.values.reshape(-1, *kernel.values.shape[2:])
    values = np.zeros((*places[0][1].shape[:-1], matrices.shape[-1]))
    for (_, pixels), matrix in zip(places, matrices, strict=True):
        values += pixels @ matrix

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x = np.zeros_like(padded)
        to_kernel = np.empty_like(matrices)
        for place, (index, pixels) in enumerate(places):
            to_x[index] += gradient @ matrices[place].T
            to_kernel[place] = np.tensordot(
                pixels, gradient, axes=((0, 1, 2), (0, 1, 2))
            )
        shares = (unpad(to_x, pads), to_kernel.reshape(kernel.values.shape))
        return shares if bias is None else (*shares, summed(gradient))

    if bias is None:
        return Tensor(values, (x, kernel), derivative)
    return Tensor(values + bias.values, (x, kernel, bias), derivative)


def depthwise_conv(
    x: Tensor, kernel: Tensor, bias: Tensor | None, stride: tuple[int, int], pads: Pads
) -> Tensor:
    """As `conv`, but each channel meets its own numbers only."""
    padded = pad(x.values, pads)
    size = (kernel.values.shape[0], kernel.values.shape[1])
    places = windows(padded, size, stride)
    rows = kernel.values.reshape(-1, kernel.values.shape[2])
    values = np.sum(
        [pixels * row for (_, pixels), row in zip(places, rows, strict=True)], axis=0
    )

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x = np.zeros_like(padded)
        to_kernel = np.empty_like(rows)
        for place, (index, pixels) in enumerate(places):
            to_x[index] += gradient * rows[place]
            to_kernel[place] = (pixels * gradient).sum(axis=(0, 1, 2))
        shares = (unpad(to_x, pads), to_kernel.reshape(kernel.values.shape))
        return shares if bias is None else (*shares, summed(gradient))

    if bias is None:
        return Tensor(values, (x, kernel), derivative)
    return Tensor(values + bias.values, (x, kernel, bias), derivative)


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


def max_pool(
    x: Tensor, size: tuple[int, int], stride: tuple[int, int], pads: Pads
) -> Tensor:
    """The largest pixel of each window; the first of equals gets the gradient."""
    padded = pad(x.values, pads, filler=-np.inf)
    places = windows(padded, size, stride)
    stacked = np.stack([pixels for _, pixels in places])
    winner = stacked.argmax(axis=0)

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x = np.zeros_like(padded)
        for place, (index, _) in enumerate(places):
            to_x[index] += gradient * (winner == place)
        return (unpad(to_x, pads),)

    def pieces() -> Pieces:
        largest = stacked == stacked.max(axis=0)
        padded_below_0 = np.isneginf(stacked).any(axis=0) & (stacked.max(axis=0) < 0)
        return {
            "max_pool: one largest": largest.sum(axis=0) == 1,
            "max_pool: equals": largest.sum(axis=0) > 1,
            "max_pool: all below 0 beside padding": padded_below_0,
        }

    return Tensor(stacked.max(axis=0), (x,), derivative, pieces)


def average_pool(
    x: Tensor, size: tuple[int, int], stride: tuple[int, int], pads: Pads
) -> Tensor:
    """The mean over each window of the pixels that are no padding."""
    padded = pad(x.values, pads)
    places = windows(padded, size, stride)
    inside = windows(pad(np.ones((1, *x.values.shape[1:3], 1)), pads), size, stride)
    count = np.sum([pixels for _, pixels in inside], axis=0)

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x = np.zeros_like(padded)
        for index, _ in places:
            to_x[index] += gradient / count
        return (unpad(to_x, pads),)

    def pieces() -> Pieces:
        whole = count == len(places)
        return {
            "average_pool: whole window": whole,
            "average_pool: beside padding": ~whole,
        }

    total = np.sum([pixels for _, pixels in places], axis=0)
    return Tensor(total / count, (x,), derivative, pieces)


def global_average_pool(x: Tensor) -> Tensor:
    """The mean over height and width."""
    _, height, width, _ = x.values.shape

    def derivative(gradient: Values) -> tuple[Values, ...]:
        return (
            np.broadcast_to(gradient[:, None, None, :], x.values.shape)
            / (height * width),
        )

    return Tensor(x.values.mean(axis=(1, 2)), (x,), derivative)


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


def logistic(x: Values) -> Values:
    """1 / (1 + exp(-x)), written with tanh, which does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def lstm(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor, sequence: bool
) -> Tensor:
    """Long short-term memory, step by step from a state of zeros; the gates are i, f,
    g, o.

    The derivative walks the steps back and hands on, from each to the one before, what
    the loss wants of the state h and of the memory c.
    """
    weights, units = recurrent_kernel.values, recurrent_kernel.values.shape[0]
    h = c = np.zeros((len(x.values), units))
    states, seen = [], []
    for step in range(x.values.shape[1]):
        i, f, g, o = np.split(
            x.values[:, step] @ kernel.values + h @ weights + bias.values, 4, axis=-1
        )
        i, f, g, o = logistic(i), logistic(f), np.tanh(g), logistic(o)
        seen.append((h, c, i, f, g, o))
        c = rounded(f * c + i * g)
        h = rounded(o * np.tanh(c))
        states.append(h)

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x, to_kernel = np.zeros_like(x.values), np.zeros_like(kernel.values)
        to_weights, to_bias = np.zeros_like(weights), np.zeros_like(bias.values)
        to_h = to_c = np.zeros((len(x.values), units))
        for step in reversed(range(len(seen))):
            h, c, i, f, g, o = seen[step]
            to_h = to_h + _of_step(gradient, step, len(seen), sequence)
            memory = np.tanh(f * c + i * g)
            to_c = to_c + to_h * o * (1 - memory**2)
            to_gates = np.concatenate(
                [
                    to_c * g * i * (1 - i),
                    to_c * c * f * (1 - f),
                    to_c * i * (1 - g**2),
                    to_h * memory * o * (1 - o),
                ],
                axis=-1,
            )
            to_x[:, step] = to_gates @ kernel.values.T
            to_kernel += x.values[:, step].T @ to_gates
            to_weights += h.T @ to_gates
            to_bias += to_gates.sum(axis=0)
            to_h, to_c = rounded(to_gates @ weights.T), rounded(to_c * f)
        return to_x, to_kernel, to_weights, to_bias

    def pieces() -> Pieces:
        _, c, i, f, g, o = (
            np.stack(part, axis=sequence) for part in zip(*seen, strict=True)
        )
        memory = f * c + i * g
        return {
            **gates("lstm", 0, i=i, f=f, o=o),
            **gates("lstm", -1, g=g),
            "lstm: memory below -1": memory < -1,
            "lstm: memory between": np.abs(memory) <= 1,
            "lstm: memory above 1": memory > 1,
        }

    values = np.stack(states, axis=1) if sequence else h
    return Tensor(values, (x, kernel, recurrent_kernel, bias), derivative, pieces)


def gru(
    x: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor,
    recurrent_bias: Tensor,
    sequence: bool,
) -> Tensor:
    """Gated recurrent unit, step by step from a state of zeros; the gates are r, z, n.

    The reset gate r takes its part of what the state gives to the candidate n after the
    product.
    """
    weights, units = recurrent_kernel.values, recurrent_kernel.values.shape[0]
    h = np.zeros((len(x.values), units))
    states, seen = [], []
    for step in range(x.values.shape[1]):
        r, z, n = np.split(x.values[:, step] @ kernel.values + bias.values, 3, axis=-1)
        r_state, z_state, n_state = np.split(
            h @ weights + recurrent_bias.values, 3, axis=-1
        )
        r, z = logistic(r + r_state), logistic(z + z_state)
        n = np.tanh(n + r * n_state)
        seen.append((h, r, z, n, n_state))
        h = rounded((1 - z) * n + z * h)
        states.append(h)

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x, to_kernel = np.zeros_like(x.values), np.zeros_like(kernel.values)
        to_weights, to_bias = np.zeros_like(weights), np.zeros_like(bias.values)
        to_recurrent_bias, to_h = (
            np.zeros_like(recurrent_bias.values),
            np.zeros((len(x.values), units)),
        )
        for step in reversed(range(len(seen))):
            h, r, z, n, n_state = seen[step]
            to_h = to_h + _of_step(gradient, step, len(seen), sequence)
            to_n = to_h * (1 - z) * (1 - n**2)
            to_r, to_z = to_n * n_state * r * (1 - r), to_h * (h - n) * z * (1 - z)
            from_x = np.concatenate([to_r, to_z, to_n], axis=-1)
            from_state = np.concatenate([to_r, to_z, to_n * r], axis=-1)
            to_x[:, step] = from_x @ kernel.values.T
            to_kernel += x.values[:, step].T @ from_x
            to_weights += h.T @ from_state
            to_bias += from_x.sum(axis=0)
            to_recurrent_bias += from_state.sum(axis=0)
            to_h = rounded(from_state @ weights.T + to_h * z)
        return to_x, to_kernel, to_weights, to_bias, to_recurrent_bias

    def pieces() -> Pieces:
        _, r, z, n, _ = (
            np.stack(part, axis=sequence) for part in zip(*seen, strict=True)
        )
        return {**gates("gru", 0, r=r, z=z), **gates("gru", -1, n=n)}

    values = np.stack(states, axis=1) if sequence else h
    return Tensor(
        values, (x, kernel, recurrent_kernel, bias, recurrent_bias), derivative, pieces
    )


def _of_step(gradient: Values, step: int, steps: int, sequence: bool) -> Values | float:
    """What the loss wants of the state after a step; without `sequence` it sees the
    last one only.
    """
    if sequence:
        return np.asarray(gradient[:, step])
    return gradient if step == steps - 1 else 0.0


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
