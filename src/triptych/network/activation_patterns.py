"""What a network decides: which side of zero a ReLU's input lies on, which pixel of a
window a pool takes.

Between two such decisions a network is smooth; where a value lies within rounding of a
tie, two correct programs may decide otherwise, and their gradients then differ by far
more than rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.network.architecture import Architecture
from triptych.network.layers import Layer, MaxPool, ReLU, ReLU6
from triptych.network.layouts import Array

Decisions = NDArray[np.uint16]
Values = NDArray[np.float64]


def decisions(
    architecture: Architecture, activations: Mapping[str, Array]
) -> dict[str, Decisions]:
    """By deciding layer: its choice for each number that it gives.

    ReLU: 0 or 1; ReLU6: 0, 1 or 2 (below 0, inside, above 6); max pool: the place in
    the window, row by row, the first of equals. `activations` holds the layers' outputs
    by name, channels last.
    """
    found = {}
    for node in architecture.nodes:
        if not isinstance(node.layer, ReLU | ReLU6 | MaxPool):
            continue
        x = activations[node.inputs[0]].astype(np.float64)
        if isinstance(node.layer, MaxPool):
            found[node.name] = _winners(node.layer, x)
        else:
            above = (
                (x >= 6)
                if isinstance(node.layer, ReLU6)
                else np.zeros(x.shape, np.bool_)
            )
            found[node.name] = (x > 0).astype(np.uint16) + above
    return found


def shown(
    layer: Layer, before: Array, behind: Array, mine: Decisions
) -> Decisions | None:
    """The decisions that gradients show: `before` is that of the layer's input,
    `behind` that of its output.

    Where no gradient comes from behind it shows nothing, and the decision is `mine`.
    None where the layer cannot show any: in a max pool whose windows overlap.
    """
    if isinstance(layer, MaxPool):
        if layer.strides[0] < layer.window[0] or layer.strides[1] < layer.window[1]:
            return None
        passed = _winners(layer, np.abs(before.astype(np.float64)))
        return np.where(behind == 0, mine, passed)
    outside = np.where(mine == 1, 0, mine)  # which of the two ends it is does not show
    seen = np.where(before != 0, 1, outside)
    return np.where(behind == 0, mine, seen).astype(np.uint16)


def overturned(
    layer: Layer,
    x: Values,
    theirs: Array,
    mine: Decisions,
    chosen: Decisions,
    near: float,
) -> Values:
    """A layer's input with which it decides as `chosen`, wherever it is within `near`
    of doing so.

    Moved by no more than that, and just over the edge; a ReLU6 leaves its range by the
    end that is nearer. A value on the very edge that is there in `theirs`, too, is no
    tie: a 0 comes of zeros, without rounding, and what a ReLU does with it is a
    convention. Equal values in a window need not be: rounding has part in them, and
    another program may round them apart.
    """
    if isinstance(layer, MaxPool):
        return _winning(layer, x, mine, chosen, near)
    edge = np.where(x < 3, 0.0, 6.0) if isinstance(layer, ReLU6) else np.zeros_like(x)
    tied = (
        (mine != chosen)
        & (np.abs(x - edge) <= near)
        & ~((x == edge) & (theirs == edge))
    )
    return np.where(tied, np.where(chosen == 1, np.nextafter(edge, 3.0), edge), x)


def _winning(
    layer: MaxPool, x: Values, mine: Decisions, chosen: Decisions, near: float
) -> Values:
    """With the chosen pixel of each window lifted over the largest, if it is within
    twice `near` of it.
    """
    (top, _), (left, _) = layer.pads(x.shape[1:])
    image, row, column, channel = np.nonzero(mine != chosen)

    def pixels(which: Decisions) -> tuple[NDArray[np.intp], ...]:
        down, right = np.divmod(
            which[image, row, column, channel].astype(np.intp), layer.window[1]
        )
        return (
            image,
            row * layer.strides[0] - top + down,
            column * layer.strides[1] - left + right,
            channel,
        )

    winner, wanted = pixels(mine), pixels(chosen)
    ties = x[winner] - x[wanted] <= 2 * near
    lifted = x.copy()
    lifted[tuple(axis[ties] for axis in wanted)] = np.nextafter(x[winner][ties], np.inf)
    return lifted


def _winners(layer: MaxPool, x: Values) -> Decisions:
    padded = np.pad(
        x, ((0, 0), *layer.pads(x.shape[1:]), (0, 0)), constant_values=-np.inf
    )
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, layer.window, axis=(1, 2)
    )
    rows, columns = layer.strides
    windows = windows[:, ::rows, ::columns]
    winners: Decisions = (
        windows.reshape(*windows.shape[:4], -1).argmax(axis=-1).astype(np.uint16)
    )
    return winners
