"""Operations of the reference that treat every number alike."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from triptych.frameworks.recurrence import logistic
from triptych.frameworks.rounding import Values
from triptych.frameworks.tensors import Pieces, Tensor, stretches
from triptych.network.conventions import HARD_SIGMOID_EDGE

# ---- of straight pieces --------------------------------------------------------------


def relu(x: Tensor) -> Tensor:
    """max(x, 0); its derivative at 0 is 0."""
    return Tensor(
        np.maximum(x.values, 0),
        (x,),
        lambda gradient: (gradient * (x.values > 0),),
        lambda: _edges("relu", x.values, 0.0),
    )


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6); its derivative at 0 and at 6 is 0."""
    inside = (x.values > 0) & (x.values < 6)
    return Tensor(
        np.clip(x.values, 0, 6),
        (x,),
        lambda gradient: (gradient * inside,),
        lambda: _edges("relu6", x.values, 0.0, 6.0),
    )


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """x above 0, slope x elsewhere; its derivative at 0 is the slope."""
    slopes = np.where(x.values > 0, 1.0, slope)
    return Tensor(
        x.values * slopes,
        (x,),
        lambda gradient: (gradient * slopes,),
        lambda: _edges("leaky_relu", x.values, 0.0),
    )


def hard_sigmoid(x: Tensor) -> Tensor:
    """min(max(x / 6 + 1/2, 0), 1); its derivative on both edges is 0."""
    values, inside = _ramp(x.values)
    return Tensor(
        values,
        (x,),
        lambda gradient: (gradient * inside / (2 * HARD_SIGMOID_EDGE),),
        lambda: _edges("hard_sigmoid", x.values, -HARD_SIGMOID_EDGE, HARD_SIGMOID_EDGE),
    )


def hard_swish(x: Tensor) -> Tensor:
    """x times its hard sigmoid; its derivative is 0 on the lower edge, 1 on the
    upper.
    """
    ramp, inside = _ramp(x.values)
    slopes = ramp + x.values * inside / (2 * HARD_SIGMOID_EDGE)
    return Tensor(
        x.values * ramp,
        (x,),
        lambda gradient: (gradient * slopes,),
        lambda: _edges("hard_swish", x.values, -HARD_SIGMOID_EDGE, HARD_SIGMOID_EDGE),
    )


def _ramp(x: Values) -> tuple[Values, Values]:
    """The hard sigmoid, and where it rises."""
    values = np.clip(x / (2 * HARD_SIGMOID_EDGE) + 0.5, 0, 1)
    return values, (np.abs(x) < HARD_SIGMOID_EDGE).astype(np.float64)


def _edges(kind: str, x: Values, *edges: float) -> Pieces:
    """The pieces between the edges of a function, and the edges themselves."""
    found: dict[str, NDArray[np.bool_]] = {}
    for low, high in pairwise((-np.inf, *edges, np.inf)):
        found[f"{kind}: from {low:g} to {high:g}"] = (low < x) & (x < high)
    return found | {f"{kind}: at {edge:g}": x == edge for edge in edges}


# ---- smooth --------------------------------------------------------------------------


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    values = np.tanh(x.values)
    return Tensor(
        values,
        (x,),
        lambda gradient: (gradient * (1 - values**2),),
        lambda: stretches("tanh", x.values),
    )


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    values = logistic(x.values)
    return Tensor(
        values,
        (x,),
        lambda gradient: (gradient * values * (1 - values),),
        lambda: stretches("sigmoid", x.values),
    )


def silu(x: Tensor) -> Tensor:
    """x sigmoid(x)."""
    share = logistic(x.values)
    return Tensor(
        x.values * share,
        (x,),
        lambda gradient: (gradient * (share + x.values * share * (1 - share)),),
        lambda: stretches("silu", x.values),
    )


erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: Tensor) -> Tensor:
    """x Phi(x), with the normal distribution function Phi and its density phi."""
    cumulative = 0.5 * (1 + erf(x.values / math.sqrt(2)))
    density = np.exp(-0.5 * x.values**2) / math.sqrt(2 * math.pi)
    return Tensor(
        x.values * cumulative,
        (x,),
        lambda gradient: (gradient * (cumulative + x.values * density),),
        lambda: stretches("gelu", x.values),
    )
