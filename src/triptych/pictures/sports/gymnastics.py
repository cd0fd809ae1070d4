"""Gymnastics: rings, high bar, parallel bars, beam, pommel horse and floor."""

from __future__ import annotations

import math

from . import body
from .body import CLOTH, Pose, look, person
from .dice import Dice
from .stage import Colour, Stage, Vec, brighter, unit, vec

ARMS, LEGS = 0.58, 0.86
STEEL: Colour = (188, 190, 194)
WOOD: tuple[Colour, ...] = ((222, 190, 140), (196, 150, 96), (236, 220, 188), (150, 110, 70))
HATS = ("bare", "bare", "bare", "bald")


def yaw(dice: Dice) -> float:
    """Any side; judges sit all around."""
    return dice.pick((dice.about(0, 0.7), dice.about(0, 0.7), dice.about(1.3, 0.7), dice.about(-1.3, 0.7)))


def play(dice: Dice, stage: Stage) -> None:
    """One gymnast on one apparatus."""
    dice.pick((rings, rings, high_bar, high_bar, parallel_bars, parallel_bars, beam, beam, pommel, floor))(dice, stage, True)


def _gymnast(dice: Dice, stage: Stage, pose: Pose) -> None:
    person(stage, look(dice, HATS, suit=0.6), pose)


def rings(dice: Dice, stage: Stage, used: bool) -> None:
    """Two rings on straps: cross, support with legs held out, hang, or upside down."""
    ring = 2.0
    hold = dice.pick((_cross, _l_sit, _hang, _inverted))
    wide, pose = hold(dice, ring)
    strap = dice.pick(((226, 226, 222), (60, 60, 66), (210, 180, 130)))
    for z in (-wide, wide):
        wood = dice.pick(WOOD)
        loop = [vec(0.02 * math.sin(a), ring + 0.1 + 0.12 * math.cos(a), z + 0.12 * math.sin(a)) for a in _TURN]
        stage.line(loop, 0.04, wood, nearer=0.05)
        stage.line([vec(0, ring + 0.22, z), vec(0, ring + 3.4, z * 0.8)], 0.035, strap)
    if dice.chance(0.5):
        frame = dice.pick((STEEL, dice.pick(CLOTH)))
        stage.line([vec(0, 0, -1.6), vec(0, ring + 2.9, -1.2), vec(0, ring + 2.9, 1.2), vec(0, 0, 1.6)], 0.08, frame)
    if used:
        _gymnast(dice, stage, pose)
        stage.frames(vec(0, ring + dice.between(0.3, 1.0), 0))


_TURN = [2 * math.pi * step / 14 for step in range(15)]


def _cross(dice: Dice, ring: float) -> tuple[float, Pose]:
    chest = vec(0, ring + dice.about(0.0, 0.1), 0)
    pelvis = chest - vec(dice.about(0, 0.1), body.TORSO, 0)
    legs = pelvis + (vec(0.0, -LEGS, 0) if dice.chance(0.6) else vec(LEGS, 0.05, 0))
    return _held(0.74, ring, pelvis, chest, legs, elbow=vec(-1, 0, 0))


def _l_sit(dice: Dice, ring: float) -> tuple[float, Pose]:
    chest = vec(0, ring + 0.54, 0)
    pelvis = chest - vec(0.08, body.TORSO, 0)
    return _held(0.27, ring, pelvis, chest, pelvis + LEGS * unit(vec(1, dice.about(0, 0.25), 0)), elbow=vec(-1, 0, 0.2))


def _hang(dice: Dice, ring: float) -> tuple[float, Pose]:
    swing = dice.about(0, 0.9)
    down = vec(math.sin(swing), -math.cos(swing), 0)
    chest = vec(0, ring, 0) + ARMS * 0.97 * down
    pelvis = chest + body.TORSO * down
    legs = pelvis + LEGS * unit(down + vec(dice.about(0.2, 0.5), 0, 0))
    return _held(0.24, ring, pelvis, chest, legs, elbow=vec(-1, 0, 0))


def _inverted(dice: Dice, ring: float) -> tuple[float, Pose]:
    up = unit(vec(dice.about(0, 0.15), 1, 0))
    chest = vec(0, ring, 0) + (ARMS if dice.chance(0.6) else -0.3) * up
    pelvis = chest + body.TORSO * up
    return _held(0.27, ring, pelvis, chest, pelvis + LEGS * up, elbow=vec(-0.6, 0, 1))


def _held(wide: float, ring: float, pelvis: Vec, chest: Vec, legs: Vec, elbow: Vec) -> tuple[float, Pose]:
    side = vec(0, 0, 0.06)
    hands = (vec(0, ring, -wide), vec(0, ring, wide))
    out = vec(float(elbow[0]), float(elbow[1]), -float(elbow[2])), elbow
    return wide, _straight(Pose(pelvis, chest, hands, (legs - side, legs + side), elbows=out))


def _straight(pose: Pose) -> Pose:
    """Toes pointed along the legs, knees towards where the chest faces."""
    legs = [unit(foot - pose.pelvis) for foot in pose.feet]
    pose.toes = (legs[0], legs[1])
    return pose


def high_bar(dice: Dice, stage: Stage, used: bool) -> None:
    """A bar across; the body swings around it, straight or piked."""
    bar, half = dice.between(2.3, 2.7), 1.2
    wood = dice.pick((STEEL, STEEL, *WOOD))
    stage.line([vec(0, bar, -half), vec(0, bar, half)], 0.045, wood)
    for z in (-half, half):
        stage.line([vec(0, 0, z), vec(0, bar + 0.05, z)], 0.06, STEEL)
        stage.line([vec(1.4, 0, z * 1.5), vec(0, bar, z), vec(-1.4, 0, z * 1.5)], 0.018, (120, 120, 124))
    if dice.chance(0.3):  # uneven bars: the lower one
        stage.line([vec(1.2, 1.6, -half), vec(1.2, 1.6, half)], 0.045, wood)
        for z in (-half, half):
            stage.line([vec(1.2, 0, z), vec(1.2, 1.6, z)], 0.06, STEEL)
    if not used:
        return
    swing, pike = dice.between(0, 2 * math.pi), dice.about(0.1, 0.8)
    out = vec(math.sin(swing), -math.cos(swing), 0)
    chest = vec(0, bar, 0) + ARMS * 0.98 * out
    pelvis = chest + body.TORSO * out
    front = vec(math.cos(swing), math.sin(swing), 0)
    legs = pelvis + LEGS * unit(out * math.cos(pike) + front * math.sin(pike))
    apart = vec(0, 0, dice.pick((0.06, 0.06, 0.35)))
    hands = (vec(0, bar, -0.24), vec(0, bar, 0.24))
    _gymnast(
        dice, stage, _straight(Pose(pelvis, chest, hands, (legs - apart, legs + apart), (front, front), gaze=front, elbows=(-front, -front)))
    )
    stage.frames(vec(0, bar, -0.7), vec(0, bar, 0.7))


def parallel_bars(dice: Dice, stage: Stage, used: bool) -> None:
    """Two rails along: support, legs held out, handstand, swing."""
    rail, half, wide = 1.45, 1.5, 0.26
    wood, feet = dice.pick(WOOD), dice.pick((STEEL, dice.pick(CLOTH)))
    for z in (-wide, wide):
        stage.line([vec(-half, rail, z), vec(half, rail, z)], 0.05, wood, nearer=0.03)
        for x in (-1.0, 1.0):
            stage.line([vec(x, 0.06, z), vec(x, rail, z)], 0.06, STEEL)
        stage.line([vec(-1.3, 0.05, z), vec(1.3, 0.05, z)], 0.1, feet)
    if not used:
        return
    lean = dice.pick((0.0, dice.about(0, 0.3), math.pi + dice.about(0, 0.3), dice.about(1.3, 0.4) * dice.sign()))
    upright = math.cos(lean)
    trunk = vec(-math.sin(lean), -upright, 0)  # from the chest to the hips
    chest = vec(0, rail + 0.55, 0)
    pelvis = chest + body.TORSO * trunk
    front = vec(upright, -math.sin(lean), 0)
    pike = dice.pick((0.0, 1.45, 1.3)) if upright > 0.5 else dice.about(0, 0.2)
    legs = pelvis + LEGS * unit(trunk * math.cos(pike) + front * math.sin(pike))
    apart = vec(0, 0, dice.pick((0.06, 0.06, 0.4)))
    hands = (vec(0, rail, -wide), vec(0, rail, wide))
    _gymnast(dice, stage, _straight(Pose(pelvis, chest, hands, (legs - apart, legs + apart), (front, front), gaze=front)))
    stage.frames(vec(-0.9, rail - 0.3, 0), vec(0.9, rail - 0.3, 0))


def beam(dice: Dice, stage: Stage, used: bool) -> None:
    """A beam along: scale, leap, handstand or walking with arms out."""
    top = dice.between(0.9, 1.25)
    cover = dice.pick((*WOOD, dice.pick(CLOTH)))
    for z in (-0.05, 0.05):
        stage.solid([(vec(-2.4, top - 0.09, z), 0.07), (vec(2.4, top - 0.09, z), 0.07)], cover, nearer=-0.1)
    for x in (-1.9, 1.9):
        stage.line([vec(x, top - 0.1, 0), vec(x, 0.05, 0)], 0.09, STEEL)
        stage.line([vec(x, 0.04, -0.6), vec(x, 0.04, 0.6)], 0.08, STEEL)
    if used:
        with stage.placed(y=top):
            _gymnast(dice, stage, dice.pick((_scale, _leap, _handstand, _walk))(dice))
            stage.frames(vec(-0.9, -0.3, 0), vec(0.9, -0.2, 0))


def floor(dice: Dice, stage: Stage, used: bool) -> None:
    """A mat: handstand, leap, cartwheel, bridge, split."""
    mat = dice.pick(CLOTH)
    half = dice.between(1.2, 3)
    stage.flat([vec(-half, 0.03, -2), vec(half, 0.03, -2), vec(half, 0.03, 2), vec(-half, 0.03, 2)], mat, scenery=True)
    if used:
        pose = dice.pick((_handstand, _leap, _cartwheel, _bridge, _split, _scale))
        _gymnast(dice, stage, pose(dice))


def pommel(dice: Dice, stage: Stage, used: bool) -> None:
    """The horse across, with its two handles; straight legs circle over it."""
    top = 1.15
    leather = dice.pick((*WOOD, dice.pick(CLOTH)))
    stage.solid([(vec(0, top - 0.17, z), 0.17) for z in (-0.7, 0.7)], leather, nearer=-0.15)
    for z in (-0.55, 0.55):
        stage.line([vec(0, top - 0.2, z), vec(-0.2, 0, z * 1.3)], 0.07, STEEL)
        stage.line([vec(0, top - 0.2, z), vec(0.2, 0, z * 1.3)], 0.07, STEEL)
    for z in (-0.22, 0.22):
        arch = [vec(-0.1, top, z), vec(-0.08, top + 0.11, z), vec(0.08, top + 0.11, z), vec(0.1, top, z)]
        stage.line(arch, 0.04, (120, 90, 60), nearer=0.05)
    if not used:
        return
    around = dice.between(-2.4, 2.4)
    out = unit(vec(math.cos(around), dice.between(-0.35, 0.1), math.sin(around)))
    chest = vec(0, top + 0.62, 0) - 0.25 * vec(float(out[0]), 0, float(out[2]))
    pelvis = chest + body.TORSO * unit(0.75 * out - vec(0, 0.7, 0))
    legs = pelvis + LEGS * out
    apart = dice.pick((0.06, 0.06, 0.4)) * unit(vec(-float(out[2]), 0.3, float(out[0])))
    hands = (vec(0, top + 0.1, -0.22), vec(0, top + 0.1, 0.22))
    flat = unit(vec(float(out[0]), 0.8, float(out[2])))
    _gymnast(dice, stage, _straight(Pose(pelvis, chest, hands, (legs - apart, legs + apart), (flat, flat), head=vec(0, 1, 0))))
    stage.frames(vec(0, top - 0.4, 0.7), vec(0, top - 0.4, -0.7))


def _scale(dice: Dice) -> Pose:
    """Standing on one leg, the other high behind."""
    pelvis = vec(0, 0.92, 0)
    lean = dice.between(0.7, 1.4)
    chest = pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)
    hands = (chest + vec(0.1, 0.1, -0.56), chest + vec(0.1, 0.1, 0.56))
    feet = (pelvis + vec(-0.8, dice.between(0.0, 0.55), -0.05), vec(0, 0.09, 0))
    return Pose(pelvis, chest, hands, feet, (vec(0, -1, -0.3), vec(1, 0, 0)), toes=(vec(-1, 0.2, 0), vec(1, -0.2, 0)), head=vec(0.4, 1, 0))


def _leap(dice: Dice) -> Pose:
    """A split in the air."""
    pelvis = vec(0, dice.between(1.1, 1.45), 0)
    chest = pelvis + body.TORSO * unit(vec(dice.about(0, 0.25), 1, 0))
    hands = (chest + vec(0.35, 0.3, -0.35), chest + vec(-0.25, 0.25, 0.45))
    drop = dice.between(-0.25, 0.12)
    return _straight(Pose(pelvis, chest, hands, (pelvis + vec(0.83, drop, -0.05), pelvis + vec(-0.83, drop, 0.05)), (vec(0, 1, 0), vec(0.3, -1, 0))))


def _handstand(dice: Dice) -> Pose:
    """On the hands, legs together, split or stag."""
    up = unit(vec(dice.about(0, 0.2), 1, 0))
    chest = ARMS * up + vec(0, 0.02, 0)
    pelvis = chest + body.TORSO * up
    split = dice.pick((0.0, 0.0, 0.8, 1.3))
    legs = [pelvis + LEGS * unit(math.cos(split) * up + vec(way * math.sin(split), 0, 0)) for way in (-1, 1)]
    side = vec(0, 0, 0.06)
    front = vec(-1, 0, 0)
    return _straight(Pose(pelvis, chest, (vec(0, 0.02, -0.18), vec(0, 0.02, 0.18)), (legs[0] - side, legs[1] + side), (front, front), gaze=front))


def _cartwheel(dice: Dice) -> Pose:
    """Sideways over the hands, legs wide."""
    turn = dice.about(math.pi, 1.1)
    up = vec(0, -math.cos(turn), -math.sin(turn))
    right = vec(0, math.sin(turn), -math.cos(turn))
    chest = vec(0, 0.62, 0) + 0.05 * up
    pelvis = chest + body.TORSO * up
    legs = [pelvis + LEGS * unit(up * 0.75 + way * right * 0.7) for way in (-1, 1)]
    hands = (vec(0, 0.02, -0.28), vec(0, 0.02, 0.28))
    return _straight(Pose(pelvis, chest, hands, (legs[0], legs[1]), hips=right, elbows=(-right, right)))


def _bridge(dice: Dice) -> Pose:
    """Bent backwards, hands and feet on the mat."""
    pelvis, chest = vec(0.15, dice.between(0.68, 0.8), 0), vec(-0.32, 0.6, 0)
    back = vec(-1, 0, 0)
    return Pose(pelvis, chest, (vec(-0.62, 0.05, -0.2), vec(-0.62, 0.05, 0.2)), (vec(0.6, 0.09, -0.14), vec(0.6, 0.09, 0.14)), (vec(1, 0.6, 0), vec(1, 0.6, 0)), gaze=vec(-0.3, 1, 0), elbows=(back, back), head=vec(-0.5, -1, 0))


def _split(dice: Dice) -> Pose:
    """Sitting in the splits, arms raised or out."""
    pelvis = vec(0, 0.13, 0)
    chest = pelvis + body.TORSO * unit(vec(dice.about(0.1, 0.4), 1, 0))
    high = dice.between(0.0, 0.5)
    hands = (chest + vec(0, high, -0.5), chest + vec(0, high, 0.5))
    return _straight(Pose(pelvis, chest, hands, (vec(0.85, 0.08, -0.04), vec(-0.85, 0.08, 0.04)), (vec(0, 1, 0), vec(0, 1, 0))))


def _walk(dice: Dice) -> Pose:
    """Steps on a narrow beam, arms out."""
    pelvis = vec(0, 0.93, 0)
    chest = pelvis + body.TORSO * unit(vec(dice.about(0, 0.2), 1, dice.about(0, 0.2)))
    arms = dice.between(-0.1, 0.4)
    hands = (chest + vec(0, arms, -0.5), chest + vec(0, arms, 0.5))
    free = dice.pick((vec(0.35, 0.1, 0), vec(0.6, 0.6, 0.02), vec(0.1, 0.5, 0.04)))
    return Pose(pelvis, chest, hands, (vec(-0.1, 0.09, 0), free), toes=(vec(1, -0.2, 0), vec(0.7, -0.7, 0)))


def stand(dice: Dice, stage: Stage) -> None:
    """An apparatus that nobody uses."""
    dice.pick((rings, high_bar, parallel_bars, beam, pommel))(dice, stage, False)


__all__ = ["brighter", "play", "stand", "yaw"]
