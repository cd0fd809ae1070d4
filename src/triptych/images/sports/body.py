"""A person: joints from a few targets, dressed and put on the stage.

A pose says where pelvis, chest, hands and feet are; elbows and knees follow by two-bone
inverse kinematics, bent toward a hint. So hands stay on bars, oars and poles whatever
the rest of the body does. Proportions are those of an adult of 1.75 m, 7.5 heads tall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .brush import Color, brighter, mix
from .dice import Dice
from .palette import CLOTH, HAIR, SKIN
from .stage import Stage, Vec, unit, vec

UPPER_ARM, FOREARM, THIGH, SHIN, TORSO = 0.30, 0.29, 0.44, 0.43, 0.50
UP, DOWN, AHEAD, RIGHT = vec(0, 1, 0), vec(0, -1, 0), vec(1, 0, 0), vec(0, 0, 1)


@dataclass(frozen=True)
class Look:
    """What somebody wears and looks like. Lengths: 0 bare, 1 to elbow or knee, 2 to
    wrist or ankle.
    """

    skin: Color
    hair: Color
    top: Color
    bottom: Color
    shoes: Color
    hat: Color
    headgear: str
    tail: float
    sleeves: float
    legs: float
    build: float
    stripe: Color | None
    gloves: bool


def look(dice: Dice, headgear: tuple[str, ...], suit: float = 0.3) -> Look:
    """Somebody at random; `suit` is the chance that top and bottom are one garment."""
    top = dice.pick(CLOTH)
    skin = dice.pick(SKIN)
    return Look(
        skin=skin,
        hair=dice.pick(HAIR),
        top=top,
        bottom=top if dice.chance(suit) else dice.pick(CLOTH),
        shoes=dice.pick((*CLOTH, skin)),
        hat=dice.pick(CLOTH),
        headgear=dice.pick(headgear),
        tail=dice.between(0.1, 0.3) if dice.chance(0.35) else 0,
        sleeves=dice.pick((0.0, 0.5, 0.5, 1.0, 2.0, 2.0)),
        legs=dice.pick((0.25, 0.6, 0.6, 1.0, 2.0, 2.0, 2.0)),
        build=dice.between(0.9, 1.2),
        stripe=dice.pick(CLOTH) if dice.chance(0.4) else None,
        gloves=dice.chance(0.3),
    )


@dataclass
class Pose:
    """Targets in the figure's space; pairs are (left, right)."""

    pelvis: Vec
    chest: Vec
    hands: tuple[Vec, Vec]
    feet: tuple[Vec, Vec]
    knees: tuple[Vec, Vec] = (AHEAD, AHEAD)
    elbows: tuple[Vec, Vec] = (vec(-0.6, -1, -0.4), vec(-0.6, -1, 0.4))
    toes: tuple[Vec, Vec] = (vec(1, -0.25, 0), vec(1, -0.25, 0))
    hips: Vec = field(default_factory=lambda: RIGHT)
    shoulders: Vec | None = None
    head: Vec | None = None
    gaze: Vec = field(default_factory=lambda: AHEAD)


@dataclass
class Joints:
    """Where the pose ended up, for gear to hold on to; pairs are (left, right)."""

    hands: tuple[Vec, Vec]
    feet: tuple[Vec, Vec]
    knees: tuple[Vec, Vec]
    head: Vec


def bend(
    root: Vec, target: Vec, upper: float, lower: float, hint: Vec
) -> tuple[Vec, Vec]:
    """Middle joint and end of a limb from `root` that reaches for `target` and bends
    toward `hint`.
    """
    reach = target - root
    far = math.sqrt(float(reach @ reach)) + 1e-9
    distance = min(max(far, abs(upper - lower) + 0.12), (upper + lower) * 0.995)
    along = reach / far
    aside = unit(hint - float(hint @ along) * along)
    forward = (upper**2 - lower**2 + distance**2) / (2 * distance)
    out = math.sqrt(max(upper**2 - forward**2, 0))
    return root + along * forward + aside * out, root + along * distance


def person(stage: Stage, wears: Look, pose: Pose, subject: bool = True) -> Joints:
    """Put somebody on the stage."""
    spine = unit(pose.chest - pose.pelvis)
    across = pose.hips if pose.shoulders is None else pose.shoulders
    shoulders = (pose.chest - 0.175 * across, pose.chest + 0.175 * across)
    hips = (pose.pelvis - 0.09 * pose.hips, pose.pelvis + 0.09 * pose.hips)
    elbows, hands, knees, feet = [], [], [], []
    for side in (0, 1):
        elbow, hand = bend(
            shoulders[side], pose.hands[side], UPPER_ARM, FOREARM, pose.elbows[side]
        )
        knee, foot = bend(hips[side], pose.feet[side], THIGH, SHIN, pose.knees[side])
        _arm(stage, wears, shoulders[side], elbow, hand)
        _leg(stage, wears, hips[side], knee, foot, pose.toes[side])
        elbows.append(elbow)
        hands.append(hand)
        knees.append(knee)
        feet.append(foot)
    _torso(stage, wears, shoulders, hips, spine)
    nod = spine if pose.head is None else unit(pose.head)
    head = pose.chest + 0.2 * nod
    _head(stage, wears, pose.chest, head, nod, unit(pose.gaze))
    if subject:
        stage.frames(head + 0.12 * nod, pose.pelvis, *hands, *feet, *knees, *elbows)
    return Joints((hands[0], hands[1]), (feet[0], feet[1]), (knees[0], knees[1]), head)


def _sleeve(
    stage: Stage,
    color: Color,
    length: float,
    chain: tuple[Vec, Vec, Vec],
    radii: tuple[float, float, float],
) -> None:
    """Cloth over the first `length` bones of a limb, a little wider than the limb."""
    for bone in (0, 1):
        part = min(1.0, length - bone)
        if part > 0:
            start, end = chain[bone], chain[bone + 1]
            wide = radii[bone] + part * (radii[bone + 1] - radii[bone])
            stage.solid(
                [
                    (start, radii[bone] * 1.12),
                    (start + part * (end - start), wide * 1.15),
                ],
                color,
                nearer=0.012,
            )


def _arm(stage: Stage, wears: Look, shoulder: Vec, elbow: Vec, hand: Vec) -> None:
    b = wears.build
    radii = (0.058 * b, 0.046 * b, 0.034 * b)
    stage.solid([(shoulder, radii[0]), (elbow, radii[1])], wears.skin)
    stage.solid([(elbow, radii[1]), (hand, radii[2])], wears.skin)
    _sleeve(stage, wears.top, wears.sleeves, (shoulder, elbow, hand), radii)
    tip = hand + 0.05 * unit(hand - elbow)
    stage.solid(
        [(hand, 0.038), (tip, 0.034)],
        wears.hat if wears.gloves else wears.skin,
        nearer=0.02,
    )


def _leg(stage: Stage, wears: Look, hip: Vec, knee: Vec, foot: Vec, toes: Vec) -> None:
    b = wears.build
    radii = (0.092 * b, 0.064 * b, 0.042 * b)
    calf = knee + 0.3 * (foot - knee)
    stage.solid([(hip, radii[0]), (knee, radii[1])], wears.skin)
    stage.solid([(knee, radii[1]), (calf, 0.062 * b), (foot, radii[2])], wears.skin)
    _sleeve(stage, wears.bottom, wears.legs, (hip, knee, foot), radii)
    point = unit(toes)
    stage.solid(
        [(foot - 0.05 * point, 0.046), (foot + 0.17 * point, 0.034)],
        wears.shoes,
        nearer=0.02,
    )


def _torso(
    stage: Stage,
    wears: Look,
    shoulders: tuple[Vec, Vec],
    hips: tuple[Vec, Vec],
    spine: Vec,
) -> None:
    b = wears.build
    stage.solid(
        [
            *((s - 0.03 * spine, 0.085 * b) for s in shoulders),
            *((h + 0.1 * spine, 0.088 * b) for h in hips),
        ],
        wears.top,
    )
    stage.solid(
        [(h + up * spine, 0.095 * b) for h in hips for up in (0.0, 0.09)],
        wears.bottom,
        nearer=0.005,
    )
    if wears.stripe is not None:
        low = (hips[0] + hips[1]) / 2
        high = (shoulders[0] + shoulders[1]) / 2
        reach = 0.62 * (shoulders[1] - shoulders[0])
        band = low + 0.62 * (high - low)
        stage.solid(
            [(band - reach, 0.05), (band + reach, 0.05)], wears.stripe, nearer=0.008
        )


def _head(
    stage: Stage, wears: Look, chest: Vec, head: Vec, nod: Vec, gaze: Vec
) -> None:
    face = unit(gaze - 0.8 * float(gaze @ nod) * nod)
    crown = head + 0.045 * nod
    stage.solid([(chest, 0.06), (head - 0.02 * nod, 0.05)], wears.skin, nearer=0.01)
    stage.solid(
        [(crown, 0.098), (head - 0.045 * nod + 0.025 * face, 0.068)],
        wears.skin,
        nearer=0.03,
    )
    aside = vec(
        face[1] * nod[2] - face[2] * nod[1],
        face[2] * nod[0] - face[0] * nod[2],
        face[0] * nod[1] - face[1] * nod[0],
    )
    for side in (-0.04, 0.04):
        stage.solid(
            [(head + 0.092 * face + side * aside, 0.013)], (30, 26, 26), nearer=0.035
        )
    _HEADGEAR[wears.headgear](stage, wears, crown, nod, face)
    if wears.tail and wears.headgear != "bald":
        knot = crown - 0.1 * face
        stage.solid(
            [(knot, 0.045), (knot - wears.tail * unit(0.6 * face + 0.8 * nod), 0.02)],
            wears.hair,
        )


def _bare(stage: Stage, wears: Look, crown: Vec, nod: Vec, face: Vec) -> None:
    stage.solid(
        [
            (crown - 0.035 * face + 0.025 * nod, 0.098),
            (crown + 0.03 * face + 0.055 * nod, 0.062),
        ],
        wears.hair,
        0.035,
    )


def _bald(stage: Stage, wears: Look, crown: Vec, nod: Vec, face: Vec) -> None:
    pass


def _helmet(stage: Stage, wears: Look, crown: Vec, nod: Vec, face: Vec) -> None:
    top = crown + 0.045 * nod
    stage.solid(
        [(top - 0.05 * face, 0.098), (top + 0.05 * face, 0.085)], wears.hat, nearer=0.05
    )
    stage.line(
        [top - 0.11 * face + 0.05 * nod, top + 0.1 * face + 0.05 * nod],
        0.025,
        brighter(wears.hat, 0.55),
        0.06,
    )


def _cap(stage: Stage, wears: Look, crown: Vec, nod: Vec, face: Vec) -> None:
    top = crown + 0.04 * nod
    stage.solid(
        [(top - 0.02 * face, 0.1), (top + 0.02 * face, 0.09)], wears.hat, nearer=0.04
    )
    stage.solid(
        [(top + 0.08 * face, 0.03), (top + 0.17 * face - 0.01 * nod, 0.02)],
        brighter(wears.hat, 0.8),
        nearer=0.05,
    )


def _beanie(stage: Stage, wears: Look, crown: Vec, nod: Vec, face: Vec) -> None:
    top = crown + 0.04 * nod
    stage.solid(
        [(top - 0.02 * face, 0.105), (top + 0.05 * nod, 0.085)], wears.hat, nearer=0.045
    )
    stage.solid(
        [(top + 0.14 * nod, 0.035)], mix(wears.hat, (255, 255, 255), 0.6), nearer=0.05
    )


_HEADGEAR = {
    "bare": _bare,
    "bald": _bald,
    "helmet": _helmet,
    "cap": _cap,
    "beanie": _beanie,
}
