"""Weights of an earlier run to begin with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triptych.errors import RunFolderError, WeightsError
from triptych.frameworks import registry
from triptych.images.source import open_images
from triptych.network.architecture import Architecture, sequence
from triptych.network.layers import BatchNorm, Conv, Dense, GlobalAveragePool
from triptych.network.weights import initial_weights, save_tensors
from triptych.running.epoch import Epoch
from triptych.running.folder import RunFolder
from triptych.running.pretrained import load_weights
from triptych.running.recipe import make_recipe


def network(epsilon: float = 1e-5, classes: int = 10) -> Architecture:
    layers = [Conv(filters=4), BatchNorm(epsilon), GlobalAveragePool(), Dense(classes)]
    return sequence("small", (8, 8, 3), layers)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of two frameworks that have left weights, without a training."""
    store = open_images("digits", size=(8, 8))
    tables = {"images": "digits", "image_size": 8, "frameworks": ["jax", "pytorch"]}
    made = RunFolder.create(
        tmp_path / "earlier", make_recipe(tables), network(1e-3), store
    )
    for seed, (name, accuracy) in enumerate((("jax", 0.5), ("pytorch", 0.75))):
        panel = made.panel(registry.find(name))
        save_tensors(panel.weights, initial_weights(network(), seed))
        panel.write_epochs([epoch(accuracy)])
    return made


def epoch(accuracy: float) -> Epoch:
    return Epoch(
        epoch=1,
        loss=1.0,
        accuracy=0.5,
        validation_accuracy=accuracy,
        train_seconds=1.0,
        images_per_second=1.0,
        step_losses=[1.0],
    )


def test_the_best_weights_of_a_run(run: RunFolder) -> None:
    loaded = load_weights(run.path, network())
    drawn = initial_weights(network(), 1)
    for name, tensor in loaded.weights.items():
        np.testing.assert_array_equal(tensor, drawn[name])
    origin = loaded.origin
    assert origin.family == "triptych"
    assert origin.asked == str(run.path)
    assert origin.source == "earlier/pytorch/weights.safetensors"
    # They were trained with another epsilon, so they are used with it.
    assert loaded.architecture == network(1e-3)
    assert origin.changed == (
        "batch_norm: epsilon is 0.001 instead of 1e-05, in 1 layer",
    )


def test_the_weights_of_one_framework(run: RunFolder) -> None:
    loaded = load_weights(run.path / "jax", network(classes=3))
    drawn = initial_weights(network(), 0)
    np.testing.assert_array_equal(loaded.weights["conv1.kernel"], drawn["conv1.kernel"])
    assert loaded.origin.replaced == ("dense1.kernel", "dense1.bias")
    assert loaded.architecture.classes == 3


def test_what_is_no_run_has_no_weights(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is no run folder"):
        load_weights(tmp_path, network())
    run.panel(registry.find("jax")).weights.unlink()
    with pytest.raises(RunFolderError, match="there are no weights yet"):
        load_weights(run.path / "jax", network())
    layers = [Conv(filters=8), BatchNorm(), GlobalAveragePool(), Dense(10)]
    with pytest.raises(WeightsError, match="does not fit the network"):
        load_weights(run.path, sequence("wider", (8, 8, 3), layers))
