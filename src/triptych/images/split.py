"""Train, validation and test: which images of a store are in which part.

A pure function of labels, parts and seed: any process can make the same split again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UsageError

UNDECIDED, TRAIN, VALIDATION, TEST = range(4)
"""The parts of an image. Undecided are those from plain class folders, until they are
shared out.
"""
PART_NAMES = ("undecided", "train", "validation", "test")

_STREAM = 0x73706C6974
"""The word "split": no other draw from the same seed uses these numbers."""


@dataclass(frozen=True, eq=False)
class Split:
    """Rows, int64, rising; no row is in two parts, none is missing."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split(
    labels: NDArray[np.int32],
    parts: NDArray[np.uint8],
    seed: int,
    validation: float = 0.1,
    test: float = 0.2,
) -> Split:
    """Share the rows out, class by class, so that each part has the classes in the same
    proportions.

    `labels` and `parts` have shape (rows,). A part that the author made stays as it is.
    Where there is no test row, the share `test` of each class becomes test; where there
    is no validation row, the share `validation` of what is left becomes validation.
    Shares are rounded to whole images, with two limits: train keeps one image of
    each class, then test gets one of each class that has two, then validation one of
    each class that still has three. A share of 0 takes nothing.

    The split of one class does not depend on the images of another. Copies were left
    out beforehand, so no image can be in two parts.

    Raises UsageError when the shares are negative or leave nothing for train.
    """
    if validation < 0 or test < 0 or test + (1 - test) * validation >= 1:
        raise UsageError(
            f"shares of {validation} for validation and {test} for test "
            "leave nothing for train"
        )
    final = parts.copy()
    final[final == UNDECIDED] = TRAIN
    takes_test = not (parts == TEST).any()
    takes_validation = not (parts == VALIDATION).any()
    free = np.flatnonzero(final == TRAIN)
    free = free[np.argsort(labels[free], kind="stable")]
    for rows in (
        np.split(free, np.flatnonzero(np.diff(labels[free])) + 1) if len(free) else ()
    ):
        pool = _shuffled(rows, seed, int(labels[rows[0]]))
        if takes_test:
            taken = _share(len(pool), test, at_least_from=2)
            final[pool[:taken]] = TEST
            pool = pool[taken:]
        if takes_validation:
            final[pool[: _share(len(pool), validation, at_least_from=3)]] = VALIDATION
    return Split(*(np.flatnonzero(final == part) for part in (TRAIN, VALIDATION, TEST)))


def _share(images: int, share: float, *, at_least_from: int) -> int:
    """How many of `images` to take: rounded, at least one from `at_least_from`
    images on, never all.
    """
    if share == 0:
        return 0
    taken = int(images * share + 0.5)
    if images >= at_least_from:
        taken = max(1, taken)
    return max(0, min(taken, images - 1))


def _shuffled(rows: NDArray[np.int64], seed: int, label: int) -> NDArray[np.int64]:
    # Sorted by raw Philox numbers: NumPy keeps those the same for ever, but not its
    # shuffles.
    key = np.array([seed % 2**64, (_STREAM << 24 ^ label) % 2**64], dtype=np.uint64)
    return rows[
        np.argsort(np.random.Philox(key=key).random_raw(len(rows)), kind="stable")
    ]
