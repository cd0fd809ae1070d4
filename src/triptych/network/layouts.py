"""How a framework keeps the canonical tensors: under which name, and in which order of axes and features.

A map between weights is data, so that it can be read, compared, and written into a program that stands alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.network.layers import Shape

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Layout:
    """Where one canonical tensor stands in a framework.

    `axes` are the canonical axes in the framework's order; None leaves them as they are. `flattened` holds
    the shapes of the pictures that a framework which keeps channels first has flattened into the features
    that the tensor's first axis runs over, one after another; (n,) stands for n features that were flat.
    """

    name: str
    axes: tuple[int, ...] | None = None
    flattened: tuple[Shape, ...] = ()


Layouts = Mapping[str, Layout]


def to_native(array: Array, layout: Layout) -> Array:
    """A canonical tensor in a framework's layout; a copy."""
    if layout.flattened:
        array = array[channels_first(layout.flattened)]
    return np.array(array if layout.axes is None else array.transpose(layout.axes), order="C")


def to_canonical(array: Array, layout: Layout) -> Array:
    """A framework's tensor in the canonical layout; a copy."""
    if layout.axes is not None:
        array = array.transpose(np.argsort(layout.axes))
    if layout.flattened:
        array = array[np.argsort(channels_first(layout.flattened))]
    return np.array(array, order="C")


def channels_first(flattened: tuple[Shape, ...]) -> NDArray[np.int64]:
    """Where feature j of a framework that flattens channels first stands among ours: (features,).

    Ours run over rows, columns, then channels, so `native = canonical[..., channels_first(shapes)]`.
    """
    orders, start = [], 0
    for shape in flattened:
        place = np.arange(start, start + math.prod(shape)).reshape(shape)
        orders.append(place.transpose(2, 0, 1).ravel() if place.ndim == 3 else place)
        start += place.size
    return np.concatenate(orders)
