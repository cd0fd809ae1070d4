"""Flips and shifts, drawn from counters and applied to a whole batch at once; and what
else may be done to a training image, which `change` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from triptych.errors import RecipeError
from triptych.network.rng import stream

PIXEL = np.dtype("V3")
"""Three bytes that move as one."""


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a training image, in this order: a mirror image, a shift of
    up to that share of its side; and, off by default, what follows.
    """

    flip: bool = True
    shift: float = 1 / 8
    crop: bool = False
    """Random resized crops (Szegedy et al., 2015)."""
    crop_area: tuple[float, float] = (0.08, 1.0)
    """The least and the largest share of the area."""
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """The least and the largest ratio of width to height."""
    trivial: bool = False
    """TrivialAugment (Mueller and Hutter, 2021), in the wide space."""
    brightness: float = 0.0
    """How far, up and down, from 1 the factor may be; so for the next two."""
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    """How far, both ways, it may turn: a share of the circle, up to 0.5."""
    erase: float = 0.0
    """The probability of random erasing (Zhong et al., 2017)."""
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_ratio: tuple[float, float] = (0.3, 1 / 0.3)

    def __post_init__(self) -> None:
        if not 0 <= self.shift < 1:
            raise RecipeError(
                f"augmentation: shift is {self.shift}, but must be in [0, 1)"
            )
        most = {"brightness": 10.0, "contrast": 10.0, "saturation": 10.0}
        for name, end in {**most, "hue": 0.5, "erase": 1.0}.items():
            if not 0 <= (value := getattr(self, name)) <= end:
                raise RecipeError(
                    f"augmentation: {name} is {value}, but must be in [0, {end:g}]"
                )
        for name, end in {"area": 1.0, "ratio": 100.0}.items():
            self._check_span(f"crop_{name}", end)
            self._check_span(f"erase_{name}", end)

    def _check_span(self, name: str, end: float) -> None:
        least, most = getattr(self, name)
        if not 1e-3 <= least <= most <= end:
            raise RecipeError(
                f"augmentation: {name} is [{least:g}, {most:g}], but must be two "
                f"numbers from 0.001 to {end:g}, the smaller one first"
            )

    @property
    def jitters(self) -> bool:
        """Whether it changes colors."""
        return any((self.brightness, self.contrast, self.saturation, self.hue))

    @property
    def changes(self) -> bool:
        """Whether it does more than to move images."""
        return bool(self.crop or self.trivial or self.jitters or self.erase)

    @property
    def words(self) -> str:
        """What it does, for people."""
        further = {
            "crops": self.crop, "TrivialAugment": self.trivial,
            "color jitter": self.jitters, "erasing": bool(self.erase),
        }  # fmt: skip
        moves = f"{'flips and ' * self.flip}shifts of {self.shift:.3g}"
        return ", ".join([moves, *(name for name, on in further.items() if on)])


@dataclass(frozen=True)
class Further:
    """What else is done to images, each by the streams of its number in the epoch."""

    augmentation: Augmentation
    seed: int
    epoch: int
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class Draws:
    """For each training image of one epoch: whether it is mirrored, and by how many
    pixels it moves.
    """

    flips: NDArray[np.bool_]
    shifts: NDArray[np.int64]
    """(images, 2): down and right."""
    further: Further | None = None

    def of(self, chosen: NDArray[np.int64]) -> Draws:
        """Those of some images, by their numbers in the epoch."""
        further = self.further
        if further is not None:
            further = replace(further, numbers=further.numbers[chosen])
        return Draws(self.flips[chosen], self.shifts[chosen], further)


def draw(
    augmentation: Augmentation,
    images: int,
    size: tuple[int, int],
    seed: int,
    epoch: int,
) -> Draws:
    """The draws of an epoch for all images: any batch can be made by itself."""
    generator = stream(seed, "augmentation", epoch)
    flips = generator.random(images) < 0.5
    reach = (np.array(size) * augmentation.shift).astype(np.int64)
    shifts = generator.integers(-reach, reach, (images, 2), endpoint=True)
    further = None
    if augmentation.changes:
        further = Further(augmentation, seed, epoch, np.arange(images))
    return Draws(flips & augmentation.flip, shifts, further)


def gather(
    images: NDArray[np.uint8], rows: NDArray[np.int64], draws: Draws
) -> NDArray[np.uint8]:
    """`images[rows]` moved and mirrored, then changed further; what a shift uncovers is
    filled by reflection at the edge.

    `draws` holds one entry for each of `rows`.
    """
    height, width = images.shape[1:3]
    down = _reflect(np.arange(height) - draws.shifts[:, :1], height)
    right = _reflect(np.arange(width) - draws.shifts[:, 1:], width)
    right = np.where(draws.flips[:, None], right[:, ::-1], right)
    moved = np.empty((len(rows), height, width), PIXEL)
    # Image by image, rows before columns: a quarter of the time of one index for
    # all.
    for target, row, from_above, from_left in zip(
        moved, rows, down, right, strict=True
    ):
        images[row].take(from_above, axis=0).view(PIXEL)[..., 0].take(
            from_left, axis=1, out=target
        )
    made = moved[..., None].view(np.uint8)
    if draws.further is not None:
        _change(made, draws.further)
    return made


def _change(images: NDArray[np.uint8], further: Further) -> None:
    """Change each image, in place."""
    from triptych.images.change import change  # loads Pillow

    for pixels, number in zip(images, further.numbers, strict=True):
        key = further.seed, further.epoch, int(number)
        pixels[:] = change(pixels, further.augmentation, *key)


def _reflect(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Indices folded back at both ends without repeating the edge: -1 is 1, size is
    size - 2.
    """
    if size == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * size - 2)
    return np.minimum(index, 2 * size - 2 - index)
