"""Cross-country skiing: the diagonal stride, double poling and the skating step."""

from __future__ import annotations

import math

from . import body
from .body import Joints, Pose, look, person
from .brush import Color
from .dice import Dice
from .palette import CLOTH
from .stage import Stage, Vec, unit, vec

HATS = ("beanie", "beanie", "cap", "bare", "helmet")
ANKLE = 0.1
SKIS: tuple[Color, ...] = (
    (214, 38, 44),
    (226, 84, 30),
    (240, 196, 40),
    (230, 60, 110),
)


def yaw(dice: Dice) -> float:
    """Any side, the back least."""
    return dice.pick(
        (
            dice.about(0, 0.6),
            dice.about(0, 0.6),
            dice.about(0.2, 0.9),
            dice.about(1.1, 0.5),
            dice.about(-0.9, 0.5),
        )
    )


def play(dice: Dice, stage: Stage) -> None:
    """One skier, or a few on the same track."""
    style = dice.pick((_stride, _stride, _double_pole, _skate, _skate))
    skiers = dice.pick((1, 1, 1, 1, 2, 3))
    if dice.chance(0.9):
        _tracks(stage)
    for number in range(skiers):
        with stage.placed(
            -2.2 * number * dice.between(0.6, 1.1),
            0,
            1.1 * number * dice.sign(),
            heading=dice.about(0, 0.15),
        ):
            wears = look(dice, HATS, suit=0.4)
            pose, turned = style(dice)
            joints = person(stage, wears, pose, subject=number == 0)
            _gear(dice, stage, joints, turned, number == 0, *_poles(dice, pose))


def _hips(lean: float, height: float) -> tuple[Vec, Vec]:
    pelvis = vec(-0.05, height, 0)
    return pelvis, pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)


def _stride(dice: Dice) -> tuple[Pose, tuple[float, float]]:
    """Opposite arm and leg swing forward; the rear heel lifts."""
    swing = dice.between(0.5, 1) * dice.sign()
    pelvis, chest = _hips(dice.between(0.3, 0.7), dice.between(0.78, 0.88))
    feet, hands = [], []
    for side, z in ((-1, -0.11), (1, 0.11)):
        ahead = swing * side
        feet.append(
            vec(
                0.32 * ahead if ahead > 0 else 0.55 * ahead,
                ANKLE + max(0, -ahead) * 0.14,
                z,
            )
        )
        hands.append(
            chest + vec(0.52 * -ahead - 0.03, -0.22 - 0.12 * (ahead > 0), 2 * z)
        )
    pose = Pose(
        pelvis, chest, (hands[0], hands[1]), (feet[0], feet[1]), toes=_toes(feet)
    )
    return _raised(pose), (0.0, 0.0)


def _double_pole(dice: Dice) -> tuple[Pose, tuple[float, float]]:
    """Both arms push, from reaching high to swung through behind."""
    push = dice.between(0, 1)
    pelvis, chest = _hips(0.3 + 0.75 * push, 0.88 - 0.1 * push)
    reach = vec(
        0.42 - 0.85 * push, 0.05 - 0.38 * math.sin(math.pi * (0.3 + 0.5 * push)), 0
    )
    hands = [chest + reach + vec(0, 0, z) for z in (-0.26, 0.26)]
    feet = [vec(dice.about(0.02, 0.08), ANKLE, z) for z in (-0.12, 0.12)]
    return _raised(
        Pose(pelvis, chest, (hands[0], hands[1]), (feet[0], feet[1]), toes=_toes(feet))
    ), (
        0.0,
        0.0,
    )


def _skate(dice: Dice) -> tuple[Pose, tuple[float, float]]:
    """One bent leg glides, the other is pushed aside; the skis open to a V."""
    side = dice.sign()
    pelvis, chest = _hips(dice.between(0.35, 0.8), dice.between(0.72, 0.82))
    pelvis, chest = pelvis + vec(0, 0, 0.1 * side), chest + vec(0, 0, 0.14 * side)
    push, spread = dice.between(0, 1), dice.between(0.2, 0.42)
    glide, kick = (
        vec(0.1, ANKLE, 0.16 * side),
        vec(-0.3, ANKLE + dice.between(0, 0.12), -0.5 * side),
    )
    feet = [kick, glide] if side > 0 else [glide, kick]
    hands = [
        chest + vec(0.4 - 0.8 * push, -0.05 - 0.25 * push, 1.0 * z)
        for z in (-0.28, 0.28)
    ]
    return _raised(
        Pose(pelvis, chest, (hands[0], hands[1]), (feet[0], feet[1]), toes=_toes(feet))
    ), (
        spread,
        -spread,
    )


def _toes(feet: list[Vec]) -> tuple[Vec, Vec]:
    left, right = (vec(1, -0.15 - 4 * (foot[1] - ANKLE), 0) for foot in feet)
    return left, right


def _raised(pose: Pose) -> Pose:
    """A head that looks along the track however low the chest is."""
    pose.head = unit(0.6 * unit(pose.chest - pose.pelvis) + vec(0.1, 0.5, 0))
    pose.gaze = vec(1, -0.15, 0)
    pose.elbows = (vec(-0.5, -0.7, -0.7), vec(-0.5, -0.7, 0.7))
    return pose


def _poles(dice: Dice, pose: Pose) -> tuple[Vec, Vec]:
    """Directions of the poles, from the hand to the tip: behind the skier, steeper with
    the hand in front.
    """
    directions = []
    for hand in pose.hands:
        ahead = float(hand[0] - pose.chest[0])
        directions.append(
            unit(
                vec(
                    -0.62 + 0.5 * ahead,
                    -0.85 + min(0.0, ahead) * -1.0,
                    dice.about(0, 0.12),
                )
            )
        )
    return directions[0], directions[1]


def _gear(
    dice: Dice,
    stage: Stage,
    joints: Joints,
    turned: tuple[float, float],
    subject: bool,
    *poles: Vec,
) -> None:
    skis, shafts = (
        dice.pick(SKIS),
        dice.pick(((30, 30, 34), (30, 30, 34), (30, 30, 34), dice.pick(CLOTH))),
    )
    stage.shadow(0, 0, 0.8, 0.35)
    for foot, turn in zip(joints.feet, turned, strict=True):
        lift = max(0.0, float(foot[1]) - ANKLE)
        ski(
            stage,
            foot - vec(-0.02, ANKLE - 0.03 + 0.2 * lift, 0),
            turn,
            min(0.5, 2.0 * lift),
            skis,
        )
    for hand, direction in zip(joints.hands, poles, strict=True):
        # A pole is as long as it takes to touch the ground, within what poles measure.
        length = min(1.5, max(1.2, float(hand[1]) / max(0.1, -float(direction[1]))))
        pole(stage, hand, direction, length, shafts)
        if subject:
            stage.frames(hand + 0.8 * length * direction)
    if subject:
        stage.frames(
            joints.feet[0] + vec(0.7, -0.1, 0), joints.feet[1] - vec(0.6, 0.1, 0)
        )


def ski(stage: Stage, middle: Vec, turn: float, tilt: float, color: Color) -> None:
    """A ski with its tip bent up; `tilt` lifts the tail."""
    along = vec(
        math.cos(turn) * math.cos(tilt),
        -math.sin(tilt),
        -math.sin(turn) * math.cos(tilt),
    )
    tip, tail = middle + 0.9 * along, middle - 0.85 * along
    stage.solid([(tail, 0.048), (tip, 0.05)], color)
    for end in (tail, tip):  # white ends, as makers paint them
        stage.solid(
            [(end, 0.049), (end - 0.3 * unit(end - middle), 0.049)],
            (244, 244, 244),
            nearer=0.02,
        )
    stage.solid(
        [(tip, 0.05), (tip + 0.16 * along + vec(0, 0.1, 0), 0.03)], (244, 244, 244)
    )


def pole(stage: Stage, hand: Vec, direction: Vec, length: float, color: Color) -> None:
    """A pole with grip and basket."""
    tip = hand + length * direction
    stage.line([hand - 0.08 * direction, tip], 0.045, color)
    stage.line(
        [hand - 0.1 * direction, hand + 0.06 * direction],
        0.05,
        (30, 30, 32),
        nearer=0.02,
    )
    stage.solid([(tip - 0.08 * direction, 0.06)], (240, 210, 60))


def _tracks(stage: Stage) -> None:
    """A groomed track: ridges side by side, and two deeper grooves for the skis."""
    along = (-9, -4, 0, 4, 9)
    for number in range(-9, 10):
        stage.trace(
            [vec(x, 0, 0.26 * number) for x in along], 0.07, vec(0, 0, 0.08), 0.3, 0.6
        )
    for z in (-0.11, 0.11):
        stage.trace([vec(x, 0, z) for x in along], 0.08, vec(0, 0, 0.08), 0.55, 0.8)
