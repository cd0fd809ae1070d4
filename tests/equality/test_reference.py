"""The reference itself: its gradients against finite differences, which know no
derivatives; its steps.
"""

from __future__ import annotations

import numpy as np
import pytest

from triptych.equality.questions import PROBES, moved_weights, noise, probe
from triptych.frameworks import reference
from triptych.frameworks.contract import Optimizer
from triptych.network.conventions import SLOTS, OptimizerName
from triptych.network.rng import stream

STEP = 3e-6
"""A third of it drowns in the rounding of a loss of 300, three of it cross a ReLU."""


@pytest.mark.parametrize("name", PROBES)
def test_gradients_are_what_finite_differences_say(name: str) -> None:
    network = probe(name)
    weights = {n: w.astype(np.float64) for n, w in moved_weights(network, 3).items()}
    batch = noise(network, (4,), 3)[0]

    def loss(changed: dict[str, np.ndarray]) -> float:
        state = reference.build(network, {**weights, **changed}, "float64")
        return reference.gradients(state, batch.images, batch.labels, batch.masks)[0]

    state = reference.build(network, dict(weights), "float64")
    _, gradients = reference.gradients(state, batch.images, batch.labels, batch.masks)
    for parameter in network.parameters:
        at = weights[parameter]
        direction = stream(0, "direction", parameter).standard_normal(at.shape)
        ahead, behind = (
            loss({parameter: at + step * direction}) for step in (STEP, -STEP)
        )
        measured = (ahead - behind) / (2 * STEP)
        expected = float((gradients[parameter].astype(np.float64) * direction).sum())
        assert measured == pytest.approx(expected, rel=1e-5, abs=1e-8), parameter
        # And the bound is not so wide that it lets another derivative pass.
        if abs(expected) > 1e-6:
            other = pytest.approx(0.999 * expected, rel=1e-5, abs=1e-8)
            assert measured != other, parameter


@pytest.mark.parametrize("name", SLOTS)
def test_an_update_is_what_a_step_takes_off(name: OptimizerName) -> None:
    network, optimizer = probe(PROBES[0]), Optimizer(name)
    state = reference.build(network, moved_weights(network, 3), "float64")
    batch = noise(network, (4,), 3)[0]
    _, gradients = reference.gradients(state, batch.images, batch.labels, batch.masks)
    before = dict(state.weights)
    step = reference.make_step(state, optimizer)
    step(state, batch.images, batch.labels, batch.masks, 0.1)
    for parameter, shape in network.parameters.items():
        change, _ = reference.update(
            optimizer,
            gradients[parameter].astype(np.float64),
            [np.zeros(shape)] * len(SLOTS[name]),
            1,
        )
        assert np.array_equal(
            state.weights[parameter], before[parameter] - 0.1 * change
        ), parameter
