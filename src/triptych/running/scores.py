"""How right a classifier was: counts by class, and a share of right answers with how
sure it is.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> list[list[int]]:
    """Counts of images: rows the true class, columns the predicted."""
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    found: list[list[int]] = counts.reshape(classes, classes).tolist()
    return found


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson, 1927)."""
    z = NormalDist().inv_cdf(0.975)
    middle, scale = (right + z**2 / 2) / (of + z**2), z / (of + z**2)
    half = scale * math.sqrt(right * (of - right) / of + z**2 / 4)
    return (middle - half if right else 0.0), (middle + half if right < of else 1.0)
