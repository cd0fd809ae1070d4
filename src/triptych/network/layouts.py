"""How a framework keeps the canonical tensors: under which name, and in which order.

A map between weights is data, so that it can be read, compared, and written into a
program that stands alone.
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

    `axes` are the canonical axes in the framework's order; None leaves them as they
    are. `flattened` holds the shapes of the images that a framework which keeps
    channels first has flattened into the features that the tensor's first axis runs
    over, one after another; (n,) stands for n features that were flat. `gates` are the
    canonical gates of a recurrent layer in the framework's order, if that is another;
    they stand side by side along the tensor's last axis. `row` says which row of the
    framework's tensor it is, if that holds several canonical ones.
    """

    name: str
    axes: tuple[int, ...] | None = None
    flattened: tuple[Shape, ...] = ()
    gates: tuple[int, ...] = ()
    row: int | None = None


Layouts = Mapping[str, Layout]


def to_native(array: Array, layout: Layout, held: Array | None = None) -> Array:
    """A canonical tensor in a framework's layout; a copy.

    Where that is a row of a tensor, all of it: the other rows are as in `held`.
    """
    if layout.flattened:
        array = array[channels_first(layout.flattened)]
    if layout.gates:
        array = _regrouped(array, layout.gates)
    native = np.array(
        array if layout.axes is None else array.transpose(layout.axes), order="C"
    )
    if layout.row is None:
        return native
    assert held is not None
    whole = np.array(held, order="C")
    whole[layout.row] = native
    return whole


def to_canonical(array: Array, layout: Layout) -> Array:
    """A framework's tensor in the canonical layout; a copy."""
    if layout.row is not None:
        array = array[layout.row]
    if layout.axes is not None:
        array = array.transpose(np.argsort(layout.axes))
    if layout.gates:
        array = _regrouped(array, tuple(np.argsort(layout.gates)))
    if layout.flattened:
        array = array[np.argsort(channels_first(layout.flattened))]
    return np.array(array, order="C")


def gate_order(ours: str, theirs: str) -> tuple[int, ...]:
    """The `gates` of a layout, for the canonical order and a framework's, a letter
    each; () if they agree.
    """
    return () if ours == theirs else tuple(ours.index(gate) for gate in theirs)


def _regrouped(array: Array, order: tuple[int, ...]) -> Array:
    """The equal parts of the last axis in another order."""
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[place] for place in order], axis=-1)


def channels_first(flattened: tuple[Shape, ...]) -> NDArray[np.int64]:
    """Where feature j of a framework that flattens channels first stands among ours:
    (features,).

    Ours run over rows, columns, then channels, so `native = canonical[...,
    channels_first(shapes)]`.
    """
    orders, start = [], 0
    for shape in flattened:
        place = np.arange(start, start + math.prod(shape)).reshape(shape)
        orders.append(place.transpose(2, 0, 1).ravel() if place.ndim == 3 else place)
        start += place.size
    return np.concatenate(orders)
