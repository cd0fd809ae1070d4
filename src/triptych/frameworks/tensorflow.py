"""TensorFlow without Keras: a `tf.Module` of variables, `tf.nn`, a gradient tape, all in `tf.function`."""

from __future__ import annotations

import copy
import functools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from triptych.errors import UsageError
from triptych.frameworks.contract import Activations, Facts, Images, Labels, Masks, Optimizer, Step
from triptych.frameworks.source import describe, run_source, run_with_taps, sources, variables
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import LSTM_FORGET_BIAS, PIXEL_SCALE, PRECISIONS, SLOTS, Precision
from triptych.network.layouts import Array, Layout, Layouts
from triptych.network.weights import Weights

FILENAME = "<network.py in TensorFlow>"
TAKEN = {"self", "masks", "training", "tf", "batch_norm", "lstm", "gru", "gelu", "dropout"}
"""Words that the lines of a network use: no variable of a layer can be called so."""


@dataclass
class State:
    """A network with its optimiser, once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    network: tf.Module
    optimizer: Any = None
    slots: tuple[str, ...] = ()
    """The optimiser's slots; its attributes of these names hold one variable for each of the network's."""
    predict: Callable[..., tf.Tensor] | None = None
    """The forward pass in evaluation mode, once it is compiled."""

    @property
    def dtype(self) -> tf.DType:
        """What weights, averages, loss and optimiser are kept in."""
        return tf.float64 if self.precision == "float64" else tf.float32


def facts() -> Facts:
    """A GPU is used if there is one; TF32 is left off, so that float32 means float32."""
    gpus = _gpus()
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu") if gpus else "cpu"
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    threads = chosen or int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0)) or os.cpu_count() or 1
    versions = {"tensorflow": tf.__version__, "numpy": np.__version__}
    precisions = tuple(precision for precision in PRECISIONS if _works(precision))
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    modes = {
        "TF32": "on" if tf32 else "off",
        "oneDNN": f"float32 {os.environ.get('TF_SET_ONEDNN_FPMATH_MODE', 'strict').lower()}",
    }
    return Facts("TensorFlow", tf.__version__, versions, device, threads, precisions, modes)


# ---- the network, written ------------------------------------------------------------------------------


def he_normal(shape: tuple[int, ...], fan_in: int, dtype: tf.DType) -> tf.Variable:
    """A kernel drawn from a normal distribution of variance 2 / fan_in."""
    return tf.Variable(tf.random.normal(shape, stddev=(2 / fan_in) ** 0.5, dtype=dtype))


def glorot_uniform(inputs: int, units: int, gates: int, dtype: tf.DType) -> tf.Variable:
    """A kernel for each gate, side by side, uniform with variance 2 / (inputs + units)."""
    limit = (6 / (inputs + units)) ** 0.5
    return tf.Variable(tf.random.uniform((inputs, gates * units), -limit, limit, dtype=dtype))


def orthogonal(units: int, gates: int, dtype: tf.DType) -> tf.Variable:
    """An orthogonal kernel for each gate, side by side."""
    matrices, _ = tf.linalg.qr(tf.random.normal((gates, units, units), dtype=dtype))
    return tf.Variable(tf.concat(tf.unstack(matrices), axis=1))


def batch_norm(
    x: tf.Tensor,
    scale: tf.Variable,
    offset: tf.Variable,
    mean: tf.Variable,
    variance: tf.Variable,
    epsilon: float,
    momentum: float,
    training: bool,
) -> tf.Tensor:
    """Normalise each channel, in training by the batch, whose mean and variance then enter the running ones.

    The running variance takes the batch's unbiased one, n / (n - 1) times that of the forward pass, as the
    fused operation does. That one knows pictures only, and no float64.
    """
    if x.shape.rank == 4 and mean.dtype == tf.float32:
        options = {"epsilon": epsilon, "exponential_avg_factor": 1 - momentum, "is_training": training}
        x, new_mean, new_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=mean, variance=variance, **options
        )
        if training:
            mean.assign(new_mean)
            variance.assign(new_variance)
        return x
    values = tf.cast(x, mean.dtype)
    if not training:
        normal = tf.nn.batch_normalization(values, mean, variance, offset, scale, epsilon)
        return tf.cast(normal, x.dtype)
    batch_mean, batch_variance = tf.nn.moments(values, axes=list(range(x.shape.rank - 1)))
    n = tf.cast(tf.size(x) // x.shape[-1], mean.dtype)
    mean.assign(momentum * mean + (1 - momentum) * batch_mean)
    variance.assign(momentum * variance + (1 - momentum) * batch_variance * n / tf.maximum(n - 1, 1))
    normal = tf.nn.batch_normalization(values, batch_mean, batch_variance, offset, scale, epsilon)
    return tf.cast(normal, x.dtype)


def lstm(
    x: tf.Tensor,
    kernel: tf.Variable,
    recurrent_kernel: tf.Variable,
    bias: tf.Variable,
    sequence: bool = False,
) -> tf.Tensor:
    """Long short-term memory over axis 1; its last state, or every state. Gates in the order i, f, g, o."""

    def step(state: tuple[tf.Tensor, tf.Tensor], from_x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        h, c = state
        i, f, g, o = tf.split(from_x + h @ recurrent_kernel, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    from_x = tf.transpose(tf.tensordot(x, kernel, axes=1) + bias, (1, 0, 2))
    zeros = tf.zeros((tf.shape(x)[0], recurrent_kernel.shape[0]), x.dtype)
    states, _ = tf.scan(step, from_x, (zeros, zeros))
    return tf.transpose(states, (1, 0, 2)) if sequence else states[-1]


def gru(
    x: tf.Tensor,
    kernel: tf.Variable,
    recurrent_kernel: tf.Variable,
    bias: tf.Variable,
    recurrent_bias: tf.Variable,
    sequence: bool = False,
) -> tf.Tensor:
    """Gated recurrent unit over axis 1; its last state, or every state. Gates in the order r, z, n.

    The reset gate acts after the recurrent product, so that one product serves all gates.
    """

    def step(h: tf.Tensor, from_x: tf.Tensor) -> tf.Tensor:
        r, z, n = tf.split(from_x, 3, axis=1)
        r_h, z_h, n_h = tf.split(h @ recurrent_kernel + recurrent_bias, 3, axis=1)
        n = tf.tanh(n + tf.sigmoid(r + r_h) * n_h)
        z = tf.sigmoid(z + z_h)
        return (1 - z) * n + z * h

    from_x = tf.transpose(tf.tensordot(x, kernel, axes=1) + bias, (1, 0, 2))
    zeros = tf.zeros((tf.shape(x)[0], recurrent_kernel.shape[0]), x.dtype)
    states = tf.scan(step, from_x, zeros)
    return tf.transpose(states, (1, 0, 2)) if sequence else states[-1]


def dropout(x: tf.Tensor, rate: float, masks: dict[str, tf.Tensor] | None, name: str) -> tf.Tensor:
    """Inverted dropout; the mask says which units to keep, and without masks all are kept."""
    return x if masks is None else x * tf.cast(masks[name], x.dtype) / (1 - rate)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """x Phi(x), exactly; `tf.nn.gelu` rounds the square root of 2 to float32 even in float64."""
    return 0.5 * x * (1 + tf.math.erf(x / 2**0.5))


def write_network(architecture: Architecture) -> str:
    """A `tf.Module` class `Network` that holds the variables; called with NHWC pictures, it gives logits."""
    held, prefixes = variables(architecture, TAKEN), _prefixes(architecture)
    init, call = [], []
    for node in architecture.nodes:
        own = f"self.{prefixes[node.name]}"
        for tensor, shape in _shapes(architecture, node).items():
            init.append(f"        {own}_{tensor} = {_variable(node, tensor, shape)}\n")
        expression = _layer(architecture, node, own, [held[name] for name in node.inputs])
        call.append(_assignment(held[node.name], expression))
    network = (
        "\n\nclass Network(tf.Module):\n"
        "    def __init__(self, dtype: tf.DType = tf.float32) -> None:\n"
        "        super().__init__()\n"
        f"{''.join(init)}\n"
        "    def __call__(\n"
        f"        self, {held[INPUT]}: tf.Tensor, masks: dict[str, tf.Tensor] | None = None, "
        "training: bool = False\n"
        "    ) -> tf.Tensor:\n"
        f"{''.join(call)}"
        f"        return {held[architecture.nodes[-1].name]}\n"
    )
    pieces = sources((he_normal, glorot_uniform, orthogonal, batch_norm, gelu, lstm, gru, dropout), network)
    return f"{describe(architecture, 'TensorFlow')}\n\nimport tensorflow as tf\n{pieces}{network}"


def _shapes(architecture: Architecture, node: Node) -> dict[str, layers.Shape]:
    """The shapes of a layer's tensors, the running ones included."""
    inputs = architecture.input_shapes(node)
    return node.layer.parameters(*inputs) | node.layer.statistics(*inputs)


def _prefixes(architecture: Architecture) -> dict[str, str]:
    """What each layer's attributes begin with: its name, but no two attributes are the same.

    They would be where a layer "a" has a recurrent kernel and a layer "a_recurrent" a kernel.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for node in architecture.nodes:
        tensors, prefix = _shapes(architecture, node), node.name
        while not taken.isdisjoint(own := {f"{prefix}_{tensor}" for tensor in tensors}):
            prefix += "_"
        found[node.name] = prefix
        taken |= own
    return found


def _variable(node: Node, tensor: str, shape: layers.Shape) -> str:
    """How a layer's variable is made."""
    if isinstance(node.layer, layers.Recurrent):
        return _recurrent(node.layer, tensor, shape)
    law = {"kernel": "initial", "bias": "bias_initial"}.get(tensor, "")
    if getattr(node.layer, law, None) == "normal":
        return f"tf.Variable(tf.random.normal({shape}, dtype=dtype))"
    match tensor:
        case "kernel":
            inputs = shape[:2] if isinstance(node.layer, layers.DepthwiseConv) else shape[:-1]
            return f"he_normal({shape}, fan_in={math.prod(inputs)}, dtype=dtype)"
        case "bias" | "offset":
            return f"tf.Variable(tf.zeros({shape[0]}, dtype))"
        case "scale":
            return f"tf.Variable(tf.ones({shape[0]}, dtype))"
        case "mean":
            return f"tf.Variable(tf.zeros({shape[0]}, dtype), trainable=False)"
        case "variance":
            return f"tf.Variable(tf.ones({shape[0]}, dtype), trainable=False)"
    raise NotImplementedError(tensor)


def _recurrent(layer: layers.Recurrent, tensor: str, shape: layers.Shape) -> str:
    """How a variable of a recurrent layer is made; an LSTM is to remember at first."""
    match tensor:
        case "kernel":
            return f"glorot_uniform({shape[0]}, {layer.units}, gates={layer.gates}, dtype=dtype)"
        case "recurrent_kernel":
            return f"orthogonal({layer.units}, gates={layer.gates}, dtype=dtype)"
        case "bias" if isinstance(layer, layers.LSTM):
            starts = [LSTM_FORGET_BIAS if gate == "f" else 0.0 for gate in layer.GATES]
            return f"tf.Variable(tf.repeat(tf.constant({starts}, dtype), {layer.units}))"
    return f"tf.Variable(tf.zeros({shape[0]}, dtype))"


def _layer(architecture: Architecture, node: Node, own: str, inputs: list[str]) -> str:
    """The expression that computes a layer, whose attributes begin with `own`."""
    shape = architecture.input_shapes(node)[0]
    x = inputs[0]
    match node.layer:
        case layers.Conv() as conv:
            window = f'strides={_plain(conv.strides)}, padding="{conv.padding.upper()}"'
            return _biased(f"tf.nn.conv2d({x}, {own}_kernel, {window})", own, conv.bias)
        case layers.DepthwiseConv() as conv:
            return _biased(_depthwise(conv, shape, f"{x}, {own}_kernel"), own, conv.bias)
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            tensors = ", ".join(f"{own}_{tensor}" for tensor in ("scale", "offset", "mean", "variance"))
            return f"batch_norm({x}, {tensors}, {epsilon}, {momentum}, training)"
        case layers.Bias():
            return f"tf.nn.bias_add({x}, {own}_bias)" if len(shape) == 3 else f"{x} + {own}_bias"
        case layers.Dense(bias=bias):
            return f"{x} @ {own}_kernel" + (f" + {own}_bias" if bias else "")
        case layers.MaxPool() | layers.AveragePool() as pool:
            function = "max_pool2d" if isinstance(pool, layers.MaxPool) else "avg_pool2d"
            window = f"ksize={_plain(pool.window)}, strides={_plain(pool.strides)}"
            return f'tf.nn.{function}({x}, {window}, padding="{pool.padding.upper()}")'
        case layers.GlobalAveragePool():
            return f"tf.reduce_mean({x}, axis=(1, 2))"
        case layers.Flatten():
            return f"tf.reshape({x}, (-1, {architecture.shapes[node.name][0]}))"
        case layers.Rows():
            return f"tf.reshape({x}, {(-1, *architecture.shapes[node.name])})"
        case layers.Recurrent(sequence=sequence) as layer:
            tensors = ", ".join(f"{own}_{tensor}" for tensor in layer.parameters(shape))
            return f"{layer.kind}({x}, {tensors}{', sequence=True' if sequence else ''})"
        case layers.ReLU():
            return f"tf.nn.relu({x})"
        case layers.ReLU6():
            return f"tf.nn.relu6({x})"
        case layers.Tanh():
            return f"tf.tanh({x})"
        case layers.Sigmoid():
            return f"tf.sigmoid({x})"
        case layers.GELU():
            return f"gelu({x})"
        case layers.Dropout(rate=rate):
            return f'dropout({x}, {rate}, masks, "{node.name}")'
        case layers.Add():
            return " + ".join(inputs)
        case layers.Concat():
            return f"tf.concat([{', '.join(inputs)}], axis=-1)"
    raise NotImplementedError(node.layer.kind)


def _biased(convolved: str, own: str, bias: bool) -> str:
    return f"tf.nn.bias_add({convolved}, {own}_bias)" if bias else convolved


def _depthwise(conv: layers.DepthwiseConv, shape: layers.Shape, arguments: str) -> str:
    """TensorFlow has one stride for both axes only; where they differ, pixels are left out afterwards."""
    rows, columns = conv.strides
    if rows == columns:
        window = f'strides=(1, {rows}, {columns}, 1), padding="{conv.padding.upper()}"'
        return f"tf.nn.depthwise_conv2d({arguments}, {window})"
    pads = ((0, 0), *conv.pads(shape), (0, 0))
    window = f"strides=(1, 1, 1, 1), padding={pads}"
    return f"tf.nn.depthwise_conv2d({arguments}, {window})[:, ::{rows}, ::{columns}]"


def _plain(pair: tuple[int, int]) -> int | tuple[int, int]:
    """One number for two equal ones."""
    return pair[0] if pair[0] == pair[1] else pair


def _assignment(target: str, expression: str) -> str:
    """A statement of `__call__`; a long call's arguments stand on a line of their own, or on one each."""
    line = f"        {target} = {expression}\n"
    if len(line) <= 111 or "(" not in expression:
        return line
    function, _, call = expression.partition("(")
    arguments, _, rest = call.rpartition(")")
    if len(arguments) > 98 and "(" not in arguments:
        arguments = arguments.replace(", ", ",\n            ") + ","
    return f"        {target} = {function}(\n            {arguments}\n        ){rest}\n"


def layouts(architecture: Architecture) -> Layouts:
    """Attributes of the module, each in the canonical layout."""
    places = {name: name.rpartition(".") for name in architecture.parameters | architecture.statistics}
    prefixes = _prefixes(architecture)
    return {name: Layout(f"{prefixes[layer]}_{tensor}") for name, (layer, _, tensor) in places.items()}


# ---- the contract --------------------------------------------------------------------------------------


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The source text is executed and its `Network` made."""
    _gpus()
    if not _works(precision):
        raise UsageError(f"TensorFlow cannot compute in {precision} here: use --precision float32")
    text = write_network(architecture)
    dtype = tf.float64 if precision == "float64" else tf.float32
    state = State(architecture, precision, text, run_source(text, FILENAME)["Network"](dtype))
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """TensorFlow's layouts are the canonical ones."""
    for name, variable in (_tensors(state) | _slots(state)).items():
        if name in weights:
            variable.assign(weights[name])


def dump_weights(state: State) -> Weights:
    """Layouts and slot names are the canonical ones."""
    return {name: variable.numpy() for name, variable in (_tensors(state) | _slots(state)).items()}


def trace(
    state: State, images: Images, training: bool, masks: Masks, fed: Activations | None = None
) -> dict[str, Array]:
    """The same text, with a tap after each layer, run eagerly on the same variables."""
    seen: dict[str, Array] = {}

    def tap(name: str, value: tf.Tensor) -> tf.Tensor:
        seen[name] = tf.cast(value, state.dtype).numpy()
        return value if fed is None else tf.cast(fed[name], value.dtype)

    _run_tapped(state, tap, images, masks, training)
    return seen


def gradients(state: State, images: Images, labels: Labels, masks: Masks) -> tuple[float, dict[str, Array]]:
    """By a gradient tape, eagerly, that watches each layer's output."""
    watched = {name: _tensors(state)[name] for name in state.architecture.parameters}

    def tap(name: str, value: tf.Tensor) -> tf.Tensor:
        watched[name] = tf.identity(value)  # a tensor of its own: dropout may hand on its very input
        tape.watch(watched[name])
        return watched[name]

    with tf.GradientTape() as tape:
        logits = _run_tapped(state, tap, images, masks, training=True)
        loss = cross_entropy(logits, tf.constant(labels))
    found = tape.gradient(loss, watched)
    return float(loss), {n: tf.cast(gradient, state.dtype).numpy() for n, gradient in found.items()}


def _run_tapped(
    state: State, tap: Callable[[str, tf.Tensor], tf.Tensor], images: Images, masks: Masks, training: bool
) -> tf.Tensor:
    """The logits by the same text with taps, on the same variables, whose averages are put back."""
    tapped = copy.copy(state.network)
    held = variables(state.architecture, TAKEN)
    tapped.__class__ = run_with_taps(state.text, FILENAME, "__call__", held, tap)["Network"]
    with _averages_kept(state):
        return _forward(state, tapped)(_prepare(state, images), _masks(masks) or None, training)


@contextmanager
def _averages_kept(state: State) -> Iterator[None]:
    """Puts the running averages back afterwards."""
    averages = {name: _tensors(state)[name].numpy() for name in state.architecture.statistics}
    try:
        yield
    finally:
        load_weights(state, averages)


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Mean softmax cross-entropy against (1 - smoothing) one_hot + smoothing / classes."""
    classes = logits.shape[-1]
    share = smoothing / classes
    target = tf.one_hot(labels, classes, on_value=1 - smoothing + share, off_value=share, dtype=logits.dtype)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))


def in_bfloat16(network: tf.Module) -> Callable[..., tf.Tensor]:
    """The network with kernels and biases cast to bfloat16; batch norm's own tensors stay as they are."""

    def call(images: tf.Tensor, masks: dict[str, tf.Tensor] | None, training: bool) -> tf.Tensor:
        half = copy.copy(network)
        for name, variable in vars(network).items():
            if name.endswith(("_kernel", "_bias")):
                vars(half)[name] = tf.cast(variable, tf.bfloat16)
        return tf.cast(half(tf.cast(images, tf.bfloat16), masks, training), images.dtype)

    return call


def train_step(
    network: tf.Module, optimizer: Any, images: tf.Tensor, labels: tf.Tensor,
    masks: dict[str, tf.Tensor] | None, learning_rate: tf.Tensor,
    weight_decay: float = 0.0, label_smoothing: float = 0.0, bfloat16: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
    """One step on a batch; gives the loss before it and how many of the batch were right."""
    with tf.GradientTape() as tape:
        forward = in_bfloat16(network) if bfloat16 else network
        logits = forward(images, masks, training=True)
        loss = cross_entropy(logits, labels, label_smoothing)
    gradients = tape.gradient(loss, network.trainable_variables)
    if weight_decay:  # decoupled from the gradient, on kernels only
        for variable in network.trainable_variables:
            if variable.shape.rank > 1:
                variable.assign(variable * (1 - learning_rate * weight_decay))
    optimizer.apply(gradients, network.trainable_variables, learning_rate)
    return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == labels, tf.int32))


class SGD:
    """Momentum: v = momentum v + g; w = w - learning_rate v."""

    def __init__(self, variables: list[tf.Variable], momentum: float) -> None:
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.velocity = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
        self.momentum = momentum

    def apply(self, gradients: list[tf.Tensor], variables: list[tf.Variable], rate: tf.Tensor) -> None:
        """Update `variables` in place."""
        self.step.assign_add(1)
        for w, v, g in zip(variables, self.velocity, gradients, strict=True):
            tf.raw_ops.ResourceApplyMomentum(
                var=w.handle, accum=v.handle, grad=g, lr=rate, momentum=tf.constant(self.momentum, g.dtype)
            )


class Adam:
    """m, v = moments of g and g^2; w = w - learning_rate m' / (sqrt(v') + epsilon), ' bias-corrected."""

    def __init__(self, variables: list[tf.Variable], beta1: float, beta2: float, epsilon: float) -> None:
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.first_moment = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
        self.second_moment = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def apply(self, gradients: list[tf.Tensor], variables: list[tf.Variable], rate: tf.Tensor) -> None:
        """Update `variables` in place.

        The fused operation adds epsilon to the uncorrected root, so both corrections go in beforehand. They
        are computed in float64, from the betas as rounded to the weights' type: in float32, 1 - 0.999 is
        off by 1e-5.
        """
        beta1, beta2 = tf.constant(self.beta1, rate.dtype), tf.constant(self.beta2, rate.dtype)
        step = tf.cast(self.step.assign_add(1), tf.float64)
        correction = 1 - tf.cast(beta1, tf.float64) ** step
        root = tf.sqrt(1 - tf.cast(beta2, tf.float64) ** step)
        zero, rate = tf.zeros_like(rate), tf.cast(tf.cast(rate, tf.float64) * root / correction, rate.dtype)
        epsilon = tf.cast(self.epsilon * root, rate.dtype)
        for w, m, v, g in zip(variables, self.first_moment, self.second_moment, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle, m=m.handle, v=v.handle, grad=g, lr=rate, beta1=beta1, beta2=beta2,
                epsilon=epsilon, beta1_power=zero, beta2_power=zero,
            )  # fmt: skip


class RMSprop:
    """s = decay s + (1 - decay) g^2; w = w - learning_rate g / (sqrt(s) + epsilon)."""

    def __init__(self, variables: list[tf.Variable], decay: float, epsilon: float) -> None:
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.mean_square = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
        self.decay, self.epsilon = decay, epsilon

    def apply(self, gradients: list[tf.Tensor], variables: list[tf.Variable], rate: tf.Tensor) -> None:
        """Update `variables` in place, by plain operations: the fused one has epsilon inside the root."""
        self.step.assign_add(1)
        for w, s, g in zip(variables, self.mean_square, gradients, strict=True):
            s.assign(self.decay * s + (1 - self.decay) * tf.square(g))
            w.assign_sub(rate * g / (tf.sqrt(s) + self.epsilon))


OPTIMIZERS: dict[str, Callable[..., SGD | Adam | RMSprop]] = {
    "sgd": lambda variables, o: SGD(variables, o.momentum),
    "adam": lambda variables, o: Adam(variables, o.beta1, o.beta2, o.epsilon),
    "rmsprop": lambda variables, o: RMSprop(variables, o.decay, o.epsilon),
}
OPTIMIZERS["adamw"] = OPTIMIZERS["adam"]  # the decay is decoupled in every optimiser: see `train_step`


def make_step(state: State, optimizer: Optimizer) -> Step:
    """`train_step`, compiled for batches of any size: once, or twice if masks come and go."""
    state.optimizer = OPTIMIZERS[optimizer.name](state.network.trainable_variables, optimizer)
    state.slots = SLOTS[optimizer.name]

    def run(images: tf.Tensor, labels: tf.Tensor, masks: Any, learning_rate: tf.Tensor) -> Any:
        return train_step(
            state.network, state.optimizer, images, labels, masks or None, learning_rate,
            optimizer.weight_decay, optimizer.label_smoothing, state.precision == "bfloat16",
        )  # fmt: skip

    @functools.cache
    def compiled(masked: bool) -> Callable[..., Any]:
        pictures, masks = _signature(state)
        labels, rate = tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), state.dtype)
        return _compile(run, pictures, labels, masks if masked else {}, rate)

    def step(state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float) -> Any:
        rate = tf.constant(learning_rate, state.dtype)
        inputs = _prepare(state, images), tf.constant(labels), _masks(masks), rate
        return state, *compiled(bool(masks))(*inputs)

    return step


def predict(state: State, images: Images) -> Array:
    """In evaluation mode, compiled once for batches of any size."""
    if state.predict is None:
        forward = _forward(state, state.network)
        state.predict = _compile(lambda x: forward(x, None, training=False), _signature(state)[0])
    logits: Array = state.predict(_prepare(state, images)).numpy()
    return logits


def save_native(state: State, path: Path) -> Path:
    """A SavedModel, which is protocol buffers: `tf.saved_model.load(path).signatures["serving_default"]`."""
    target = path.with_suffix(".savedmodel")
    forward = _forward(state, state.network)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": forward(_prepare(state, images), None, training=False)}

    pixels = tf.TensorSpec((None, *state.architecture.input_shape), tf.uint8, name="images")
    tf.saved_model.save(state.network, str(target), signatures=_compile(serve, pixels))
    return target


# ---- between canonical arrays and TensorFlow's ----------------------------------------------------------


def _tensors(state: State) -> dict[str, tf.Variable]:
    """Parameters and running averages by canonical name."""
    found = layouts(state.architecture)
    return {name: getattr(state.network, layout.name) for name, layout in found.items()}


def _slots(state: State) -> dict[str, tf.Variable]:
    """The optimiser's variables by canonical name, once there is one."""
    if state.optimizer is None:
        return {}
    found = {"optimizer.step": state.optimizer.step}
    tensors = _tensors(state)
    place = {variable.ref(): number for number, variable in enumerate(state.network.trainable_variables)}
    for name in state.architecture.parameters:
        for slot in state.slots:
            found[f"optimizer.{slot}.{name}"] = getattr(state.optimizer, slot)[place[tensors[name].ref()]]
    return found


def _prepare(state: State, images: Images | tf.Tensor) -> tf.Tensor:
    return prepare(images, state.architecture.mean, state.architecture.std, state.dtype)


def prepare(
    images: Images | tf.Tensor, mean: tuple[float, ...], std: tuple[float, ...], dtype: tf.DType
) -> tf.Tensor:
    """Pictures as the network sees them: (pixel / 255 - mean) / std."""
    pixels = tf.cast(images, dtype) / PIXEL_SCALE
    if any(mean) or set(std) != {1.0}:
        pixels = (pixels - tf.constant(mean, dtype)) / tf.constant(std, dtype)
    return pixels


def _masks(masks: Masks) -> dict[str, tf.Tensor]:
    """Dropout masks as tensors."""
    return {name: tf.constant(mask) for name, mask in masks.items()}


def _signature(state: State) -> tuple[tf.TensorSpec, dict[str, tf.TensorSpec]]:
    """Prepared pictures and masks for batches of any size."""
    masks = {
        node.name: tf.TensorSpec((None, *state.architecture.shapes[node.name]), tf.bool)
        for node in state.architecture.nodes_of(layers.Dropout)
    }
    return tf.TensorSpec((None, *state.architecture.input_shape), state.dtype), masks


def _forward(state: State, network: tf.Module) -> Callable[..., tf.Tensor]:
    """The network as it is called in the state's precision."""
    return in_bfloat16(network) if state.precision == "bfloat16" else network


def _compile(function: Callable[..., Any], *signature: Any) -> Callable[..., Any]:
    """The function as a graph for arguments of these types."""
    compiled = tf.function(function, input_signature=signature, autograph=False)
    concrete: Callable[..., Any] = compiled.get_concrete_function()
    return concrete


@functools.cache
def _gpus() -> list[Any]:
    """The GPUs, told to take memory as it is needed and to leave TF32 off."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus: list[Any] = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return gpus


@functools.cache
def _works(precision: Precision) -> bool:
    """Whether a convolution and its gradients can be computed in `precision`, by trying."""
    try:
        x, kernel = tf.ones((1, 4, 4, 1), precision), tf.ones((3, 3, 1, 1), precision)
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
        tape.gradient(y, (x, kernel))
    except tf.errors.OpError:
        return False
    return True
