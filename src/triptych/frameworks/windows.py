"""Operations of the reference that slide a window: convolutions and pools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from triptych.frameworks.rounding import Values, summed
from triptych.frameworks.tensors import Pieces, Tensor

Pads = tuple[tuple[int, int], tuple[int, int]]


def windows(
    values: Values,
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> list[tuple[tuple[slice, slice, slice], Values]]:
    """For each place (i, j) in a window: the index of the pixels that stand there, and
    these pixels.
    """
    height, width = (
        (values.shape[1 + axis] - (size[axis] - 1) * dilation[axis] - 1) // stride[axis]
        + 1
        for axis in (0, 1)
    )
    places = []
    for i in range(0, size[0] * dilation[0], dilation[0]):
        for j in range(0, size[1] * dilation[1], dilation[1]):
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
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    pads: Pads,
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Each output pixel: the sum over the window's places of pixel @ kernel there, each
    group of channels for itself.
    """

    def by_group(
        product: Callable[[Values, Values], Values], one: Values, other: Values
    ) -> Values:
        parts = (np.split(values, groups, axis=-1) for values in (one, other))
        pairs = zip(*parts, strict=True)
        return np.concatenate([product(*pair) for pair in pairs], axis=-1)

    padded = pad(x.values, pads)
    size = (kernel.values.shape[0], kernel.values.shape[1])
    places = windows(padded, size, stride, dilation)
    matrices = kernel.values.reshape(-1, *kernel.values.shape[2:])
    values = np.zeros((*places[0][1].shape[:-1], matrices.shape[-1]))
    for (_, pixels), matrix in zip(places, matrices, strict=True):
        values += by_group(np.matmul, pixels, matrix)

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x = np.zeros_like(padded)
        to_kernel = np.empty_like(matrices)
        for place, (index, pixels) in enumerate(places):
            to_x[index] += by_group(
                lambda g, matrix: g @ matrix.T, gradient, matrices[place]
            )
            to_kernel[place] = by_group(
                lambda x, g: np.tensordot(x, g, axes=((0, 1, 2), (0, 1, 2))),
                pixels,
                gradient,
            )
        shares = (unpad(to_x, pads), to_kernel.reshape(kernel.values.shape))
        return shares if bias is None else (*shares, summed(gradient))

    if bias is None:
        return Tensor(values, (x, kernel), derivative)
    return Tensor(values + bias.values, (x, kernel, bias), derivative)


def depthwise_conv(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    pads: Pads,
    dilation: tuple[int, int] = (1, 1),
) -> Tensor:
    """As `conv`, but each channel meets its own numbers only."""
    padded = pad(x.values, pads)
    size = (kernel.values.shape[0], kernel.values.shape[1])
    places = windows(padded, size, stride, dilation)
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
