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
from triptych.network.rng import stream

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rounding:
    """What is off by one unit in the last place, up or down by chance."""

    precision: Precision
    seed: str
    signs: np.random.Generator

    def error(self, size: Values) -> Values:
        """One unit of numbers of this size, either way."""
        signs = self.signs.integers(0, 2, size.shape, dtype=np.int8) * 2.0 - 1
        return signs * ULP[self.precision] * size


_rounding: ContextVar[Rounding | None] = ContextVar("rounding", default=None)


@contextmanager
def rounding_to(precision: Precision, seed: str) -> Iterator[None]:
    """Within it, what is `rounded` or `summed` is off by as much as in a program of
    that precision.

    Monte Carlo arithmetic (Parker, 1997): by what one such pass differs from an exact
    one, any two correct programs may differ, also where large numbers cancel.
    """
    token = _rounding.set(_begun(precision, seed))
    try:
        yield
    finally:
        _rounding.reset(token)


def _begun(precision: Precision, seed: str) -> Rounding:
    return Rounding(precision, seed, stream(0, "rounding", seed))


def begin_anew() -> None:
    """Let what follows be rounded as from the beginning: a second run rounds alike."""
    if (rounding := _rounding.get()) is not None:
        _rounding.set(_begun(rounding.precision, rounding.seed))


def rounded(values: Values) -> Values:
    """The values; within `rounding_to` off by one unit, as if they had been stored."""
    rounding = _rounding.get()
    return values if rounding is None else values + rounding.error(values)


def summed(terms: Values) -> Values:
    """The sum over all axes but the last; within `rounding_to` off by what adding one
    by one may cost.

    That is sqrt(n) half units of the sum of the n terms' sizes (Higham and Mary, 2019).
    Nobody adds thousands of bfloat16 like that: most of them would be lost. By pairs,
    each of log2(n) levels loses half a unit of what terms of either sign add up to, the
    root of the sum of their squares.
    """
    axes = tuple(range(terms.ndim - 1))
    total: Values = terms.sum(axis=axes)
    if (rounding := _rounding.get()) is None:
        return total
    n = terms.size // terms.shape[-1]
    if rounding.precision == "bfloat16":
        lost = math.sqrt(math.log2(n)) * np.sqrt((terms**2).sum(axis=axes))
    else:
        lost = math.sqrt(n) * np.abs(terms).sum(axis=axes)
    return total + rounding.error(0.5 * lost)
