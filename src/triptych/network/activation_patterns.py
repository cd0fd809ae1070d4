"""What a network decides: on which piece of an activation a number lies, which pixel of
a window a pool takes.

Between two such decisions a network is smooth; where a value lies within rounding of a
tie, two correct programs may decide otherwise, and their gradients then differ by far
more than rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.network.architecture import Architecture
from triptych.network.conventions import HARD_SIGMOID_EDGE
from triptych.network.layers import (
    HardSigmoid,
    HardSwish,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    ReLU6,
)
from triptych.network.layouts import Array

Decisions = NDArray[np.uint16]
Values = NDArray[np.float64]

EDGES: dict[type[Layer], tuple[float, ...]] = {
    ReLU: (0.0,),
    LeakyReLU: (0.0,),
    ReLU6: (0.0, 6.0),
    HardSigmoid: (-HARD_SIGMOID_EDGE, HARD_SIGMOID_EDGE),
    HardSwish: (-HARD_SIGMOID_EDGE, HARD_SIGMOID_EDGE),
}
"""Where an activation goes over from one piece to the next. What lies on the first edge
belongs below it, what lies on the second above.
"""


def decisions(
    architecture: Architecture, activations: Mapping[str, Array]
) -> dict[str, Decisions]:
    """By deciding layer: its choice for each number that it gives.

    An activation: 0, 1 or 2, the piece that its input lies on, counted from below; max
    pool: the place in the window, row by row, the first of equals. `activations` holds
    the layers' outputs by name, channels last.
    """
    found = {}
    for node in architecture.nodes:
        if not isinstance(node.layer, (MaxPool, *EDGES)):
            continue
        x = activations[node.inputs[0]].astype(np.float64)
        found[node.name] = (
            _winners(node.layer, x)
            if isinstance(node.layer, MaxPool)
            else _pieces(node.layer, x)
        )
    return found


def _pieces(layer: Layer, x: Values) -> Decisions:
    first, *second = EDGES[type(layer)]
    found = (x > first).astype(np.uint16)
    for edge in second:
        found += x >= edge
    return found


def shown(
    layer: Layer, x: Array, before: Array, behind: Array, mine: Decisions
) -> Decisions | None:
    """The decisions that gradients show: `before` is that of the layer's input `x`,
    `behind` that of its output.

    Where pieces are as steep as the one of `mine`, or no gradient comes from behind,
    they show nothing, and the decision is `mine`. None where the layer cannot show any:
    in a max pool whose windows overlap.
    """
    if isinstance(layer, MaxPool):
        if layer.strides[0] < layer.window[0] or layer.strides[1] < layer.window[1]:
            return None
        passed = _winners(layer, np.abs(before.astype(np.float64)))
        return np.where(behind == 0, mine, passed)
    slopes = _slopes(layer, x.astype(np.float64))
    misfits = np.abs(before.astype(np.float64) - slopes * behind.astype(np.float64))
    own = np.take_along_axis(misfits, mine[None].astype(np.intp), axis=0)[0]
    nearest = misfits.argmin(axis=0)
    return np.where(own <= misfits.min(axis=0), mine, nearest).astype(np.uint16)


def _slopes(layer: Layer, x: Values) -> Values:
    """How steep each piece of an activation is at `x`: (pieces, *x.shape)."""
    zero, one = np.zeros_like(x), np.ones_like(x)
    rise = one / (2 * HARD_SIGMOID_EDGE)
    match layer:
        case LeakyReLU(slope=slope):
            return np.stack([slope * one, one])
        case ReLU6():
            return np.stack([zero, one, zero])
        case HardSigmoid():
            return np.stack([zero, rise, zero])
        case HardSwish():
            return np.stack([zero, 2 * x * rise + 0.5, one])
    return np.stack([zero, one])


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

    Moved by no more than that, and just over the nearest edge. A value on the very edge
    that is there in `theirs`, too, is no tie: a 0 comes of zeros, without rounding, and
    what a ReLU does with it is a convention. Equal values in a window need not be:
    rounding has part in them, and another program may round them apart.
    """
    if isinstance(layer, MaxPool):
        return _winning(layer, x, mine, chosen, near)
    edges = EDGES[type(layer)]
    edge = np.where(x < sum(edges) / len(edges), edges[0], edges[-1])
    tied = (
        (mine != chosen)
        & (np.abs(x - edge) <= near)
        & ~((x == edge) & (theirs == edge))
    )
    inside = np.nextafter(edge, edges[0] + 1)
    return np.where(tied, np.where(chosen == 1, inside, edge), x)


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
