"""What is taken for what: matrices for few classes, the largest confusions for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MOST_CLASSES = 20
"""Of a matrix in the page."""
LARGEST = 10
"""Confusions in the list."""
_PHONE, _CELL, _LETTER, _LONGEST = 315, 27, 7, 18
"""Pixels: what a phone has room for, a cell, a letter of a class name; letters of a
line of a name.
"""


@dataclass(frozen=True)
class Cell:
    """Test images of one class that were taken for one class."""

    count: int
    share: float
    """Of its row."""
    right: bool


@dataclass(frozen=True)
class Confusion:
    """One class taken for another, with how often each framework did it."""

    truth: str
    said: str
    counts: list[int]
    of: int
    """Test images of the true class."""


def matrix(counts: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """The cells of a confusion matrix, each with its share of its row."""
    return [
        [
            Cell(count, count / max(1, sum(row)), truth == said)
            for said, count in enumerate(row)
        ]
        for truth, row in enumerate(counts)
    ]


def slim(classes: Sequence[str]) -> bool:
    """Whether a matrix of these classes has room on a phone; the list stands in for it
    there otherwise.
    """
    name = min(_LONGEST, max(map(len, classes)))
    return _CELL * len(classes) + _LETTER * name <= _PHONE


def largest(
    matrices: Mapping[str, Sequence[Sequence[int]]], classes: Sequence[str]
) -> list[Confusion]:
    """The largest confusions, by their count over all frameworks; of equal ones the
    first classes first.
    """
    counts = np.array(list(matrices.values()), np.int64)
    total = counts.sum(axis=0)
    np.fill_diagonal(total, 0)
    order = np.argsort(-total, axis=None, kind="stable")[:LARGEST]
    found = [tuple(map(int, np.unravel_index(place, total.shape))) for place in order]
    return [
        Confusion(
            classes[truth],
            classes[said],
            counts[:, truth, said].tolist(),
            int(counts[0, truth].sum()),
        )
        for truth, said in found
        if total[truth, said]
    ]
