"""Batch k of epoch e: the same images, flips, shifts and dropout masks for every
framework.

Everything is a pure function of (seed, epoch, k), so any batch can be made again
without its past: a run that resumes needs no state of this module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from triptych.images.augment import Augmentation, Draws, draw, gather
from triptych.network.rng import stream

Pixels = NDArray[np.uint8] | NDArray[np.floating]
"""Images, or what a frozen part of a network has made of them."""


@dataclass(frozen=True)
class Batch:
    """images uint8 (n, height, width, 3), or features (n, ...); labels int64 (n,),
    masks by dropout layer, bool (n, ...).
    """

    images: Pixels
    labels: NDArray[np.int64]
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


class Batches:
    """One part of the images, in batches.

    `images` is the whole store, `rows` the part's place in it, `labels` one for each of
    `rows`. `dropouts` holds the rate of each dropout layer and the shape of its mask;
    where it is not given the batches are for looking at: in order, as they are, no
    masks. `views` are places where the same images stand in other views: epoch e shows
    that number e modulo their number, `rows` being the first.

    An epoch of training shows each image once, in a drawn order. If `balanced`, it
    draws as many images, each of a class that is as likely as any other, and within the
    class with replacement (random oversampling; Buda et al., 2018).
    """

    def __init__(
        self,
        images: Pixels,
        labels: NDArray[np.int64],
        rows: NDArray[np.int64],
        size: int,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        dropouts: Mapping[str, tuple[float, tuple[int, ...]]] | None = None,
        views: Sequence[NDArray[np.int64]] = (),
        balanced: bool = False,
    ) -> None:
        self.images, self.labels, self.rows, self.size = images, labels, rows, size
        self.seed, self.augmentation, self.dropouts = seed, augmentation, dropouts
        self.views, self.balanced = (rows, *views), balanced
        self._epoch = lru_cache(maxsize=2)(self._draw_epoch)

    def __len__(self) -> int:
        """How many batches an epoch has.

        A single image left over joins the batch before it: batch norm knows no
        variance of one.
        """
        left_over = (
            self.dropouts is not None
            and self.size > 1
            and len(self.rows) % self.size == 1
        )
        return max(-(-len(self.rows) // self.size) - left_over, min(len(self.rows), 1))

    def sizes(self) -> list[int]:
        """How many images each batch of an epoch has."""
        full = [self.size] * (len(self) - 1)
        return [*full, len(self.rows) - sum(full)] if len(self) else []

    def batch(self, epoch: int, k: int) -> Batch:
        """Batch `k` of `epoch`."""
        start = k * self.size
        stop = len(self.rows) if k == len(self) - 1 else start + self.size
        if self.dropouts is None:
            return Batch(self.images[self.rows[start:stop]], self.labels[start:stop])
        order, draws = self._epoch(epoch)
        chosen = order[start:stop]
        rows = self.views[epoch % len(self.views)][chosen]
        if draws is None:
            images = self.images[rows]
        else:
            # The same image, drawn twice, does not move in the same way.
            one = np.arange(start, stop) if self.balanced else chosen
            images = gather(np.asarray(self.images, np.uint8), rows, draws.of(one))
        masks = {
            name: stream(self.seed, "mask", name, epoch, k).random(
                (len(chosen), *shape), np.float32
            )
            >= rate
            for name, (rate, shape) in self.dropouts.items()
        }
        return Batch(images, self.labels[chosen], masks)

    def epoch(self, epoch: int = 0) -> Iterator[Batch]:
        """All batches of an epoch in turn, the next prepared by a thread meanwhile."""
        return ahead(lambda k: self.batch(epoch, k), len(self))

    def _draw_epoch(self, epoch: int) -> tuple[NDArray[np.int64], Draws | None]:
        count = len(self.rows)
        if self.balanced:
            order = _balanced(self.labels, stream(self.seed, "balanced", epoch))
        else:
            order = stream(self.seed, "order", epoch).permutation(count)
        if self.augmentation is None:
            return order, None
        height, width = self.images.shape[1:3]
        return order, draw(self.augmentation, count, (height, width), self.seed, epoch)


def _balanced(
    labels: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """As many places as there are labels, drawn so that each class is equally likely,
    and within it each place.
    """
    by_class = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(
        labels[by_class], return_index=True, return_counts=True
    )
    drawn = generator.integers(len(counts), size=len(labels))
    within = (generator.random(len(labels)) * counts[drawn]).astype(np.int64)
    order: NDArray[np.int64] = by_class[starts[drawn] + within]
    return order


def ahead(make: Callable[[int], Batch], count: int, depth: int = 2) -> Iterator[Batch]:
    """`make(0)`, `make(1)`, ..., up to `depth` of them made in advance by a thread."""
    waiting: deque[Future[Batch]] = deque()
    try:
        for k in range(count + depth):
            if k < count:
                waiting.append(_preparer().submit(make, k))
            if k >= depth:
                yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@cache
def _preparer() -> ThreadPoolExecutor:
    """The thread that makes batches, one for the process.

    Not one for each epoch: a thread that finds no memory to begin with leaves whoever
    started it waiting for ever (`threading.Thread.start`), so a worker that runs out of
    memory would hang instead of saying so.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="batches")
