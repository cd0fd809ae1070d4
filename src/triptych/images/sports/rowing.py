"""Rowing: one, two, four or eight in a shell, sculling or sweeping, at any moment."""

from __future__ import annotations

import math
from dataclasses import replace

from . import body
from .body import Pose, look, person
from .brush import Color, brighter, mix
from .dice import Dice
from .palette import CLOTH
from .stage import Stage, Vec, unit, vec

SEAT, SPACING = 0.16, 1.3
BLADES: tuple[Color, ...] = (
    (208, 40, 44),
    (36, 74, 160),
    (32, 120, 84),
    (240, 196, 40),
    (30, 32, 60),
)
HULLS: tuple[Color, ...] = (
    (244, 244, 240),
    (236, 236, 232),
    (226, 190, 118),
    (196, 146, 86),
    (250, 214, 70),
)
HATS = ("bare", "bare", "cap", "cap", "beanie")


def yaw(dice: Dice) -> float:
    """Mostly from the bank, sometimes from bow or stern."""
    return dice.pick(
        (
            dice.about(0, 0.6),
            dice.about(0, 0.6),
            dice.about(0.8, 0.5),
            dice.about(-0.9, 0.5),
        )
    )


def play(dice: Dice, stage: Stage) -> None:
    """A crew in time with itself. Rowers face +x; the boat travels toward -x."""
    crew = dice.pick((1, 1, 1, 2, 2, 4, 4, 8))
    sculling = crew == 1 or (crew < 8 and dice.chance(0.5))
    phase = dice.between(0, 1)
    recovery = dice.chance(0.4)
    blade = dice.pick(BLADES)
    top = look(dice, HATS, suit=0.6)
    uniform = dice.chance(0.6)
    first = crew // 2 if crew > 2 else 0
    boat(dice, stage, SPACING * (crew - 1))
    for number in range(crew):
        wears = look(dice, HATS, suit=0.6)
        if uniform:
            wears = _same_shirt(wears, top)
        with stage.placed(x=SPACING * number):
            sides = (-1.0, 1.0) if sculling else ((-1.0,) if number % 2 else (1.0,))
            stroke = min(1.0, max(0.0, phase + dice.about(0, 0.06)))
            _rower(
                dice,
                stage,
                wears,
                stroke,
                recovery,
                sides,
                blade,
                first <= number <= first + 1,
            )
    stage.reflect(0, dice.between(0.2, 0.45))


def _same_shirt(wears: body.Look, top: body.Look) -> body.Look:
    return replace(
        wears, top=top.top, bottom=top.bottom, sleeves=top.sleeves, stripe=top.stripe
    )


def _rower(
    dice: Dice,
    stage: Stage,
    wears: body.Look,
    stroke: float,
    recovery: bool,
    sides: tuple[float, ...],
    blade: Color,
    subject: bool,
) -> None:
    """`stroke` runs from the catch (0: knees bent, arms out) to the finish (1: legs
    straight, hands in).
    """
    legs, back, arms = (
        min(1.0, max(0.0, (stroke - start) / 0.55)) for start in (0.0, 0.2, 0.45)
    )
    lean = 0.45 - 0.85 * back
    pelvis = vec(0.02 - 0.42 * legs, SEAT + 0.1, 0)
    chest = pelvis + body.TORSO * vec(math.sin(lean), math.cos(lean), 0)
    drawn = vec(0.58 - 0.36 * arms, -0.12 - 0.12 * arms, 0)
    grips = [chest + drawn + vec(0, 0, z) for z in (-0.1, 0.1)]
    for side in sides:
        _oar(dice, stage, grips, side, recovery, blade, len(sides) == 2)
    person(
        stage,
        wears,
        Pose(
            pelvis=pelvis,
            chest=chest,
            hands=(grips[0], grips[1]),
            feet=(vec(0.45, SEAT + 0.04, -0.1), vec(0.45, SEAT + 0.04, 0.1)),
            knees=(vec(0.2, 1, -0.15), vec(0.2, 1, 0.15)),
            elbows=(vec(-0.7, -0.4, -0.6), vec(-0.7, -0.4, 0.6)),
            toes=(vec(0.6, 0.8, 0), vec(0.6, 0.8, 0)),
            head=vec(math.sin(lean * 0.4), 1, 0),
            gaze=vec(1, 0, dice.about(0, 0.3)),
        ),
        subject,
    )
    if subject:
        stage.frames(
            vec(0, -0.05, 0), vec(0.3, 0.1, 1.5 * sides[-1]), pelvis - vec(0.4, 0, 0)
        )


def _oar(
    dice: Dice,
    stage: Stage,
    grips: list[Vec],
    side: float,
    recovery: bool,
    blade: Color,
    scull: bool,
) -> None:
    """From the hands through the oarlock to the blade: in the water on the drive, above
    it after.
    """
    grip = grips[side > 0] if scull else (grips[0] + grips[1]) / 2
    lock = vec(0.3, SEAT + 0.2, 0.78 * side)
    steel: Color = (170, 174, 180)
    stage.line(
        [vec(0.05, SEAT, 0.2 * side), lock, vec(0.55, SEAT, 0.2 * side)], 0.025, steel
    )
    along = unit(lock - grip)
    height = 0.28 if recovery else -0.02
    reach = 1.55
    neck = lock + reach * along
    neck = vec(neck[0], height, neck[2])
    along = unit(neck - lock)
    tip = neck + 0.5 * along
    stage.line([grip - 0.08 * along, neck], 0.06, (238, 238, 234))
    wide = vec(0, 0.02, 0) if recovery else vec(0, 0.14, 0)
    wide = wide + (vec(0.1, 0, 0) if recovery else vec(0.03, 0, 0))
    stage.flat([neck - 0.3 * wide, tip - wide, tip + wide, neck + 0.5 * wide], blade)
    stage.flat(
        [tip - wide, tip + wide, tip + wide - 0.18 * along, tip - wide - 0.18 * along],
        (244, 244, 244),
        0.01,
    )
    if not recovery:
        for _ in range(6):
            drop = tip + vec(
                dice.about(0, 0.4), dice.between(-0.05, 0.22), dice.about(0, 0.3)
            )
            stage.solid(
                [(drop, dice.between(0.02, 0.06))], (236, 242, 246), nearer=0.05
            )


def boat(dice: Dice, stage: Stage, length: float) -> None:
    """A shell for seats from x = 0 to x = `length`, with its reflection."""
    paint = dice.pick((*HULLS, dice.pick(CLOTH)))
    stern, bow = length + 2.6, -3.0
    hull = [
        (vec(bow, 0.12, 0), 0.03),
        (vec(bow + 2.2, 0.06, 0), 0.2),
        (vec(stern - 2.0, 0.06, 0), 0.2),
        (vec(stern, 0.12, 0), 0.03),
    ]
    stage.solid(hull, paint, nearer=-0.15)
    deck = [
        vec(bow, 0.14, 0),
        vec(bow + 1.9, SEAT + 0.02, -0.2),
        vec(stern - 1.8, SEAT + 0.02, -0.2),
        vec(stern, 0.14, 0),
        vec(stern - 1.8, SEAT + 0.02, 0.2),
        vec(bow + 1.9, SEAT + 0.02, 0.2),
    ]
    stage.flat(deck, mix(brighter(paint, 0.6), (60, 50, 40), 0.3), nearer=-0.1)
    stage.line(
        [
            vec(bow, 0.15, 0.02),
            vec(bow + 1.9, 0.17, 0.21),
            vec(stern - 1.8, 0.17, 0.21),
            vec(stern, 0.15, 0.02),
        ],
        0.035,
        (30, 40, 70),
        -0.05,
    )
    stage.flat(
        [
            vec(bow, 0, 0.1),
            vec(bow + 2, -0.02, 0.55),
            vec(stern - 2, -0.02, 0.55),
            vec(stern, 0, 0.1),
        ],
        brighter(paint, 0.45),
        scenery=True,
    )
