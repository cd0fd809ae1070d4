"""Cycling: road and upright bicycles; sitting, out of the saddle, jumping."""

from __future__ import annotations

import math

from . import body
from .body import Pose, look, person
from .brush import Color
from .dice import Dice
from .palette import CLOTH, STEEL
from .stage import Stage, Vec, unit, vec

WHEEL = 0.34
REAR, FRONT = vec(-0.5, WHEEL, 0), vec(0.52, WHEEL, 0)
CRANKS, SADDLE, STEM, FORK = (
    vec(-0.07, 0.29, 0),
    vec(-0.24, 0.96, 0),
    vec(0.36, 0.9, 0),
    vec(0.4, 0.7, 0),
)
TYRE: tuple[Color, ...] = ((20, 20, 22), (26, 26, 28), (36, 34, 34))


def yaw(dice: Dice) -> float:
    """From the side, or more or less in the face, seldom from behind."""
    return dice.pick(
        (
            dice.about(0, 0.6),
            dice.about(0, 0.9),
            dice.about(1.0, 0.5),
            dice.about(-0.9, 0.5),
        )
    )


def play(dice: Dice, stage: Stage) -> None:
    """One rider, or a small bunch."""
    riders = dice.pick((1, 1, 1, 1, 2, 3))
    road = dice.chance(0.6)
    air = dice.about(0.25, 0.35) if dice.chance(0.15) else 0.0
    for number in range(riders):
        with stage.placed(
            -1.5 * number * dice.between(0.5, 1.1),
            max(air, 0),
            dice.between(0.6, 1.2) * number * dice.sign(),
            lean=dice.about(0, 0.22),
            rear=dice.between(0.15, 0.5) if air > 0 else 0,
        ):
            _rider(dice, stage, road, subject=number == 0)


def _rider(dice: Dice, stage: Stage, road: bool, subject: bool) -> None:
    angle = dice.between(0, 2 * math.pi)
    bar = bicycle(dice, stage, road, angle)
    standing = dice.chance(0.25)
    lean = dice.between(0.75, 1.15) if road else dice.between(0.2, 0.65)
    pelvis = SADDLE + vec(0.02, 0.09, 0)
    if standing:
        pelvis = pelvis + vec(0.17, 0.14, 0)
        lean = dice.between(0.6, 0.9)
    chest = pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)
    pedals = [_pedal(angle + half, z) for half, z in ((0.0, -0.12), (math.pi, 0.12))]
    waving = dice.chance(0.06)
    hands = [bar + vec(0, 0.03, -0.22), bar + vec(0, 0.03, 0.22)]
    if waving:
        hands[dice.whole(0, 1)] = chest + vec(0.2, 0.5, 0.3)
    head = unit(vec(math.sin(lean - 0.5), math.cos(lean - 0.5), 0))
    person(
        stage,
        look(dice, ("helmet", "helmet", "helmet", "cap", "bare")),
        Pose(
            pelvis=pelvis,
            chest=chest,
            hands=(hands[0], hands[1]),
            feet=(pedals[0] + vec(-0.08, 0.08, 0), pedals[1] + vec(-0.08, 0.08, 0)),
            knees=(vec(1, 0.4, -0.05), vec(1, 0.4, 0.05)),
            elbows=(vec(-0.3, -1, -0.5), vec(-0.3, -1, 0.5)),
            head=head,
            gaze=vec(1, dice.about(-0.1, 0.2), dice.about(0, 0.4)),
        ),
        subject,
    )
    if subject:
        stage.frames(REAR - vec(WHEEL, WHEEL, 0), FRONT + vec(WHEEL, -WHEEL, 0))


def _pedal(angle: float, z: float) -> Vec:
    return CRANKS + vec(0.17 * math.cos(angle), -0.17 * math.sin(angle), z)


def bicycle(dice: Dice, stage: Stage, road: bool = True, angle: float = 0.6) -> Vec:
    """A bicycle whose wheels stand on y = 0; returns the middle of its handlebar."""
    paint, tyre = dice.pick(CLOTH), dice.pick(TYRE)
    stage.shadow(0, 0, 0.85, 0.2)
    _wheels(dice, stage, road, paint, tyre)
    _frame(stage, paint)
    _cranks(stage, angle)
    return _handlebar(stage, road)


def _wheels(dice: Dice, stage: Stage, road: bool, paint: Color, tyre: Color) -> None:
    wide = 0.045 if road else 0.062
    spokes = dice.pick((5, 7, 9, 0))
    turned = dice.between(0, 1)
    for hub in (REAR, FRONT):
        stage.ring(hub, WHEEL - wide / 2, wide, tyre)
        stage.ring(hub, WHEEL - 1.3 * wide, 0.03, (232, 234, 238))
        for number in range(spokes):
            a = turned + math.pi * number / spokes
            tip = (WHEEL - wide) * vec(math.cos(a), math.sin(a), 0)
            stage.line([hub - tip, hub + tip], 0.006, (150, 152, 156))
        if not spokes:  # a disc wheel or a deep rim
            stage.ring(hub, WHEEL - 2.6 * wide, 0.06, paint)
        stage.solid([(hub, 0.035)], STEEL, nearer=0.02)


def _frame(stage: Stage, paint: Color) -> None:
    top, tube = SADDLE - vec(0.03, 0.2, 0), 0.042
    for side in (-0.05, 0.05):
        z = vec(0, 0, side)
        stage.line([CRANKS + z, REAR + z, top + z], 0.022, paint)
        stage.line([FORK + vec(0.01, 0.02, 0) + z, FRONT + z], 0.028, paint)
    stage.line(
        [CRANKS, top, STEM - vec(-0.005, 0.06, 0), FORK, CRANKS],
        tube,
        paint,
        nearer=0.03,
    )
    stage.line([top, SADDLE - vec(0, 0.02, 0)], 0.03, STEEL)
    stage.solid(
        [(SADDLE - vec(0.1, 0, 0), 0.045), (SADDLE + vec(0.15, -0.01, 0), 0.02)],
        (30, 28, 30),
    )


def _cranks(stage: Stage, angle: float) -> None:
    stage.ring(CRANKS + vec(0, 0, 0.06), 0.09, 0.022, (70, 70, 74), nearer=0.03)
    stage.line(
        [CRANKS + vec(0, 0.09, 0.05), REAR + vec(0, 0.04, 0.05)], 0.01, (50, 50, 52)
    )
    stage.line(
        [CRANKS - vec(0, 0.09, -0.05), REAR - vec(0, 0.04, -0.05)], 0.01, (50, 50, 52)
    )
    for half, offset in ((0.0, -0.07), (math.pi, 0.07)):
        pedal = _pedal(angle + half, offset)
        stage.line([CRANKS + vec(0, 0, offset), pedal], 0.03, (90, 92, 96), nearer=0.02)
        stage.solid(
            [(pedal - vec(0.05, 0, 0), 0.02), (pedal + vec(0.05, 0, 0), 0.02)],
            (46, 46, 48),
        )


def _handlebar(stage: Stage, road: bool) -> Vec:
    bar = STEM + (vec(0.12, 0.06, 0) if road else vec(0.05, 0.16, 0))
    stage.line([STEM - vec(0, 0.02, 0), bar], 0.035, (60, 60, 64))
    stage.line([bar + vec(0, 0, -0.26), bar + vec(0, 0, 0.26)], 0.03, (48, 48, 50))
    if road:
        curve = (
            vec(0, 0, 0),
            vec(0.1, 0, 0),
            vec(0.13, -0.07, 0),
            vec(0.07, -0.15, 0),
            vec(-0.02, -0.15, 0),
        )
        for z in (-0.24, 0.24):
            stage.line(
                [bar + vec(0, 0, z) + point for point in curve], 0.032, (40, 40, 42)
            )
    return bar
