"""A sample of test images with what each framework says of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triptych.errors import ImagesError
from triptych.files import cache_folder
from triptych.frameworks.registry import Entry
from triptych.images.cache import IMAGES
from triptych.images.store import Store
from triptych.network.weights import load_tensors
from triptych.running.folder import RunFolder

SHOWN = 24
"""Images in all, of which ..."""
MOST_DISAGREED = 8
MOST_WRONG = 16
"""... at most so many disagreed on, and so many disagreed on or wrong; the others are
right.
"""

_SIDE = 128  # pixels of a thumbnail; the page shows it in 96 or a little more


@dataclass(frozen=True)
class Saying:
    """What one framework says of an image."""

    entry: Entry
    label: str
    probability: float
    right: bool


@dataclass(frozen=True)
class Shown:
    """One image in the page."""

    name: str
    truth: str
    data: str
    """A data: address of a PNG."""
    sayings: list[Saying]


@dataclass(frozen=True)
class Group:
    """Images of one kind: how many the test part has, and those shown."""

    title: str
    order: str
    of: int
    shown: list[Shown]


@dataclass(frozen=True, eq=False)
class Answers:
    """What finished frameworks said of the test part: logits, (images, classes)."""

    entries: list[Entry]
    logits: list[NDArray[np.generic]]
    labels: NDArray[np.generic]
    rows: NDArray[np.generic]

    @classmethod
    def read(cls, run: RunFolder, entries: Sequence[Entry]) -> Answers | None:
        """From the run folder; None if there is no framework or no test image."""
        parts = [load_tensors(run.panel(entry).logits) for entry in entries]
        if not parts or not len(parts[0]["labels"]):
            return None
        return cls(
            list(entries),
            [part["logits"] for part in parts],
            parts[0]["labels"],
            parts[0]["rows"],
        )

    def probabilities(self, picks: NDArray[np.int64]) -> NDArray[np.float64]:
        """By framework for the test images `picks`: (frameworks, picks, classes)."""
        logits = np.stack([each[picks].astype(np.float64) for each in self.logits])
        powers = np.exp(logits - logits.max(axis=2, keepdims=True))
        return np.asarray(powers / powers.sum(axis=2, keepdims=True))


def find_store(key: str) -> Store | None:
    """The run's images, if they are still in the cache."""
    try:
        return Store.open(cache_folder() / IMAGES / key)
    except ImagesError:
        return None


def groups(answers: Answers, store: Store, classes: Sequence[str]) -> list[Group]:
    """The sample: what the frameworks disagree on, what all get wrong, what all get
    right.

    The choice is a function of the figures alone: the same run shows the same images.
    """
    said = np.stack([logits.argmax(axis=1) for logits in answers.logits])
    alike = (said == said[0]).all(axis=0)
    right = (said == answers.labels).all(axis=0)
    everywhere = " in every framework" if len(said) > 1 else ""
    split, wrong, good = (
        np.flatnonzero(which) for which in (~alike, alike & ~right, right)
    )

    first = _first(split, _dispute(answers, split), MOST_DISAGREED)
    second = _first(wrong, _sureness(answers, wrong), MOST_WRONG - len(first))
    third = _spread(good, SHOWN - len(first) - len(second))
    return [
        Group(
            title,
            order,
            len(whole),
            [_show(answers, store, classes, int(pick)) for pick in picks],
        )
        for title, order, whole, picks in (
            ("The frameworks disagree", "most disputed first", split, first),
            (f"Wrong{everywhere}", "most confident first", wrong, second),
            (f"Right{everywhere}", "an even sample", good, third),
        )
        if len(whole)
    ]


def _dispute(answers: Answers, picks: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far apart the frameworks' probabilities of the true class lie."""
    truth = np.take(answers.labels, picks).astype(np.int64)
    given = answers.probabilities(picks)[:, np.arange(len(picks)), truth]
    return np.asarray(np.ptp(given, axis=0))


def _sureness(answers: Answers, picks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean probability of the class that the frameworks name."""
    return np.asarray(answers.probabilities(picks).max(axis=2).mean(axis=0))


def _first(
    picks: NDArray[np.int64], score: NDArray[np.float64], most: int
) -> NDArray[np.int64]:
    """The `most` of the highest score; of equal ones those that come first."""
    return np.take(picks, np.argsort(-score, kind="stable")[:most])


def _spread(picks: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(picks) <= most:
        return picks
    return np.take(picks, np.linspace(0, len(picks) - 1, most).round().astype(np.int64))


def _show(answers: Answers, store: Store, classes: Sequence[str], pick: int) -> Shown:
    row, truth = int(answers.rows[pick]), int(answers.labels[pick])
    sayings = []
    for entry, given in zip(
        answers.entries, answers.probabilities(np.array([pick]))[:, 0], strict=True
    ):
        label = int(given.argmax())
        sayings.append(
            Saying(entry, classes[label], float(given[label]), label == truth)
        )
    return Shown(
        store.name(row), classes[truth], _thumbnail(store.images[row]), sayings
    )


def _thumbnail(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((_SIDE, _SIDE))
    target = io.BytesIO()
    image.save(target, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode(
        "ascii"
    )
