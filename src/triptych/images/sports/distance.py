"""Far things: mountains, woods, towns, halls, and the walls that stand before them now
and then.

Every function paints one of them above `row`, where the ground ends; `tone` is what
distance fades into.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import ImageDraw

from .brush import Color, brighter, mix
from .dice import Dice
from .palette import CLOTH, GROUNDS, WALLS

Brush = ImageDraw.ImageDraw
Thing = Callable[[Dice, Brush, int, float, Color], None]


def _ridge(
    dice: Dice, size: int, row: float, height: float, rough: float, steps: int
) -> list[tuple[float, float]]:
    """A broken outline from the left edge to the right, closed below the horizon."""
    tops = [
        row - height * size * (1 + rough * dice.about(0, 1)) for _ in range(steps + 1)
    ]
    line = [
        (size * (number + dice.about(0, 0.4)) / steps, y)
        for number, y in enumerate(tops)
    ]
    return [
        (-size, row),
        (-size * 0.1, tops[0]),
        *line,
        (1.1 * size, tops[-1]),
        (2 * size, row),
        (size, row + 2),
        (0, row + 2),
    ]


def _mountains(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    for number in range(dice.whole(1, 2)):
        height = dice.between(0.1, 0.4) / (1 + number)
        color = mix(
            dice.pick(((70, 84, 110), (96, 96, 104), (62, 84, 66), (120, 104, 90))),
            tone,
            0.5 - 0.25 * number,
        )
        peaks = _ridge(dice, size, row, height, 0.8, dice.whole(3, 7))
        brush.polygon(peaks, fill=color)
        if dice.chance(0.5):
            for (ax, ay), (x, y), (bx, by) in zip(
                peaks[1:-4], peaks[2:-3], peaks[3:-2], strict=True
            ):
                if y < ay and y < by:  # a summit: snow down to a third of its flanks
                    snow = [
                        (x, y),
                        (x + (bx - x) * 0.3, y + (by - y) * 0.3),
                        (x, y + (by - y) * 0.15),
                        (x + (ax - x) * 0.3, y + (ay - y) * 0.3),
                    ]
                    brush.polygon(snow, fill=mix((246, 248, 252), tone, 0.2))


def _hills(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    color = mix(dice.pick(GROUNDS), tone, dice.between(0.2, 0.6))
    for _ in range(dice.whole(1, 3)):
        x, wide, high = (
            dice.between(0, size),
            dice.between(0.4, 1.0) * size,
            dice.between(0.06, 0.25) * size,
        )
        brush.ellipse((x - wide, row - high, x + wide, row + high), fill=color)
        color = brighter(color, dice.between(0.85, 1.1))


def _forest(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    leaves = dice.pick(
        (
            (44, 70, 48),
            (60, 90, 52),
            (36, 52, 50),
            (110, 96, 52),
            (120, 70, 44),
            (200, 206, 214),
        )
    )
    green = mix(leaves, tone, dice.between(0, 0.4))
    high, step = dice.between(0.08, 0.32) * size, size / dice.between(8, 20)
    pointed, x = dice.chance(0.5), -step
    while x < size + step:
        top, color = (
            row - high * dice.between(0.6, 1),
            brighter(green, dice.between(0.8, 1.15)),
        )
        if pointed:
            brush.polygon([(x - step, row), (x, top), (x + step, row)], fill=color)
        else:
            brush.ellipse((x - step, top, x + step, row + step), fill=color)
        x += step * dice.between(0.6, 1.3)


def _city(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    x = -0.05 * size
    while x < size:
        wide, high = dice.between(0.08, 0.25) * size, dice.between(0.1, 0.5) * size
        wall = mix(dice.pick(WALLS), tone, dice.between(0, 0.4))
        brush.rectangle((x, row - high, x + wide, row), fill=wall)
        pane, gap = (
            dice.pick((brighter(wall, 0.6), brighter(wall, 1.3), (240, 220, 150))),
            size / dice.between(18, 30),
        )
        for left in np.arange(x + gap / 2, x + wide - gap / 2, gap).tolist():
            for top in np.arange(row - high + gap / 2, row - gap, gap * 1.3).tolist():
                brush.rectangle(
                    (left, top, left + gap * 0.45, top + gap * 0.6), fill=pane
                )
        x += wide


def _stands(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
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
        brush.rectangle(
            (x, row - 0.16 * high, x + wide, row), fill=mix(dice.pick(CLOTH), base, 0.3)
        )
        x += wide


def _hall(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    """A wall with beams, windows or lamps."""
    wall = dice.pick(WALLS)
    brush.rectangle((0, -1, size, row), fill=wall)
    step = size / dice.between(3, 6)
    shift, pane = (
        dice.between(0, step),
        dice.pick(((236, 242, 246), (150, 180, 200), brighter(wall, 0.7))),
    )
    high = row - dice.between(0.35, 0.7) * size
    for number in range(-1, 7):
        x = shift + number * step
        brush.rectangle((x, 0, x + step * 0.1, row), fill=brighter(wall, 0.82))
        if number % 2:
            brush.rectangle(
                (x + step * 0.25, high, x + step * 0.85, high + 0.2 * size), fill=pane
            )
    brush.rectangle(
        (0, row - 0.05 * size, size, row),
        fill=dice.pick((brighter(wall, 0.7), dice.pick(CLOTH))),
    )


def _lake(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    """A band of water, seen beyond the near ground."""
    water = mix(dice.pick(GROUNDS), tone, 0.4)
    high = dice.between(0.04, 0.14) * size
    brush.rectangle((0, row - high, size, row + 1), fill=water)
    for _ in range(8):
        x, y, long = (
            dice.between(0, size),
            row - dice.between(0, 1) * high,
            dice.between(0.05, 0.3) * size,
        )
        brush.line(
            (x, y, x + long, y),
            fill=brighter(water, dice.pick((0.85, 1.15))),
            width=max(1, size // 200),
        )


def _clouds(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    for _ in range(dice.whole(1, 4)):
        x, y, r = (
            dice.between(0, size),
            dice.between(0, 0.5) * size,
            dice.between(0.04, 0.1) * size,
        )
        puff = mix((246, 246, 248), tone, dice.between(0.2, 0.7))
        for number in range(4):
            brush.ellipse(
                (
                    x + number * r,
                    y - r * dice.between(0.4, 1),
                    x + (number + 2) * r,
                    y + r * 0.7,
                ),
                fill=puff,
            )


def _nothing(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    pass


def _cliff(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    """A rock face from the ground to above the image."""
    rock, left = dice.pick(WALLS), dice.about(0.2, 0.8) * size
    wide = dice.between(0.5, 1.4) * size
    edge = [
        (left + dice.about(0, 0.08) * size, row - size * share)
        for share in (0, 0.25, 0.5, 0.75, 1.1)
    ]
    other = [(x + wide + dice.about(0, 0.1) * size, y) for x, y in reversed(edge)]
    brush.polygon(edge + other, fill=rock)
    for _ in range(dice.whole(5, 12)):
        x, y, r = (
            dice.between(left, left + wide),
            row - dice.between(0.05, 1) * size,
            dice.between(0.05, 0.18) * size,
        )
        spots = [
            (
                x + r * dice.between(0.4, 1) * math.cos(a),
                y + r * dice.between(0.4, 1) * math.sin(a),
            )
            for a in (0, 1.2, 2.4, 3.7, 5)
        ]
        brush.polygon(spots, fill=brighter(rock, dice.pick((0.72, 0.84, 1.1, 1.2))))


def _board(dice: Dice, brush: Brush, size: int, row: float, tone: Color) -> None:
    """A panelled wall with colored patches: posters, holds, signs."""
    wall, left = dice.pick(WALLS), dice.about(0.1, 0.6) * size
    right = left + dice.between(0.5, 1.4) * size
    top = row - dice.between(0.5, 1.3) * size
    brush.rectangle((left, top, right, row), fill=wall)
    step = size / dice.between(2, 4)
    for number in range(5):
        x, y = left + number * step, row - number * step
        if x < right:
            brush.line(
                (x, top, x, row), fill=brighter(wall, 0.8), width=max(1, size // 110)
            )
        if y > top:
            brush.line(
                (left, y, right, y), fill=brighter(wall, 0.8), width=max(1, size // 110)
            )
    for _ in range(dice.whole(6, 30)):
        x, y, r = (
            dice.between(left, right),
            dice.between(top, row),
            dice.between(0.012, 0.03) * size,
        )
        brush.ellipse(
            (x - r * dice.between(0.8, 1.8), y - r, x + r, y + r), fill=dice.pick(CLOTH)
        )


FAR: tuple[Thing, ...] = (
    _mountains,
    _hills,
    _forest,
    _city,
    _stands,
    _hall,
    _lake,
    _clouds,
    _nothing,
)
BACKDROPS: tuple[Thing, ...] = (_cliff, _board)
