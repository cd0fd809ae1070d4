"""How a shape comes onto an image: colors, the light on them, outlines, and paint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

Color = tuple[int, int, int]
Fill = tuple[int, ...]  # a color, with its opacity if it lets the ground through
Pixel = tuple[float, float]


def mix(one: Color, other: Color, share: float) -> Color:
    """`one` with a `share` of `other` in it."""
    keep = 1 - share
    return (
        int(one[0] * keep + other[0] * share),
        int(one[1] * keep + other[1] * share),
        int(one[2] * keep + other[2] * share),
    )


def brighter(color: Color, factor: float) -> Color:
    """The color under more light, or under less for a factor below 1."""
    return (
        min(255, int(color[0] * factor)),
        min(255, int(color[1] * factor)),
        min(255, int(color[2] * factor)),
    )


@dataclass(frozen=True)
class Light:
    """Where the light comes from on the screen, how hard it is, and what far things
    fade into.
    """

    x: float
    y: float
    shade: float
    haze: Color
    thickness: float


_HALF = [
    (math.cos(a), math.sin(a)) for a in np.linspace(math.pi / 2, 3 * math.pi / 2, 7)
]
DISC = [(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 11)[:-1]]
Discs = list[tuple[float, float, float]]


def _capsule(
    one: tuple[float, float, float], two: tuple[float, float, float]
) -> list[Pixel]:
    """The outline around two discs."""
    (ax, ay, ar), (bx, by, br) = one, two
    dx, dy = bx - ax, by - ay
    length = math.hypot(dx, dy)
    if length <= abs(ar - br):
        x, y, r = one if ar > br else two
        return [(x + r * c, y + r * s) for c, s in DISC]
    dx, dy = dx / length, dy / length
    outline = [
        (ax + ar * (c * dx - s * dy), ay + ar * (c * dy + s * dx)) for c, s in _HALF
    ]
    return outline + [
        (bx - br * (c * dx - s * dy), by - br * (c * dy + s * dx)) for c, s in _HALF
    ]


def _around(discs: Discs) -> list[Pixel]:
    """The outline around discs: Andrew's monotone chain over points on their rims."""
    if len(discs) == 1:
        discs = [discs[0], discs[0]]
    if len(discs) == 2:
        return _capsule(discs[0], discs[1])
    rim = sorted((x + r * c, y + r * s) for x, y, r in discs for c, s in DISC)
    outline: list[Pixel] = []
    for points in (rim, rim[::-1]):
        floor = len(outline) + 1
        for x, y in points:
            while len(outline) > floor:
                (ax, ay), (bx, by) = outline[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                outline.pop()
            outline.append((x, y))
        outline.pop()
    return outline


def _paint_solid(
    brush: ImageDraw.ImageDraw,
    rows: list[list[float]],
    radii: Sequence[float],
    color: Fill,
    light: Light,
) -> None:
    discs = [(row[0], row[1], r * row[2]) for row, r in zip(rows, radii, strict=True)]
    brush.polygon(
        _around(discs),
        fill=(*brighter((color[0], color[1], color[2]), light.shade), *color[3:]),
    )
    # In pixels: the lit side of a thinner limb cannot be seen.
    if max(r for _, _, r in discs) > 1.2:
        lit = [
            (x + 0.34 * r * light.x, y + 0.34 * r * light.y, 0.66 * r)
            for x, y, r in discs
        ]
        brush.polygon(_around(lit), fill=color)


def _paint_line(
    brush: ImageDraw.ImageDraw,
    rows: list[list[float]],
    radii: Sequence[float],
    color: Fill,
    light: Light,
) -> None:
    # As wide as in its middle: the ends of a long line may lie far off or at the
    # camera's feet.
    width = max(1, round(radii[0] * rows[len(rows) // 2][2]))
    brush.line(
        [(row[0], row[1]) for row in rows],
        fill=color,
        width=width,
        joint="curve" if width > 2 else None,
    )


def _paint_flat(
    brush: ImageDraw.ImageDraw,
    rows: list[list[float]],
    radii: Sequence[float],
    color: Fill,
    light: Light,
) -> None:
    brush.polygon([(row[0], row[1]) for row in rows], fill=color)


FORMS = {"solid": _paint_solid, "line": _paint_line, "flat": _paint_flat}
