"""Histograms of oriented gradients, on images whose edges are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from triptych.commands.lessons.features import hog, orientations
from triptych.network.rng import stream


def striped(degrees: float) -> NDArray[np.uint8]:
    """An image, 32 x 48, whose light changes in one direction only."""
    down, right = np.mgrid[:32, :48]
    angle = np.deg2rad(degrees)
    wave = np.sin((np.cos(angle) * right + np.sin(angle) * down) / 5)
    return np.repeat((120 + 60 * wave).astype(np.uint8)[None, ..., None], 3, axis=-1)


@pytest.mark.parametrize("direction", range(9))
def test_each_direction_has_its_bin(direction: int) -> None:
    found = orientations(striped(20 * direction + 10))
    assert found.shape == (1, 4, 6, 9)
    inner = found[0, 1:-1, 1:-1].sum(axis=(0, 1))
    assert inner.argmax() == direction
    assert inner[direction] > 0.8 * inner.sum()


def test_a_direction_between_two_bins_is_shared_by_them() -> None:
    inner = orientations(striped(0))[0, 1:-1, 1:-1].sum(axis=(0, 1))
    assert inner[[0, 8]] == pytest.approx(inner.sum() / 2, rel=1e-3)


def test_hog_heeds_shapes_and_hardly_light() -> None:
    drawn = ndimage.gaussian_filter(
        stream(0, "drawn").uniform(0, 1, (2, 32, 48, 3)), (0, 2, 2, 0)
    )
    bright = ((drawn - drawn.min()) / np.ptp(drawn) * 250).astype(np.uint8)
    one, other = hog(bright)
    assert one.shape == (3 * 5 * 36,)
    dim = hog(bright // 2)[0]
    assert np.abs(one - dim).max() < 0.15 * np.abs(one - other).max()
