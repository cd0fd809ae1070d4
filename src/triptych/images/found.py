"""What is in a store, for `images.json`: source, classes, counts, problems."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import numpy as np
from msgspec import Meta, Struct

from triptych.images.reader import Problem
from triptych.images.split import PART_NAMES, Split

if TYPE_CHECKING:  # loads Pillow, for which who only reads a run need not wait
    from triptych.images.store import Store


class ImagesFound(Struct, kw_only=True):
    """What was found in a place of images, and how it was split: the content of
    images.json.
    """

    source: str
    key: Annotated[
        str, Meta(description="Key of the store: equal keys mean equal images.")
    ]
    size: tuple[int, int]
    """Height and width to which they were resized."""
    fit: str
    resize: str
    train: int
    validation: int
    test: int
    classes: list[str]
    class_counts: Annotated[
        dict[str, list[int]], Meta(description="By split, for each class.")
    ]
    problem_counts: Annotated[dict[str, int], Meta(description="Counts by kind.")]
    problems: list[Problem]


def describe(store: Store, split: Split) -> ImagesFound:
    """What is in a store, split so."""
    parts = {name: getattr(split, name) for name in PART_NAMES[1:]}
    counts = {
        part: np.bincount(store.labels[rows], minlength=len(store.classes))
        for part, rows in parts.items()
    }
    kinds = Counter(problem.kind for problem in store.problems)
    return ImagesFound(
        source=store.source,
        key=store.key,
        size=store.size,
        fit=store.fit,
        resize=store.resize,
        train=len(split.train),
        validation=len(split.validation),
        test=len(split.test),
        classes=list(store.classes),
        class_counts={part: many.tolist() for part, many in counts.items()},
        problem_counts=dict(sorted(kinds.items())),
        problems=list(store.problems),
    )
