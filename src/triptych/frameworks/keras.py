"""Keras 3: layers, `compile` and `train_on_batch`, on whichever backend KERAS_BACKEND names."""

from __future__ import annotations

import os
import sys
import unicodedata
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
from keras.src.backend.common import dtypes

from triptych.frameworks.contract import Activations, Facts, Images, Labels, Masks, Optimizer, Step
from triptych.frameworks.source import describe, renamed, run_source, sources, variables
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import PIXEL_SCALE, PRECISIONS, Precision
from triptych.network.layouts import Array, Layout, Layouts, gate_order, to_canonical, to_native
from triptych.network.weights import Weights

FILENAME = "<network.py in Keras>"
TAKEN = {"keras", "layers", "BatchNormalization", "Bias", "PaddedAverage", "Dropout", "GELU"}
"""Words that the lines of a network use: no variable of a layer can be called so."""

BACKENDS = {
    "tensorflow": ("Keras", "TF_NUM_INTRAOP_THREADS"),
    "jax": ("Keras on JAX", ""),
    "torch": ("Keras on PyTorch", "OMP_NUM_THREADS"),
}
"""How each backend is called here, and the variable that sets its number of threads."""


@dataclass
class State:
    """A compiled network with its optimiser, once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    layouts: Layouts
    network: keras.Model
    slots: dict[str, str] = field(default_factory=dict)
    """The optimiser's names for its slots, by ours."""
    functions: dict[Any, Any] = field(default_factory=dict)
    """Keras' compiled functions: see `run_by_size`."""

    @property
    def dtype(self) -> str:
        """What weights, averages, loss and optimiser are kept in."""
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
    switches = ("NVIDIA_TF32_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE")
    modes = {name: os.environ.get(name, "not set") for name in switches}  # Keras leaves them to its backend
    return Facts(title, versions["keras"], versions, kind, count, PRECISIONS, modes)


# ---- the network, written ------------------------------------------------------------------------------


def channel_sums(x: keras.KerasTensor) -> keras.KerasTensor:
    """The sums over all axes but the last: (batch, ..., channels) to (channels,).

    Over the batch it is a matrix product: of a large x twice as fast as `ops.sum` on a CPU, or faster.
    """
    batch = ops.shape(x)[0]
    summed = ops.matmul(ops.ones((1, batch), x.dtype), ops.reshape(x, (batch, -1)))
    return ops.sum(ops.reshape(summed, (-1, x.shape[-1])), 0)


def normalise(*inputs: keras.KerasTensor, epsilon: float) -> keras.KerasTensor:
    """Batch norm of (x, scale, offset, mean, variance), the last two those of x.

    Its gradient in closed form (Ioffe and Szegedy, 2015) reads the pixels less often than the chain rule.
    """

    @ops.custom_gradient
    def normal(x, scale, offset, mean, variance):  # type: ignore[no-untyped-def]
        def gradient(*given, upstream=None):  # type: ignore[no-untyped-def]
            g = given[0] if upstream is None else upstream
            n, deviation = ops.cast(ops.size(x) // x.shape[-1], x.dtype), ops.sqrt(variance + epsilon)
            by_offset = channel_sums(g)
            by_scale = (channel_sums(g * x) - mean * by_offset) / deviation
            slope = by_scale / (n * deviation)
            by_x = (g - (x * slope + (by_offset / n - mean * slope))) * (scale / deviation)
            return by_x, by_scale, by_offset, ops.zeros_like(mean), ops.zeros_like(mean)

        return ops.batch_normalization(x, mean, variance, -1, offset, scale, epsilon), gradient

    return normal(*inputs)


@keras.saving.register_keras_serializable("triptych")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' own, but the unbiased variance of each batch, n / (n - 1) times the biased, is averaged."""

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return super().call(inputs, training=False)
        x = ops.cast(inputs, self.variable_dtype)
        fixed, n = ops.stop_gradient(x), ops.cast(ops.size(x) // x.shape[-1], x.dtype)
        mean = channel_sums(fixed) / n
        variance = channel_sums(ops.square(fixed - mean)) / n
        unbiased = variance * (n / ops.maximum(n - 1, 1))
        kept, taken = self.momentum, 1 - self.momentum
        self.moving_mean.assign(kept * self.moving_mean + taken * mean)
        self.moving_variance.assign(kept * self.moving_variance + taken * unbiased)
        scale, offset = (ops.cast(variable, x.dtype) for variable in (self.gamma, self.beta))
        x = normalise(x, scale, offset, mean, variance, epsilon=self.epsilon)
        return ops.cast(x, self.compute_dtype)


@keras.saving.register_keras_serializable("triptych")
class Bias(keras.layers.Layer):
    """Adds one trained number a channel; Keras has biases inside other layers only."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.bias


@keras.saving.register_keras_serializable("triptych")
class PaddedAverage(keras.layers.Layer):
    """Average pool in which padding never counts; Keras' own repeats the edge on PyTorch at uneven ends."""

    def __init__(
        self,
        size: int | tuple[int, ...],
        strides: int | tuple[int, ...],
        pads: tuple[tuple[int, int], ...],
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.size, self.strides, self.pads = size, strides, pads

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        def mean(x: keras.KerasTensor) -> keras.KerasTensor:
            return ops.average_pool(
                ops.pad(x, ((0, 0), *self.pads, (0, 0))), self.size, self.strides, "valid"
            )

        return mean(inputs) / mean(ops.ones_like(inputs))

    def get_config(self) -> dict[str, object]:
        config: dict[str, object] = super().get_config()
        return config | {"size": self.size, "strides": self.strides, "pads": self.pads}


@keras.saving.register_keras_serializable("triptych")
class Dropout(keras.layers.Dropout):
    """Inverted dropout; the mask says which units to keep, and without a mask all are kept."""

    def call(
        self, inputs: keras.KerasTensor, keep: keras.KerasTensor | None = None, training: bool = False
    ) -> keras.KerasTensor:
        if not training or keep is None:
            return inputs
        return inputs * ops.cast(keep, inputs.dtype) / (1 - self.rate)


@keras.saving.register_keras_serializable("triptych")
class GELU(keras.layers.Layer):
    """x Phi(x); Keras' own rounds the root of 2 to float32 where TensorFlow computes it."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return 0.5 * inputs * (1 + ops.erf(inputs / 2**0.5))


def write_network(architecture: Architecture) -> str:
    """A function `network()`: `keras.Sequential` along a chain, the functional API elsewhere.

    Each dropout layer takes its mask from an optional input, "dropout1_keep" for "dropout1".
    """
    held = variables(architecture, {*TAKEN, *_mask_inputs(architecture).values()})
    chain = set(held.values()) == {"x"} and all(len(node.inputs) == 1 for node in architecture.nodes)
    if chain and not architecture.nodes_of(layers.Dropout):
        body = _sequential(architecture)
    else:
        body = _functional(architecture, held | {INPUT: INPUT})
    network = f"\n\ndef network() -> keras.Model:\n{body}"
    pieces = sources((BatchNormalization, Bias, PaddedAverage, Dropout, GELU), network)
    pieces = sources((channel_sums, normalise), pieces) + pieces
    imports = f"import keras\nfrom keras import layers{', ops' if 'ops.' in pieces else ''}\n"
    return f"{describe(architecture, 'Keras')}\n\n{imports}{pieces}{network}"


def _names(architecture: Architecture) -> dict[str, str]:
    """What each layer is called in Keras: as it is, but TensorFlow takes letters of ASCII only."""
    return renamed((node.name for node in architecture.nodes), {INPUT}, _in_ascii)


def _in_ascii(name: str) -> str:
    """A name without the marks on its letters, and without letters that then are not of ASCII."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain.lstrip("_") or "layer"


def _mask_inputs(architecture: Architecture) -> dict[str, str]:
    """The input that each dropout layer takes its mask from; it is called as no layer is."""
    names = _names(architecture)
    dropouts = (node.name for node in architecture.nodes_of(layers.Dropout))
    return renamed(dropouts, {*names, *names.values()}, lambda name: f"{names[name]}_keep")


def _sequential(architecture: Architecture) -> str:
    names = _names(architecture)
    made = [f'keras.Input({architecture.input_shape}, name="{INPUT}")']
    made += [_layer(architecture, node, names[node.name]) for node in architecture.nodes]
    lines = "".join(f"            {layer},\n" for layer in made)
    return f"    return keras.Sequential(\n        [\n{lines}        ]\n    )\n"


def _functional(architecture: Architecture, held: dict[str, str]) -> str:
    inputs = {INPUT: f'keras.Input({architecture.input_shape}, name="{INPUT}")'}
    names, masks = _names(architecture), _mask_inputs(architecture)
    for name, mask in masks.items():
        shape = architecture.shapes[name]
        inputs[mask] = f'keras.Input({shape}, dtype="bool", name="{mask}", optional=True)'
    lines = [f"{name} = {made}" for name, made in inputs.items()]
    for node in architecture.nodes:
        read = ", ".join(held[name] for name in node.inputs)
        if node.layer.merges:
            read = f"[{read}]"
        if node.name in masks:
            read += f", {masks[node.name]}"
        made = _layer(architecture, node, names[node.name])
        lines.append(_fold(f"{held[node.name]} = {made}", f"({read})"))
    given = f"[{', '.join(inputs)}]" if len(inputs) > 1 else INPUT
    lines.append(f"return keras.Model({given}, {held[architecture.nodes[-1].name]})")
    return "".join(f"    {line}\n" for line in lines)


def _fold(made: str, read: str) -> str:
    """One line, or three if it is too long for one."""
    if len(made + read) <= 100:
        return made + read
    head, _, options = made.partition("(")
    return f"{head}(\n        {options.removesuffix(')')}\n    ){read}"


def _layer(architecture: Architecture, node: Node, called: str) -> str:
    """How a layer is made that is `called` so in Keras."""
    name = {"name": called}
    match node.layer:
        case layers.Conv() | layers.DepthwiseConv() as conv:
            options = {
                "strides": _plain(conv.strides, 1), "padding": _padding(conv),
                "use_bias": None if conv.bias else False, **name,
            }  # fmt: skip
            size = _plain(conv.window)
            if isinstance(conv, layers.Conv):
                return _call("layers.Conv2D", conv.filters, size, **options)
            if not _in_groups(conv):
                return _call("layers.DepthwiseConv2D", size, **options)
            channels = architecture.shapes[node.name][2]
            return _call("layers.Conv2D", channels, size, groups=channels, **options)
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            return _call("BatchNormalization", momentum=momentum, epsilon=epsilon, **name)
        case layers.Bias():
            return _call("Bias", **name)
        case layers.Dense(units=units, bias=bias):
            return _call("layers.Dense", units, use_bias=None if bias else False, **name)
        case layers.AveragePool(padding="same") as pool:
            strides, pads = _plain(pool.strides), pool.pads(architecture.input_shapes(node)[0])
            return _call("PaddedAverage", _plain(pool.window), strides=strides, pads=pads, **name)
        case layers.MaxPool() | layers.AveragePool() as pool:
            kind = "MaxPooling2D" if isinstance(pool, layers.MaxPool) else "AveragePooling2D"
            strides = None if pool.strides == pool.window else _plain(pool.strides)
            return _call(
                f"layers.{kind}", _plain(pool.window), strides=strides, padding=_padding(pool), **name
            )
        case layers.GlobalAveragePool():
            return _call("layers.GlobalAveragePooling2D", **name)
        case layers.Flatten():
            return _call("layers.Flatten", **name)
        case layers.Rows():
            return _call("layers.Reshape", architecture.shapes[node.name], **name)
        case layers.Recurrent(units=units, sequence=sequence) as layer:
            return _call(f"layers.{layer.kind.upper()}", units, return_sequences=sequence or None, **name)
        case layers.ReLU():
            return _call("layers.ReLU", **name)
        case layers.ReLU6():
            return _call("layers.ReLU", max_value=6, **name)
        case layers.GELU():
            return _call("GELU", **name)
        case layers.Tanh() | layers.Sigmoid():
            return _call("layers.Activation", node.layer.kind, **name)
        case layers.Dropout(rate=rate):
            return _call("Dropout", rate, **name)
        case layers.Add():
            return _call("layers.Add", **name)
        case layers.Concat():
            return _call("layers.Concatenate", **name)
    raise NotImplementedError(node.layer.kind)


def _in_groups(layer: layers.Layer) -> bool:
    """Whether a depthwise convolution is written as one in groups: TensorFlow's has one stride for both."""
    return isinstance(layer, layers.DepthwiseConv) and layer.strides[0] != layer.strides[1]


def _padding(layer: layers.Conv | layers.DepthwiseConv | layers.MaxPool | layers.AveragePool) -> str | None:
    """Keras pads as the conventions do; "valid" is its default."""
    return None if layer.padding == "valid" else layer.padding


def _plain(pair: tuple[int, int], default: int | None = None) -> Any:
    """One number for two equal ones; None for the default, which need not be written."""
    value = pair[0] if pair[0] == pair[1] else pair
    return None if value == default else value


def _call(function: str, *values: Any, **options: Any) -> str:
    given = {name: value for name, value in options.items() if value is not None}
    written = [_write(value) for value in values] + [f"{name}={_write(given[name])}" for name in given]
    return f"{function}({', '.join(written)})"


def _write(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


NAMES = {
    "scale": "gamma",
    "offset": "beta",
    "mean": "moving_mean",
    "variance": "moving_variance",
}
GATES = {"lstm": "ifgo", "gru": "zrn"}
"""The order of the gates in Keras, in the letters of the conventions."""


def layouts(architecture: Architecture) -> Layouts:
    """Names of layers and their attributes; kernels are canonical, but for one (see `_layer`).

    The gates of a GRU are in another order.
    """
    found, names = {}, _names(architecture)
    for name in architecture.parameters | architecture.statistics:
        layer, tensor = name.split(".")
        found[name] = Layout(f"{names[layer]}.{NAMES.get(tensor, tensor)}")
    for node in architecture.nodes:
        if isinstance(node.layer, layers.Recurrent):
            gates = gate_order(node.layer.GATES, GATES[node.layer.kind])
            for tensor in node.layer.parameters(*architecture.input_shapes(node)):
                found[f"{node.name}.{tensor}"] = Layout(f"{names[node.name]}.cell.{tensor}", gates=gates)
        if isinstance(node.layer, layers.GRU):  # both biases are rows of one variable
            for row, tensor in enumerate(("bias", "recurrent_bias")):
                biases = Layout(f"{names[node.name]}.cell.bias", gates=gates, row=row)
                found[f"{node.name}.{tensor}"] = biases
    for node in architecture.nodes_of(layers.DepthwiseConv):
        if _in_groups(node.layer):
            found[f"{node.name}.kernel"] = Layout(f"{names[node.name]}.kernel", (0, 1, 3, 2))
    return found


# ---- the contract --------------------------------------------------------------------------------------


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The source text is executed and its `network` called under a dtype policy of that precision."""
    _configure(precision)
    text = write_network(architecture)
    network = run_source(text, FILENAME)["network"]()
    state = State(architecture, precision, text, layouts(architecture), network)
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """Optimiser slots are matched by `State.slots`."""
    for name, variable in _variables(state).items():
        if name in weights:
            _assign(state, name, variable, weights[name])
    if state.slots and "optimizer.step" in weights:
        state.network.optimizer.iterations.assign(int(weights["optimizer.step"]))
        for slot, theirs in state.slots.items():
            for name, variable in _of_each_parameter(state, getattr(state.network.optimizer, theirs)).items():
                _assign(state, name, variable, weights[f"optimizer.{slot}.{name}"])


def dump_weights(state: State) -> Weights:
    """Keras keeps canonical layouts."""
    weights = {name: _to_canonical(state, name, variable) for name, variable in _variables(state).items()}
    if state.slots:
        weights["optimizer.step"] = np.array(int(state.network.optimizer.iterations), dtype=np.int64)
        for slot, theirs in state.slots.items():
            for name, variable in _of_each_parameter(state, getattr(state.network.optimizer, theirs)).items():
                weights[f"optimizer.{slot}.{name}"] = _to_canonical(state, name, variable)
    return weights


def trace(
    state: State, images: Images, training: bool, masks: Masks, fed: Activations | None = None
) -> dict[str, Array]:
    """The model's layers, called one by one."""
    _configure(state.precision)
    values, names = {INPUT: ops.convert_to_tensor(_pixels(state, images))}, _names(state.architecture)
    with _averages_kept(state):
        for node in state.architecture.nodes:
            inputs = [values[name] for name in node.inputs]
            if fed is not None:
                inputs = [
                    ops.cast(fed[name], value.dtype) for name, value in zip(node.inputs, inputs, strict=True)
                ]
            options: dict[str, Any] = {}
            if isinstance(node.layer, layers.BatchNorm | layers.Dropout):
                options["training"] = training
            if node.name in masks:
                options["keep"] = masks[node.name]
            layer = state.network.get_layer(names[node.name])
            values[node.name] = layer(inputs if node.layer.merges else inputs[0], **options)
    return {name: _to_numpy(state, value) for name, value in values.items()}


class Recorder(keras.optimizers.Optimizer):
    """Records the gradients and leaves the weights as they are."""

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        self.gradients = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.assign(self.gradients[self._get_variable_index(variable)], gradient)


class Zero(keras.layers.Layer):
    """Adds a zero to each number of a batch: what it would be trained by is the gradient there."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.zero = self.add_weight(shape=shape, initializer="zeros")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.zero


def gradients(state: State, images: Images, labels: Labels, masks: Masks) -> tuple[float, dict[str, Array]]:
    """By `train_on_batch` of the same layers with a `Zero` after each, and an optimiser that records."""
    _configure(state.precision)
    recorder, zeros = _with_zeros(state, len(images))
    compile_network(recorder, Recorder(learning_rate=0.0))
    # A compiled program rounds to bfloat16 in places of its own; here a tie has to fall as in `trace`.
    recorder.run_eagerly = state.precision == "bfloat16"
    with _averages_kept(state):
        loss, _ = train_step(recorder, _inputs(state, images, masks), labels, 0.0)
    own = {id(v): gradient for v, gradient in zip(
        recorder.trainable_variables, recorder.optimizer.gradients, strict=True
    )}  # fmt: skip
    parameters = _variables(state)
    found = {n: _to_canonical(state, n, own[id(parameters[n])]) for n in state.architecture.parameters}
    return loss, found | {name: _to_numpy(state, own[id(zero.zero)]) for name, zero in zeros.items()}


def _with_zeros(state: State, batch: int) -> tuple[keras.Model, dict[str, Zero]]:
    """A model of the network's layers for batches of that size, and the `Zero` after each of them."""
    inputs = [keras.Input(batch_shape=(batch, *i.shape[1:]), dtype=i.dtype, name=i.name,
                          optional=i.name != INPUT) for i in state.network.inputs]  # fmt: skip
    keep, masks = {i.name: i for i in inputs}, _mask_inputs(state.architecture)
    called = {INPUT: INPUT, **_names(state.architecture)}
    taken = {*called.values(), *masks.values()}
    own = renamed(called, taken, lambda name: f"{called[name]}_zero")
    zeros = {name: Zero(name=own[name]) for name in state.architecture.shapes}
    values = {INPUT: zeros[INPUT](keep[INPUT])}
    for node in state.architecture.nodes:
        read: list[Any] = [values[name] for name in node.inputs]
        if node.layer.merges:
            read = [read]
        if node.name in masks:
            read.append(keep[masks[node.name]])
        values[node.name] = zeros[node.name](state.network.get_layer(called[node.name])(*read))
    given = inputs if len(inputs) > 1 else inputs[0]
    return keras.Model(given, values[state.architecture.nodes[-1].name]), zeros


def compile_network(network: keras.Model, optimizer: keras.Optimizer, label_smoothing: float = 0.0) -> None:
    """Get ready to train: cross-entropy from logits, and weight decay, if any, on kernels only."""
    others = [
        v for v in network.trainable_variables if not v.name.endswith("kernel")
    ]  # a GRU's biases are 2-D
    optimizer.exclude_from_weight_decay(others)
    optimizer.build(network.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    network.compile(optimizer, loss, metrics=["accuracy"])


def train_step(network: keras.Model, inputs: Any, labels: Labels, learning_rate: float) -> tuple[float, int]:
    """One step on a batch; gives the loss before it and how many of the batch were right."""
    network.optimizer.learning_rate = learning_rate
    targets = keras.utils.to_categorical(labels, network.output_shape[-1])
    logs = network.train_on_batch(inputs, targets, return_dict=True)
    return logs["loss"], round(logs["accuracy"] * len(labels))


class SGD(keras.optimizers.Optimizer):
    """v = momentum v + g, w = w - lr v; Keras' own has lr in v, so that a new rate acts late."""

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = momentum

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        v = self.velocities[self._get_variable_index(variable)]
        self.assign(v, self.momentum * v + gradient)
        self.assign_sub(variable, learning_rate * v)


class Adam(keras.optimizers.Adam):
    """Adam as in its paper; Keras' own adds epsilon before the root is corrected for its bias."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign_add(m, (1 - self.beta_1) * (gradient - m))
        self.assign_add(v, (1 - self.beta_2) * (ops.square(gradient) - v))
        root = ops.sqrt(1 - self.beta_2**step)  # both corrections as numbers, not for each weight
        rate = learning_rate * root / (1 - self.beta_1**step)
        self.assign_sub(variable, rate * m / (ops.sqrt(v) + self.epsilon * root))


class RMSprop(keras.optimizers.RMSprop):
    """RMSprop with epsilon outside the root; Keras' own adds it inside."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        s = self._velocities[self._get_variable_index(variable)]
        self.assign(s, self.rho * s + (1 - self.rho) * ops.square(gradient))
        self.assign_sub(variable, learning_rate * gradient / (ops.sqrt(s) + self.epsilon))


OPTIMIZERS: dict[str, Callable[..., keras.Optimizer]] = {
    "sgd": lambda o, **options: SGD(momentum=o.momentum, **options),
    "adam": lambda o, **options: Adam(beta_1=o.beta1, beta_2=o.beta2, epsilon=o.epsilon, **options),
    "rmsprop": lambda o, **options: RMSprop(rho=o.decay, epsilon=o.epsilon, **options),
}
OPTIMIZERS["adamw"] = OPTIMIZERS["adam"]  # the decay is decoupled in every optimiser of Keras

SLOTS = {
    "sgd": {"velocity": "velocities"},
    "adam": {"first_moment": "_momentums", "second_moment": "_velocities"},
    "adamw": {"first_moment": "_momentums", "second_moment": "_velocities"},
    "rmsprop": {"mean_square": "_velocities"},
}


def make_step(state: State, optimizer: Optimizer) -> Step:
    """The optimisers above; XLA compiles the step on accelerators and in JAX, where it pays."""
    _configure(state.precision)
    decay = ops.convert_to_tensor(optimizer.weight_decay, state.dtype)  # TensorFlow takes a float as float32
    made = OPTIMIZERS[optimizer.name](
        optimizer, learning_rate=0.0, weight_decay=decay if optimizer.weight_decay else None
    )
    compile_network(state.network, made, optimizer.label_smoothing)
    state.slots, state.functions = SLOTS[optimizer.name], {}

    def step(state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float) -> Any:
        _configure(state.precision)
        return state, *_run(state, state.network, train_step, images, masks, labels, learning_rate)

    return step


def predict(state: State, images: Images) -> Array:
    """By `predict_on_batch`, filled up to a power of two, so that few sizes of batch are compiled."""
    _configure(state.precision)
    filled = filled_up(images)
    logits: Array = _run(state, state.network, keras.Model.predict_on_batch, filled, {})
    return logits[: len(images)].astype(state.dtype)


def filled_up(images: Images) -> Images:
    """As many pictures as the next power of two, black ones at the end."""
    filled = np.zeros((1 << max(len(images) - 1, 0).bit_length(), *images.shape[1:]), images.dtype)
    filled[: len(images)] = images
    return filled


def save_native(state: State, path: Path) -> Path:
    """A `.keras` file without the optimiser; `import network`, then `keras.saving.load_model(path)`."""
    _configure(state.precision)
    target = path.with_suffix(".keras")
    network = run_source(state.text, FILENAME)["network"]()
    network.set_weights(state.network.get_weights())
    network.save(target)
    return target


# ---- between canonical arrays and Keras' ----------------------------------------------------------------


def _configure(precision: Precision) -> None:
    """Keras keeps these for the process, not for the network."""
    floatx = "float64" if precision == "float64" else "float32"
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    keras.config.set_image_data_format("channels_last")
    backend = keras.config.backend()
    if backend == "jax":  # Keras has no switch of its own for JAX's 64 bits
        sys.modules["jax"].config.update("jax_enable_x64", precision == "float64")
    if backend != "tensorflow":  # there Keras makes float64 float32 between operations, and does not say so
        getattr(dtypes, "BIT64_TO_BIT32_DTYPE", {})["float64"] = floatx


def _run(
    state: State, model: keras.Model, function: Callable[..., Any], images: Images, masks: Masks, *values: Any
) -> Any:
    key = (id(model), len(images), bool(masks))
    return run_by_size(state.functions, key, model, function, _inputs(state, images, masks), *values)


def run_by_size(
    functions: dict[Any, Any], key: Any, model: keras.Model, function: Callable[..., Any], *values: Any
) -> Any:
    """`function(model, *values)` with a compiled function of its own for each `key`: each size of batch.

    Keras' one function, in TensorFlow, is compiled for any size once it has met a second one, and then
    rounds otherwise: what a step gives would depend on the batches before it.
    """
    kind = "train_function" if function is train_step else "predict_function"
    setattr(model, kind, functions.get((kind, key)))
    result = function(model, *values)
    functions[kind, key] = getattr(model, kind)
    return result


def _variables(state: State) -> dict[str, keras.Variable]:
    """Parameters and running averages by canonical name."""
    places = {name: layout.name.partition(".") for name, layout in state.layouts.items()}
    return {n: attrgetter(path)(state.network.get_layer(layer)) for n, (layer, _, path) in places.items()}


def _of_each_parameter(state: State, values: list[keras.Variable]) -> dict[str, keras.Variable]:
    """What an optimiser holds for the trainable variables, in their order, by canonical name."""
    places = {id(variable): place for place, variable in enumerate(state.network.trainable_variables)}
    own = _variables(state)
    return {name: values[places[id(own[name])]] for name in state.architecture.parameters}


@contextmanager
def _averages_kept(state: State) -> Iterator[None]:
    """Puts the running averages back afterwards."""
    own = _variables(state)
    before = {name: _to_numpy(state, own[name]) for name in state.architecture.statistics}
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


def _to_numpy(state: State, value: Any) -> Array:
    return np.array(ops.convert_to_numpy(ops.cast(value, state.dtype)))


def _pixels(state: State, images: Images) -> Array:
    return prepare(images, state.architecture.mean, state.architecture.std, state.dtype)


def prepare(images: Images, mean: tuple[float, ...], std: tuple[float, ...], dtype: str) -> Array:
    """Pictures as the network sees them: (pixel / 255 - mean) / std."""
    pixels: Array = images.astype(dtype) / PIXEL_SCALE
    if any(mean) or set(std) != {1.0}:
        pixels = (pixels - np.array(mean, dtype)) / np.array(std, dtype)
    return pixels


def _inputs(state: State, images: Images, masks: Masks) -> Any:
    """The pictures, with the masks if the network takes any."""
    pixels = _pixels(state, images)
    dropouts = [node.name for node in state.architecture.nodes_of(layers.Dropout)]
    return [pixels, *(masks.get(name) for name in dropouts)] if dropouts else pixels
