"""Ties: what gradients show of a decision, and an input that decides otherwise by next
to nothing.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from triptych.network.activation_patterns import decisions, overturned, shown
from triptych.network.architecture import Architecture, sequence
from triptych.network.layers import (
    Dense,
    Flatten,
    HardSigmoid,
    HardSwish,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    ReLU6,
)

NEAR = 1e-6


def decided(layer: Layer, x: NDArray[np.float64]) -> NDArray[np.uint16]:
    made: Architecture = sequence("one", x.shape[1:], [layer, Flatten(), Dense(2)])
    name, kind = made.nodes[0].name, made.nodes[0].inputs[0]
    return decisions(made, {kind: x})[name]


def image(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64).reshape(1, 2, -1, 1)


@pytest.mark.parametrize(
    ("layer", "x", "other"),
    [
        (ReLU(), image(1e-9, -1, 2, 3), image(-1e-9, -1, 2, 3)),
        (ReLU(), image(-1e-9, -1, 2, 3), image(1e-9, -1, 2, 3)),
        (ReLU6(), image(1, 0, 6 - 1e-9, 7), image(1, 1e-9, 6 + 1e-9, 7)),
        (ReLU6(), image(1, 1e-9, 6 + 1e-9, 7), image(1, 0, 6 - 1e-9, 7)),
        (LeakyReLU(), image(1e-9, -1, -1e-9, 3), image(-1e-9, -1, 1e-9, 3)),
        *(
            (layer, image(-3, 0, 3 - 1e-9, 4), image(-3 + 1e-9, 0, 3 + 1e-9, 4))
            for layer in (HardSigmoid(), HardSwish())
        ),
        (MaxPool(), image(1, 3, 2, 3 - 1e-9), image(1, 3 - 1e-9, 2, 3)),
        (MaxPool(), image(3, 3, 3, 3), image(3, 3, 3, 3 + 1e-9)),
    ],
)
def test_a_tie_is_overturned(
    layer: Layer, x: NDArray[np.float64], other: NDArray[np.float64]
) -> None:
    mine, chosen = decided(layer, x), decided(layer, other)
    assert (mine != chosen).any()
    moved = overturned(layer, x, other, mine, chosen, NEAR)
    np.testing.assert_array_equal(decided(layer, moved), chosen)
    assert np.abs(moved - x).max() <= NEAR


@pytest.mark.parametrize(
    ("layer", "x", "other"),
    [
        (ReLU(), image(1e-3, 1, 2, 3), image(-1e-3, 1, 2, 3)),
        (ReLU6(), image(1, 2, 3, 6.01), image(1, 2, 3, 5.99)),
        (HardSwish(), image(1, 2, -3.01, 6), image(1, 2, -2.99, 6)),
        (MaxPool(), image(1, 3, 2, 2.99), image(1, 3, 2, 3.01)),
    ],
)
def test_what_is_no_tie_stays(
    layer: Layer, x: NDArray[np.float64], other: NDArray[np.float64]
) -> None:
    moved = overturned(layer, x, other, decided(layer, x), decided(layer, other), NEAR)
    np.testing.assert_array_equal(moved, x)


def test_gradients_show_what_was_decided() -> None:
    x = image(-1, 2, 3, -4)
    behind = image(5, 5, 0, 5)
    mine = decided(ReLU(), x)
    one = np.ones_like(mine)
    seen = shown(ReLU(), x, behind * (x > 0), behind, one)
    # Where nothing came from behind, it is as `one` has it.
    np.testing.assert_array_equal(seen, mine)
    seen = shown(ReLU6(), x, image(0, 5, 0, 0), behind, mine)
    np.testing.assert_array_equal(seen, mine)
    pool = MaxPool()
    seen = shown(
        pool,
        x,
        image(0, 0, 7, 0),
        np.full((1, 1, 1, 1), 7.0),
        np.zeros((1, 1, 1, 1), np.uint16),
    )
    np.testing.assert_array_equal(seen, np.full((1, 1, 1, 1), 2))
    assert shown(MaxPool(stride=1), x, x, x, mine) is None  # a pixel may have won twice


@pytest.mark.parametrize(
    ("layer", "slopes"),
    [
        (LeakyReLU(0.2), (0.2, 1.0)),
        (HardSigmoid(), (0.0, 1 / 6, 0.0)),
        (HardSwish(), (0.0, -0.5, 1.0)),
    ],
)
def test_each_piece_shows_by_its_slope(layer: Layer, slopes: tuple[float, ...]) -> None:
    """As seen where x is -3, where the inner piece of a hard swish falls by half."""
    x, behind = image(*[-3.0] * 4), image(5.0, -2.0, 0.0, 1e-3)
    mine = np.zeros(x.shape, np.uint16)
    for piece, slope in enumerate(slopes):
        seen = shown(layer, x, slope * behind, behind, mine)
        alike = slopes.index(slope)  # the two ends of a hard sigmoid look the same
        expected = np.where(behind == 0, mine, alike if slope == slopes[0] else piece)
        np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize(
    ("layer", "edge"),
    [
        *((ReLU(), 0), (LeakyReLU(), 0), (ReLU6(), 0), (ReLU6(), 6)),
        *((HardSigmoid(), -3), (HardSigmoid(), 3), (HardSwish(), -3), (HardSwish(), 3)),
    ],
)
def test_what_stands_on_the_very_edge_in_both_is_no_tie(
    layer: Layer, edge: float
) -> None:
    x = image(edge, 1, 2, 3)
    inside = np.ones(x.shape, np.uint16)
    same = overturned(layer, x, x, decided(layer, x), inside, NEAR)
    np.testing.assert_array_equal(same, x)
    rounded = overturned(layer, x, x + 1e-9, decided(layer, x), inside, NEAR)
    np.testing.assert_array_equal(decided(layer, rounded), inside)
