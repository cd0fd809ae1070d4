"""Ground and what stands on it: water, lanes and tufts; trees, lamps, fences and
banners.

Every function paints one of them from `row`, where the ground ends, toward the camera.
"""

from __future__ import annotations

from .brush import Color, brighter, mix
from .dice import Dice
from .distance import Brush, Thing
from .palette import CLOTH, GROUNDS, WALLS


def ripples(dice: Dice, brush: Brush, size: int, row: float, ground: Color) -> None:
    """Open water: short level waves, dark with a glint above, wider apart when near."""
    glint, trough = (
        mix(ground, (255, 255, 255), dice.between(0.6, 0.9)),
        brighter(ground, dice.between(0.45, 0.7)),
    )
    for _ in range(dice.whole(60, 110)):
        near = dice.between(0, 1) ** 1.5
        x, y = dice.between(-0.1, 1) * size, row + near * (size - row)
        long, wide = (
            (0.03 + 0.1 * near) * size * dice.between(0.5, 1.5),
            max(1, int(size * (0.005 + 0.013 * near))),
        )
        brush.line((x, y + wide, x + long, y + wide), fill=trough, width=wide)
        brush.line((x + 0.2 * long, y, x + 0.8 * long, y), fill=glint, width=wide)


def _lanes(dice: Dice, brush: Brush, size: int, row: float, ground: Color) -> None:
    """Lines that meet at the horizon: a road, a track, a floor of boards."""
    at = dice.between(-0.2, 1.2) * size
    paint = mix(
        dice.pick(((240, 240, 236), brighter(ground, 0.7), brighter(ground, 1.2))),
        ground,
        0.2,
    )
    for _ in range(dice.whole(1, 5)):
        foot = dice.between(-1, 2) * size
        wide = dice.between(0.005, 0.02) * size
        brush.polygon([(at, row), (foot - wide, size), (foot + wide, size)], fill=paint)


def _tufts(dice: Dice, brush: Brush, size: int, row: float, ground: Color) -> None:
    for _ in range(dice.whole(15, 60)):
        near = dice.between(0, 1)
        x, y, r = (
            dice.between(0, size),
            row + near * (size - row),
            (0.004 + 0.02 * near) * size,
        )
        tone = brighter(ground, dice.between(0.75, 1.2))
        brush.ellipse((x - 2 * r, y - r * 0.6, x + 2 * r, y + r * 0.6), fill=tone)


def _plain(dice: Dice, brush: Brush, size: int, row: float, ground: Color) -> None:
    pass


def _bands(dice: Dice, brush: Brush, size: int, row: float, ground: Color) -> None:
    """Another surface begins: a bank, a path, the edge of a mat."""
    y = row + dice.between(0.1, 0.7) * (size - row)
    tilt, other = dice.about(0, 0.08) * size, dice.pick(GROUNDS)
    brush.polygon(
        [(0, y - tilt), (size, y + tilt), (size, 1.1 * size), (0, 1.1 * size)],
        fill=other,
    )


def _tree(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    x, foot, high = (
        dice.between(0, size),
        row + dice.between(0, 0.12) * size,
        dice.between(0.2, 0.8) * size,
    )
    bark, green = (
        dice.pick(((84, 66, 50), (60, 52, 48))),
        dice.pick(((58, 92, 50), (40, 66, 52), (130, 110, 50), (190, 200, 206))),
    )
    wide = 0.03 * high
    brush.rectangle((x - wide, foot - high * 0.5, x + wide, foot), fill=bark)
    if dice.chance(0.5):
        for share in (0.25, 0.5, 0.75):
            brush.polygon(
                [
                    (x - 0.22 * high * (1.2 - share), foot - high * share + 0.1 * high),
                    (x, foot - high * (share + 0.3)),
                    (x + 0.22 * high * (1.2 - share), foot - high * share + 0.1 * high),
                ],
                fill=green,
            )
    else:
        for _ in range(5):
            cx, cy, r = (
                x + dice.about(0, 0.2) * high,
                foot - high * dice.between(0.5, 0.95),
                high * dice.between(0.1, 0.2),
            )
            brush.ellipse(
                (cx - r, cy - r, cx + r, cy + r),
                fill=brighter(green, dice.between(0.85, 1.2)),
            )


def _lamp(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    x, foot, high = (
        dice.between(0, size),
        row + dice.between(0, 0.2) * size,
        dice.between(0.4, 1) * size,
    )
    wide, color = 0.012 * size, dice.pick(((60, 62, 66), (170, 172, 176), *CLOTH))
    brush.rectangle((x - wide / 2, foot - high, x + wide / 2, foot), fill=color)
    if dice.chance(0.6):
        arm = dice.sign() * 0.1 * size
        brush.line(
            (x, foot - high, x + arm, foot - high), fill=color, width=max(1, int(wide))
        )
        brush.ellipse(
            (
                x + arm - 2 * wide,
                foot - high - wide,
                x + arm + 2 * wide,
                foot - high + wide,
            ),
            fill=(250, 240, 200),
        )


def _fence(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    y, high = row + dice.between(0, 0.15) * size, dice.between(0.06, 0.16) * size
    color, wide = (
        dice.pick((*WALLS, *CLOTH)),
        max(1, int(dice.between(0.006, 0.014) * size)),
    )
    for rail in range(dice.whole(1, 3)):
        brush.line(
            (0, y - high * (1 - 0.35 * rail), size, y - high * (1 - 0.35 * rail)),
            fill=color,
            width=wide,
        )
    step = dice.between(0.06, 0.25) * size
    for number in range(int(size / step) + 2):
        brush.line(
            (number * step, y - high * 1.05, number * step, y), fill=color, width=wide
        )


def _banner(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    x, y = dice.between(-0.2, 0.8) * size, row + dice.about(0, 0.2) * size
    wide, high, color = (
        dice.between(0.2, 0.7) * size,
        dice.between(0.05, 0.14) * size,
        dice.pick(CLOTH),
    )
    brush.rectangle((x, y - high, x + wide, y), fill=color)
    letters = mix(dice.pick(CLOTH), (255, 255, 255), 0.5)
    left = x + 0.06 * wide
    while left < x + 0.85 * wide:  # strokes that look like writing from afar
        stroke = dice.between(0.02, 0.08) * wide
        brush.rectangle(
            (left, y - high * 0.75, left + stroke, y - high * 0.25), fill=letters
        )
        left += stroke + 0.025 * wide


SURFACES: tuple[Thing, ...] = (_lanes, _tufts, _plain, _bands)
WAYSIDE: tuple[Thing, ...] = (_tree, _lamp, _fence, _banner)
