"""Every framework against the NumPy float64 reference: every layer, gradient, step and stored tensor."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from tests.frameworks import exercise

from triptych.frameworks import reference, registry
from triptych.network.architecture import Architecture
from triptych.network.layers import BatchNorm, Dropout
from triptych.network.weights import Array, load_tensors
from triptych.running.launch import environment

Ask = Callable[[str, str], dict[str, dict[str, Array]]]

FORWARD = {"float64": 1e-12, "float32": 2e-5}
"""Relative to the largest number of a tensor. Measured: 4e-15 and 2e-6."""

GRADIENT = {"float64": 1e-11, "float32": 1e-3}
"""A ReLU or a pool that decides otherwise in float32 moves a gradient visibly."""

STEPS = {"float64": 1e-8, "float32": 5e-2}
"""Adam divides by the size of the gradient: near 0, rounding becomes visible. Measured: 1e-10, 4e-3."""

FRAMEWORKS = ("keras", "tensorflow", "pytorch", "jax", "keras:jax", "keras:torch")
CASES = [
    pytest.param(name, precision, network, tuple(trained), id=f"{name}-{precision}-{network.name}")
    for name in FRAMEWORKS
    for precision in ("float64", "float32")
    if precision == "float64" or ":" not in name
    for network, trained in exercise.questions(name, precision)
]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """What a framework answers, by network; each is asked once, in a process of its own."""

    @cache
    def ask(name: str, precision: str) -> dict[str, dict[str, Array]]:
        out = tmp_path_factory.mktemp("said")
        entry = registry.find(name)
        done = subprocess.run(
            [sys.executable, exercise.__file__, name, precision, str(out)],
            env=environment(entry), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return {path.stem: load_tensors(path) for path in out.glob("*.safetensors")}

    return ask


@cache
def expected(network: Architecture, trained: tuple[str, ...]) -> dict[str, Array]:
    return exercise.answers(reference, network, "float64", list(trained))


def gap(ours: Array, theirs: Array) -> float:
    """Largest difference, relative to the largest number."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    far = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0)
    return float(far / (np.abs(theirs).max(initial=0) or 1))


def idle(name: str, truth: dict[str, Array]) -> bool:
    """Whether a tensor has no gradient but rounding, such as a bias before batch norm.

    Adam makes of rounding noise a whole step, so such a bias wanders, and the running mean after it too,
    though the function stays the same.
    """
    tensor = name.split("/")[-1].removeprefix("optimizer.").split(".", 1)[-1] if "optimizer." in name else ""
    tensor = tensor or name.split("/")[-1]
    gradient = truth.get(f"gradient/{tensor}")
    if gradient is not None:
        return bool(np.abs(gradient).max() < 1e-12)
    return tensor.endswith(".mean") and any(
        key.endswith(".bias") and np.abs(values).max() < 1e-12
        for key, values in truth.items() if key.startswith("gradient/")
    )  # fmt: skip


def failures(said: dict[str, Array], truth: dict[str, Array], precision: str) -> dict[str, float]:
    """The answers that are further from the truth than their bound."""
    assert said.keys() == truth.keys()
    found = {}
    for name, values in truth.items():
        head = name.split("/")[0]
        if head in ("evaluation", "training", "masked", "loss", "logits", "kept"):
            bound = FORWARD[precision]
        elif head == "gradient":
            bound = GRADIENT[precision]
        else:
            bound = STEPS[precision]
        if head in ("gradient", "sgd", "adam", "adamw", "rmsprop") and idle(name, truth):
            continue
        if (far := gap(said[name], values)) > bound:
            found[name] = far
    return found


@pytest.mark.parametrize(("name", "precision", "network", "trained"), CASES)
def test_agrees_with_the_reference(
    said: Ask, name: str, precision: str, network: Architecture, trained: tuple[str, ...]
) -> None:
    assert failures(said(name, precision)[network.name], expected(network, trained), precision) == {}


def _replace_layers(network: Architecture, kind: type, **changes: object) -> Architecture:
    nodes = tuple(
        dataclasses.replace(node, layer=dataclasses.replace(node.layer, **changes))
        if isinstance(node.layer, kind) else node
        for node in network.nodes
    )  # fmt: skip
    return dataclasses.replace(network, nodes=nodes)


@pytest.mark.parametrize(
    ("mutate", "where"),
    [
        (lambda n: _replace_layers(n, BatchNorm, epsilon=1e-3), "evaluation/bn1"),
        (lambda n: _replace_layers(n, BatchNorm, momentum=0.99), "sgd/bn1.mean"),
        (lambda n: _replace_layers(n, Dropout, rate=0.3), "masked/dropout1"),
        (lambda n: dataclasses.replace(n, mean=(0.0, 0.0, 0.0)), "evaluation/conv1"),
        (lambda n: dataclasses.replace(n, std=(0.2, 0.3, 0.41)), "evaluation/conv1"),
    ],
    ids=["batch norm's epsilon", "batch norm's momentum", "dropout's rate", "mean", "std"],
)
def test_the_bounds_catch_another_network(
    said: Ask, mutate: Callable[[Architecture], Architecture], where: str
) -> None:
    mutant = mutate(exercise.networks()["odd"])
    caught = failures(said("pytorch", "float32")["odd"], expected(mutant, ("sgd", "adam")), "float32")
    assert where in caught
    assert next(iter(caught)).split("/")[-1] == where.split("/")[-1]  # the first that differs is the cause


@pytest.mark.parametrize(
    ("optimizer", "change"),
    [
        ("sgd", {"momentum": 0.8}),
        ("sgd", {"label_smoothing": 0.0}),
        ("adam", {"epsilon": 1e-5}),
        ("adam", {"beta2": 0.99}),
        ("adamw", {"beta1": 0.8}),
        ("adamw", {"weight_decay": 0.0}),
        ("rmsprop", {"decay": 0.99}),
        ("rmsprop", {"epsilon": 1e-4}),
    ],
)
def test_the_bounds_catch_another_optimizer(
    said: Ask, optimizer: str, change: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = exercise.networks()["odd"]
    honest = exercise.optimizers()
    mutant = dataclasses.replace(honest[optimizer], **change)  # type: ignore[arg-type]
    monkeypatch.setattr(exercise, "optimizers", lambda: honest | {optimizer: mutant})
    truth = exercise.answers(reference, network, "float64", list(honest))
    caught = failures(said("pytorch", "float64")["odd"], truth, "float64")
    assert caught
    assert all(name.startswith(f"{optimizer}/") for name in caught)
