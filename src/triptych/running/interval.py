"""How far a share that was counted can be trusted."""

from __future__ import annotations

import math
from statistics import NormalDist


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson, 1927)."""
    z = NormalDist().inv_cdf(0.975)
    middle, scale = (right + z**2 / 2) / (of + z**2), z / (of + z**2)
    half = scale * math.sqrt(right * (of - right) / of + z**2 / 4)
    return (middle - half if right else 0.0), (middle + half if right < of else 1.0)
