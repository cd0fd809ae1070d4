"""TensorFlow without Keras: a `tf.Module`, a gradient tape, all in `tf.function`."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import tensorflow as tf

from triptych.errors import UsageError
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
from triptych.frameworks.source import run_source, run_with_taps
from triptych.frameworks.tensorflow.ops import (
    SGD,
    Adam,
    RMSprop,
    cross_entropy,
    in_bfloat16,
    prepare,
    train_step,
)
from triptych.frameworks.tensorflow.write import TAKEN, layouts, write_network
from triptych.network.architecture import Architecture
from triptych.network.conventions import PRECISIONS, SLOTS, OptimizerName, Precision
from triptych.network.layouts import Array, Layouts
from triptych.network.weights import Weights

F = TypeVar("F", bound=Callable[..., object])

FILENAME = "<network.py in TensorFlow>"


@dataclass
class State:
    """A network with its optimizer, once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    layouts: Layouts
    network: tf.Module
    optimizer: SGD | Adam | RMSprop | None = None
    slots: tuple[str, ...] = ()
    """The optimizer's slots; it calls them by the names of the conventions."""
    predict: Callable[..., tf.Tensor] | None = None
    """The forward pass in evaluation mode, once it is compiled."""

    @property
    def dtype(self) -> tf.DType:
        """What weights, averages, loss and optimizer are kept in."""
        return tf.float64 if self.precision == "float64" else tf.float32


def facts() -> Facts:
    """A GPU is used if there is one; without TF32, so that float32 means float32."""
    device = "cpu"
    for gpu in _gpus()[:1]:
        details = tf.config.experimental.get_device_details(gpu)
        device = details.get("device_name", "gpu")
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    asked = int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))
    threads = chosen or asked or os.cpu_count() or 1
    versions = {"tensorflow": tf.__version__, "numpy": np.__version__}
    precisions = tuple(precision for precision in PRECISIONS if _works(precision))
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    onednn = os.environ.get("TF_SET_ONEDNN_FPMATH_MODE", "strict").lower()
    modes = {"TF32": "on" if tf32 else "off", "oneDNN": f"float32 {onednn}"}
    version = tf.__version__
    return Facts("TensorFlow", version, versions, device, threads, precisions, modes)


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The text is executed and its `Network` made."""
    _gpus()
    if not _works(precision):
        raise UsageError(
            f"TensorFlow cannot compute in {precision} here: use --precision float32"
        )
    text = write_network(architecture)
    dtype = tf.float64 if precision == "float64" else tf.float32
    network = run_source(text, FILENAME)["Network"](dtype)
    state = State(architecture, precision, text, layouts(architecture), network)
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """TensorFlow's layouts are the canonical ones."""
    for name, variable in (_tensors(state) | _slots(state)).items():
        if name in weights:
            variable.assign(weights[name])


def dump_weights(state: State) -> Weights:
    """Layouts and slot names are the canonical ones."""
    held = _tensors(state) | _slots(state)
    return {name: variable.numpy() for name, variable in held.items()}


def trace(
    state: State,
    images: Images,
    training: bool,
    masks: Masks,
    fed: Activations | None = None,
) -> dict[str, Array]:
    """The same text, with a tap after each layer, run eagerly on the same variables."""
    seen: dict[str, Array] = {}

    def tap(name: str, value: tf.Tensor) -> tf.Tensor:
        seen[name] = tf.cast(value, state.dtype).numpy()
        return value if fed is None else tf.cast(fed[name], value.dtype)

    _run_tapped(state, tap, images, masks, training)
    return seen


def gradients(
    state: State, images: Images, labels: Labels, masks: Masks
) -> tuple[float, dict[str, Array]]:
    """By a gradient tape, eagerly, that watches each layer's output."""
    tensors = _tensors(state)
    watched = {name: tensors[name] for name in state.architecture.parameters}

    def tap(name: str, value: tf.Tensor) -> tf.Tensor:
        # A tensor of its own: dropout may hand on its very input.
        watched[name] = tf.identity(value)
        tape.watch(watched[name])
        return watched[name]

    with tf.GradientTape() as tape:
        logits = _run_tapped(state, tap, images, masks, training=True)
        loss = cross_entropy(logits, tf.constant(labels))
    found = tape.gradient(loss, watched).items()
    return float(loss), {n: tf.cast(one, state.dtype).numpy() for n, one in found}


def _run_tapped(
    state: State,
    tap: Callable[[str, tf.Tensor], tf.Tensor],
    images: Images,
    masks: Masks,
    training: bool,
) -> tf.Tensor:
    """The logits by the same text with taps, on the same variables."""
    tapped = copy.copy(state.network)
    held = variables(state.architecture, TAKEN)
    text = run_with_taps(state.text, FILENAME, "__call__", held, tap)
    tapped.__class__ = text["Network"]
    given = _prepare(state, images), _masks(masks) or None
    with _averages_kept(state):
        return _forward(state, tapped)(*given, training)


OPTIMIZERS: dict[OptimizerName, Callable[..., SGD | Adam | RMSprop]] = {
    "sgd": lambda variables, o: SGD(variables, o.momentum),
    "nesterov": lambda variables, o: SGD(variables, o.momentum, nesterov=True),
    "adam": lambda variables, o: Adam(variables, o.beta1, o.beta2, o.epsilon),
    "rmsprop": lambda variables, o: RMSprop(variables, o.rho, o.epsilon),
}
# The decay is decoupled in every optimizer: see `train_step`.
OPTIMIZERS["adamw"] = OPTIMIZERS["adam"]


def make_step(state: State, optimizer: Optimizer) -> Step:
    """`train_step`, compiled for batches of any size: twice if masks come and go."""
    made = OPTIMIZERS[optimizer.name](state.network.trainable_variables, optimizer)
    state.optimizer, state.slots = made, SLOTS[optimizer.name]

    def run(
        images: tf.Tensor,
        labels: tf.Tensor,
        masks: dict[str, tf.Tensor],
        learning_rate: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return train_step(
            state.network,
            made,
            images,
            labels,
            masks or None,
            learning_rate,
            optimizer.weight_decay,
            optimizer.label_smoothing,
            state.precision == "bfloat16",
        )

    @cache
    def compiled(masked: bool) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
        signature, masks = _signature(state)
        labels, rate = tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), state.dtype)
        return _compile(run, signature, labels, masks if masked else {}, rate)

    def step(
        state: State,
        images: Images,
        labels: Labels,
        masks: Masks,
        learning_rate: float,
    ) -> tuple[State, tf.Tensor, tf.Tensor]:
        loss, correct = compiled(bool(masks))(
            _prepare(state, images),
            tf.constant(labels),
            _masks(masks),
            tf.constant(learning_rate, state.dtype),
        )
        return state, loss, correct

    return step


def predict(state: State, images: Images) -> Array:
    """In evaluation mode, compiled once for batches of any size."""
    if state.predict is None:
        forward = _forward(state, state.network)
        signature, _ = _signature(state)
        state.predict = _compile(lambda x: forward(x, None, training=False), signature)
    logits: Array = state.predict(_prepare(state, images)).numpy()
    return logits


def save_native(state: State, path: Path) -> Path:
    """A SavedModel: `tf.saved_model.load(path).signatures["serving_default"]`."""
    target = path.with_suffix(".savedmodel")
    forward = _forward(state, state.network)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": forward(_prepare(state, images), None, training=False)}

    shape = (None, *state.architecture.input_shape)
    signature = _compile(serve, tf.TensorSpec(shape, tf.uint8, name="images"))
    tf.saved_model.save(state.network, str(target), signatures=signature)
    return target


# ---- between canonical arrays and TensorFlow's ---------------------------------------


def _tensors(state: State) -> dict[str, tf.Variable]:
    """Parameters and running averages by canonical name."""
    places = state.layouts.items()
    return {name: getattr(state.network, layout.name) for name, layout in places}


def _slots(state: State) -> dict[str, tf.Variable]:
    """What the optimizer holds by canonical name, once there is one."""
    if state.optimizer is None:
        return {}
    found, tensors = {"optimizer.step": state.optimizer.step}, _tensors(state)
    trained = enumerate(state.network.trainable_variables)
    places = {variable.ref(): place for place, variable in trained}
    for name in state.architecture.parameters:
        for slot in state.slots:
            values = getattr(state.optimizer, slot)
            found[f"optimizer.{slot}.{name}"] = values[places[tensors[name].ref()]]
    return found


@contextmanager
def _averages_kept(state: State) -> Iterator[None]:
    """Puts the running averages back afterwards."""
    tensors, names = _tensors(state), state.architecture.statistics
    averages = {name: tensors[name].numpy() for name in names}
    try:
        yield
    finally:
        load_weights(state, averages)


def _prepare(state: State, images: Images | tf.Tensor) -> tf.Tensor:
    """Images as the network sees them; features are so already."""
    if state.architecture.section == "head":
        return tf.cast(images, state.dtype)
    mean, std = state.architecture.mean, state.architecture.std
    return prepare(images, mean, std, state.dtype)


def _masks(masks: Masks) -> dict[str, tf.Tensor]:
    """Dropout masks as the network takes them."""
    return {name: tf.constant(mask) for name, mask in masks.items()}


def _signature(state: State) -> tuple[tf.TensorSpec, dict[str, tf.TensorSpec]]:
    """Prepared images and masks for batches of any size."""
    masks = {
        name: tf.TensorSpec((None, *shape), tf.bool)
        for name, (_, shape) in state.architecture.dropouts.items()
    }
    shape = (None, *state.architecture.input_shape)
    return tf.TensorSpec(shape, state.dtype), masks


def _forward(state: State, network: tf.Module) -> Callable[..., tf.Tensor]:
    """The network as it is called in the state's precision."""
    return in_bfloat16(network) if state.precision == "bfloat16" else network


def _compile(function: F, *signature: object) -> F:
    """The function as a graph for arguments of these types."""
    compiled = tf.function(function, input_signature=signature, autograph=False)
    concrete: F = compiled.get_concrete_function()
    return concrete


@cache
def _gpus() -> list[tf.config.PhysicalDevice]:
    """The GPUs, told to take memory as it is needed and to leave TF32 off."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus: list[tf.config.PhysicalDevice] = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return gpus


@cache
def _works(precision: Precision) -> bool:
    """Whether a convolution and its gradients can be computed so, by trying."""
    try:
        x, kernel = tf.ones((1, 4, 4, 1), precision), tf.ones((3, 3, 1, 1), precision)
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
        tape.gradient(y, (x, kernel))
    except tf.errors.OpError:
        return False
    return True
