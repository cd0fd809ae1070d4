"""What Pillow does to training images: crops, TrivialAugment, colors, erased parts.

Every draw comes from the stream of (seed, epoch, image, kind of change), so that any
image of any epoch can be made by itself, and one kind does not move the draws of
another.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from triptych.images.augment import Augmentation
from triptych.network.rng import stream

TRIES = 10
"""How often a box is drawn until it fits into the image."""
LEVELS = 31
"""Strengths of TrivialAugment, from none to the largest."""

Generator = np.random.Generator
Box = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom are the first outside."""


def change(
    pixels: NDArray[np.uint8],
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    number: int,
) -> NDArray[np.uint8]:
    """One image, uint8 (height, width, 3), changed as `augmentation` says; the same
    shape. `number` is the image's in the epoch.
    """

    def drawn(kind: str) -> Generator:
        return stream(seed, kind, epoch, number)

    image = Image.fromarray(pixels)
    if augmentation.crop:
        image = cropped(image, augmentation, drawn("crop"))
    if augmentation.trivial:
        image = trivial(image, drawn("trivial"))
    if augmentation.jitters:
        image = jittered(image, augmentation, drawn("color"))
    changed = np.array(image)
    if augmentation.erase:
        erase(changed, augmentation, drawn("erase"))
    return changed


def cropped(
    image: Image.Image, augmentation: Augmentation, generator: Generator
) -> Image.Image:
    """A part of random area and ratio at the size of the whole (Szegedy et al., 2015,
    in the form that torchvision ships): where none fits in TRIES draws, the largest in
    the middle whose ratio is allowed.
    """
    width, height = image.size
    least, most = augmentation.crop_ratio
    box = _box(
        image.size, augmentation.crop_area, augmentation.crop_ratio, generator
    ) or _middle(width, height, min(max(width / height, least), most))
    return image.resize(image.size, Image.Resampling.BILINEAR, box)


def _middle(width: int, height: int, ratio: float) -> Box:
    """The largest box of that ratio, width to height, in the middle."""
    wide = max(min(width, round(height * ratio)), 1)
    high = max(min(height, round(width / ratio)), 1)
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def _box(
    size: tuple[int, int],
    area: tuple[float, float],
    ratio: tuple[float, float],
    generator: Generator,
) -> Box | None:
    """A box whose share of the area is uniform and the logarithm of whose ratio is;
    None if none fits.
    """
    width, height = size
    for _ in range(TRIES):
        pixels = generator.uniform(*area) * width * height
        stretch = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        wide = round(math.sqrt(pixels * stretch))
        high = round(math.sqrt(pixels / stretch))
        if 0 < wide <= width and 0 < high <= height:
            left = int(generator.integers(width - wide, endpoint=True))
            top = int(generator.integers(height - high, endpoint=True))
            return left, top, left + wide, top + high
    return None


Enhance = (
    type[ImageEnhance.Brightness]
    | type[ImageEnhance.Color]
    | type[ImageEnhance.Contrast]
    | type[ImageEnhance.Sharpness]
)
Operation = Callable[[Image.Image, float], Image.Image]


def _affine(*matrix: Callable[[float], float]) -> Operation:
    def move(image: Image.Image, strength: float) -> Image.Image:
        given = tuple(entry(strength) for entry in matrix)
        return image.transform(image.size, Image.Transform.AFFINE, given)

    return move


def _zero(_: float) -> float:
    return 0.0


def _one(_: float) -> float:
    return 1.0


def _shear(strength: float) -> float:
    return 0.99 * strength


def _pixels(strength: float) -> float:
    return 32.0 * strength


def _enhanced(enhance: Enhance) -> Operation:
    return lambda image, strength: enhance(image).enhance(1 + 0.99 * strength)


SIGNED: dict[str, Operation] = {
    "shear x": _affine(_one, _shear, _zero, _zero, _one, _zero),
    "shear y": _affine(_one, _zero, _zero, _shear, _one, _zero),
    "translate x": _affine(_one, _zero, _pixels, _zero, _one, _zero),
    "translate y": _affine(_one, _zero, _zero, _zero, _one, _pixels),
    "rotate": lambda image, strength: image.rotate(135 * strength),
    "brightness": _enhanced(ImageEnhance.Brightness),
    "color": _enhanced(ImageEnhance.Color),
    "contrast": _enhanced(ImageEnhance.Contrast),
    "sharpness": _enhanced(ImageEnhance.Sharpness),
}
"""Operations of TrivialAugment by a strength from -1 to 1."""
UNSIGNED: dict[str, Operation] = {
    "identity": lambda image, strength: image,
    "posterize": lambda image, strength: ImageOps.posterize(
        image, 8 - round(6 * strength)
    ),
    "solarize": lambda image, strength: ImageOps.solarize(
        image, round(256 * (1 - strength))
    ),
    "auto contrast": lambda image, strength: ImageOps.autocontrast(image),
    "equalize": lambda image, strength: ImageOps.equalize(image),
}
"""Those by a strength from 0 to 1."""
OPERATIONS = tuple(SIGNED | UNSIGNED)


def trivial(image: Image.Image, generator: Generator) -> Image.Image:
    """One operation, drawn with its strength and sign (TrivialAugment, wide space;
    Mueller and Hutter, 2021). What it uncovers is black.
    """
    name = OPERATIONS[int(generator.integers(len(OPERATIONS)))]
    strength = int(generator.integers(LEVELS)) / (LEVELS - 1)
    negative = generator.random() < 0.5
    if name in UNSIGNED:
        return UNSIGNED[name](image, strength)
    return SIGNED[name](image, -strength if negative else strength)


def jittered(
    image: Image.Image, augmentation: Augmentation, generator: Generator
) -> Image.Image:
    """Brightness, contrast and saturation times a factor each, uniform between 1 - x
    and 1 + x but at least 0; then the hue turned by up to that share of the circle.
    """
    enhancers: dict[Enhance, float] = {
        ImageEnhance.Brightness: augmentation.brightness,
        ImageEnhance.Contrast: augmentation.contrast,
        ImageEnhance.Color: augmentation.saturation,
    }
    for enhance, reach in enhancers.items():
        factor = generator.uniform(max(0.0, 1 - reach), 1 + reach)
        if reach:
            image = enhance(image).enhance(factor)
    turn = round(256 * generator.uniform(-augmentation.hue, augmentation.hue))
    if not augmentation.hue:
        return image
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def erase(
    pixels: NDArray[np.uint8], augmentation: Augmentation, generator: Generator
) -> None:
    """With the probability `erase`, a box of random area and ratio becomes noise, in
    place (random erasing; Zhong et al., 2017); nothing does where none fits in TRIES
    draws.
    """
    if generator.random() >= augmentation.erase:
        return
    height, width, channels = pixels.shape
    box = _box(
        (width, height), augmentation.erase_area, augmentation.erase_ratio, generator
    )
    if box is not None:
        left, top, right, bottom = box
        pixels[top:bottom, left:right] = generator.integers(
            0, 256, (bottom - top, right - left, channels), np.uint8
        )
