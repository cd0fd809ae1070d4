"""The drawn sports: pure functions of their keys, at any size, told apart by the
athlete, not the place.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from triptych.errors import UsageError
from triptych.images.sports import CLASSES, TALK_TEST, TALK_TRAIN, counts, draw

MANY = 40  # images per class in the tests of what gives a sport away
CHANCE = 1 / len(CLASSES)
# Three standard errors are 0.07; mats, tracks and water that reach the edge do the
# rest.
BOUND = CHANCE + 0.2


def _digest(sport: str, size: int, key: tuple[int, ...]) -> str:
    return hashlib.sha256(draw(sport, size, key).tobytes()).hexdigest()


@pytest.mark.parametrize("size", [32, 48, 64, 224])
@pytest.mark.parametrize("sport", CLASSES)
def test_any_sport_at_any_size(sport: str, size: int) -> None:
    image = draw(sport, size, (0, 0, CLASSES.index(sport), 0))
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.std() > 5, "a scene, not a plain surface"


def test_the_same_key_gives_the_same_image_in_another_process() -> None:
    here = [_digest(sport, 48, (3, 1, 0, 2)) for sport in CLASSES]
    code = (
        "import hashlib; from triptych.images.sports import CLASSES, draw\n"
        "for s in CLASSES:\n"
        "    image = draw(s, 48, (3, 1, 0, 2))\n"
        "    print(hashlib.sha256(image.tobytes()).hexdigest())\n"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert there.stdout.split() == here


def test_every_part_of_the_key_counts() -> None:
    keys = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    assert len({_digest("cycling", 32, key) for key in keys}) == len(keys)


def test_many_keys_give_no_image_twice() -> None:
    keys = [(0, part, 3, i) for part in (0, 1) for i in range(30)]
    assert len({_digest("rowing", 32, key) for key in keys}) == 60


@pytest.mark.parametrize("sport", CLASSES)
def test_another_size_shows_the_same_scene(sport: str) -> None:
    def gist(size: int, index: int) -> NDArray[np.float64]:
        image = Image.fromarray(draw(sport, size, (5, 0, 0, index)))
        small = image.resize((16, 16), Image.Resampling.BOX)
        return np.asarray(small, np.float64).ravel()

    small = [gist(48, index) for index in range(6)]
    large = [gist(112, index) for index in range(6)]
    gaps = np.array([[np.abs(one - other).mean() for other in large] for one in small])
    assert list(gaps.argmin(axis=1)) == list(range(6))
    assert gaps.diagonal().max() < 8


def test_an_unknown_sport_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'sking'.*climbing.*xc_skiing"):
        draw("sking", 48, (0,))


@pytest.mark.parametrize("of", [TALK_TRAIN, TALK_TEST])
@pytest.mark.parametrize("total", [6, 7, 50, 450, 1800, 7096])
def test_counts_keep_the_shares(total: int, of: tuple[int, ...]) -> None:
    shared = counts(total, of)
    assert sum(shared) == total
    assert min(shared) >= 1
    if total >= 50:
        assert all(
            abs(n - total * part / sum(of)) < 1
            for n, part in zip(shared, of, strict=True)
        )


def test_counts_of_the_talk_are_the_talk() -> None:
    assert counts(7096, TALK_TRAIN) == TALK_TRAIN == (1160, 1256, 1558, 1147, 854, 1121)
    assert counts(1775, TALK_TEST) == TALK_TEST == (290, 314, 390, 287, 214, 280)


def test_counts_lets_no_rare_class_vanish() -> None:
    assert counts(10, (1, 1000)) == (1, 9)
    with pytest.raises(UsageError, match="at least 6"):
        counts(5, TALK_TRAIN)


# What an image's place could give away: how often each color occurs, and what is seen
# along its edge.


@cache
def _images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = np.repeat(np.arange(len(CLASSES)), MANY)
    keys = [(7, 0, int(c), i) for i, c in enumerate(labels)]
    return np.stack([draw(CLASSES[key[2]], 32, key) for key in keys]), labels


def _colors(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Shares of the 64 coarse colors."""
    coarse = (images >> 6).astype(np.int64) @ np.array([16, 4, 1])
    return np.stack(
        [np.bincount(one.ravel(), minlength=64) / one.size for one in coarse]
    )


def _edges(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The outermost two pixels, coarse along the edge."""
    sides = [
        images[:, :2],
        images[:, -2:],
        images[:, :, :2].swapaxes(1, 2),
        images[:, :, -2:].swapaxes(1, 2),
    ]
    strips = [
        side.mean(axis=1).reshape(len(images), 8, 4, 3).mean(axis=2) for side in sides
    ]
    return np.concatenate(strips, axis=1).reshape(len(images), -1) / 255


def _accuracy(features: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    scale = features.std(axis=0) + 1e-3
    learner = LogisticRegression(C=0.02, max_iter=500)
    return float(
        cross_val_score(
            learner, (features - features.mean(axis=0)) / scale, labels, cv=5
        ).mean()
    )


def _tied_to_a_place(
    images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The same images as if each sport had its place: snow for skiing, a lake for
    rowing, and so on.
    """
    places = np.array(
        [
            (150, 128, 106),
            (122, 124, 128),
            (206, 176, 132),
            (70, 112, 152),
            (196, 214, 230),
            (236, 240, 246),
        ]
    )
    return (0.75 * images + 0.25 * places[labels][:, None, None]).astype(np.uint8)


@pytest.mark.parametrize("features", [_colors, _edges])
def test_the_place_does_not_give_the_sport_away(features) -> None:  # type: ignore[no-untyped-def]
    images, labels = _images()
    assert _accuracy(features(images), labels) < BOUND


@pytest.mark.parametrize("features", [_colors, _edges])
def test_the_bound_would_notice_places_tied_to_sports(features) -> None:  # type: ignore[no-untyped-def]
    images, labels = _images()
    tied = _tied_to_a_place(images, labels)
    assert _accuracy(features(tied), labels) > BOUND + 0.05
