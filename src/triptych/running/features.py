"""What the frozen body of a network outputs for every image: computed once, and kept in
the cache.

A framework computes its own: one that trained on another's features would not have been
compared. An epoch of the head then reads a few numbers an image instead of its pixels.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.files import cache_folder
from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.images.augment import Augmentation, Draws, draw, gather
from triptych.images.batches import Batch, ahead
from triptych.images.cache import FEATURES, keep_folder
from triptych.images.store import Store
from triptych.network.architecture import Architecture
from triptych.network.conventions import Precision
from triptych.network.weights import Weights, weights_hash
from triptych.running.protocol import Emit, FeaturesComputed

SCHEMA = 1
"""Grows with every change of the files or of what they hold."""
AT_ONCE = 32
"""How many images the body is shown at once."""

Features = NDArray[np.floating]


@dataclass(frozen=True)
class Views:
    """Which views of the images the body is shown: all as they are and, `count` - 1
    times, those of the training part moved at random.
    """

    count: int
    rows: NDArray[np.int64]
    """Those of the training part."""
    augmentation: Augmentation | None
    seed: int

    def places(self, images: int) -> tuple[NDArray[np.int64], ...]:
        """Where the features of the training part stand, by view."""
        own = np.arange(len(self.rows))
        further = (images + k * len(own) + own for k in range(self.count - 1))
        return (self.rows, *further)

    @property
    def words(self) -> str:
        """What decides them."""
        if self.count == 1 or self.augmentation is None:
            return "1"
        rows = hashlib.sha256(self.rows.tobytes()).hexdigest()
        return f"{self.count} {asdict(self.augmentation)} {self.seed} {rows}"


@dataclass(frozen=True)
class Body:
    """The frozen part of a network, with what it is run in."""

    framework: Framework
    entry: Entry
    architecture: Architecture
    weights: Weights
    precision: Precision

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features of one image."""
        nodes, shapes = self.architecture.nodes, self.architecture.shapes
        return shapes[nodes[-1].name]

    @property
    def dtype(self) -> type[np.float32] | type[np.float64]:
        """Of its features."""
        return np.float64 if self.precision == "float64" else np.float32


def features_of(body: Body, store: Store, views: Views, emit: Emit) -> Features:
    """The features of all images of a store, then those of the further views: (rows,
    *shape), memory-mapped.

    Raises ImagesError if they cannot be kept.
    """
    rows = len(store) + (views.count - 1) * len(views.rows)
    shape = (rows, *body.shape)
    versions = json.dumps(body.framework.facts().versions, sort_keys=True)
    decided = (
        str(SCHEMA), store.key, body.entry.name, versions, body.architecture.to_toml(),
        weights_hash(body.weights), body.precision, views.words,
    )  # fmt: skip
    intact: Callable[[Path], Features | None] = partial(_open, shape, body.dtype)
    key = hashlib.sha256("\0".join(decided).encode()).hexdigest()[:32]
    return keep_folder(
        cache_folder() / FEATURES,
        key,
        math.prod(shape) * np.dtype(body.dtype).itemsize,
        partial(_fill, body, store, views, rows, emit),
        intact,
        "features",
    )


def _fill(
    body: Body, store: Store, views: Views, rows: int, emit: Emit, folder: Path
) -> None:
    state = body.framework.build(body.architecture, body.weights, body.precision)
    done = 0
    with open(folder / "features.bin", "wb") as file:
        for batch in _batches(store, views):
            features = body.framework.predict(state, batch.images)
            file.write(np.ascontiguousarray(features, body.dtype).tobytes())
            done += len(batch.images)
            emit(FeaturesComputed(done, rows))


def _batches(store: Store, views: Views) -> Iterator[Batch]:
    """All images as they are, then the training part's further views."""
    none = np.zeros(0, np.int64)

    def plain(k: int) -> Batch:
        some = slice(k * AT_ONCE, (k + 1) * AT_ONCE)
        return Batch(np.array(store.images[some]), none)

    yield from ahead(plain, -(-len(store) // AT_ONCE))
    for view in range(1, views.count):
        assert views.augmentation is not None
        draws = draw(views.augmentation, len(views.rows), store.size, views.seed, view)

        def moved(k: int, draws: Draws = draws) -> Batch:
            stop = min((k + 1) * AT_ONCE, len(views.rows))
            some = np.arange(k * AT_ONCE, stop)
            return Batch(gather(store.images, views.rows[some], draws.of(some)), none)

        yield from ahead(moved, -(-len(views.rows) // AT_ONCE))


def _open(
    shape: tuple[int, ...], dtype: type[np.float32] | type[np.float64], at: Path
) -> Features | None:
    """What is kept there; None if it is not, or not whole."""
    file = at / "features.bin"
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if not file.is_file() or file.stat().st_size != needed:
        return None
    return np.memmap(file, dtype, "r", shape=shape)
