"""What rounding may do is no difference, and nothing else passes for it.

The answers that are judged here are the reference's, changed by hand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from triptych.equality.judgement import Answered, Discrepancy, judge
from triptych.equality.questions import (
    first_step_case,
    moved_weights,
    noise,
    nudged_reference,
)
from triptych.frameworks import reference
from triptych.frameworks.contract import Optimizer
from triptych.frameworks.rounding import rounded, rounding_to, summed
from triptych.images.batches import Batch
from triptych.images.sports import CLASSES, draw
from triptych.network.architecture import Architecture, sequence
from triptych.network.conventions import ULP, OptimizerName, Precision
from triptych.network.layers import BatchNorm, Conv, Dense, Flatten, ReLU
from triptych.network.weights import Weights, initial_weights
from triptych.running.exam import Answers, Case, answer, named_gradients, trajectory

SIZE = 48
NORMED = sequence(
    "normed",
    (SIZE, SIZE, 3),
    [Conv(filters=8), BatchNorm(), ReLU(), Conv(filters=4), Flatten(), Dense(6)],
)
FLAT = sequence("flat", (5, 4, 3), [Flatten(), Dense(4), ReLU(), Dense(3)])


def drawn(count: int) -> Batch:
    images = np.stack([draw(CLASSES[n % 6], SIZE, (0, n)) for n in range(count)])
    return Batch(images, np.arange(count) % 6, {})


def asked(
    architecture: Architecture,
    weights: Weights,
    batch: Batch,
    name: OptimizerName = "adamw",
    precision: Precision = "float32",
) -> Case:
    case = first_step_case(
        architecture, weights, batch, precision, Optimizer(name), 1e-3
    )
    return dataclasses.replace(case, looked_at=(0,))


def answers(case: Case) -> Answers:
    with case.rounded():
        return answer(reference, case, "float64", {})


def judged(
    case: Case, truth: Answers, changes: Mapping[str, object]
) -> list[Discrepancy]:
    """What is red if a framework gives the truth with these changes."""
    nudged = tuple(answers(one) for one in nudged_reference(case))
    theirs = {
        "pytorch": {
            **truth,
            **{name: np.asarray(value) for name, value in changes.items()},
        }
    }
    found = judge(Answered(case, truth, nudged, theirs, {}, {"pytorch": "cpu"}))
    return [one for one in found if not one.holds]


SLOTS: dict[OptimizerName, tuple[str, float]] = {
    "adamw": ("first_moment", 0.1),
    "rmsprop": ("mean_square", 0.1),
    "sgd": ("velocity", 1.0),
    "nesterov": ("velocity", 1.0),
}


@pytest.mark.parametrize("name", SLOTS)
def test_a_bias_that_batch_norm_takes_away_is_what_rounding_leaves(
    name: OptimizerName,
) -> None:
    """Its gradient is a sum that cancels: one pixel after the other in float32, it is
    no rounding of 0.
    """
    case = asked(NORMED, initial_weights(NORMED, 0), drawn(8), name)
    truth = answers(case)
    slot, share = SLOTS[name]
    key = f"{trajectory(case.trainings[0].optimizer)}/1/optimizer.{slot}.conv1.bias"
    terms = truth["activation_gradient/0/conv1"].astype(np.float32).reshape(-1, 8)
    added = np.cumsum(terms, axis=0)[-1].astype(np.float64)
    largest = np.abs(truth["gradient/0/conv1.kernel"]).max()
    assert np.abs(added).max() > 1e-3 * ULP["float32"] * largest
    power = 2 if slot == "mean_square" else 1
    assert not judged(
        case, truth, {"gradient/0/conv1.bias": added, key: share * added**power}
    )

    exact = dataclasses.replace(case, precision="float64", trainings=())
    assert not judged(
        exact,
        answers(exact),
        {"gradient/0/conv1.bias": added * ULP["float64"] / ULP["float32"]},
    )

    wrong = terms.astype(np.float64).max(axis=0)  # not the sum of its pixels' gradients
    [first, *_] = judged(case, truth, {"gradient/0/conv1.bias": wrong})
    assert (first.place.quantity, first.place.where) == ("gradient", "conv1.bias")
    red = judged(case, truth, {key: share * wrong**power})
    assert [one.place.where for one in red] == [f"optimizer.{slot}.conv1.bias"]


def tied(bias: float) -> Weights:
    """Weights for which the first unit of the hidden layer always gives `bias`."""
    weights = dict(moved_weights(FLAT, 0))
    weights["dense1.kernel"] = weights["dense1.kernel"].copy()
    weights["dense1.kernel"][:, 0] = 0
    weights["dense1.bias"] = weights["dense1.bias"].copy()
    weights["dense1.bias"][0] = bias
    return weights


@pytest.mark.parametrize(("bias", "equal"), [(1e-9, True), (1e-2, False)])
def test_a_tie_may_fall_otherwise_on_the_way_to_the_gradients(
    bias: float, equal: bool
) -> None:
    """The program of the gradients need not be the one looked at going forward."""
    [batch] = noise(FLAT, (5,), 0)
    case = asked(FLAT, tied(bias), batch)
    truth = answers(case)
    other = reference.build(FLAT, tied(-bias), "float64")
    _, gradients = reference.gradients(other, batch.images, batch.labels, batch.masks)
    red = judged(case, truth, named_gradients(case, 0, gradients))
    assert (not red) == equal
    assert equal or red[0].place.quantity == "activation_gradient"


@pytest.mark.parametrize(("apart", "equal"), [(0.0, True), (0.5, False)])
def test_a_class_that_ties_with_the_label_may_count_as_right(
    apart: float, equal: bool
) -> None:
    weights = dict(moved_weights(FLAT, 0))
    weights["dense2.kernel"] = 0 * weights["dense2.kernel"]
    weights["dense2.bias"] = np.array([apart, 0, 0], np.float32)
    [batch] = noise(FLAT, (5,), 0)
    batch = dataclasses.replace(batch, labels=np.array([0, 1, 0, 0, 0]))
    case = asked(FLAT, weights, batch, precision="bfloat16")
    truth = answers(case)
    key = f"{trajectory(case.trainings[0].optimizer)}/1/correct"
    red = judged(case, truth, {key: truth[key] - 1})
    assert (not red) == equal
    assert equal or red[0].place.where == "correct"


def test_a_pass_that_rounds_is_off_by_units_and_by_what_sums_lose() -> None:
    x = np.random.default_rng(0).standard_normal((100, 4))
    assert rounded(x) is x
    np.testing.assert_array_equal(summed(x), x.sum(axis=0))
    with rounding_to("float32", "a"):
        once, total = rounded(x), summed(x)
    with rounding_to("float32", "a"):
        np.testing.assert_array_equal(rounded(x), once)
    with rounding_to("float32", "b"):
        assert (rounded(x) != once).any()
    np.testing.assert_allclose(np.abs(once / x - 1), ULP["float32"], rtol=1e-6)
    lost = np.abs(total - x.sum(axis=0)) / np.abs(x).sum(axis=0)
    np.testing.assert_allclose(lost, 0.5 * np.sqrt(100) * ULP["float32"], rtol=1e-6)


def test_an_envelope_never_shrinks_along_a_training() -> None:
    """Two nudged trainings that cross the truth once, by chance, are no reason to allow
    nothing there.
    """
    [batch] = noise(FLAT, (5,), 0)
    case = asked(FLAT, moved_weights(FLAT, 0), batch)
    [training] = case.trainings
    case = dataclasses.replace(
        case,
        looked_at=(),
        trainings=(dataclasses.replace(training, rates=(1e-3,) * 4, kept=(4,)),),
    )
    truth = answers(case)
    loss = {step: f"{training.name}/{step}/loss" for step in range(1, 5)}
    nudged = ({**truth, loss[2]: np.asarray(float(truth[loss[2]]) + 1e-3)},)
    for step, equal in ((3, True), (1, False)):
        theirs = {
            "pytorch": {
                **truth,
                loss[step]: np.asarray(float(truth[loss[step]]) + 1e-3),
            }
        }
        found = judge(Answered(case, truth, nudged, theirs, {}, {"pytorch": "cpu"}))
        assert all(one.holds for one in found) == equal, step


def test_two_passes_round_alike() -> None:
    """So decisions that are seen going forward are those on the way to gradients."""
    [batch] = noise(FLAT, (5,), 0)
    state = reference.build(FLAT, moved_weights(FLAT, 0), "float64")
    exact = reference.trace(state, batch.images, True, batch.masks)
    with rounding_to("float32", "a"):
        once, twice = (
            reference.trace(state, batch.images, True, batch.masks) for _ in range(2)
        )
        _, gradients = reference.gradients(
            state, batch.images, batch.labels, batch.masks
        )
    for name, values in exact.items():
        np.testing.assert_array_equal(once[name], twice[name])
        assert (once[name] != values).any()
    np.testing.assert_array_equal(
        gradients["dense1"] != 0, once["dense1"].astype(np.float64) > 0
    )
