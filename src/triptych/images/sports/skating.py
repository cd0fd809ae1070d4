"""Skating: the speed skater's crouch, spirals, spins, jumps and plain gliding."""

from __future__ import annotations

import math

from . import body
from .body import Joints, Pose, look, person
from .brush import Color, brighter
from .dice import Dice
from .palette import CLOTH
from .stage import Stage, Vec, unit, vec

ANKLE = 0.17  # boots stand high: blade, holder, sole
HATS = ("bare", "bare", "bare", "helmet", "beanie")


def yaw(dice: Dice) -> float:
    """Any side."""
    return dice.pick(
        (
            dice.about(0, 0.7),
            dice.about(0, 0.7),
            dice.about(1.2, 0.7),
            dice.about(-1, 0.6),
        )
    )


def play(dice: Dice, stage: Stage) -> None:
    """One skater, a pair, or a small pack."""
    style = dice.pick(
        (_crouch, _crouch, _crouch, _spiral, _spin, _glide, _glide, _jump)
    )
    skaters = dice.pick((1, 1, 1, 1, 2, 3))
    _rink(dice, stage)
    _scratches(dice, stage)
    for number in range(skaters):
        with stage.placed(
            -1.5 * number * dice.between(0.4, 1),
            0,
            0.9 * number * dice.sign(),
            lean=dice.about(0, 0.2),
        ):
            joints = person(
                stage,
                look(dice, HATS, suit=0.6),
                pose := style(dice),
                subject=number == 0,
            )
            _skates(dice, stage, joints, pose)
    stage.reflect(0, dice.between(0.25, 0.5))


def _crouch(dice: Dice) -> Pose:
    """Back level, one knee deeply bent, the other leg pushed out; arms swing or rest on
    the back.
    """
    side, push = dice.sign(), dice.between(0, 1)
    lean = dice.between(1.05, 1.45)
    pelvis = vec(-0.15, dice.between(0.68, 0.8), 0)
    chest = pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)
    glide = vec(0.05, ANKLE, 0.05 * side)
    kick = vec(
        -0.25 - 0.35 * push, ANKLE + 0.12 * (1 - push), -0.2 * side - 0.45 * push * side
    )
    rest = pelvis + vec(0.12, 0.16, 0)
    swing = chest + vec(0.3 * dice.sign() + 0.1, -0.4, -0.2 * side)
    back = chest + vec(-0.35, dice.between(-0.05, 0.25), 0.42 * side)
    arms = dice.pick(((rest, rest), (swing, rest), (swing, back), (swing, back)))
    return Pose(
        pelvis,
        chest,
        _sided(side, arms),
        _sided(side, (kick, glide)),
        toes=(vec(1, -0.1, 0), vec(1, -0.1, 0)),
        elbows=(vec(-0.4, 0.3, -1), vec(-0.4, 0.3, 1)),
        head=unit(vec(0.85, 0.6, 0)),
        gaze=vec(1, 0.1, 0),
    )


def _spiral(dice: Dice) -> Pose:
    """One leg carries, the other is lifted behind above the hip; arms open."""
    side, lift = dice.sign(), dice.between(0.0, 0.5)
    lean = dice.between(0.9, 1.4)
    pelvis = vec(0, ANKLE + 0.82, 0)
    chest = pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)
    free = pelvis + vec(-0.8, lift, -0.1 * side)
    hands = (chest + vec(0.25, 0.2, -0.5), chest + vec(0.25, 0.2, 0.5))
    if dice.chance(0.5):
        hands = (chest + vec(0.5, 0.25, -0.2), chest + vec(-0.4, 0.3, 0.4))
    knees = (vec(0.3, -1, -0.2), vec(1, 0, 0))
    if side < 0:
        knees = (vec(1, 0, 0), vec(0.3, -1, 0.2))
    return Pose(
        pelvis,
        chest,
        hands,
        _sided(side, (free, vec(0.02, ANKLE, 0))),
        toes=_sided(side, (vec(-1, -0.1, 0), vec(1, -0.1, 0))),
        knees=knees,
        head=unit(vec(0.5, 0.8, 0)),
        gaze=vec(1, 0.2, 0),
    )


def _spin(dice: Dice) -> Pose:
    """Upright on one skate or deep on it; the free foot at the knee or held forward."""
    side = dice.sign()
    if dice.chance(0.4):
        pelvis = vec(-0.2, ANKLE + 0.33, 0)
        chest = pelvis + body.TORSO * unit(vec(0.75, 0.8, 0))
        free = vec(0.62, ANKLE + 0.12, -0.15 * side)
        hands = (free + vec(-0.1, 0.15, -0.1), free + vec(-0.1, 0.15, 0.1))
    else:
        pelvis = vec(0, ANKLE + 0.84, 0)
        chest = pelvis + body.TORSO * unit(
            vec(dice.about(0, 0.4), 1, dice.about(0, 0.15))
        )
        free = vec(0.12, ANKLE + 0.4, 0.05 * side)
        high = dice.pick((vec(0.05, 0.62, 0), vec(0.3, 0.0, 0), vec(0.1, 0.2, 0)))
        apart = 0.08 if high[1] > 0.5 else 0.5 if high[1] > 0.1 else 0.1
        hands = (chest + high - vec(0, 0, apart), chest + high + vec(0, 0, apart))
    return Pose(
        pelvis,
        chest,
        hands,
        _sided(side, (free, vec(0.02, ANKLE, 0))),
        toes=(vec(1, -0.4, 0), vec(1, -0.1, 0)),
        elbows=(vec(-0.2, -0.2, -1), vec(-0.2, -0.2, 1)),
    )


def _glide(dice: Dice) -> Pose:
    """Leaning a little, knees soft, one foot in front."""
    side = dice.sign()
    lean = dice.between(0.1, 0.6)
    pelvis = vec(-0.05, ANKLE + dice.between(0.68, 0.8), 0)
    chest = pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)
    free = vec(-0.4, ANKLE + dice.between(0, 0.3), -0.3 * side)
    arms = (
        chest + vec(0.35, dice.about(-0.25, 0.3), -0.4),
        chest + vec(dice.about(-0.1, 0.4), dice.about(-0.25, 0.3), 0.45),
    )
    return Pose(
        pelvis,
        chest,
        arms,
        _sided(side, (free, vec(0.15, ANKLE, 0.06 * side))),
        toes=(vec(1, -0.3, 0), vec(1, -0.1, 0)),
        elbows=(vec(-0.5, -0.6, -1), vec(-0.5, -0.6, 1)),
        gaze=vec(1, 0, dice.about(0, 0.6)),
    )


def _jump(dice: Dice) -> Pose:
    """In the air: a split, or legs crossed and arms held in."""
    up = dice.between(0.25, 0.6)
    pelvis = vec(0, ANKLE + 0.8 + up, 0)
    chest = pelvis + body.TORSO * unit(vec(0.15, 1, 0))
    if dice.chance(0.5):
        feet = (pelvis + vec(0.75, -0.25, -0.1), pelvis + vec(-0.75, -0.2, 0.1))
        hands = (chest + vec(0.2, 0.15, -0.5), chest + vec(-0.2, 0.15, 0.5))
    else:
        feet = (pelvis + vec(0.06, -0.83, 0.04), pelvis + vec(-0.03, -0.84, -0.04))
        hands = (chest + vec(0.22, -0.12, 0.08), chest + vec(0.24, -0.16, -0.08))
    return Pose(pelvis, chest, hands, feet, toes=(vec(0.7, -0.7, 0), vec(0.7, -0.7, 0)))


def _sided(side: float, pair: tuple[Vec, Vec]) -> tuple[Vec, Vec]:
    """The pair as it is for a side of 1, exchanged for -1."""
    return pair if side > 0 else (pair[1], pair[0])


def _skates(dice: Dice, stage: Stage, joints: Joints, pose: Pose) -> None:
    steel: Color = dice.pick(((240, 244, 250), (214, 222, 232)))
    boots = dice.pick(
        (
            (246, 246, 246),
            (246, 246, 246),
            (246, 246, 246),
            (28, 28, 32),
            dice.pick(CLOTH),
        )
    )
    stage.shadow(0, 0, 0.5, 0.35)
    wheels = dice.chance(0.12)
    for foot, knee, toes in zip(joints.feet, joints.knees, pose.toes, strict=True):
        point = unit(toes)
        shin = unit(foot - knee)
        sole = unit(shin - float(shin @ point) * point)
        stage.solid(
            [
                (foot - 0.08 * sole, 0.066),
                (foot - 0.04 * point + 0.03 * sole, 0.066),
                (foot + 0.16 * point + 0.03 * sole, 0.05),
            ],
            boots,
            nearer=0.03,
        )
        under = foot, point, sole
        if wheels:
            _wheels(stage, under, brighter(boots, 0.6))
        else:
            _blade(stage, under, steel)


def _ends(foot: Vec, point: Vec, sole: Vec) -> tuple[Vec, Vec]:
    """Heel and tip of what is under a boot."""
    return foot - 0.13 * point + 0.14 * sole, foot + 0.26 * point + 0.14 * sole


def _wheels(stage: Stage, under: tuple[Vec, Vec, Vec], color: Color) -> None:
    heel, tip = _ends(*under)
    for share in (0.1, 0.37, 0.64, 0.9):
        stage.solid([(heel + share * (tip - heel), 0.042)], color, nearer=0.025)


def _blade(stage: Stage, under: tuple[Vec, Vec, Vec], steel: Color) -> None:
    foot, point, sole = under
    heel, tip = _ends(*under)
    for along in (-0.05, 0.14):
        post = foot + along * point
        stage.line([post + 0.05 * sole, post + 0.13 * sole], 0.03, steel, 0.02)
    stage.line([heel, tip, tip + 0.04 * point - 0.04 * sole], 0.055, steel, nearer=0.03)


def _rink(dice: Dice, stage: Stage) -> None:
    """Lines and a circle under most rinks' ice, red or blue with white borders."""
    if dice.chance(0.15):
        return
    paint: Color = dice.pick(((206, 40, 48), (34, 84, 190)))
    x, z, radius, turn = (
        dice.about(0, 0.8),
        dice.about(0, 0.8),
        dice.between(1.0, 1.8),
        dice.about(0, 0.5),
    )
    circle = [
        vec(x + radius * math.cos(a), 0, z + radius * math.sin(a)) for a in _ROUND
    ]
    across = [
        vec(x + reach * math.cos(turn), 0, z + reach * math.sin(turn))
        for reach in (-9, 0, 9)
    ]
    for points in (circle, across):
        stage.line(points, 0.24, (246, 248, 250), scenery=True)
        stage.line(points, 0.13, paint, nearer=0.01, scenery=True)


_ROUND = [math.tau * step / 24 for step in range(25)]


def _scratches(dice: Dice, stage: Stage) -> None:
    """Arcs that blades have cut."""
    for _ in range(dice.whole(10, 20)):
        x, z, radius, start = (
            dice.about(0, 2.5),
            dice.about(0, 2.5),
            dice.between(0.5, 5),
            dice.between(0, 6),
        )
        arc = [
            vec(x + radius * math.cos(start + a), 0, z + radius * math.sin(start + a))
            for a in _SWEEP
        ]
        stage.trace(arc, 0.055, vec(0.045, 0, 0.045), 0.3, 0.9)


_SWEEP = (0, 0.2, 0.4, 0.6, 0.8, 1.0)
