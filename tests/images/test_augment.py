"""Flips and shifts against NumPy's own padding, and the draws against their law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from triptych.errors import RecipeError
from triptych.images.augment import Augmentation, Draws, draw, gather

Images = NDArray[np.uint8]


def moved(image: Images, down: int, right: int, flip: bool) -> Images:
    """One image, by padding it with its reflection and cutting out the place."""
    height, width, _ = image.shape
    wide = np.pad(
        image,
        ((abs(down), abs(down)), (abs(right), abs(right)), (0, 0)),
        mode="reflect",
    )
    top, left = abs(down) - down, abs(right) - right
    cut = wide[top : top + height, left : left + width]
    return cut[:, ::-1] if flip else cut


def some_images(count: int, height: int, width: int) -> Images:
    return np.random.default_rng(0).integers(
        0, 256, (count, height, width, 3), dtype=np.uint8
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, list[tuple[int, int, bool]]]:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    reach = [st.integers(1 - side, side - 1) for side in (height, width)]
    return (
        height,
        width,
        draw(st.lists(st.tuples(*reach, st.booleans()), min_size=1, max_size=6)),
    )


@given(case=cases())
def test_against_numpys_reflection(
    case: tuple[int, int, list[tuple[int, int, bool]]],
) -> None:
    height, width, moves = case
    images = some_images(5, height, width)
    rows = np.arange(len(moves)) * 3 % 5
    draws = Draws(
        np.array([flip for _, _, flip in moves]),
        np.array([[down, right] for down, right, _ in moves]),
    )
    gathered = gather(images, rows, draws)
    assert gathered.dtype == np.uint8
    for ours, row, (down, right, flip) in zip(gathered, rows, moves, strict=True):
        np.testing.assert_array_equal(ours, moved(images[row], down, right, flip))


def only(down: int = 0, right: int = 0, flip: bool = False) -> Draws:
    return Draws(np.array([flip]), np.array([[down, right]]))


def test_directions() -> None:
    """Down and right are positive; the edge itself is not repeated; the mirror image is
    of what was moved.
    """
    row = np.arange(5, dtype=np.uint8)
    image: Any = np.stack([row, row + 10])[None, :, :, None].repeat(3, axis=3)
    first = np.array([0])

    def line(draws: Draws) -> list[int]:
        seen: list[int] = gather(image, first, draws)[0, 0, :, 0].tolist()
        return seen

    assert line(only()) == [0, 1, 2, 3, 4]
    assert line(only(right=2)) == [2, 1, 0, 1, 2]
    assert line(only(right=-2)) == [2, 3, 4, 3, 2]
    assert line(only(down=1)) == [10, 11, 12, 13, 14]
    assert line(only(flip=True)) == [4, 3, 2, 1, 0]
    assert line(only(right=1, flip=True)) == [3, 2, 1, 0, 1]


def test_the_store_is_not_touched() -> None:
    images = some_images(3, 4, 4)
    images.flags.writeable = False
    before = images.copy()
    gathered = gather(
        images,
        np.array([0, 0]),
        Draws(np.array([False, True]), np.zeros((2, 2), np.int64)),
    )
    gathered[:] = 0
    np.testing.assert_array_equal(images, before)


@given(
    shift=st.floats(0, 0.999),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    epoch=st.integers(0, 9),
)
def test_no_shift_goes_further_than_its_share(
    shift: float, height: int, width: int, epoch: int
) -> None:
    shifts = draw(Augmentation(shift=shift), 200, (height, width), 0, epoch).shifts
    assert shifts.shape == (200, 2)
    assert (np.abs(shifts) <= np.array([height, width]) * shift).all()


def test_every_shift_comes_up_and_equally_often() -> None:
    shifts = draw(Augmentation(shift=1 / 8), 20_000, (64, 40), 0, 3).shifts
    for axis, reach in enumerate((8, 5)):
        values, counts = np.unique(shifts[:, axis], return_counts=True)
        assert values.tolist() == list(range(-reach, reach + 1))
        expected = 20_000 / len(values)
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    correlation = float(np.asarray(np.corrcoef(shifts.T))[0, 1])
    assert abs(correlation) < 5 / np.sqrt(20_000)


def test_half_are_mirrored() -> None:
    flips = draw(Augmentation(), 10_000, (8, 8), 0, 0).flips
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / 100
    assert not draw(Augmentation(flip=False), 10_000, (8, 8), 0, 0).flips.any()
    assert not draw(Augmentation(shift=0), 10_000, (8, 8), 0, 0).shifts.any()


def test_without_flips_the_shifts_stay_the_same() -> None:
    ours, theirs = (
        draw(Augmentation(flip=flip), 50, (64, 64), 0, 0) for flip in (False, True)
    )
    np.testing.assert_array_equal(ours.shifts, theirs.shifts)


def test_seed_and_epoch_decide() -> None:
    def both(seed: int, epoch: int) -> bytes:
        draws = draw(Augmentation(), 100, (64, 64), seed, epoch)
        return draws.flips.tobytes() + draws.shifts.tobytes()

    assert both(1, 2) == both(1, 2)
    assert len({both(seed, epoch) for seed in (0, 1, 11) for epoch in (0, 1, 11)}) == 9


@pytest.mark.parametrize("shift", [-0.1, 1.0, 1.5, float("nan"), float("inf")])
def test_a_shift_out_of_range(shift: float) -> None:
    with pytest.raises(
        RecipeError, match=r"augmentation: shift is .*, but must be in \[0, 1\)"
    ):
        Augmentation(shift=shift)
