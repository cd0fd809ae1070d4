"""What gymnasts do: on rings (with their distance), on a beam or a mat at y = 0."""

from __future__ import annotations

import math

from . import body
from .body import Pose
from .dice import Dice
from .stage import Vec, unit, vec

ARMS, LEGS = 0.58, 0.86  # from shoulder to grip, from hips to ankle


def cross(dice: Dice, ring: float) -> tuple[float, Pose]:
    """The iron cross: arms level, legs down or held out."""
    chest = vec(0, ring + dice.about(0.0, 0.1), 0)
    pelvis = chest - vec(dice.about(0, 0.1), body.TORSO, 0)
    legs = pelvis + (vec(0.0, -LEGS, 0) if dice.chance(0.6) else vec(LEGS, 0.05, 0))
    return _held(0.74, ring, pelvis, chest, legs, elbow=vec(-1, 0, 0))


def l_sit(dice: Dice, ring: float) -> tuple[float, Pose]:
    """Support on straight arms, legs level."""
    chest = vec(0, ring + 0.54, 0)
    pelvis = chest - vec(0.08, body.TORSO, 0)
    return _held(
        0.27,
        ring,
        pelvis,
        chest,
        pelvis + LEGS * unit(vec(1, dice.about(0, 0.25), 0)),
        elbow=vec(-1, 0, 0.2),
    )


def hang(dice: Dice, ring: float) -> tuple[float, Pose]:
    """Hanging, at rest or swinging."""
    swing = dice.about(0, 0.9)
    down = vec(math.sin(swing), -math.cos(swing), 0)
    chest = vec(0, ring, 0) + ARMS * 0.97 * down
    pelvis = chest + body.TORSO * down
    legs = pelvis + LEGS * unit(down + vec(dice.about(0.2, 0.5), 0, 0))
    return _held(0.24, ring, pelvis, chest, legs, elbow=vec(-1, 0, 0))


def inverted(dice: Dice, ring: float) -> tuple[float, Pose]:
    """Upside down, arms straight or drawn in."""
    up = unit(vec(dice.about(0, 0.15), 1, 0))
    chest = vec(0, ring, 0) + (ARMS if dice.chance(0.6) else -0.3) * up
    pelvis = chest + body.TORSO * up
    return _held(0.27, ring, pelvis, chest, pelvis + LEGS * up, elbow=vec(-0.6, 0, 1))


def _held(
    wide: float, ring: float, pelvis: Vec, chest: Vec, legs: Vec, elbow: Vec
) -> tuple[float, Pose]:
    side = vec(0, 0, 0.06)
    hands = (vec(0, ring, -wide), vec(0, ring, wide))
    out = vec(float(elbow[0]), float(elbow[1]), -float(elbow[2])), elbow
    return wide, straight(
        Pose(pelvis, chest, hands, (legs - side, legs + side), elbows=out)
    )


def straight(pose: Pose) -> Pose:
    """Toes pointed along the legs, knees toward where the chest faces."""
    legs = [unit(foot - pose.pelvis) for foot in pose.feet]
    pose.toes = (legs[0], legs[1])
    return pose


def scale(dice: Dice) -> Pose:
    """Standing on one leg, the other high behind."""
    pelvis = vec(0, 0.92, 0)
    lean = dice.between(0.7, 1.4)
    chest = pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)
    hands = (chest + vec(0.1, 0.1, -0.56), chest + vec(0.1, 0.1, 0.56))
    feet = (pelvis + vec(-0.8, dice.between(0.0, 0.55), -0.05), vec(0, 0.09, 0))
    return Pose(
        pelvis,
        chest,
        hands,
        feet,
        (vec(0, -1, -0.3), vec(1, 0, 0)),
        toes=(vec(-1, 0.2, 0), vec(1, -0.2, 0)),
        head=vec(0.4, 1, 0),
    )


def leap(dice: Dice) -> Pose:
    """A split in the air."""
    pelvis = vec(0, dice.between(1.1, 1.45), 0)
    chest = pelvis + body.TORSO * unit(vec(dice.about(0, 0.25), 1, 0))
    hands = (chest + vec(0.35, 0.3, -0.35), chest + vec(-0.25, 0.25, 0.45))
    drop = dice.between(-0.25, 0.12)
    return straight(
        Pose(
            pelvis,
            chest,
            hands,
            (pelvis + vec(0.83, drop, -0.05), pelvis + vec(-0.83, drop, 0.05)),
            (vec(0, 1, 0), vec(0.3, -1, 0)),
        )
    )


def handstand(dice: Dice) -> Pose:
    """On the hands, legs together, split or stag."""
    up = unit(vec(dice.about(0, 0.2), 1, 0))
    chest = ARMS * up + vec(0, 0.02, 0)
    pelvis = chest + body.TORSO * up
    split = dice.pick((0.0, 0.0, 0.8, 1.3))
    legs = [
        pelvis + LEGS * unit(math.cos(split) * up + vec(way * math.sin(split), 0, 0))
        for way in (-1, 1)
    ]
    side = vec(0, 0, 0.06)
    front = vec(-1, 0, 0)
    return straight(
        Pose(
            pelvis,
            chest,
            (vec(0, 0.02, -0.18), vec(0, 0.02, 0.18)),
            (legs[0] - side, legs[1] + side),
            (front, front),
            gaze=front,
        )
    )


def cartwheel(dice: Dice) -> Pose:
    """Sideways over the hands, legs wide."""
    turn = dice.about(math.pi, 1.1)
    up = vec(0, -math.cos(turn), -math.sin(turn))
    right = vec(0, math.sin(turn), -math.cos(turn))
    chest = vec(0, 0.62, 0) + 0.05 * up
    pelvis = chest + body.TORSO * up
    legs = [pelvis + LEGS * unit(up * 0.75 + way * right * 0.7) for way in (-1, 1)]
    hands = (vec(0, 0.02, -0.28), vec(0, 0.02, 0.28))
    return straight(
        Pose(
            pelvis, chest, hands, (legs[0], legs[1]), hips=right, elbows=(-right, right)
        )
    )


def bridge(dice: Dice) -> Pose:
    """Bent backwards, hands and feet on the mat."""
    pelvis, chest = vec(0.15, dice.between(0.68, 0.8), 0), vec(-0.32, 0.6, 0)
    back = vec(-1, 0, 0)
    return Pose(
        pelvis,
        chest,
        (vec(-0.62, 0.05, -0.2), vec(-0.62, 0.05, 0.2)),
        (vec(0.6, 0.09, -0.14), vec(0.6, 0.09, 0.14)),
        (vec(1, 0.6, 0), vec(1, 0.6, 0)),
        gaze=vec(-0.3, 1, 0),
        elbows=(back, back),
        head=vec(-0.5, -1, 0),
    )


def split(dice: Dice) -> Pose:
    """Sitting in the splits, arms raised or out."""
    pelvis = vec(0, 0.13, 0)
    chest = pelvis + body.TORSO * unit(vec(dice.about(0.1, 0.4), 1, 0))
    high = dice.between(0.0, 0.5)
    hands = (chest + vec(0, high, -0.5), chest + vec(0, high, 0.5))
    return straight(
        Pose(
            pelvis,
            chest,
            hands,
            (vec(0.85, 0.08, -0.04), vec(-0.85, 0.08, 0.04)),
            (vec(0, 1, 0), vec(0, 1, 0)),
        )
    )


def walk(dice: Dice) -> Pose:
    """Steps on a narrow beam, arms out."""
    pelvis = vec(0, 0.93, 0)
    chest = pelvis + body.TORSO * unit(vec(dice.about(0, 0.2), 1, dice.about(0, 0.2)))
    arms = dice.between(-0.1, 0.4)
    hands = (chest + vec(0, arms, -0.5), chest + vec(0, arms, 0.5))
    free = dice.pick((vec(0.35, 0.1, 0), vec(0.6, 0.6, 0.02), vec(0.1, 0.5, 0.04)))
    return Pose(
        pelvis,
        chest,
        hands,
        (vec(-0.1, 0.09, 0), free),
        toes=(vec(1, -0.2, 0), vec(0.7, -0.7, 0)),
    )
