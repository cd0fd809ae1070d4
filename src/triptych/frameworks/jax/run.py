"""JAX: pure functions, compiled by `jax.jit`, with Optax's optimizers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from triptych.frameworks.contract import (
    Activations,
    Facts,
    Images,
    Labels,
    Masks,
    Optimizer,
    Step,
)
from triptych.frameworks.emit import variables
from triptych.frameworks.jax.ops import (
    Network,
    Tensors,
    evaluate,
    filled_up,
    prepare,
    scale_by_adam,
    train_step,
    training_loss,
    with_kernels_in,
)
from triptych.frameworks.jax.write import TAKEN, layouts, write_network
from triptych.frameworks.source import run_source, run_with_taps
from triptych.network.architecture import Architecture
from triptych.network.conventions import PRECISIONS, SLOTS, OptimizerName, Precision
from triptych.network.layouts import Array, Layout, Layouts, to_canonical, to_native
from triptych.network.weights import Weights

FILENAME = "<network.py in JAX>"


@dataclass
class State:
    """A network's weights and averages by name, and its optimizer once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    layouts: Layouts
    network: Network
    weights: Tensors
    averages: Tensors
    optimizer: optax.GradientTransformation | None = None
    moments: optax.OptState = None
    """What the optimizer remembers: a named tuple of Optax's."""
    slots: tuple[str, ...] = ()
    """The optimizer's slots, by the names of the conventions."""
    steps: int = 0
    batch: int = 0
    """The most images that `predict` has seen at once."""

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """What weights, averages, loss and optimizer are kept in."""
        return np.float64 if self.precision == "float64" else np.float32

    @property
    def kernel_type(self) -> jax.typing.DTypeLike:
        """What layers with a kernel compute in."""
        return jnp.bfloat16 if self.precision == "bfloat16" else self.dtype


def facts() -> Facts:
    """Whatever accelerator JAX finds is used; XLA computes every precision."""
    device = jax.devices()[0]
    name = "cpu" if device.platform == "cpu" else device.device_kind
    counts = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if counts else os.cpu_count()
    threads = int(os.environ.get("NPROC") or cores or 1)  # as XLA counts them
    versions = {one: version(one) for one in ("jax", "jaxlib", "optax", "numpy")}
    modes = {
        "precision of convolutions and matrix products": "highest, so no TF32",
    }
    return Facts("JAX", versions["jax"], versions, name, threads, PRECISIONS, modes)


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The text is executed. float64 switches JAX to 64 bits for the whole process."""
    if precision == "float64":
        jax.config.update("jax_enable_x64", True)
    text = write_network(architecture)
    own = layouts(architecture)
    state = State(architecture, precision, text, own, _network(text), {}, {})
    load_weights(state, weights)
    return state


@cache
def _network(text: str) -> Network:
    """One function for one text: `jax.jit` keeps what it compiled by function."""
    network: Network = run_source(text, FILENAME)["network"]
    return network


def load_weights(state: State, weights: Weights) -> None:
    """What the optimizer holds is a named tuple, with names of its own."""

    def given(names: Iterable[str], prefix: str = "") -> Tensors:
        found = {n: weights[f"{prefix}{n}"] for n in names if f"{prefix}{n}" in weights}
        return {n: _to_native(state, n, array) for n, array in found.items()}

    state.weights |= given(state.architecture.parameters)
    state.averages |= given(state.architecture.statistics)
    if state.optimizer is not None and "optimizer.step" in weights:
        state.steps = int(weights["optimizer.step"])
        parameters = state.architecture.parameters
        held: dict[str, Tensors | jax.Array] = {
            OWN_SLOTS[slot]: given(parameters, f"optimizer.{slot}.")
            for slot in state.slots
        }
        if "count" in state.moments._fields:
            held["count"] = jnp.array(state.steps, jnp.int32)
        state.moments = state.moments._replace(**held)


def dump_weights(state: State) -> Weights:
    """Waits for a step that is under way."""
    held = _tensors(state).items()
    weights = {name: _to_canonical(state, name, tensor) for name, tensor in held}
    if state.optimizer is not None:
        weights["optimizer.step"] = np.array(state.steps, dtype=np.int64)
        for (slot, name), value in _slots(state).items():
            weights[f"optimizer.{slot}.{name}"] = _to_canonical(state, name, value)
    return weights


def trace(
    state: State,
    images: Images,
    training: bool,
    masks: Masks,
    fed: Activations | None = None,
) -> dict[str, Array]:
    """Compiled as a whole; whether it is fed is an argument: it is compiled once."""
    pixels, kept = _prepare(state, images), _masks(masks)
    given = fed or _zeros(state, len(images))
    given = {name: jnp.asarray(values, state.dtype) for name, values in given.items()}
    feed = jnp.array(fed is not None)
    traced = _traced(state.text, state.architecture, state.kernel_type)
    held = state.weights, state.averages
    seen = traced(feed, given, *held, pixels, kept, training=training)
    names = state.architecture.shapes
    return {name: np.array(seen[name], dtype=state.dtype) for name in names}


@cache
def _traced(
    text: str, architecture: Architecture, kernel_type: jax.typing.DTypeLike
) -> Callable[..., Tensors]:
    """The same text, with a tap after each layer, compiled as a whole."""
    seen: Tensors = {}
    fed: dict[str, tuple[jax.Array, jax.Array]] = {}

    def tap(name: str, value: jax.Array) -> jax.Array:
        seen[name] = value
        feed, instead = fed[name]
        return jnp.where(feed, instead.astype(value.dtype), value)

    tapped = _tapped(text, architecture, tap)

    def outputs(
        feed: jax.Array,
        given: Tensors,
        weights: Tensors,
        *arguments: object,
        training: bool,
    ) -> Tensors:
        fed.update({name: (feed, values) for name, values in given.items()})
        tapped(with_kernels_in(kernel_type, weights), *arguments, training)
        fed.clear()
        return {name: seen.pop(name) for name in list(seen)}

    compiled: Callable[..., Tensors] = jax.jit(outputs, static_argnames="training")
    return compiled


def _tapped(
    text: str, architecture: Architecture, tap: Callable[[str, jax.Array], jax.Array]
) -> Network:
    """The network of the same text with taps."""
    held = variables(architecture, TAKEN)
    network: Network = run_with_taps(text, FILENAME, "network", held, tap)["network"]
    return network


def _zeros(state: State, batch: int) -> Tensors:
    """A zero for each number that the layers give for a batch."""
    shapes = state.architecture.shapes.items()
    return {name: jnp.zeros((batch, *shape), state.dtype) for name, shape in shapes}


def gradients(
    state: State, images: Images, labels: Labels, masks: Masks
) -> tuple[float, dict[str, Array]]:
    """By `jax.value_and_grad` of the same text with taps."""
    differentiated = _differentiated(state.text, state.architecture, state.kernel_type)
    by = state.weights, _zeros(state, len(images))
    given = _prepare(state, images), jnp.array(labels), _masks(masks)
    (loss, _), found = differentiated(by, state.averages, *given)
    every = (item for part in found for item in part.items())
    return float(loss), {n: _to_canonical(state, n, tensor) for n, tensor in every}


@cache
def _differentiated(
    text: str, architecture: Architecture, kernel_type: jax.typing.DTypeLike
) -> Callable[..., Any]:
    """The training loss and its derivatives.

    These are by the weights, and by a zero added to each layer's output.
    """
    added: Tensors = {}

    def tap(name: str, value: jax.Array) -> jax.Array:
        return value + added[name]

    tapped = _tapped(text, architecture, tap)
    of_the_text = partial(training_loss, network=tapped, kernel_type=kernel_type)

    def loss(
        weights_and_zeros: tuple[Tensors, Tensors], *arguments: Any
    ) -> tuple[jax.Array, tuple[Tensors, jax.Array]]:
        weights, zeros = weights_and_zeros
        added.update(zeros)
        found = of_the_text(weights, *arguments)
        added.clear()
        return found

    compiled: Callable[..., Any] = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return compiled


OPTIMIZERS: dict[OptimizerName, Callable[..., optax.GradientTransformation]] = {
    "sgd": lambda o: optax.trace(o.momentum),
    "nesterov": lambda o: optax.trace(o.momentum, nesterov=True),
    "adam": lambda o: scale_by_adam(o.beta1, o.beta2, o.epsilon),
    "rmsprop": lambda o: optax.scale_by_rms(o.rho, o.epsilon, eps_in_sqrt=False),
}
"""Without a learning rate: that is an argument of every step."""
# The decay is decoupled in every optimizer: see `train_step`.
OPTIMIZERS["adamw"] = OPTIMIZERS["adam"]

OWN_SLOTS = {
    "velocity": "trace",
    "first_moment": "mu",
    "second_moment": "nu",
    "mean_square": "nu",
}
"""Optax's names for the slots, by those of the conventions."""


@cache
def _transformation(optimizer: Optimizer) -> optax.GradientTransformation:
    """One for each optimizer: `jax.jit` keeps what it compiled by it."""
    return OPTIMIZERS[optimizer.name](optimizer)


def make_step(state: State, optimizer: Optimizer) -> Step:
    """`train_step` with Optax's transformation."""
    made = state.optimizer = _transformation(optimizer)
    state.moments = made.init(state.weights)
    state.slots, state.steps = SLOTS[optimizer.name], 0

    def step(
        state: State,
        images: Images,
        labels: Labels,
        masks: Masks,
        learning_rate: float,
    ) -> tuple[State, jax.Array, jax.Array]:
        state.weights, state.averages, state.moments, loss, correct = train_step(
            state.network,
            made,
            state.weights,
            state.averages,
            state.moments,
            _prepare(state, images),
            jnp.array(labels),
            _masks(masks),
            np.asarray(learning_rate, state.dtype),  # so a new rate compiles nothing
            optimizer.weight_decay,
            optimizer.label_smoothing,
            state.kernel_type,
        )
        state.steps += 1
        return state, loss, correct

    return step


def predict(state: State, images: Images) -> Array:
    """Batches smaller than the largest so far are filled up: each size compiles."""
    state.batch = max(state.batch, len(images))
    pixels = _prepare(state, filled_up(images, state.batch))
    held = state.weights, state.averages
    logits = evaluate(state.network, *held, pixels, state.kernel_type)
    # Cut by NumPy: JAX would compile for each size.
    return np.array(logits)[: len(images)]


def save_native(state: State, path: Path) -> Path:
    """What `jnp.load(path)` reads: JAX has no other format of its own but pickles."""
    target = path.with_suffix(".npz")
    jnp.savez(target, **_tensors(state))
    return target


# ---- between canonical arrays and JAX's ----------------------------------------------


def _tensors(state: State) -> Tensors:
    """Parameters and running averages by canonical name."""
    return state.weights | state.averages


def _slots(state: State) -> dict[tuple[str, str], jax.Array]:
    """What the optimizer holds, by slot and parameter."""
    held = {slot: getattr(state.moments, OWN_SLOTS[slot]) for slot in state.slots}
    return {(slot, n): own for slot, by in held.items() for n, own in by.items()}


def _to_native(state: State, name: str, array: Array) -> jax.Array:
    """A canonical tensor as the network takes it, in the state's type."""
    return jnp.array(to_native(array, state.layouts[name]), state.dtype)


def _to_canonical(state: State, name: str, tensor: jax.Array) -> Array:
    """A tensor, or its slot or gradient, in the canonical layout.

    An activation is as it is.
    """
    return to_canonical(np.asarray(tensor), state.layouts.get(name, Layout(name)))


def _prepare(state: State, images: Images) -> jax.Array:
    """Images as the network sees them; features are so already."""
    if state.architecture.section == "head":
        return jnp.array(images, state.dtype)
    mean, std = state.architecture.mean, state.architecture.std
    return prepare(jnp.array(images), mean, std, state.dtype)


def _masks(masks: Masks) -> Tensors | None:
    """Dropout masks as the network takes them; None keeps every unit."""
    return {name: jnp.array(mask) for name, mask in masks.items()} or None
