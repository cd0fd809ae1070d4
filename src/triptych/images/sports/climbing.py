"""Climbing: a figure on a wall of rock or panels with colored holds, roped or not."""

from __future__ import annotations

import math

from . import body
from .body import Joints, Pose, look, person
from .brush import Color, brighter, mix
from .dice import Dice
from .palette import CLOTH, WALLS
from .stage import Stage, Vec, unit, vec

WALL = 0.34  # meters in front of the climber's hips
HATS = ("bare", "bare", "helmet", "helmet", "beanie", "cap")


def yaw(dice: Dice) -> float:
    """From behind, for the climber faces the wall; sometimes along it."""
    return -math.pi / 2 + dice.pick(
        (dice.about(0, 0.7), dice.about(0, 0.9), dice.about(0.9, 0.4) * dice.sign())
    )


def play(dice: Dice, stage: Stage) -> None:
    """One climber, sometimes a second one lower or beside."""
    tilt = dice.pick((0.0, dice.between(-0.25, 0.1), dice.between(0.1, 0.5)))
    rock = dice.chance(0.27)
    with stage.placed(0, 1.0, 0, rear=tilt):
        wall(dice, stage, rock)
        _climber(dice, stage, rock, subject=True)
        if dice.chance(0.12):
            with stage.placed(
                0, dice.between(-2, 0.5), dice.between(1.2, 1.8) * dice.sign()
            ):
                _climber(dice, stage, rock, subject=False)


def _climber(dice: Dice, stage: Stage, rock: bool, subject: bool) -> None:
    """Limbs on four holds: hands above the head, feet below, at least one knee bent
    outwards.
    """
    side = dice.sign()
    pelvis = vec(dice.about(0.02, 0.06), 0, dice.about(0, 0.12))
    sway = dice.about(0, 0.35)
    chest = pelvis + body.TORSO * unit(vec(dice.about(0, 0.2), 1, sway))
    high = vec(
        WALL,
        chest[1] + dice.between(0.3, 0.52),
        chest[2] + side * dice.between(0.05, 0.4),
    )
    low = vec(
        WALL,
        chest[1] + dice.between(-0.15, 0.3),
        chest[2] - side * dice.between(0.25, 0.5),
    )
    stand = vec(
        WALL - 0.1,
        pelvis[1] - dice.between(0.62, 0.8),
        pelvis[2] + side * dice.between(0.0, 0.3),
    )
    step = vec(
        WALL - 0.1,
        pelvis[1] - dice.between(0.1, 0.55),
        pelvis[2] - side * dice.between(0.3, 0.6),
    )
    if dice.chance(0.12):  # a hand off the wall, shaking out or reaching for chalk
        low = pelvis + vec(-0.2, dice.between(-0.1, 0.1), -0.25 * side)
    hands, feet = (
        ((low, high), (step, stand)) if side > 0 else ((high, low), (stand, step))
    )
    wears = look(dice, HATS, suit=0.05)
    joints = person(
        stage,
        wears,
        Pose(
            pelvis,
            chest,
            hands,
            feet,
            knees=(vec(0.25, 0.5, -1), vec(0.25, 0.5, 1)),
            elbows=(vec(-0.3, -0.9, -0.7), vec(-0.3, -0.9, 0.7)),
            toes=(vec(1, 0.1, -0.5), vec(1, 0.1, 0.5)),
            head=vec(-0.25, 1, 0.3 * side * dice.between(0, 1)),
            gaze=vec(1, 0.7, side * 0.7),
        ),
        subject,
    )
    for point in (*joints.hands, *joints.feet):
        hold(dice, stage, vec(WALL, float(point[1]) - 0.02, float(point[2])), rock)
    if dice.chance(0.7):
        _rope(dice, stage, joints, pelvis)


def _rope(dice: Dice, stage: Stage, joints: Joints, pelvis: Vec) -> None:
    """Harness, chalk bag, and a rope from above or from below."""
    color = dice.pick(CLOTH)
    _harness(dice, stage, pelvis)
    tie = pelvis + vec(0.12, 0.08, 0)
    if dice.chance(0.6):
        stage.line(
            [
                tie,
                vec(WALL - 0.08, 1.0, tie[2] + 0.05),
                vec(WALL - 0.1, 5, dice.about(0, 0.8)),
            ],
            0.028,
            color,
        )
    else:
        drop = vec(WALL - 0.15, -5, dice.about(0, 0.8))
        stage.line(
            [tie, (tie + vec(0, -0.7, 0.15)), vec(WALL - 0.1, -1.6, 0.25), drop],
            0.028,
            color,
            nearer=0.05,
        )
        for height in (-1.6, -3.0):
            stage.line(
                [vec(WALL, height + 0.16, 0.25), vec(WALL - 0.1, height, 0.25)],
                0.04,
                (210, 210, 214),
            )


def _harness(dice: Dice, stage: Stage, pelvis: Vec) -> None:
    strap = dice.pick(CLOTH)
    for z in (-0.09, 0.09):
        thigh = pelvis + vec(0, -0.02, z)
        stage.solid(
            [
                (thigh + vec(0, -0.1, 0.4 * z), 0.1),
                (thigh + vec(0, -0.12, 0.4 * z), 0.1),
            ],
            strap,
            0.03,
        )
    stage.solid(
        [(pelvis + vec(0, 0.08, -0.09), 0.1), (pelvis + vec(0, 0.08, 0.09), 0.1)],
        strap,
        nearer=0.02,
    )
    stage.solid(
        [
            (pelvis + vec(-0.13, 0.02, 0.05), 0.06),
            (pelvis + vec(-0.13, -0.08, 0.05), 0.055),
        ],
        dice.pick(CLOTH),
        0.06,
    )


def hold(
    dice: Dice, stage: Stage, at: Vec, rock: bool, color: Color | None = None
) -> None:
    """Something to hold: a knob of any color on panels, a ledge of rock."""
    paint = color or dice.pick(CLOTH)
    if rock:
        reach = vec(0, dice.about(0, 0.05), dice.between(0.06, 0.16))
        below = at - vec(0, 0.07, 0)
        stage.solid(
            [(below - reach, 0.06), (below + reach, 0.05)], (24, 24, 30), nearer=-0.22
        )
        stage.solid(
            [(at - reach, 0.055), (at + reach, 0.04)],
            mix(paint, (128, 122, 116), 0.75),
            nearer=-0.2,
        )
        # Chalk.
        stage.solid(
            [(at + vec(-0.04, 0.03, 0) - 0.5 * reach, 0.035)],
            (246, 246, 246),
            nearer=-0.18,
        )
        return
    reach, thick = (
        vec(0, dice.about(0, 0.07), dice.between(0.01, 0.09)),
        dice.between(0.05, 0.085),
    )
    below = at - vec(0, 0.06, 0)
    stage.solid(
        [(below - reach, thick), (below + reach, 0.05)], (24, 24, 30), nearer=-0.22
    )
    stage.solid([(at - reach, thick), (at + reach, 0.05)], paint, nearer=-0.2)
    if dice.chance(0.4):
        # Chalk.
        stage.solid([(at + vec(-0.05, 0.02, 0), 0.03)], (246, 246, 246), nearer=-0.18)


def wall(dice: Dice, stage: Stage, rock: bool) -> None:
    """The wall in the plane x = WALL, ending somewhere to the left, right or above."""
    paint = dice.pick(WALLS)
    left, right = (
        -dice.pick((9.0, 9.0, dice.between(0.8, 2.2))),
        dice.pick((9.0, 9.0, dice.between(0.8, 2.2))),
    )
    top = dice.pick((9.0, 9.0, dice.between(1.3, 2.5)))
    if rock:
        _rock(dice, stage, paint, left, right, top)
        return
    corners = [(-9.0, left), (top, left), (top, right), (-9.0, right)]
    stage.flat([vec(WALL + 0.05, y, z) for y, z in corners], paint, scenery=True)
    seam = dice.between(1.0, 1.6)
    for number in range(-3, 4):
        for corner in (
            ([-9, top], [number * seam] * 2),
            ([number * seam + 0.4] * 2, [left, right]),
        ):
            ends = [vec(WALL + 0.05, y, z) for y, z in zip(*corner, strict=True)]
            if all(p[1] <= top and left <= p[2] <= right for p in ends):
                stage.line(ends, 0.02, brighter(paint, 0.8), scenery=True, nearer=0.01)
    facet = brighter(paint, dice.pick((0.85, 1.12)))
    y, z = dice.about(0, 1.5), dice.about(0, 1.5)
    if left + 0.8 < z < right - 0.8 and y + 0.8 < top:
        stage.flat(
            [
                vec(WALL + 0.04, y, z - 0.7),
                vec(WALL + 0.04, y + 0.8, z),
                vec(WALL + 0.04, y - 0.2, z + 0.8),
            ],
            facet,
            scenery=True,
        )
    route = dice.pick((None, dice.pick(CLOTH)))
    for _ in range(dice.whole(20, 40)):
        y, z = (
            dice.between(-1.6, min(top, 1.9)),
            dice.between(max(left, -1.9), min(right, 1.9)),
        )
        hold(dice, stage, vec(WALL, y, z), False, route if dice.chance(0.6) else None)


def _rock(
    dice: Dice, stage: Stage, paint: Color, left: float, right: float, top: float
) -> None:
    """A slab with a broken edge, facets in other tones, and cracks."""
    stage.flat(_edge(dice, left, right, top), paint, scenery=True)
    for _ in range(dice.whole(10, 18)):
        y, z = (
            dice.between(-1.8, min(top, 2)),
            dice.between(max(left, -2), min(right, 2)),
        )
        _facet(dice, stage, paint, y, z)
    for _ in range(dice.whole(10, 20)):
        y, z = (
            dice.between(-1.8, min(top, 2)),
            dice.between(max(left, -1.8), min(right, 1.8)),
        )
        hold(dice, stage, vec(WALL, y, z), True)
    for _ in range(dice.whole(4, 8)):
        y, z = (
            dice.between(-2, min(top, 2)),
            dice.between(max(left, -1.5), min(right, 1.5)),
        )
        crack = [
            vec(WALL, y - 0.35 * step, z + dice.about(0, 0.25)) for step in range(4)
        ]
        stage.trace(crack, 0.06, vec(0, 0.02, 0.05), 0.7, 0.35)


def _edge(dice: Dice, left: float, right: float, top: float) -> list[Vec]:
    edge = [vec(WALL + 0.05, -9, left)]
    edge += [
        vec(WALL + 0.05, -2 + number, left + dice.about(0, 0.35))
        for number in range(5)
        if number - 2 < top
    ]
    edge += [
        vec(WALL + 0.05, top + dice.about(0, 0.3), left + (right - left) * share)
        for share in (0.1, 0.35, 0.6, 0.9)
    ]
    edge += [
        vec(WALL + 0.05, 2 - number, right + dice.about(0, 0.35))
        for number in range(5)
        if 2 - number < top
    ]
    return [*edge, vec(WALL + 0.05, -9, right)]


def _facet(dice: Dice, stage: Stage, paint: Color, y: float, z: float) -> None:
    tone = brighter(paint, dice.pick((0.6, 0.75, 1.15, 1.3)))
    spots = [
        (dice.between(0.15, 0.6), turn + dice.about(0, 0.5))
        for turn in (0.0, 1.3, 2.6, 3.9, 5.2)
    ]
    stage.flat(
        [
            vec(WALL + 0.04, y + 0.8 * r * math.sin(a), z + r * math.cos(a))
            for r, a in spots
        ],
        tone,
        scenery=True,
    )
