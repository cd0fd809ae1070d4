"""Chance, in the few shapes that the drawings need.

Everything is built on single uniform numbers: scalars drawn that way cost a tenth of
NumPy's `choice`, and an image draws several hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Dice:
    """A stream of chance that depends on its key and on nothing else."""

    def __init__(self, *key: int) -> None:
        self._stream = np.random.Generator(
            np.random.Philox(np.random.SeedSequence(key))
        )
        self._uniform = self._stream.random

    def between(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * self._uniform()

    def about(self, middle: float, spread: float) -> float:
        """A number near `middle`, at most `spread` away, small distances likelier."""
        return middle + spread * (self._uniform() + self._uniform() - 1)

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self._uniform() < probability

    def sign(self) -> float:
        """Either -1 or 1."""
        return 1.0 if self._uniform() < 0.5 else -1.0

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._uniform() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely; repeat one to make it likelier."""
        return options[int(self._uniform() * len(options))]

    def normal(self, *shape: int) -> NDArray[np.float32]:
        """Independent standard normal numbers."""
        return self._stream.standard_normal(shape, dtype=np.float32)
