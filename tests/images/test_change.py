"""Crops, TrivialAugment, color jitter and erasing: against their laws, and any image
without its past.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from triptych.errors import RecipeError
from triptych.images import change as changing
from triptych.images.augment import Augmentation, draw, gather
from triptych.images.batches import Batches
from triptych.images.change import (
    OPERATIONS,
    SIGNED,
    UNSIGNED,
    change,
    jittered,
    trivial,
)
from triptych.network.rng import stream

from .making import noise

STILL = Augmentation(flip=False, shift=0)
KINDS = {
    "crop": replace(STILL, crop=True),
    "trivial": replace(STILL, trivial=True),
    "brightness": replace(STILL, brightness=0.5),
    "contrast": replace(STILL, contrast=0.5),
    "saturation": replace(STILL, saturation=0.5),
    "hue": replace(STILL, hue=0.3),
    "erase": replace(STILL, erase=1.0),
}
ALL = Augmentation(
    crop=True, trivial=True, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1,
    erase=0.5,
)  # fmt: skip
Pixels = NDArray[np.uint8]


def generators(count: int = 2000) -> Iterator[np.random.Generator]:
    return (stream(0, "test", number) for number in range(count))


def smooth(height: int = 24, width: int = 32) -> Pixels:
    """Colors that say where a pixel was."""
    down, right = np.mgrid[:height, :width]
    return np.stack(
        [255 * down / (height - 1), 255 * right / (width - 1), 0 * down + 128], axis=2
    ).astype(np.uint8)


# ---- any image by itself -------------------------------------------------------------


@given(
    number=st.integers(0, 10**6), epoch=st.integers(0, 999), seed=st.integers(0, 2**63)
)
def test_a_pure_function(number: int, epoch: int, seed: int) -> None:
    pixels = noise(0)
    before = pixels.copy()
    once = change(pixels, ALL, seed, epoch, number)
    np.testing.assert_array_equal(once, change(pixels, ALL, seed, epoch, number))
    np.testing.assert_array_equal(pixels, before)
    assert once.shape == pixels.shape
    assert once.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_does_something_by_seed_epoch_and_number(kind: str) -> None:
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 2, 5), (3, 2, 1)]
    made = {change(noise(1), KINDS[kind], *key).tobytes() for key in keys}
    assert len(made) >= 5
    assert KINDS[kind].changes


def test_off_by_default() -> None:
    assert not Augmentation().changes
    assert draw(Augmentation(), 5, (8, 8), 0, 0).further is None
    np.testing.assert_array_equal(change(noise(0), STILL, 0, 0, 0), noise(0))


def test_the_draws_of_one_kind_do_not_depend_on_another() -> None:
    """Nor do flips and shifts."""
    both = replace(KINDS["hue"], erase=1.0)
    alone = change(noise(2), KINDS["hue"], 0, 0, 7)
    erased = change(noise(2), both, 0, 0, 7)
    outside = (erased == alone).all(axis=2)
    assert 0 < (~outside).sum() < outside.size / 2
    plain, further = (
        draw(one, 40, (24, 24), 3, 2)
        for one in (Augmentation(), replace(ALL, shift=1 / 8))
    )
    np.testing.assert_array_equal(plain.flips, further.flips)
    np.testing.assert_array_equal(plain.shifts, further.shifts)


@pytest.mark.parametrize("balanced", [False, True])
@given(images=st.integers(1, 20), size=st.integers(1, 9), epoch=st.integers(0, 99))
def test_any_batch_without_its_past(
    balanced: bool, images: int, size: int, epoch: int
) -> None:
    pixels = np.stack([noise(seed, 9, 7) for seed in range(images)])
    rows = np.arange(images)

    def made() -> Batches:
        return Batches(
            pixels, rows % 2, rows, size, 4, ALL, {"drop1": (0.5, (3,))},
            balanced=balanced,
        )  # fmt: skip

    for k, batch in enumerate(made().epoch(epoch)):
        np.testing.assert_array_equal(batch.images, made().batch(epoch, k).images)


def test_moved_first_then_changed() -> None:
    pixels = np.stack([noise(seed, 16, 16) for seed in range(6)])
    draws = draw(replace(KINDS["hue"], flip=True, shift=1 / 8), 6, (16, 16), 0, 3)
    rows = np.array([5, 2, 2])
    moved = gather(pixels, rows, replace(draws.of(rows), further=None))
    expected = [
        change(image, KINDS["hue"], 0, 3, int(row))
        for image, row in zip(moved, rows, strict=True)
    ]
    np.testing.assert_array_equal(gather(pixels, rows, draws.of(rows)), expected)


# ---- crops ---------------------------------------------------------------------------


def boxes(augmentation: Augmentation, size: tuple[int, int]) -> NDArray[np.float64]:
    """Width and height of many crops."""
    found = [
        changing._box(size, augmentation.crop_area, augmentation.crop_ratio, one)
        for one in generators()
    ]
    assert all(found)
    left, top, right, bottom = np.array(found, np.float64).T
    assert left.min() >= 0
    assert top.min() >= 0
    assert right.max() <= size[0]
    assert bottom.max() <= size[1]
    return np.stack([right - left, bottom - top], axis=1)


def test_areas_and_ratios_of_crops() -> None:
    """Small enough to fit always, areas are uniform and ratios uniform in their
    logarithm.
    """
    found = boxes(replace(STILL, crop=True, crop_area=(0.1, 0.4)), (400, 400))
    area = found.prod(axis=1) / 400**2
    stretch = np.log(found[:, 0] / found[:, 1])
    assert 0.098 < area.min() < 0.11
    assert 0.39 < area.max() < 0.402
    assert abs(area.mean() - 0.25) < 4 * 0.3 / np.sqrt(12 * len(area))
    end = np.log(4 / 3)
    assert np.abs(stretch).max() == pytest.approx(end, abs=0.02)
    assert abs(stretch.mean()) < 4 * 2 * end / np.sqrt(12 * len(stretch))


def test_a_crop_shows_a_part_enlarged() -> None:
    """Of smooth colors, each crop is again smooth, over the range of its box."""
    made = [change(smooth(), KINDS["crop"], 0, 0, n).astype(int) for n in range(300)]
    ranges = np.array([np.ptp(one[:, 12, 0]) for one in made]) / 255
    assert ranges.max() <= 1
    assert ranges.min() < 0.35
    for one in made[:20]:
        assert (np.diff(one[:, 12, 0]) >= 0).all()
        assert (np.diff(one[12, :, 1]) >= 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (200, 2)])
def test_where_no_crop_fits_the_middle_is_taken(size: tuple[int, int]) -> None:
    pixels = noise(0, *size)
    for number in range(20):
        assert change(pixels, ALL, 0, 0, number).shape == pixels.shape
    assert changing._middle(200, 20, 4 / 3) == (86, 0, 113, 20)
    assert changing._middle(20, 200, 3 / 4) == (0, 86, 20, 113)


# ---- TrivialAugment ------------------------------------------------------------------


def test_every_operation_and_strength_is_equally_likely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[str, float]] = []
    for table in (SIGNED, UNSIGNED):
        for name in table:
            monkeypatch.setitem(
                table,
                name,
                lambda image, strength, name=name: seen.append((name, strength)),
            )
    image = Image.fromarray(noise(0))
    for generator in generators(5000):
        trivial(image, generator)
    names, counts = np.unique([name for name, _ in seen], return_counts=True)
    assert set(names) == set(OPERATIONS)
    assert len(OPERATIONS) == 14
    assert np.abs(counts - 5000 / 14).max() < 5 * np.sqrt(5000 / 14)
    strengths = {round(30 * strength) for _, strength in seen}
    assert strengths == set(range(-30, 31))
    assert {strength >= 0 for name, strength in seen if name in UNSIGNED} == {True}


@pytest.mark.parametrize(
    "name", [one for one in OPERATIONS if one not in ("auto contrast", "equalize")]
)
def test_no_strength_changes_nothing(name: str) -> None:
    """These two have none."""
    image = Image.fromarray(noise(3))
    made = np.asarray((SIGNED | UNSIGNED)[name](image, 0.0))
    np.testing.assert_array_equal(made, noise(3))


def test_full_strengths_are_those_of_the_wide_space() -> None:
    pixels = noise(4, 50, 60)
    image = Image.fromarray(pixels)

    def made(name: str, strength: float) -> NDArray[np.int64]:
        return np.asarray((SIGNED | UNSIGNED)[name](image, strength)).astype(np.int64)

    np.testing.assert_array_equal(made("solarize", 1), 255 - pixels)
    np.testing.assert_array_equal(made("posterize", 1), pixels & 0b11000000)
    moved = made("translate x", 1)
    np.testing.assert_array_equal(moved[:, :-32], pixels[:, 32:])
    assert not moved[:, -32:].any()
    moved = made("translate y", -1)
    np.testing.assert_array_equal(moved[32:], pixels[:-32])
    np.testing.assert_allclose(
        made("brightness", 1), np.minimum(1.99 * pixels, 255), atol=1
    )
    np.testing.assert_allclose(made("brightness", -1), 0.01 * pixels, atol=1)
    gray = made("color", -1)
    assert np.ptp(gray, axis=2).max() <= 4
    turned = made("rotate", 90 / 135)
    square = Image.fromarray(pixels[:50, :50])
    np.testing.assert_array_equal(
        np.asarray(SIGNED["rotate"](square, 90 / 135)), np.rot90(pixels[:50, :50])
    )
    assert turned.shape == pixels.shape
    # Row y of a sheared image begins 0.99 y pixels further to the right.
    sheared = made("shear x", 0.5)
    np.testing.assert_array_equal(sheared[0], pixels[0])
    np.testing.assert_array_equal(sheared[40, :40], pixels[40, 20:])


# ---- colors --------------------------------------------------------------------------


def test_factors_are_uniform_around_one() -> None:
    gray = Image.fromarray(np.full((2, 2, 3), 100, np.uint8))
    found = np.array(
        [
            np.asarray(jittered(gray, KINDS["brightness"], one))[0, 0, 0]
            for one in generators()
        ]
    )
    assert found.min() in (50, 51)
    assert found.max() in (149, 150)
    assert abs(found.mean() - 99.5) < 4 * 100 / np.sqrt(12 * len(found))


def test_a_reach_above_one_never_inverts() -> None:
    gray = Image.fromarray(np.full((2, 2, 3), 100, np.uint8))
    wide = replace(STILL, brightness=3.0)
    found = [np.asarray(jittered(gray, wide, one)).max() for one in generators(50)]
    assert max(found) == 255
    assert min(found) < 40


def test_a_hue_goes_round_the_circle_and_gray_has_none() -> None:
    half = replace(STILL, hue=0.5)
    red = Image.fromarray(np.full((2, 2, 3), (255, 0, 0), np.uint8))
    found = {
        tuple(np.asarray(jittered(red, half, one))[0, 0].tolist())
        for one in generators(500)
    }
    assert len(found) > 200
    # All of full color: one channel dark, one bright.
    assert all(min(one) == 0 and max(one) == 255 for one in found)
    gray = np.full((2, 2, 3), 77, np.uint8)
    for one in generators(20):
        turned = jittered(Image.fromarray(gray), half, one)
        np.testing.assert_array_equal(np.asarray(turned), gray)


def test_saturation_and_contrast_keep_what_they_should() -> None:
    gray = noise(5)[..., :1].repeat(3, axis=2)
    made = change(gray, KINDS["saturation"], 0, 0, 0)
    np.testing.assert_array_equal(made, gray)
    flat = np.full((6, 6, 3), 90, np.uint8)
    np.testing.assert_array_equal(change(flat, KINDS["contrast"], 0, 0, 1), flat)


# ---- erasing -------------------------------------------------------------------------


def test_how_often_how_much_and_with_what() -> None:
    flat = np.full((40, 40, 3), 255, np.uint8)
    half = replace(STILL, erase=0.5)
    made = np.stack([change(flat, half, 0, 0, n) for n in range(1000)])
    gone = (made != 255).any(axis=3)
    share = gone.mean(axis=(1, 2))
    assert abs((share > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(1000)
    some = share[share > 0]
    assert 0.015 < some.min() < 0.05
    assert 0.3 < some.max() <= 0.41
    values = made[gone]
    assert abs(values.mean() - 127.5) < 1
    # A box, not scattered points.
    one = gone[int(share.argmax())]
    rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
    assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.99


# ---- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hue": 0.6}, r"hue is 0.6, but must be in \[0, 0.5\]"),
        ({"erase": 1.1}, r"erase is 1.1, but must be in \[0, 1\]"),
        ({"brightness": -0.1}, r"brightness is -0.1, but must be in \[0, 10\]"),
        ({"contrast": float("nan")}, "contrast is nan"),
        ({"crop_area": (0.5, 0.2)}, r"crop_area is \[0.5, 0.2\], but must be two"),
        ({"crop_area": (0.0, 1.0)}, "numbers from 0.001 to 1, the smaller one first"),
        ({"crop_area": (0.1, 1.5)}, "crop_area"),
        ({"erase_ratio": (0.0, 1.0)}, "erase_ratio"),
        ({"crop_ratio": (float("nan"), 1.0)}, "crop_ratio"),
    ],
)
def test_what_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=f"augmentation: .*{said}"):
        replace(STILL, **given)  # type: ignore[arg-type]
