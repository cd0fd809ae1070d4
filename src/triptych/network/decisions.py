"""What a network decides: which side of zero a ReLU's input lies on, which pixel of a window a pool takes.

Between two such decisions a network is smooth; where a value lies within rounding of a tie, two correct
programs may decide otherwise, and their gradients then differ by far more than rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.network.architecture import Architecture
from triptych.network.layers import MaxPool, ReLU, ReLU6
from triptych.network.layouts import Array

Decisions = NDArray[np.uint16]


def decisions(architecture: Architecture, activations: Mapping[str, Array]) -> dict[str, Decisions]:
    """By deciding layer: its choice for each number that it gives.

    ReLU: 0 or 1; ReLU6: 0, 1 or 2 (below 0, inside, above 6); max pool: the place in the window, row by row,
    the first of equals. `activations` holds the layers' outputs by name, channels last.
    """
    found = {}
    for node in architecture.nodes:
        if not isinstance(node.layer, ReLU | ReLU6 | MaxPool):
            continue
        x = activations[node.inputs[0]].astype(np.float64)
        if isinstance(node.layer, MaxPool):
            found[node.name] = _winners(node.layer, x)
        else:
            above = (x >= 6) if isinstance(node.layer, ReLU6) else np.zeros(x.shape, np.bool_)
            found[node.name] = (x > 0).astype(np.uint16) + above
    return found


def _winners(layer: MaxPool, x: NDArray[np.float64]) -> Decisions:
    padded = np.pad(x, ((0, 0), *layer.pads(x.shape[1:]), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, layer.window, axis=(1, 2))
    rows, columns = layer.strides
    windows = windows[:, ::rows, ::columns]
    winners: Decisions = windows.reshape(*windows.shape[:4], -1).argmax(axis=-1).astype(np.uint16)
    return winners
