"""The built-in images: six sports, drawn by the program.

They stand in for the photos of a 2017 talk that cannot be passed on. Each image is a
small scene in space: people posed by their joints, with the gear of their sport, before
scenery that is the same for all sports, seen by a camera with faults. An image is a
pure function of its key, so the set needs no files.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, did_you_mean
from ..built_in import BUILT_IN
from . import (
    bystanders,
    camera,
    climbing,
    cycling,
    gymnastics,
    rowing,
    scenery,
    skating,
    skiing,
)
from .dice import Dice
from .stage import Stage

CLASSES = BUILT_IN["sports"]
TALK_TRAIN: tuple[int, ...] = (1160, 1256, 1558, 1147, 854, 1121)
TALK_TEST: tuple[int, ...] = (290, 314, 390, 287, 214, 280)

_SPORTS = dict(
    zip(CLASSES, (climbing, cycling, gymnastics, rowing, skating, skiing), strict=True)
)

__all__ = ["CLASSES", "TALK_TEST", "TALK_TRAIN", "counts", "draw"]


def counts(total: int, of: tuple[int, ...]) -> tuple[int, ...]:
    """Images per class that sum to `total` in the shares of `of`, at least one a
    class.
    """
    if total < len(of):
        raise UsageError(
            f"{total} images are too few for {len(of)} classes: "
            f"ask for at least {len(of)}"
        )
    # One each first, then largest remainders: a class never vanishes and the sum is
    # exact.
    exact = [total * part / sum(of) for part in of]
    whole = [max(1, int(share)) for share in exact]
    while sum(whole) != total:
        step = 1 if sum(whole) < total else -1
        owed = [
            step * (share - have) if have + step >= 1 else -np.inf
            for share, have in zip(exact, whole, strict=True)
        ]
        whole[int(np.argmax(owed))] += step
    return tuple(whole)


def draw(sport: str, size: int, key: tuple[int, ...]) -> NDArray[np.uint8]:
    """One image of `sport`, shape (size, size, 3). Another size of the same key shows
    the same scene.
    """
    if sport not in _SPORTS:
        raise UsageError(f"there is no sport {sport!r}; {did_you_mean(sport, CLASSES)}")
    # Streams of their own: what the athlete does must not shift what stands behind.
    scene, place, sensor = (Dice(stream, *key) for stream in range(3))
    stage = Stage()
    yaw = _SPORTS[sport].yaw(scene)
    _SPORTS[sport].play(scene, stage)
    canvas = size * _oversampling(size)
    view = camera.aim(scene, yaw, stage.subject, canvas)
    bystanders.scatter(place, stage, yaw)
    light = scenery.light(place)
    image = scenery.paint(place, canvas, view.horizon(), water=sport == "rowing")
    stage.paint(image, view, light, scenery=True)
    image = scenery.grain(place, image)
    stage.paint(image, view, light, scenery=False)
    return camera.develop(image, size, camera.expose(place), sensor)


def _oversampling(size: int) -> int:
    """Painted pixels per pixel: thin poles and spokes need more in small images."""
    return 4 if size <= 80 else 3 if size <= 128 else 2
