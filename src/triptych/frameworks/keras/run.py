"""Keras 3: `compile` and `train_on_batch`, on whichever backend KERAS_BACKEND names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from triptych.errors import FrameworkUnsupported
from triptych.frameworks.contract import (
    Activations,
    Facts,
    Images,
    Labels,
    Masks,
    Optimizer,
    Step,
)
from triptych.frameworks.emit import renamed
from triptych.frameworks.keras.ops import (
    SGD,
    Adam,
    RMSprop,
    Slots,
    compile_network,
    filled_up,
    prepare,
    run_by_size,
    train_step,
)
from triptych.frameworks.keras.write import (
    layer_names,
    layouts,
    mask_inputs,
    pad_names,
    write_network,
)
from triptych.frameworks.source import run_source
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import PRECISIONS, SLOTS, OptimizerName, Precision
from triptych.network.layouts import Array, Layouts, to_canonical, to_native
from triptych.network.weights import Weights

FILENAME = "<network.py in Keras>"

BACKENDS = {
    "tensorflow": ("Keras", "TF_NUM_INTRAOP_THREADS"),
    "jax": ("Keras on JAX", ""),
    "torch": ("Keras on PyTorch", "OMP_NUM_THREADS"),
}
"""What each backend is called here, and the variable that sets its threads."""

SWITCHES = (
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "TF_SET_ONEDNN_FPMATH_MODE",
)
"""What makes a backend compute with less precision; Keras leaves that to it."""


@dataclass
class State:
    """A compiled network with its optimizer, once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    layouts: Layouts
    network: keras.Model
    optimizer: keras.Optimizer | None = None
    slots: tuple[str, ...] = ()
    """The optimizer's slots; it calls them by the names of the conventions."""
    functions: dict[object, object] = field(default_factory=dict)
    """Keras' compiled functions: see `run_by_size`."""

    @property
    def dtype(self) -> str:
        """What weights, averages, loss and optimizer are kept in."""
        return "float64" if self.precision == "float64" else "float32"


def facts() -> Facts:
    """The backend computes, so its version stands beside that of Keras."""
    backend = keras.config.backend()
    title, threads = BACKENDS[backend]
    versions = {name: version(name) for name in ("keras", backend, "numpy")}
    device = ops.zeros(1).device
    kind = str(getattr(device, "device_kind", device)).rpartition("/")[2]
    kind = "cpu" if "cpu" in kind.lower() else kind
    count = int(os.environ.get(threads) or 0) or os.cpu_count() or 1
    modes = {name: os.environ.get(name, "not set") for name in SWITCHES}
    return Facts(title, versions["keras"], versions, kind, count, PRECISIONS, modes)


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The text is executed and its `network` called under a policy of its precision."""
    _configure(precision)
    if not hasattr(keras.optimizers.Optimizer, "_get_variable_index"):  # see `Slots`
        raise _unsupported("finds an optimizer's slots in another way")
    text = write_network(architecture)
    network = run_source(text, FILENAME)["network"]()
    state = State(architecture, precision, text, layouts(architecture), network)
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """Slots are in the layouts of their parameters."""
    for name, variable in _tensors(state).items():
        if name in weights:
            _assign(state, name, variable, weights[name])
    if state.optimizer is not None and "optimizer.step" in weights:
        state.optimizer.iterations.assign(int(weights["optimizer.step"]))
        for (slot, name), variable in _slots(state, state.optimizer).items():
            _assign(state, name, variable, weights[f"optimizer.{slot}.{name}"])


def dump_weights(state: State) -> Weights:
    """Slots are in the layouts of their parameters."""
    held = _tensors(state).items()
    weights = {name: _to_canonical(state, name, variable) for name, variable in held}
    if state.optimizer is not None:
        weights["optimizer.step"] = np.array(int(state.optimizer.iterations), np.int64)
        for (slot, name), variable in _slots(state, state.optimizer).items():
            weights[f"optimizer.{slot}.{name}"] = _to_canonical(state, name, variable)
    return weights


def trace(
    state: State,
    images: Images,
    training: bool,
    masks: Masks,
    fed: Activations | None = None,
) -> dict[str, Array]:
    """The model's layers, called one by one."""
    _configure(state.precision)
    values = {INPUT: ops.convert_to_tensor(_prepare(state, images))}
    drawn = state.architecture.dropouts
    with _averages_kept(state):
        for node in state.architecture.nodes:
            inputs = [values[name] for name in node.inputs]
            if fed is not None:
                inputs = [ops.cast(fed[n], values[n].dtype) for n in node.inputs]
            changing = isinstance(node.layer, layers.BatchNorm) or node.name in drawn
            options: dict[str, object] = {"training": training} if changing else {}
            if node.name in masks:
                options["keep"] = masks[node.name]
            read = inputs if node.layer.merges else inputs[0]
            values[node.name] = _call(state, node, read, **options)
    return {name: _to_numpy(state, value) for name, value in values.items()}


def _call(state: State, node: Node, *read: Any, **options: object) -> keras.KerasTensor:
    """A node's layer, called; before it the one that pads for it, if there is one."""
    names, pads = layer_names(state.architecture), pad_names(state.architecture)
    if node.name in pads:
        read = (state.network.get_layer(pads[node.name])(*read),)
    return state.network.get_layer(names[node.name])(*read, **options)


class Recorder(Slots):
    """Records the gradients and leaves the weights as they are."""

    names = ("gradient",)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.assign(*self.slots(variable), gradient)


class Zero(keras.layers.Layer):
    """Adds a zero to each number: what would train it is the gradient there."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.zero = self.add_weight(shape=shape, initializer="zeros")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.zero


def gradients(
    state: State, images: Images, labels: Labels, masks: Masks
) -> tuple[float, dict[str, Array]]:
    """By `train_on_batch` of the layers, a `Zero` after each, and a recorder."""
    _configure(state.precision)
    network, zeros = _with_zeros(state, len(images))
    recorder = Recorder(learning_rate=0.0)
    compile_network(network, recorder)
    # A compiled program rounds to bfloat16 in places of its own; here a tie has to fall
    # as in `trace`.
    network.run_eagerly = state.precision == "bfloat16"
    with _averages_kept(state):
        loss, _ = train_step(network, _inputs(state, images, masks), labels, 0.0)
    parameters = _tensors(state)
    found = {
        name: _to_canonical(state, name, *recorder.slots(parameters[name]))
        for name in state.architecture.parameters
    }
    for name, layer in zeros.items():
        found[name] = _to_numpy(state, *recorder.slots(layer.zero))
    return loss, found


def _with_zeros(state: State, batch: int) -> tuple[keras.Model, dict[str, Zero]]:
    """A model of the network's layers for batches of that size, a `Zero` after each."""
    inputs = {
        one.name: keras.Input(
            batch_shape=(batch, *one.shape[1:]),
            dtype=one.dtype,
            name=one.name,
            optional=one.name != INPUT,
        )
        for one in state.network.inputs
    }
    masks = mask_inputs(state.architecture)
    called = {INPUT: INPUT, **layer_names(state.architecture)}
    taken = {INPUT, *(one.name for one in state.network.layers)}
    own = renamed(called, taken, lambda name: f"{called[name]}_zero")
    zeros = {name: Zero(name=own[name]) for name in state.architecture.shapes}
    values = {INPUT: zeros[INPUT](inputs[INPUT])}
    for node in state.architecture.nodes:
        read: list[object] = [values[name] for name in node.inputs]
        if node.layer.merges:
            read = [read]
        if node.name in masks:
            read.append(inputs[masks[node.name]])
        values[node.name] = zeros[node.name](_call(state, node, *read))
    given = list(inputs.values()) if len(inputs) > 1 else inputs[INPUT]
    return keras.Model(given, values[state.architecture.nodes[-1].name]), zeros


OPTIMIZERS: dict[OptimizerName, Callable[..., keras.Optimizer]] = {
    "sgd": lambda o, **options: SGD(momentum=o.momentum, **options),
    "nesterov": lambda o, **options: SGD(momentum=o.momentum, nesterov=True, **options),
    "adam": lambda o, **options: Adam(
        beta_1=o.beta1, beta_2=o.beta2, epsilon=o.epsilon, **options
    ),
    "rmsprop": lambda o, **options: RMSprop(rho=o.rho, epsilon=o.epsilon, **options),
}
# The decay is decoupled in every optimizer of Keras.
OPTIMIZERS["adamw"] = OPTIMIZERS["adam"]


def make_step(state: State, optimizer: Optimizer) -> Step:
    """XLA compiles the step on accelerators and in JAX, where it pays."""
    _configure(state.precision)
    rate = optimizer.weight_decay  # TensorFlow takes a float as float32
    decay = ops.convert_to_tensor(rate, state.dtype) if rate else None
    make = OPTIMIZERS[optimizer.name]
    made = make(optimizer, learning_rate=0.0, weight_decay=decay)
    compile_network(state.network, made, optimizer.label_smoothing)
    state.optimizer, state.slots, state.functions = made, SLOTS[optimizer.name], {}

    def step(
        state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float
    ) -> tuple[State, float, int]:
        _configure(state.precision)
        loss, correct = _run(state, train_step, images, masks, labels, learning_rate)
        return state, loss, correct

    return step


def predict(state: State, images: Images) -> Array:
    """By `predict_on_batch`; filled up, so that few sizes of batch are compiled."""
    _configure(state.precision)
    logits: Array = _run(state, keras.Model.predict_on_batch, filled_up(images), {})
    return logits[: len(images)].astype(state.dtype)


def save_native(state: State, path: Path) -> Path:
    """A `.keras` file; `import network`, then `keras.saving.load_model(path)`."""
    _configure(state.precision)
    target = path.with_suffix(".keras")
    network = run_source(state.text, FILENAME)["network"]()
    network.set_weights(state.network.get_weights())
    network.save(target)
    return target


# ---- between canonical arrays and Keras' ---------------------------------------------


def _configure(precision: Precision) -> None:
    """Keras keeps these for the process, not for the network."""
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    policy = "mixed_bfloat16" if precision == "bfloat16" else precision
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format("channels_last")
    if keras.config.backend() == "jax":  # Keras has no switch of its own for 64 bits
        sys.modules["jax"].config.update("jax_enable_x64", precision == "float64")
    _keep_float64(precision == "float64")


def _keep_float64(keep: bool) -> None:
    """Let float64 be float64 between operations, too; raises FrameworkUnsupported.

    Except on TensorFlow, Keras makes it float32 there, does not say so, and has no
    switch for it. A private table decides, and what came of it is asked in public.
    """
    if keras.config.backend() != "tensorflow":
        try:
            from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE
        except ImportError:
            BIT64_TO_BIT32_DTYPE = {}  # noqa: N806 - its name there
        BIT64_TO_BIT32_DTYPE["float64"] = "float64" if keep else "float32"
    if keep and keras.backend.result_type("float64", "float64") != "float64":
        raise _unsupported("computes float64 in float32", "use --precision float32")


def _unsupported(why: str, *instead: str) -> FrameworkUnsupported:
    title = f"{BACKENDS[keras.config.backend()][0]} {version('keras')}"
    advice = ", or ".join((*instead, "install another version"))
    return FrameworkUnsupported(f"{title} {why}: {advice}")


def _run(
    state: State,
    function: Callable[..., Any],
    images: Images,
    masks: Masks,
    *values: object,
) -> Any:
    """`function` of the network and a batch, compiled for its size."""
    given = state.network, function, _inputs(state, images, masks), *values
    return run_by_size(state.functions, (len(images), bool(masks)), *given)


def _tensors(state: State) -> dict[str, keras.Variable]:
    """Parameters and running averages by canonical name."""
    found = {}
    for name, layout in state.layouts.items():
        layer, _, path = layout.name.partition(".")
        found[name] = attrgetter(path)(state.network.get_layer(layer))
    return found


def _slots(
    state: State, optimizer: keras.Optimizer
) -> dict[tuple[str, str], keras.Variable]:
    """What the optimizer holds, by slot and parameter."""
    trained = enumerate(state.network.trainable_variables)
    places = {id(variable): place for place, variable in trained}
    tensors, found = _tensors(state), {}
    for slot in state.slots:
        values = getattr(optimizer, slot)
        for name in state.architecture.parameters:
            found[slot, name] = values[places[id(tensors[name])]]
    return found


@contextmanager
def _averages_kept(state: State) -> Iterator[None]:
    """Puts the running averages back afterwards."""
    own, names = _tensors(state), state.architecture.statistics
    before = {name: _to_numpy(state, own[name]) for name in names}
    try:
        yield
    finally:
        for name, average in before.items():
            own[name].assign(average)


def _assign(state: State, name: str, variable: keras.Variable, array: Array) -> None:
    """A canonical tensor, or its slot, into the variable that holds it."""
    variable.assign(to_native(array, state.layouts[name], _to_numpy(state, variable)))


def _to_canonical(state: State, name: str, variable: keras.Variable) -> Array:
    """A variable, or its slot or gradient, in the canonical layout."""
    return to_canonical(_to_numpy(state, variable), state.layouts[name])


def _to_numpy(state: State, value: keras.KerasTensor) -> Array:
    return np.array(ops.convert_to_numpy(ops.cast(value, state.dtype)))


def _prepare(state: State, images: Images) -> Array:
    """Images as the network sees them; features are so already."""
    if (network := state.architecture).section == "head":
        return images.astype(state.dtype)
    return prepare(images, network.mean, network.std, state.dtype)


def _inputs(state: State, images: Images, masks: Masks) -> list[Array | None] | Array:
    """The images, with the masks if the network takes any."""
    pixels = _prepare(state, images)
    given = [masks.get(name) for name in state.architecture.dropouts]
    return [pixels, *given] if given else pixels
