"""Things and people that have nothing to do with the sport in front: they stand behind
any of them.
"""

from __future__ import annotations

from . import climbing, cycling, gymnastics, rowing, skiing
from .body import Pose, look, person
from .dice import Dice
from .stage import Stage, vec


def scatter(dice: Dice, stage: Stage, yaw: float) -> None:
    """A few bystanders and, now and then, the gear of any sport, well behind the middle
    of the stage.
    """
    # From here x runs across the image, -z away from the camera.
    with stage.placed(heading=yaw):
        for _ in range(dice.pick((0, 0, 0, 0, 1, 3))):
            with stage.placed(
                dice.about(0, 7), 0, -dice.between(5, 20), heading=dice.between(0, 6)
            ):
                _onlooker(dice, stage)
        if dice.chance(0.12):
            far = dice.between(4, 10)
            with stage.placed(
                dice.about(0, 0.7 * far), 0, -far, heading=dice.between(0, 6)
            ):
                dice.pick(_LEFT_ALONE)(dice, stage)


def _onlooker(dice: Dice, stage: Stage) -> None:
    """Somebody who stands about."""
    stride = dice.about(0, 0.25)
    chest = vec(0.03, 1.43, 0)
    hands = [
        chest + vec(dice.about(0.1, 0.25), dice.pick((-0.5, -0.5, -0.3, 0.3)), z)
        for z in (-0.28, 0.28)
    ]
    pose = Pose(
        vec(0, 0.93, 0),
        chest,
        (hands[0], hands[1]),
        (vec(stride, 0.08, -0.1), vec(-stride, 0.08, 0.1)),
    )
    person(stage, look(dice, ("bare", "cap", "beanie", "bald")), pose, subject=False)


def _parked(dice: Dice, stage: Stage) -> None:
    cycling.bicycle(dice, stage, road=dice.chance(0.5))


def _moored(dice: Dice, stage: Stage) -> None:
    rowing.boat(dice, stage, 1.3 * dice.whole(0, 3))


def _planted(dice: Dice, stage: Stage) -> None:
    """Skis and poles stuck upright in the ground."""
    for x in (0.0, 0.12, 0.6):
        with stage.placed(x, 0.85, 0, rear=1.5 + dice.about(0, 0.2)):
            skiing.ski(
                stage,
                vec(0, 0, 0),
                0,
                0,
                dice.pick(((208, 44, 48), (36, 74, 160), (244, 196, 52))),
            )
    for x in (-0.2, 0.8):
        skiing.pole(
            stage, vec(x, 1.35, 0), vec(dice.about(0, 0.15), -1, 0), 1.35, (60, 60, 66)
        )


def _boulder(dice: Dice, stage: Stage) -> None:
    """A low wall to climb on."""
    for _ in range(12):
        climbing.hold(
            dice,
            stage,
            vec(0.3, dice.between(0.2, 2.2), dice.about(0, 1.2)),
            rock=False,
        )


_LEFT_ALONE = (
    _parked,
    _parked,
    _moored,
    _planted,
    _boulder,
    gymnastics.stand,
    gymnastics.stand,
)
