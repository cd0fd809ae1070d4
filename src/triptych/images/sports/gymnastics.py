"""Gymnastics: rings, high bar, parallel bars, beam, pommel horse and floor."""

from __future__ import annotations

import math

from . import body, moves
from .body import Pose, look, person
from .brush import Color
from .dice import Dice
from .palette import CLOTH, STEEL, WOOD
from .stage import Stage, unit, vec

CHALK: Color = (246, 246, 242)
MATS: tuple[Color, ...] = (
    (40, 140, 80),
    (120, 56, 164),
    (30, 160, 190),
    (236, 130, 40),
    (244, 196, 52),
)
HATS = ("bare", "bare", "bare", "bald")


def yaw(dice: Dice) -> float:
    """Any side; judges sit all around."""
    return dice.pick(
        (
            dice.about(0, 0.7),
            dice.about(0, 0.7),
            dice.about(1.3, 0.7),
            dice.about(-1.3, 0.7),
        )
    )


def play(dice: Dice, stage: Stage) -> None:
    """One gymnast on one apparatus."""
    often = (rings, rings, high_bar, high_bar, parallel_bars, parallel_bars, beam, beam)
    apparatus = dice.pick((*often, pommel, floor))
    apparatus(dice, stage, True)


def _gymnast(dice: Dice, stage: Stage, pose: Pose) -> None:
    person(stage, look(dice, HATS, suit=0.6), pose)


def _mats(dice: Dice, stage: Stage) -> None:
    """Mats of one color, laid side by side; their white borders make a grid."""
    color, side = dice.pick(MATS), dice.between(0.8, 1.2)
    for row in (-1, 0, 1):
        for column in (-2, -1, 0, 1, 2):
            for half, paint, over in (
                (side / 2, CHALK, 0.0),
                (0.44 * side, color, 0.01),
            ):
                x, z = column * side, row * side
                corners = (
                    (x - half, z - half),
                    (x + half, z - half),
                    (x + half, z + half),
                    (x - half, z + half),
                )
                stage.flat(
                    [vec(a, 0, b) for a, b in corners], paint, over, scenery=True
                )
    stage.shadow(0, 0, 0.5, 0.3)


def rings(dice: Dice, stage: Stage, used: bool) -> None:
    """Two rings on straps: cross, support with legs held out, hang, or upside down."""
    ring = 2.0
    hold = dice.pick((moves.cross, moves.l_sit, moves.hang, moves.inverted))
    wide, pose = hold(dice, ring)
    strap = dice.pick(((226, 226, 222), (60, 60, 66), (210, 180, 130)))
    for z in (-wide, wide):
        wood = dice.pick(WOOD)
        loop = [
            vec(
                0.02 * math.sin(a),
                ring + 0.1 + 0.12 * math.cos(a),
                z + 0.12 * math.sin(a),
            )
            for a in _TURN
        ]
        stage.line(loop, 0.07, wood, nearer=0.05)
        stage.line([vec(0, ring + 0.22, z), vec(0, ring + 3.4, z * 0.8)], 0.05, strap)
    if dice.chance(0.5):
        frame = dice.pick((STEEL, dice.pick(CLOTH)))
        stage.line(
            [
                vec(0, 0, -1.6),
                vec(0, ring + 2.9, -1.2),
                vec(0, ring + 2.9, 1.2),
                vec(0, 0, 1.6),
            ],
            0.08,
            frame,
        )
    if used:
        _mats(dice, stage)
        _gymnast(dice, stage, pose)
        stage.frames(vec(0, ring + dice.between(0.3, 1.0), 0))


_TURN = [2 * math.pi * step / 14 for step in range(15)]


def high_bar(dice: Dice, stage: Stage, used: bool) -> None:
    """A bar across; the body swings around it, straight or piked."""
    bar, half = dice.between(2.3, 2.7), 1.2
    wood = dice.pick((STEEL, STEEL, *WOOD))
    stage.line([vec(0, bar, -half), vec(0, bar, half)], 0.08, wood)
    stage.line(
        [vec(0, bar, -0.5), vec(0, bar, 0), vec(0, bar, 0.5)], 0.085, CHALK, nearer=0.01
    )
    pad = dice.pick(CLOTH)
    for z in (-half, half):
        stage.line([vec(0, 0, z), vec(0, bar + 0.05, z)], 0.08, STEEL)
        stage.line([vec(0, 0, z), vec(0, 0.6 * bar, z)], 0.14, pad, nearer=0.01)
        stage.line(
            [vec(1.4, 0, z * 1.5), vec(0, bar, z), vec(-1.4, 0, z * 1.5)],
            0.018,
            (120, 120, 124),
        )
    if dice.chance(0.3):  # uneven bars: the lower one
        stage.line([vec(1.2, 1.6, -half), vec(1.2, 1.6, half)], 0.08, wood)
        for z in (-half, half):
            stage.line([vec(1.2, 0, z), vec(1.2, 1.6, z)], 0.06, STEEL)
    if not used:
        return
    _mats(dice, stage)
    swing, pike = dice.between(0, 2 * math.pi), dice.about(0.1, 0.8)
    out = vec(math.sin(swing), -math.cos(swing), 0)
    chest = vec(0, bar, 0) + moves.ARMS * 0.98 * out
    pelvis = chest + body.TORSO * out
    front = vec(math.cos(swing), math.sin(swing), 0)
    legs = pelvis + moves.LEGS * unit(out * math.cos(pike) + front * math.sin(pike))
    apart = vec(0, 0, dice.pick((0.06, 0.06, 0.35)))
    hands = (vec(0, bar, -0.24), vec(0, bar, 0.24))
    _gymnast(
        dice,
        stage,
        moves.straight(
            Pose(
                pelvis,
                chest,
                hands,
                (legs - apart, legs + apart),
                (front, front),
                gaze=front,
                elbows=(-front, -front),
            )
        ),
    )
    stage.frames(vec(0, bar, -0.7), vec(0, bar, 0.7))


def parallel_bars(dice: Dice, stage: Stage, used: bool) -> None:
    """Two rails along: support, legs held out, handstand, swing."""
    rail, half, wide = 1.45, 1.5, 0.26
    wood, feet = dice.pick(WOOD), dice.pick((STEEL, dice.pick(CLOTH)))
    for z in (-wide, wide):
        stage.line([vec(-half, rail, z), vec(half, rail, z)], 0.09, wood, nearer=0.03)
        stage.line(
            [vec(-0.5, rail, z), vec(0, rail, z), vec(0.5, rail, z)],
            0.095,
            CHALK,
            nearer=0.04,
        )
        for x in (-1.0, 1.0):
            stage.line([vec(x, 0.06, z), vec(x, rail, z)], 0.06, STEEL)
        stage.line([vec(-1.3, 0.05, z), vec(1.3, 0.05, z)], 0.1, feet)
    if not used:
        return
    _mats(dice, stage)
    lean = dice.pick(
        (
            0.0,
            dice.about(0, 0.3),
            math.pi + dice.about(0, 0.3),
            dice.about(1.3, 0.4) * dice.sign(),
        )
    )
    upright = math.cos(lean)
    trunk = vec(-math.sin(lean), -upright, 0)  # from the chest to the hips
    chest = vec(0, rail + 0.55, 0)
    pelvis = chest + body.TORSO * trunk
    front = vec(upright, -math.sin(lean), 0)
    pike = dice.pick((0.0, 1.45, 1.3)) if upright > 0.5 else dice.about(0, 0.2)
    legs = pelvis + moves.LEGS * unit(trunk * math.cos(pike) + front * math.sin(pike))
    apart = vec(0, 0, dice.pick((0.06, 0.06, 0.4)))
    hands = (vec(0, rail, -wide), vec(0, rail, wide))
    ends = (legs - apart, legs + apart)
    pose = Pose(pelvis, chest, hands, ends, (front, front), gaze=front)
    _gymnast(dice, stage, moves.straight(pose))
    stage.frames(vec(-0.9, rail - 0.3, 0), vec(0.9, rail - 0.3, 0))


def beam(dice: Dice, stage: Stage, used: bool) -> None:
    """A beam along: scale, leap, handstand or walking with arms out."""
    top = dice.between(0.9, 1.25)
    cover = dice.pick((*WOOD, dice.pick(CLOTH)))
    for z in (-0.05, 0.05):
        stage.solid(
            [(vec(-2.4, top - 0.09, z), 0.07), (vec(2.4, top - 0.09, z), 0.07)],
            cover,
            nearer=-0.1,
        )
    for x in (-1.9, 1.9):
        stage.line([vec(x, top - 0.1, 0), vec(x, 0.05, 0)], 0.09, STEEL)
        stage.line([vec(x, 0.04, -0.6), vec(x, 0.04, 0.6)], 0.08, STEEL)
    if used:
        _mats(dice, stage)
        with stage.placed(y=top):
            _gymnast(
                dice,
                stage,
                dice.pick((moves.scale, moves.leap, moves.handstand, moves.walk))(dice),
            )
            stage.frames(vec(-0.9, -0.3, 0), vec(0.9, -0.2, 0))


def floor(dice: Dice, stage: Stage, used: bool) -> None:
    """A mat: handstand, leap, cartwheel, bridge, split."""
    _mats(dice, stage)
    if used:
        pose = dice.pick(
            (
                moves.handstand,
                moves.leap,
                moves.cartwheel,
                moves.bridge,
                moves.split,
                moves.scale,
            )
        )
        _gymnast(dice, stage, pose(dice))


def pommel(dice: Dice, stage: Stage, used: bool) -> None:
    """The horse across, with its two handles; straight legs circle over it."""
    top = 1.15
    leather = dice.pick((*WOOD, dice.pick(CLOTH)))
    stage.solid(
        [(vec(0, top - 0.17, z), 0.17) for z in (-0.7, 0.7)], leather, nearer=-0.15
    )
    for z in (-0.55, 0.55):
        stage.line([vec(0, top - 0.2, z), vec(-0.2, 0, z * 1.3)], 0.07, STEEL)
        stage.line([vec(0, top - 0.2, z), vec(0.2, 0, z * 1.3)], 0.07, STEEL)
    for z in (-0.22, 0.22):
        arch = [
            vec(-0.1, top, z),
            vec(-0.08, top + 0.11, z),
            vec(0.08, top + 0.11, z),
            vec(0.1, top, z),
        ]
        stage.line(arch, 0.04, (120, 90, 60), nearer=0.05)
    if not used:
        return
    _mats(dice, stage)
    around = dice.between(-2.4, 2.4)
    out = unit(vec(math.cos(around), dice.between(-0.35, 0.1), math.sin(around)))
    chest = vec(0, top + 0.62, 0) - 0.25 * vec(float(out[0]), 0, float(out[2]))
    pelvis = chest + body.TORSO * unit(0.75 * out - vec(0, 0.7, 0))
    legs = pelvis + moves.LEGS * out
    apart = dice.pick((0.06, 0.06, 0.4)) * unit(vec(-float(out[2]), 0.3, float(out[0])))
    hands = (vec(0, top + 0.1, -0.22), vec(0, top + 0.1, 0.22))
    flat = unit(vec(float(out[0]), 0.8, float(out[2])))
    ends = (legs - apart, legs + apart)
    pose = Pose(pelvis, chest, hands, ends, (flat, flat), head=vec(0, 1, 0))
    _gymnast(dice, stage, moves.straight(pose))
    stage.frames(vec(0, top - 0.4, 0.7), vec(0, top - 0.4, -0.7))


def stand(dice: Dice, stage: Stage) -> None:
    """An apparatus that nobody uses."""
    dice.pick((rings, high_bar, parallel_bars, beam, pommel))(dice, stage, False)
