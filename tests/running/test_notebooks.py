"""The three notebooks of 2017, as recipes and networks: what is known, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from triptych.errors import RecipeError
from triptych.network.architecture import Architecture
from triptych.network.layers import BatchNorm, Bias, Conv, Dense, Dropout
from triptych.network.weights import initial_weights
from triptych.network.zoo import NOTEBOOKS, find_network
from triptych.running import recipe
from triptych.running.plan import read_recipe
from triptych.running.recipe import Recipe, make_recipe

KERAS, TENSORFLOW, PYTORCH = NOTEBOOKS


def recipe_of(name: str) -> Recipe:
    return make_recipe(read_recipe(Path(name)))


def network_of(name: str) -> Architecture:
    return find_network(recipe_of(name).network)


def kinds(name: str) -> str:
    """The layers in a line: c conv, B batch norm, b bias, r ReLU, P pool, F flatten, d
    dense, D dropout.
    """
    letters = {
        "conv": "c",
        "batch_norm": "B",
        "bias": "b",
        "relu": "r",
        "max_pool": "P",
        "flatten": "F",
    }
    letters |= {"dense": "d", "dropout": "D"}
    return "".join(letters[node.layer.kind] for node in network_of(name).nodes)


def test_the_same_network_on_paper() -> None:
    assert recipe.NOTEBOOKS == NOTEBOOKS
    for name in NOTEBOOKS:
        network = network_of(name)
        assert kinds(name).translate(str.maketrans("", "", "BbD")) == "crcrPcrcrPFdrd"
        assert network.input_shape == (224, 224, 3)
        assert {
            n.layer.filters for n in network.nodes_of(Conv) if isinstance(n.layer, Conv)
        } == {32}
        assert network.shapes["flatten1"] == (100_352,)
    assert network_of(PYTORCH).parameter_count == 25_720_550


@pytest.mark.parametrize(
    ("name", "optimizer", "rate", "schedule", "decay"),
    [
        (KERAS, "rmsprop", 1e-4, "inverse-time", 1e-6),
        (TENSORFLOW, "adam", 1e-3, "constant", 0.0),
        (PYTORCH, "adam", 1e-3, "constant", 0.0),
    ],
)
def test_optimizers(
    name: str, optimizer: str, rate: float, schedule: str, decay: float
) -> None:
    made = recipe_of(name)
    assert (made.optimizer.name, made.schedule.learning_rate) == (optimizer, rate)
    assert (made.schedule.name, made.schedule.decay) == (schedule, decay)
    assert (made.optimizer.weight_decay, made.optimizer.label_smoothing) == (0, 0)


def test_batches_epochs_resize_and_what_was_kept() -> None:
    made = {name: recipe_of(name) for name in NOTEBOOKS}
    assert [(one.batch_size, one.epochs) for one in made.values()] == [
        (20, 20),
        (10, 10),
        (10, 50),
    ]
    assert [one.resize for one in made.values()] == ["nearest", "nearest", "bilinear"]
    assert {
        (one.image_size, one.fit, one.keep, one.augmentation) for one in made.values()
    } == {(224, "squash", "last", None)}


def test_initial_values() -> None:
    """N(0, 1) for weights and biases; Glorot uniform and 0; PyTorch's own limits."""

    def spread(name: str, tensor: str) -> Any:
        return initial_weights(network_of(name).adapted((64, 64)), 0)[tensor].astype(
            np.float64
        )

    assert spread(TENSORFLOW, "conv2.kernel").std() == pytest.approx(1, rel=0.05)
    assert spread(TENSORFLOW, "dense1.kernel").std() == pytest.approx(1, rel=0.01)
    assert spread(TENSORFLOW, "dense1.bias").std() == pytest.approx(1, rel=0.2)
    assert spread(TENSORFLOW, "bias1.bias").std() == pytest.approx(1, rel=0.5)
    glorot, limit = (6 / (288 + 288)) ** 0.5, (1 / 288) ** 0.5
    assert np.abs(spread(KERAS, "conv2.kernel")).max() == pytest.approx(
        glorot, rel=0.01
    )
    assert not spread(KERAS, "conv2.bias").any()
    assert np.abs(spread(PYTORCH, "conv2.kernel")).max() == pytest.approx(
        limit, rel=0.01
    )
    assert 0 < np.abs(spread(PYTORCH, "conv2.bias")).max() < limit
    limit = (1 / (32 * 16 * 16)) ** 0.5
    assert 0 < np.abs(spread(PYTORCH, "dense1.bias")).max() < limit


def test_batch_norm_input_range_and_dropout() -> None:
    assert kinds(KERAS) == "cBrcBrPBcBrcBrPFdrDd"
    assert kinds(TENSORFLOW) == "cBbrcBbrPcBbrcBbrPFdrDd"
    assert kinds(PYTORCH) == "crcrPcrcrPFdrd"
    averages = {
        name: {n.layer.momentum for n in network_of(name).nodes_of(BatchNorm)}  # type: ignore[attr-defined]
        for name in NOTEBOOKS
    }
    assert averages == {KERAS: {0.99}, TENSORFLOW: {1.0}, PYTORCH: set()}
    assert len(network_of(TENSORFLOW).nodes_of(Bias)) == 4
    assert [network_of(name).mean[0] for name in NOTEBOOKS] == [0, 0, 0.5]
    assert [network_of(name).std[0] for name in NOTEBOOKS] == [1, 1, 0.5]
    rates = [
        [n.layer.rate for n in network_of(name).nodes_of(Dropout)]  # type: ignore[attr-defined]
        for name in NOTEBOOKS
    ]
    assert rates == [[0.5], [0.5], []]
    assert [node.layer.units for node in network_of(KERAS).nodes_of(Dense)] == [256, 6]  # type: ignore[attr-defined]


def test_a_recipe_that_does_not_ship() -> None:
    with pytest.raises(
        RecipeError, match="there is no recipe '2017-kreas': did you mean '2017-keras'"
    ):
        read_recipe(Path("2017-kreas"))
