"""Rounding at random: how far it alone moves what the reference answers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.network.conventions import ULP, Precision
from triptych.network.streams import stream

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rounding:
    """What is off by one unit in the last place, up or down by chance."""

    precision: Precision
    signs: np.random.Generator

    def error(self, size: Values, precision: Precision) -> Values:
        """One unit of numbers of this size, either way."""
        signs = self.signs.integers(0, 2, size.shape, dtype=np.int8) * 2.0 - 1
        return signs * ULP[precision] * size


_rounding: ContextVar[Rounding | None] = ContextVar("rounding", default=None)


@contextmanager
def rounding_to(precision: Precision, seed: str) -> Iterator[None]:
    """Within it, what is `rounded` or `summed` is off by as much as in a program of that precision.

    Monte Carlo arithmetic (Parker, 1997): by what one such pass differs from an exact one, any two correct
    programs may differ, also where large numbers cancel.
    """
    token = _rounding.set(Rounding(precision, stream(0, "rounding", seed)))
    try:
        yield
    finally:
        _rounding.reset(token)


def rounded(values: Values) -> Values:
    """The values; within `rounding_to` off by one unit, as if they had been stored."""
    rounding = _rounding.get()
    return values if rounding is None else values + rounding.error(values, rounding.precision)


def summed(terms: Values) -> Values:
    """The sum over all axes but the last; within `rounding_to` off by what adding one by one may cost.

    That is sqrt(n) half units of the sum of the n terms' sizes (Higham and Mary, 2019). What is stored in
    bfloat16 is added in float32.
    """
    axes = tuple(range(terms.ndim - 1))
    total: Values = terms.sum(axis=axes)
    if (rounding := _rounding.get()) is None:
        return total
    cost = 0.5 * math.sqrt(terms.size // terms.shape[-1])
    adding: Precision = "float32" if rounding.precision == "bfloat16" else rounding.precision
    return total + rounding.error(cost * np.abs(terms).sum(axis=axes), adding)
