"""What stands behind the sport: sky, far things, ground, and things by the way.

Nothing here is told which sport it is painted for (rowing asks for water, of any
color), so nothing here can give the sport away.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from .brush import Color, Light, brighter, mix
from .dice import Dice
from .distance import BACKDROPS, FAR, Thing
from .ground import SURFACES, WAYSIDE, ripples
from .palette import GROUNDS, SKIES, WALLS


def light(dice: Dice) -> Light:
    """One sun or lamp, high, on either side."""
    angle = dice.between(0.25, math.pi - 0.25)
    haze = dice.pick(SKIES)[1]
    return Light(
        math.cos(angle),
        -math.sin(angle),
        dice.between(0.52, 0.8),
        haze,
        dice.pick((0.01, 0.02, 0.04)),
    )


def paint(dice: Dice, size: int, horizon: float, water: bool) -> Image.Image:
    """The background: `horizon` is the pixel row where the ground ends, `water` asks
    for open water.
    """
    sky = dice.pick(SKIES)
    ground = dice.pick(GROUNDS)
    image = _gradient(size, sky[0], sky[1])
    brush = ImageDraw.Draw(image)
    tone = dice.pick((sky[1], sky[0], dice.pick(WALLS)))
    row = min(max(horizon, -0.4 * size), 1.1 * size)
    for thing in _choose(dice):
        if row > 0:
            thing(dice, brush, size, row, tone)
    if row < size:
        top = max(0, int(row))
        slope = _gradient(
            size,
            mix(ground, sky[1], dice.between(0.1, 0.5)),
            brighter(ground, dice.between(0.8, 1.1)),
        )
        image.paste(slope.crop((0, 0, size, size - top)), (0, top))
        (ripples if water else dice.pick(SURFACES))(dice, brush, size, row, ground)
        for _ in range(dice.pick((0, 0, 1, 2, 3))):
            dice.pick(WAYSIDE)(dice, brush, size, row, tone)
    # Air and a lens focused on the people in front: what lies behind them loses
    # contrast.
    return Image.blend(
        image,
        Image.new("RGB", image.size, mix(sky[1], ground, 0.5)),
        dice.between(0.2, 0.5),
    )


def grain(dice: Dice, image: Image.Image) -> Image.Image:
    """Uneven light and texture over all surfaces, coarse and fine."""
    size = image.width
    pattern = np.full((64, 64), 128, np.float32)
    for cells, strength in (
        (4, dice.between(2, 10)),
        (16, dice.between(1, 6)),
        (64, dice.between(1, 5)),
    ):
        patch = Image.fromarray(dice.normal(cells, cells), mode="F")
        pattern += strength * np.asarray(
            patch.resize((64, 64), Image.Resampling.BICUBIC)
        )
    # Brushed, woven, rained on: weak streaks in one direction, so that edges alone tell
    # little.
    strokes = Image.fromarray(dice.normal(96, 12), mode="F")
    strokes = strokes.resize((96, 96), Image.Resampling.BICUBIC)
    strokes = strokes.rotate(dice.between(0, 180), Image.Resampling.BILINEAR)
    strokes = strokes.crop((16, 16, 80, 80))
    pattern += dice.between(2, 9) * np.asarray(strokes)
    cover = Image.fromarray(np.clip(pattern, 0, 255).astype(np.uint8))
    cover = cover.resize((size, size), Image.Resampling.BILINEAR)
    return ImageChops.overlay(image, Image.merge("RGB", (cover, cover, cover)))


def _gradient(size: int, top: Color, bottom: Color) -> Image.Image:
    ends = Image.fromarray(np.array([[top], [bottom]], np.uint8))
    return ends.resize((size, size), Image.Resampling.BILINEAR)


def _choose(dice: Dice) -> list[Thing]:
    """One or two far things, with a cliff or a wall before them now and then."""
    things: list[Thing] = [dice.pick(FAR)]
    if dice.chance(0.5):
        things.append(dice.pick(FAR))
    if dice.chance(0.3):
        things.append(dice.pick(BACKDROPS))
    return things
