"""The camera: where it stands, and what lens, sensor and file do to the image."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .dice import Dice
from .stage import Vec, View


def aim(dice: Dice, yaw: float, subject: list[Vec], size: int) -> View:
    """A view that shows the subject at 35 to 95 % of the image, not in the middle,
    sometimes cut.
    """
    points = np.array(subject)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    pitch = dice.about(0.07, 0.17)
    fill = dice.about(0.82, 0.13) if dice.chance(0.85) else dice.between(0.36, 0.95)
    drift, cut = (dice.about(0, 1), dice.about(0, 1)), dice.chance(0.06)
    stretch = dice.between(0.86, 1.0) * dice.sign()
    trial = View(
        yaw,
        pitch,
        dice.about(0, 0.13),
        dice.between(4, 11),
        middle,
        1.0,
        (0.0, 0.0),
        stretch,
    )
    seen = trial.project(points)[:, :2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = fill * size / max(float((high - low).max()), 0.5)
    center = []
    for axis in (0, 1):
        extent = scale * float(high[axis] - low[axis])
        free = max(0.0, size - extent)
        # Cut: up to a third of the subject lies outside.
        shift = drift[axis] * (free / 2 + extent / 3 if cut else 0.4 * free)
        center.append(size / 2 - scale * float(high[axis] + low[axis]) / 2 + shift)
    return View(
        yaw,
        pitch,
        trial.roll,
        trial.distance,
        middle,
        scale,
        (center[0], center[1]),
        stretch,
    )


@dataclass(frozen=True)
class Exposure:
    """What happens to the light on its way to the file."""

    gain: NDArray[np.float32]
    lift: float
    gamma: float
    vignette: float
    blur: float
    noise: float
    quality: int


def expose(dice: Dice) -> Exposure:
    """Day, dusk, lamp light; sharp or not; noisy in the dark; file quality 35 to 90."""
    dark = dice.chance(0.05)
    level = dice.between(0.45, 0.7) if dark else dice.between(0.88, 1.12)
    cast = [1 + dice.about(0, 0.08) for _ in range(3)]
    return Exposure(
        gain=np.array([level * part for part in cast], np.float32),
        lift=dice.between(0, 20) if dice.chance(0.3) else 0.0,
        gamma=dice.between(0.9, 1.12),
        vignette=dice.between(0, 0.35),
        blur=dice.pick((0.0, 0.0, 0.003, 0.005, 0.008)) * dice.between(0.5, 1.2),
        noise=dice.between(1.5, 4.5)
        + (dice.between(0, 6) if dark or dice.chance(0.12) else 0.0),
        quality=dice.whole(35, 90),
    )


def develop(
    image: Image.Image, size: int, exposure: Exposure, sensor: Dice
) -> NDArray[np.uint8]:
    """Blur, reduce, expose, add the sensor's noise, and pass through JPEG."""
    image = image.reduce(image.width // size)
    if exposure.blur:
        image = image.filter(ImageFilter.GaussianBlur(exposure.blur * size))
    linear = np.asarray(image, np.float32) / 255
    ramp = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    fall = 1 - exposure.vignette * (ramp[:, None] + ramp[None, :]) / 2
    graded = 255 * (linear * exposure.gain * fall[:, :, None]) ** exposure.gamma
    graded = exposure.lift + graded * (1 - exposure.lift / 255)
    # Noise is as strong in one pixel of a large image as in one of a small one, as
    # with real sensors.
    gray = exposure.noise * sensor.normal(size, size, 1)
    colored = 0.4 * exposure.noise * sensor.normal(size, size, 3)
    graded += gray + colored
    file = io.BytesIO()
    Image.fromarray(np.clip(graded, 0, 255).astype(np.uint8)).save(
        file, "JPEG", quality=exposure.quality
    )
    return np.asarray(Image.open(file).convert("RGB")).copy()
