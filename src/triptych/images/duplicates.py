"""The one rule about images that occur more than once.

Two files are copies when their pixels are the same at full resolution, upright,
whatever the format.

1. **In more than one class:** nobody can say which label is right, so every copy is
   left out.
2. **In one class, in more than one part:** kept once, in the test part, else
   validation, else train, else undecided: the test part stays as its author made it.
3. Of several in the part that keeps it: the first by path.

So a store holds each image once, and no split of a store can put an image on two
parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Copy(NamedTuple):
    """Row `row` is left out because row `of` has the same pixels; `kind` says where."""

    row: int
    of: int
    kind: str


def find_duplicates(
    digests: NDArray[np.uint8],
    labels: NDArray[np.int32],
    parts: NDArray[np.uint8],
    usable: NDArray[np.bool_],
) -> list[Copy]:
    """The rows to leave out, in rising order.

    `digests` (rows, 16) stand for the pixels; `labels` and `parts` are those of the
    rows; what is not `usable` has no pixels and is no copy of anything. A copy of an
    image in another class is left out with it; of copies in one class one stays: in
    the test part, else validation, else train.
    """
    rows = np.flatnonzero(usable)
    halves = np.ascontiguousarray(digests[rows]).view(np.uint64).reshape(-1, 2)
    order = np.lexsort((rows, halves[:, 1], halves[:, 0]))
    same = (halves[order[1:]] == halves[order[:-1]]).all(axis=1)
    # A group of equal digests is a run of `same`; only such runs are walked in Python.
    edges = np.diff(np.concatenate(([False], same, [False])).astype(np.int8))
    copies = [
        copy
        for first, last in zip(
            np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True
        )
        for copy in _judge(rows[order[first : last + 1]], labels, parts)
    ]
    return sorted(copies)


def _judge(
    group: NDArray[np.int64], labels: NDArray[np.int32], parts: NDArray[np.uint8]
) -> list[Copy]:
    """Which to leave out of one group of rows with the same pixels, rising."""
    rows = [int(row) for row in group]
    if len({int(labels[row]) for row in rows}) > 1:
        others = {
            row: next(r for r in rows if labels[r] != labels[row]) for row in rows
        }
        return [
            Copy(row, other, "duplicate across classes")
            for row, other in others.items()
        ]
    # Parts are numbered train < validation < test.
    kept = max(rows, key=lambda row: (parts[row], -row))
    return [
        Copy(
            row,
            kept,
            "duplicate" if parts[row] == parts[kept] else "duplicate across splits",
        )
        for row in rows
        if row != kept
    ]
