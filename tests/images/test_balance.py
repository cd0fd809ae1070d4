"""Batches in which every class is equally likely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from triptych.images.augment import Augmentation
from triptych.images.batches import Batches

DROPOUTS = {"drop1": (0.5, (2,))}


def made(
    labels: NDArray[np.int64],
    size: int = 8,
    *,
    balanced: bool = True,
    seed: int = 0,
    augmentation: Augmentation | None = None,
) -> Batches:
    """Image i has the value i everywhere, but for its right half, which is dark."""
    pixels = np.zeros((len(labels), 4, 4, 3), np.uint8)
    pixels[:, :, :2] = np.arange(len(labels))[:, None, None, None]
    rows = np.arange(len(labels))
    return Batches(
        pixels, labels, rows, size, seed, augmentation, DROPOUTS, balanced=balanced
    )


def shown(batches: Batches, epoch: int) -> list[int]:
    return [int(one) for batch in batches.epoch(epoch) for one in batch.labels]


def test_every_class_is_equally_likely() -> None:
    """Within four standard deviations of a third each, where one class has 90 %."""
    labels = np.repeat([0, 1, 2], [180, 15, 5])
    drawn = np.concatenate([shown(made(labels), epoch) for epoch in range(50)])
    assert len(drawn) == 50 * len(labels)
    shares = np.bincount(drawn) / len(drawn)
    bound = 4 * np.sqrt(2 / 9 / len(drawn))
    assert np.abs(shares - 1 / 3).max() < bound
    # The bound notices what is not balanced.
    plain = np.bincount(shown(made(labels, balanced=False), 0)) / len(labels)
    assert np.abs(plain - 1 / 3).max() > bound


def test_within_a_class_every_image_is_equally_likely() -> None:
    labels = np.repeat([0, 1], [45, 5])
    images = np.concatenate(
        [
            batch.images[:, 0, 0, 0]
            for epoch in range(200)
            for batch in made(labels).epoch(epoch)
        ]
    )
    counts = np.bincount(images, minlength=50)
    for some, of in ((counts[:45], 45), (counts[45:], 5)):
        expected = len(images) / 2 / of
        assert np.abs(some - expected).max() < 5 * np.sqrt(expected)


@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=5).filter(any),
    size=st.integers(1, 12),
    epoch=st.integers(0, 99),
    seed=st.integers(0, 3),
)
def test_an_epoch_is_as_long_and_any_batch_without_its_past(
    counts: list[int], size: int, epoch: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    whole = list(made(labels, size, seed=seed).epoch(epoch))
    plain = made(labels, size, balanced=False)
    assert [len(one.labels) for one in whole] == plain.sizes()
    for k in range(len(whole)):
        alone = made(labels, size, seed=seed).batch(epoch, k)
        np.testing.assert_array_equal(alone.images, whole[k].images)
        np.testing.assert_array_equal(alone.labels, whole[k].labels)
        # Images and labels belong together.
        np.testing.assert_array_equal(labels[alone.images[:, 0, 0, 0]], alone.labels)


@pytest.mark.parametrize("epoch", [0, 1])
def test_the_same_image_moves_in_different_ways(epoch: int) -> None:
    """The only image of its class, drawn dozens of times, is mirrored half the time."""
    labels = np.repeat([0, 1], [99, 1])
    batches = made(labels, augmentation=Augmentation(shift=0))
    ours = [
        image
        for batch in batches.epoch(epoch)
        for image, label in zip(batch.images, batch.labels, strict=True)
        if label == 1
    ]
    mirrored = sum(image[0, 0, 0] == 0 for image in ours)
    assert len(ours) > 30
    assert 0.25 < mirrored / len(ours) < 0.75


def test_epochs_and_seeds_differ() -> None:
    labels = np.repeat([0, 1], [60, 40])
    epochs = [
        shown(made(labels, seed=seed), epoch) for seed in (0, 1) for epoch in (0, 1)
    ]
    assert len({tuple(one) for one in epochs}) == 4
