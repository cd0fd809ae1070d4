"""What stands behind the sport: sky, far things, ground, and things by the way.

Nothing here is told which sport it is painted for, so nothing here can give the sport away. Palettes are
shared by every kind of sky, ground and wall: snow-white ground may be a lake in fog, a lake's blue may be
a mat.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from .body import CLOTH
from .dice import Dice
from .stage import Colour, Light, brighter, mix

Brush = ImageDraw.ImageDraw

SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((88, 150, 220), (204, 224, 240)),
    ((120, 170, 222), (236, 236, 226)),
    ((168, 178, 190), (222, 224, 226)),
    ((96, 108, 128), (190, 186, 180)),
    ((226, 230, 234), (244, 244, 242)),
    ((70, 84, 140), (244, 176, 120)),
    ((120, 80, 120), (250, 200, 140)),
    ((18, 24, 52), (60, 72, 110)),
    ((10, 12, 22), (40, 40, 52)),
    ((196, 182, 158), (226, 216, 196)),  # the last ones are halls
    ((150, 156, 160), (196, 198, 198)),
    ((84, 110, 140), (130, 150, 170)),
    ((70, 66, 64), (112, 104, 96)),
    ((130, 146, 120), (186, 194, 170)),
)
GROUNDS: tuple[Colour, ...] = (
    (236, 240, 246), (216, 226, 238), (196, 214, 230), (226, 222, 214), (122, 124, 128), (86, 88, 94),
    (160, 158, 152), (96, 140, 70), (124, 150, 84), (70, 98, 62), (70, 112, 152), (56, 86, 120), (100, 150, 180),
    (44, 62, 82), (94, 122, 112), (190, 168, 130), (150, 122, 90), (206, 176, 132), (200, 170, 150), (120, 130, 150),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (204, 198, 188), (176, 170, 160), (150, 128, 106), (186, 150, 116), (128, 126, 126), (98, 92, 90),
    (224, 214, 190), (212, 178, 128), (120, 140, 160), (70, 90, 120), (160, 170, 170), (190, 120, 90),
    (232, 232, 228), (110, 130, 100),
)  # fmt: skip


def light(dice: Dice) -> Light:
    """One sun or lamp, high, on either side."""
    angle = dice.between(0.25, math.pi - 0.25)
    haze = dice.pick(SKIES)[1]
    return Light(math.cos(angle), -math.sin(angle), dice.between(0.52, 0.8), haze, dice.pick((0.01, 0.02, 0.04)))


def paint(dice: Dice, size: int, horizon: float, water: bool) -> Image.Image:
    """The background: `horizon` is the pixel row where the ground ends, `water` asks for open water."""
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
        slope = _gradient(size, mix(ground, sky[1], dice.between(0.1, 0.5)), brighter(ground, dice.between(0.8, 1.1)))
        image.paste(slope.crop((0, 0, size, size - top)), (0, top))
        (_ripples if water else dice.pick(_SURFACES))(dice, brush, size, row, ground)
        for _ in range(dice.pick((0, 0, 1, 2, 3))):
            dice.pick(_WAYSIDE)(dice, brush, size, row, tone)
    return image


def grain(dice: Dice, image: Image.Image) -> Image.Image:
    """Uneven light and texture over all surfaces, coarse and fine."""
    size = image.width
    pattern = np.full((64, 64), 128, np.float32)
    for cells, strength in ((4, dice.between(2, 10)), (16, dice.between(1, 6)), (64, dice.between(1, 5))):
        patch = Image.fromarray(dice.normal(cells, cells), mode="F").resize((64, 64), Image.Resampling.BICUBIC)
        pattern += strength * np.asarray(patch)
    cover = Image.fromarray(np.clip(pattern, 0, 255).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    factor = np.asarray(cover, np.uint16)[:, :, None]
    lit = np.asarray(image, np.uint16) * factor >> 7
    return Image.fromarray(np.minimum(lit, 255).astype(np.uint8))


def _gradient(size: int, top: Colour, bottom: Colour) -> Image.Image:
    return Image.fromarray(np.array([[top], [bottom]], np.uint8)).resize((size, size), Image.Resampling.BILINEAR)


def _choose(dice: Dice):  # type: ignore[no-untyped-def]
    things = [dice.pick(_FAR)]
    if dice.chance(0.5):
        things.append(dice.pick(_FAR))
    if dice.chance(0.3):
        things.append(dice.pick(_BACKDROPS))
    return things


def _ridge(dice: Dice, size: int, row: float, height: float, rough: float, steps: int) -> list[tuple[float, float]]:
    """A broken outline from the left edge to the right one, closed below the horizon."""
    tops = [row - height * size * (1 + rough * dice.about(0, 1)) for _ in range(steps + 1)]
    line = [(size * (number + dice.about(0, 0.4)) / steps, y) for number, y in enumerate(tops)]
    return [(-size, row), (-size * 0.1, tops[0]), *line, (1.1 * size, tops[-1]), (2 * size, row), (size, row + 2), (0, row + 2)]


def _mountains(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    for number in range(dice.whole(1, 2)):
        height = dice.between(0.1, 0.4) / (1 + number)
        colour = mix(dice.pick(((70, 84, 110), (96, 96, 104), (62, 84, 66), (120, 104, 90))), tone, 0.5 - 0.25 * number)
        peaks = _ridge(dice, size, row, height, 0.8, dice.whole(3, 7))
        brush.polygon(peaks, fill=colour)
        if dice.chance(0.5):
            for (ax, ay), (x, y), (bx, by) in zip(peaks[1:-4], peaks[2:-3], peaks[3:-2], strict=True):
                if y < ay and y < by:  # a summit: snow down to a third of its flanks
                    snow = [(x, y), (x + (bx - x) * 0.3, y + (by - y) * 0.3), (x, y + (by - y) * 0.15), (x + (ax - x) * 0.3, y + (ay - y) * 0.3)]
                    brush.polygon(snow, fill=mix((246, 248, 252), tone, 0.2))


def _hills(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    colour = mix(dice.pick(GROUNDS), tone, dice.between(0.2, 0.6))
    for _ in range(dice.whole(1, 3)):
        x, wide, high = dice.between(0, size), dice.between(0.4, 1.0) * size, dice.between(0.06, 0.25) * size
        brush.ellipse((x - wide, row - high, x + wide, row + high), fill=colour)
        colour = brighter(colour, dice.between(0.85, 1.1))


def _forest(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    green = mix(dice.pick(((44, 70, 48), (60, 90, 52), (36, 52, 50), (110, 96, 52), (120, 70, 44), (200, 206, 214))), tone, dice.between(0, 0.4))
    high, step = dice.between(0.08, 0.32) * size, size / dice.between(8, 20)
    pointed, x = dice.chance(0.5), -step
    while x < size + step:
        top, colour = row - high * dice.between(0.6, 1), brighter(green, dice.between(0.8, 1.15))
        if pointed:
            brush.polygon([(x - step, row), (x, top), (x + step, row)], fill=colour)
        else:
            brush.ellipse((x - step, top, x + step, row + step), fill=colour)
        x += step * dice.between(0.6, 1.3)


def _city(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    x = -0.05 * size
    while x < size:
        wide, high = dice.between(0.08, 0.25) * size, dice.between(0.1, 0.5) * size
        wall = mix(dice.pick(WALLS), tone, dice.between(0, 0.4))
        brush.rectangle((x, row - high, x + wide, row), fill=wall)
        pane, gap = dice.pick((brighter(wall, 0.6), brighter(wall, 1.3), (240, 220, 150))), size / dice.between(18, 30)
        for left in np.arange(x + gap / 2, x + wide - gap / 2, gap).tolist():
            for top in np.arange(row - high + gap / 2, row - gap, gap * 1.3).tolist():
                brush.rectangle((left, top, left + gap * 0.45, top + gap * 0.6), fill=pane)
        x += wide


def _stands(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    """Rows of spectators behind a board."""
    high = dice.between(0.15, 0.45) * size
    base = mix(dice.pick(WALLS), tone, 0.3)
    brush.rectangle((0, row - high, size, row), fill=brighter(base, 0.7))
    dot = size / dice.between(28, 44)
    for _ in range(dice.whole(40, 110)):
        x, y = dice.between(0, size), row - dice.between(0.12, 0.95) * high
        brush.ellipse((x, y, x + dot, y + dot * 1.2), fill=dice.pick(CLOTH))
    x = 0.0
    while x < size:
        wide = dice.between(0.1, 0.4) * size
        brush.rectangle((x, row - 0.16 * high, x + wide, row), fill=mix(dice.pick(CLOTH), base, 0.3))
        x += wide


def _hall(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    """A wall with beams, windows or lamps."""
    wall = dice.pick(WALLS)
    brush.rectangle((0, -1, size, row), fill=wall)
    step = size / dice.between(3, 6)
    shift, pane = dice.between(0, step), dice.pick(((236, 242, 246), (150, 180, 200), brighter(wall, 0.7)))
    high = row - dice.between(0.35, 0.7) * size
    for number in range(-1, 7):
        x = shift + number * step
        brush.rectangle((x, 0, x + step * 0.1, row), fill=brighter(wall, 0.82))
        if number % 2:
            brush.rectangle((x + step * 0.25, high, x + step * 0.85, high + 0.2 * size), fill=pane)
    brush.rectangle((0, row - 0.05 * size, size, row), fill=dice.pick((brighter(wall, 0.7), dice.pick(CLOTH))))


def _lake(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    """A band of water, seen beyond the near ground."""
    water = mix(dice.pick(GROUNDS), tone, 0.4)
    high = dice.between(0.04, 0.14) * size
    brush.rectangle((0, row - high, size, row + 1), fill=water)
    for _ in range(8):
        x, y, long = dice.between(0, size), row - dice.between(0, 1) * high, dice.between(0.05, 0.3) * size
        brush.line((x, y, x + long, y), fill=brighter(water, dice.pick((0.85, 1.15))), width=max(1, size // 200))


def _clouds(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    for _ in range(dice.whole(1, 4)):
        x, y, r = dice.between(0, size), dice.between(0, 0.5) * size, dice.between(0.04, 0.1) * size
        puff = mix((246, 246, 248), tone, dice.between(0.2, 0.7))
        for number in range(4):
            brush.ellipse((x + number * r, y - r * dice.between(0.4, 1), x + (number + 2) * r, y + r * 0.7), fill=puff)


def _nothing(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    pass


def _cliff(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    """A rock face from the ground to above the picture."""
    rock, left = dice.pick(WALLS), dice.about(0.2, 0.8) * size
    wide = dice.between(0.5, 1.4) * size
    edge = [(left + dice.about(0, 0.08) * size, row - size * share) for share in (0, 0.25, 0.5, 0.75, 1.1)]
    other = [(x + wide + dice.about(0, 0.1) * size, y) for x, y in reversed(edge)]
    brush.polygon(edge + other, fill=rock)
    for _ in range(dice.whole(5, 12)):
        x, y, r = dice.between(left, left + wide), row - dice.between(0.05, 1) * size, dice.between(0.05, 0.18) * size
        spots = [(x + r * dice.between(0.4, 1) * math.cos(a), y + r * dice.between(0.4, 1) * math.sin(a)) for a in (0, 1.2, 2.4, 3.7, 5)]
        brush.polygon(spots, fill=brighter(rock, dice.pick((0.72, 0.84, 1.1, 1.2))))


def _board(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    """A panelled wall with coloured patches: posters, holds, signs."""
    wall, left = dice.pick(WALLS), dice.about(0.1, 0.6) * size
    right = left + dice.between(0.5, 1.4) * size
    top = row - dice.between(0.5, 1.3) * size
    brush.rectangle((left, top, right, row), fill=wall)
    step = size / dice.between(2, 4)
    for number in range(5):
        x, y = left + number * step, row - number * step
        if x < right:
            brush.line((x, top, x, row), fill=brighter(wall, 0.8), width=max(1, size // 110))
        if y > top:
            brush.line((left, y, right, y), fill=brighter(wall, 0.8), width=max(1, size // 110))
    for _ in range(dice.whole(6, 30)):
        x, y, r = dice.between(left, right), dice.between(top, row), dice.between(0.012, 0.03) * size
        brush.ellipse((x - r * dice.between(0.8, 1.8), y - r, x + r, y + r), fill=dice.pick(CLOTH))


def _ripples(dice: Dice, brush: Brush, size: int, row: float, ground: Colour) -> None:
    """Short level streaks, longer and wider apart near the camera."""
    bright = dice.between(1.05, 1.25)
    for _ in range(dice.whole(25, 70)):
        near = dice.between(0, 1) ** 2
        x, y = dice.between(-0.1, 1) * size, row + near * (size - row)
        long = (0.03 + 0.16 * near) * size * dice.between(0.5, 1.5)
        tone = brighter(ground, dice.pick((bright, 2 - bright)))
        brush.line((x, y, x + long, y + dice.about(0, 0.004) * size), fill=tone, width=max(1, int(size * (0.004 + 0.009 * near))))


def _lanes(dice: Dice, brush: Brush, size: int, row: float, ground: Colour) -> None:
    """Lines that meet at the horizon: a road, a track, a floor of boards."""
    at, paint = dice.between(-0.2, 1.2) * size, mix(dice.pick(((240, 240, 236), brighter(ground, 0.7), brighter(ground, 1.2))), ground, 0.2)
    for _ in range(dice.whole(1, 5)):
        foot = dice.between(-1, 2) * size
        wide = dice.between(0.005, 0.02) * size
        brush.polygon([(at, row), (foot - wide, size), (foot + wide, size)], fill=paint)


def _tufts(dice: Dice, brush: Brush, size: int, row: float, ground: Colour) -> None:
    for _ in range(dice.whole(15, 60)):
        near = dice.between(0, 1)
        x, y, r = dice.between(0, size), row + near * (size - row), (0.004 + 0.02 * near) * size
        tone = brighter(ground, dice.between(0.75, 1.2))
        brush.ellipse((x - 2 * r, y - r * 0.6, x + 2 * r, y + r * 0.6), fill=tone)


def _plain(dice: Dice, brush: Brush, size: int, row: float, ground: Colour) -> None:
    pass


def _bands(dice: Dice, brush: Brush, size: int, row: float, ground: Colour) -> None:
    """Another surface begins: a bank, a path, the edge of a mat."""
    y = row + dice.between(0.1, 0.7) * (size - row)
    tilt, other = dice.about(0, 0.08) * size, dice.pick(GROUNDS)
    brush.polygon([(0, y - tilt), (size, y + tilt), (size, 1.1 * size), (0, 1.1 * size)], fill=other)


def _tree(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    x, foot, high = dice.between(0, size), row + dice.between(0, 0.12) * size, dice.between(0.2, 0.8) * size
    bark, green = dice.pick(((84, 66, 50), (60, 52, 48))), dice.pick(((58, 92, 50), (40, 66, 52), (130, 110, 50), (190, 200, 206)))
    wide = 0.03 * high
    brush.rectangle((x - wide, foot - high * 0.5, x + wide, foot), fill=bark)
    if dice.chance(0.5):
        for share in (0.25, 0.5, 0.75):
            brush.polygon([(x - 0.22 * high * (1.2 - share), foot - high * share + 0.1 * high), (x, foot - high * (share + 0.3)), (x + 0.22 * high * (1.2 - share), foot - high * share + 0.1 * high)], fill=green)
    else:
        for _ in range(5):
            cx, cy, r = x + dice.about(0, 0.2) * high, foot - high * dice.between(0.5, 0.95), high * dice.between(0.1, 0.2)
            brush.ellipse((cx - r, cy - r, cx + r, cy + r), fill=brighter(green, dice.between(0.85, 1.2)))


def _lamp(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    x, foot, high = dice.between(0, size), row + dice.between(0, 0.2) * size, dice.between(0.4, 1) * size
    wide, colour = 0.012 * size, dice.pick(((60, 62, 66), (170, 172, 176), *CLOTH))
    brush.rectangle((x - wide / 2, foot - high, x + wide / 2, foot), fill=colour)
    if dice.chance(0.6):
        arm = dice.sign() * 0.1 * size
        brush.line((x, foot - high, x + arm, foot - high), fill=colour, width=max(1, int(wide)))
        brush.ellipse((x + arm - 2 * wide, foot - high - wide, x + arm + 2 * wide, foot - high + wide), fill=(250, 240, 200))


def _fence(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    y, high = row + dice.between(0, 0.15) * size, dice.between(0.06, 0.16) * size
    colour, wide = dice.pick((*WALLS, *CLOTH)), max(1, int(dice.between(0.006, 0.014) * size))
    for rail in range(dice.whole(1, 3)):
        brush.line((0, y - high * (1 - 0.35 * rail), size, y - high * (1 - 0.35 * rail)), fill=colour, width=wide)
    step = dice.between(0.06, 0.25) * size
    for number in range(int(size / step) + 2):
        brush.line((number * step, y - high * 1.05, number * step, y), fill=colour, width=wide)


def _banner(dice: Dice, brush: Brush, size: int, row: float, tone: Colour) -> None:
    x, y = dice.between(-0.2, 0.8) * size, row + dice.about(0, 0.2) * size
    wide, high, colour = dice.between(0.2, 0.7) * size, dice.between(0.05, 0.14) * size, dice.pick(CLOTH)
    brush.rectangle((x, y - high, x + wide, y), fill=colour)
    letters = mix(dice.pick(CLOTH), (255, 255, 255), 0.5)
    left = x + 0.06 * wide
    while left < x + 0.85 * wide:  # strokes that look like writing from afar
        stroke = dice.between(0.02, 0.08) * wide
        brush.rectangle((left, y - high * 0.75, left + stroke, y - high * 0.25), fill=letters)
        left += stroke + 0.025 * wide


_FAR = (_mountains, _hills, _forest, _city, _stands, _hall, _lake, _clouds, _nothing)
_BACKDROPS = (_cliff, _board)
_SURFACES = (_ripples, _lanes, _tufts, _plain, _bands)
_WAYSIDE = (_tree, _lamp, _fence, _banner)
