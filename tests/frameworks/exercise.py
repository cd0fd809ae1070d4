"""Put one framework through the whole contract and write down what it answers.

Run in a process of its own: python exercise.py FRAMEWORK PRECISION OUT. The reference answers in the same
words, so that two files can be laid next to each other.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from triptych.frameworks import registry
from triptych.frameworks.contract import Framework, Optimizer
from triptych.network.architecture import Architecture, from_toml
from triptych.network.conventions import OptimizerName, Precision
from triptych.network.layers import Dropout
from triptych.network.weights import Array, Weights, initial_weights, save_tensors
from triptych.network.zoo import compact_cnn, lenet, mlp, sports_cnn

BATCH = 5
STEPS = 4
RATES = (0.01, 0.01, 0.002, 0.005)


def networks() -> dict[str, Architecture]:
    found = [
        from_toml(Path(__file__).with_name("odd.toml")),
        sports_cnn(12),
        compact_cnn(16, 4),
        lenet(20),
        mlp(8),
    ]
    return {network.name: network for network in found}


def weights_of(network: Architecture) -> Weights:
    """Initial values, all of them moved, so that no scale is 1 and no bias 0."""
    generator = np.random.default_rng(1)
    weights: Weights = {}
    for name, tensor in initial_weights(network, seed=0).items():
        moved = (tensor.astype(float) + 0.05 * generator.standard_normal(tensor.shape)).astype(np.float32)
        weights[name] = np.abs(moved) + np.float32(0.5) if name.endswith("variance") else moved
    return weights


def batch_of(network: Architecture) -> tuple[Any, Any, dict[str, Any]]:
    generator = np.random.default_rng(2)
    images = generator.integers(0, 256, (BATCH, *network.input_shape), dtype=np.uint8)
    labels = generator.integers(0, network.classes, BATCH)
    masks = {
        node.name: generator.random((BATCH, *network.shapes[node.name])) < 0.6
        for node in network.nodes_of(Dropout)
    }
    return images, labels, masks


def optimizers() -> dict[str, Optimizer]:
    names = get_args(OptimizerName)
    return {name: Optimizer(name, weight_decay=0.1, label_smoothing=0.1) for name in names}


def questions(name: str, precision: str) -> list[tuple[Architecture, list[str]]]:
    """What a framework is asked: networks, and the optimisers to train each with.

    Every network and every optimiser in float64, which proves; less where that proves nothing new.
    """
    all_of_them = networks()
    every = list(get_args(OptimizerName))
    if ":" in name:
        return [(all_of_them["odd"], every)]
    if precision == "float32":
        return [(all_of_them["odd"], ["sgd", "adam"])]
    trained = {"odd": every, "sports-cnn": ["adamw"]}
    return [(network, trained.get(network.name, [])) for network in all_of_them.values()]


def answers(
    framework: Framework, network: Architecture, precision: Precision, trained: list[str]
) -> dict[str, Array]:
    """Everything that the contract gives, by a name that says where it comes from."""
    images, labels, masks = batch_of(network)
    weights = weights_of(network)
    said: dict[str, Array] = {}
    state = framework.build(network, weights, precision)
    for name, training, given in (("evaluation", False, {}), ("training", True, {}), ("masked", True, masks)):
        for layer, values in framework.trace(state, images, training, given).items():
            said[f"{name}/{layer}"] = values
    loss, gradients = framework.gradients(state, images, labels, masks)
    said["loss"] = np.array(loss)
    said |= {f"gradient/{name}": values for name, values in gradients.items()}
    said["logits"] = framework.predict(state, images)
    said |= {f"kept/{name}": values for name, values in framework.dump_weights(state).items()}
    for name in trained:
        said |= _steps(framework, network, precision, optimizers()[name], f"{name}/")
    return said


def _steps(
    framework: Framework, network: Architecture, precision: Precision, optimizer: Optimizer, where: str
) -> dict[str, Array]:
    """Some steps, with the state taken out and put into a fresh one in between."""
    images, labels, masks = batch_of(network)
    state = framework.build(network, weights_of(network), precision)
    step = framework.make_step(state, optimizer)
    said: dict[str, Array] = {}
    for number, rate in enumerate(RATES):
        if number == 2:
            taken = framework.dump_weights(state)
            state = framework.build(network, weights_of(network), precision)
            step = framework.make_step(state, optimizer)
            framework.load_weights(state, taken)
            given_back = framework.dump_weights(state)
            assert taken.keys() == given_back.keys()
            for name, values in taken.items():
                np.testing.assert_array_equal(values, given_back[name], err_msg=name, strict=True)
        state, loss, correct = step(state, images, labels, masks, rate)
        said[f"{where}loss{number}"] = np.array(float(loss))
        said[f"{where}correct{number}"] = np.array(int(correct))
    return said | {f"{where}{name}": values for name, values in framework.dump_weights(state).items()}


if __name__ == "__main__":
    _, name, precision, out = sys.argv
    framework = registry.find(name).load()
    for network, trained in questions(name, precision):
        said = answers(framework, network, cast(Precision, precision), trained)
        save_tensors(Path(out) / f"{network.name}.safetensors", said)
        saved = framework.save_native(
            framework.build(network, weights_of(network), cast(Precision, precision)),
            Path(out) / network.name,
        )
        assert saved.exists()
