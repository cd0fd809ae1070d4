"""JAX: pure functions of `jax.numpy` and `lax`, compiled by `jax.jit`, with Optax's optimisers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from triptych.frameworks.contract import Activations, Facts, Images, Labels, Masks, Optimizer, Step
from triptych.frameworks.source import describe, run_source, run_with_taps, sources, variables
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import PIXEL_SCALE, PRECISIONS, Precision
from triptych.network.layouts import Array, Layout, Layouts, to_canonical, to_native
from triptych.network.weights import Weights

FILENAME = "<network.py in JAX>"
TAKEN = {
    "weights", "averages", "masks", "training", "jax", "jnp",
    "conv", "dense", "batch_norm", "max_pool", "average_pool", "lstm", "gru", "dropout",
}  # fmt: skip
"""Words that the lines of a network use: no variable of a layer can be called so."""
WIDTH = 110
"""A longer line of the network is broken at its bias."""

XLA_OPTIONS = (
    {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
    if jax.__version_info__[:2] == (0, 10)
    else {}
)
"""How XLA is to compile for a CPU: JAX 0.10 hands convolutions to a library that computes them in one thread.

Left to XLA itself, they use all. The sums of batch norm stay with the library, which is faster at them.
"""

Tensors = dict[str, jax.Array]
Network = Callable[..., tuple[jax.Array, Tensors]]


@dataclass
class State:
    """A network's weights and averages by name, and its optimiser once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    layouts: Layouts
    network: Network
    weights: Tensors
    averages: Tensors
    optimizer: optax.GradientTransformation | None = None
    moments: Any = None
    """What the optimiser remembers: a named tuple of Optax's."""
    slots: dict[str, str] | None = None
    """Optax's names in `moments`, by ours."""
    steps: int = 0
    batch: int = 0
    """The most pictures that `predict` has seen at once."""

    @property
    def dtype(self) -> Any:
        """What weights, averages, loss and optimiser are kept in."""
        return np.float64 if self.precision == "float64" else np.float32

    @property
    def kernel_type(self) -> Any:
        """What layers with a kernel compute in."""
        return jnp.bfloat16 if self.precision == "bfloat16" else self.dtype


def facts() -> Facts:
    """Whatever accelerator JAX finds is used; XLA computes every precision, by a wider one at need."""
    device = jax.devices()[0]
    name = "cpu" if device.platform == "cpu" else device.device_kind
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = int(os.environ.get("NPROC") or cores or 1)  # as XLA counts them
    versions = {
        "jax": jax.__version__,
        "jaxlib": jax.lib.__version__,
        "optax": optax.__version__,
        "numpy": np.__version__,
    }
    modes = {"precision of convolutions and matrix products": "highest, so no TF32"}
    return Facts("JAX", jax.__version__, versions, name, threads, PRECISIONS, modes)


# ---- the network, written ------------------------------------------------------------------------------


def conv(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], padding: str, groups: int = 1
) -> jax.Array:
    """2-D convolution in the kernel's type."""
    y = lax.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel,
        strides,
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
        precision="highest",  # float32 by default is TF32 on some GPUs
    )
    return y.astype(x.dtype)


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x @ kernel in the kernel's type; float32 by default would be TF32 on some GPUs."""
    return jnp.matmul(x.astype(kernel.dtype), kernel, precision="highest").astype(x.dtype)


def batch_norm(
    x: jax.Array,
    weights: Tensors,
    averages: Tensors,
    name: str,
    training: bool,
    epsilon: float,
    momentum: float,
) -> tuple[jax.Array, Tensors]:
    """Normalise each channel, in training by the batch itself; gives the running averages after it, too."""
    if training:
        axes, n = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
        mean = x.mean(axes)
        variance = jnp.square(x - mean).mean(axes)
        unbiased = variance * (n / max(n - 1, 1))
        averages = averages | {
            f"{name}.mean": momentum * averages[f"{name}.mean"] + (1 - momentum) * mean,
            f"{name}.variance": momentum * averages[f"{name}.variance"] + (1 - momentum) * unbiased,
        }
    else:
        mean, variance = averages[f"{name}.mean"], averages[f"{name}.variance"]
    factor = weights[f"{name}.scale"] / jnp.sqrt(variance + epsilon)
    return (x - mean) * factor + weights[f"{name}.offset"], averages


def windows(
    x: jax.Array, size: tuple[int, int], strides: tuple[int, int], padding: str, filler: float
) -> list[jax.Array]:
    """For each place in a window, the pixels that stand there."""
    pads = lax.padtype_to_pads(x.shape[1:3], size, strides, padding)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)), constant_values=filler)
    height, width = ((x.shape[1 + axis] - size[axis]) // strides[axis] + 1 for axis in (0, 1))
    return [
        x[:, i :: strides[0], j :: strides[1]][:, :height, :width]
        for i in range(size[0])
        for j in range(size[1])
    ]


def max_pool(x: jax.Array, size: tuple[int, int], strides: tuple[int, int], padding: str) -> jax.Array:
    """Largest pixel of each window; the first of equals gets the gradient.

    In slices, because the gradient of `lax.reduce_window` is slow on a CPU.
    """
    return reduce(lambda a, b: jnp.where(a >= b, a, b), windows(x, size, strides, padding, -jnp.inf))


def average_pool(x: jax.Array, size: tuple[int, int], strides: tuple[int, int], padding: str) -> jax.Array:
    """Mean of each window in which padding does not count."""
    inside = jnp.ones_like(x[:1, :, :, :1])
    total, count = (reduce(jnp.add, windows(y, size, strides, padding, 0)) for y in (x, inside))
    return total / count


def lstm(x: jax.Array, weights: Tensors, name: str, sequence: bool = False) -> jax.Array:
    """Long short-term memory over axis 1; its last state, or every state. Gates in the order i, f, g, o."""

    def step(carried: tuple[jax.Array, ...], from_x: jax.Array) -> tuple[tuple[jax.Array, ...], jax.Array]:
        h, c = carried
        i, f, g, o = jnp.split(from_x + dense(h, weights[f"{name}.recurrent_kernel"]), 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    from_x = dense(x, weights[f"{name}.kernel"]) + weights[f"{name}.bias"]
    zeros = jnp.zeros((x.shape[0], from_x.shape[-1] // 4), x.dtype)
    (h, _), states = lax.scan(step, (zeros, zeros), from_x.swapaxes(0, 1))
    return states.swapaxes(0, 1) if sequence else h


def gru(x: jax.Array, weights: Tensors, name: str, sequence: bool = False) -> jax.Array:
    """Gated recurrent unit over axis 1; its last state, or every state. Gates in the order r, z, n.

    The reset gate acts after the recurrent product, so that one product serves all gates.
    """

    def step(h: jax.Array, from_x: jax.Array) -> tuple[jax.Array, jax.Array]:
        from_h = dense(h, weights[f"{name}.recurrent_kernel"]) + weights[f"{name}.recurrent_bias"]
        (r, z, n), (r_h, z_h, n_h) = (jnp.split(part, 3, axis=-1) for part in (from_x, from_h))
        n = jnp.tanh(n + jax.nn.sigmoid(r + r_h) * n_h)
        z = jax.nn.sigmoid(z + z_h)
        h = (1 - z) * n + z * h
        return h, h

    from_x = dense(x, weights[f"{name}.kernel"]) + weights[f"{name}.bias"]
    zeros = jnp.zeros((x.shape[0], from_x.shape[-1] // 3), x.dtype)
    h, states = lax.scan(step, zeros, from_x.swapaxes(0, 1))
    return states.swapaxes(0, 1) if sequence else h


def dropout(x: jax.Array, rate: float, masks: Tensors | None, name: str) -> jax.Array:
    """Inverted dropout; the mask says which units to keep, and without masks all are kept."""
    return x if masks is None else jnp.where(masks[name], x / (1 - rate), 0)


def write_network(architecture: Architecture) -> str:
    """A module with a pure function `network(weights, averages, x, masks=None, training=False)`."""
    held = variables(architecture, TAKEN)
    lines = []
    for node in architecture.nodes:
        target = held[node.name] + (", averages" if isinstance(node.layer, layers.BatchNorm) else "")
        line = f"{target} = {_layer(architecture, node, [held[name] for name in node.inputs])}"
        if len(line) > WIDTH - 4:
            line = (
                line.replace(" = ", " = (\n        ", 1).replace(" + weights", "\n        + weights")
                + "\n    )"
            )
        lines.append(f"    {line}\n")
    network = (
        "\n\ndef network(\n"
        "    weights: Tensors,\n"
        "    averages: Tensors,\n"
        f"    {held[INPUT]}: jax.Array,\n"
        "    masks: Tensors | None = None,\n"
        "    training: bool = False,\n"
        ") -> tuple[jax.Array, Tensors]:\n"
        '    """Logits of NHWC pictures, and the running averages after them."""\n'
        f"{''.join(lines)}"
        f"    return {held[architecture.nodes[-1].name]}, averages\n"
    )
    pieces = sources((max_pool, average_pool), network)
    recurrent = sources((lstm, gru), network)
    pieces = (
        sources((conv, dense, batch_norm), network + recurrent)
        + sources((windows,), pieces) + pieces + recurrent + sources((dropout,), network)
    )  # fmt: skip
    text = f"\n\nTensors = dict[str, jax.Array]\n{pieces}{network}"
    imports = {
        "from functools import reduce\n\n": "reduce(",
        "import jax\n": "jax.",
        "import jax.numpy as jnp\n": "jnp.",
        "from jax import lax\n": "lax.",
    }
    used = "".join(line for line, sign in imports.items() if sign in text)
    return f"{describe(architecture, 'JAX')}\n\n{used}{text[1:]}"


def _layer(architecture: Architecture, node: Node, inputs: list[str]) -> str:
    """The expression that computes a layer."""
    x = inputs[0]
    match node.layer:
        case layers.Conv() | layers.DepthwiseConv() as layer:
            groups = ""
            if isinstance(layer, layers.DepthwiseConv):
                groups = f", groups={architecture.input_shapes(node)[0][2]}"
            options = f'strides={layer.strides}, padding="{layer.padding.upper()}"{groups}'
            return f'conv({x}, weights["{node.name}.kernel"], {options})' + _bias(node, layer.bias)
        case layers.Dense(bias=bias):
            return f'dense({x}, weights["{node.name}.kernel"])' + _bias(node, bias)
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            options = f"epsilon={epsilon}, momentum={momentum}"
            return f'batch_norm({x}, weights, averages, "{node.name}", training, {options})'
        case layers.Bias():
            return x + _bias(node, True)
        case layers.MaxPool() | layers.AveragePool() as layer:
            options = f'size={layer.window}, strides={layer.strides}, padding="{layer.padding.upper()}"'
            return f"{layer.kind}({x}, {options})"
        case layers.GlobalAveragePool():
            return f"{x}.mean((1, 2))"
        case layers.Flatten():
            return f"{x}.reshape({x}.shape[0], -1)"
        case layers.Rows():
            return f"{x}.reshape(*{x}.shape[:2], -1)"
        case layers.Recurrent(sequence=sequence) as layer:
            return f'{layer.kind}({x}, weights, "{node.name}"{", sequence=True" if sequence else ""})'
        case layers.ReLU() | layers.ReLU6() | layers.Sigmoid() as layer:
            return f"jax.nn.{layer.kind}({x})"
        case layers.Tanh():
            return f"jnp.tanh({x})"
        case layers.GELU():
            return f"jax.nn.gelu({x}, approximate=False)"
        case layers.Dropout(rate=rate):
            return f'dropout({x}, {rate}, masks, "{node.name}")'
        case layers.Add():
            return " + ".join(inputs)
        case layers.Concat():
            return f"jnp.concatenate([{', '.join(inputs)}], axis=-1)"
    raise NotImplementedError(node.layer.kind)


def _bias(node: Node, bias: bool) -> str:
    return f' + weights["{node.name}.bias"]' if bias else ""


def layouts(architecture: Architecture) -> Layouts:
    """The canonical names; a depthwise kernel is one of a convolution in groups, HW1C."""
    axes = {f"{node.name}.kernel": (0, 1, 3, 2) for node in architecture.nodes_of(layers.DepthwiseConv)}
    return {n: Layout(n, axes.get(n)) for n in architecture.parameters | architecture.statistics}


# ---- the contract --------------------------------------------------------------------------------------


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The source text is executed. float64 switches JAX to 64 bits for the whole process."""
    if precision == "float64":
        jax.config.update("jax_enable_x64", True)
    text = write_network(architecture)
    state = State(architecture, precision, text, layouts(architecture), _network(text), {}, {})
    load_weights(state, weights)
    return state


@cache
def _network(text: str) -> Network:
    """One function for one text: `jax.jit` keeps what it compiled by function."""
    network: Network = run_source(text, FILENAME)["network"]
    return network


def load_weights(state: State, weights: Weights) -> None:
    """Optimiser slots are matched by `State.slots`."""
    parameters, statistics = state.architecture.parameters, state.architecture.statistics
    state.weights |= {n: _to_jax(state, n, weights[n]) for n in parameters if n in weights}
    state.averages |= {n: _to_jax(state, n, weights[n]) for n in statistics if n in weights}
    if state.slots is not None and "optimizer.step" in weights:
        state.steps = int(weights["optimizer.step"])
        held = {
            theirs: {n: _to_jax(state, n, weights[f"optimizer.{slot}.{n}"]) for n in parameters}
            for slot, theirs in state.slots.items()
        }
        if "count" in state.moments._fields:
            held["count"] = jnp.array(state.steps, jnp.int32)
        state.moments = state.moments._replace(**held)


def dump_weights(state: State) -> Weights:
    """Waits for a step that is under way."""
    weights = {n: _to_numpy(state, n, tensor) for n, tensor in (state.weights | state.averages).items()}
    if state.slots is not None:
        weights["optimizer.step"] = np.array(state.steps, dtype=np.int64)
        for slot, theirs in state.slots.items():
            for name, tensor in getattr(state.moments, theirs).items():
                weights[f"optimizer.{slot}.{name}"] = _to_numpy(state, name, tensor)
    return weights


def _tapped(text: str, architecture: Architecture, tap: Callable[[str, jax.Array], jax.Array]) -> Network:
    """The network of the same text with taps."""
    held = variables(architecture, TAKEN)
    network: Network = run_with_taps(text, FILENAME, "network", held, tap)["network"]
    return network


@cache
def _traced(text: str, architecture: Architecture, kernel_type: Any) -> Callable[..., Tensors]:
    """The same text, with a tap after each layer, compiled as a whole."""
    seen: Tensors = {}
    fed: dict[str, tuple[jax.Array, jax.Array]] = {}

    def tap(name: str, value: jax.Array) -> jax.Array:
        seen[name] = value
        feed, instead = fed[name]
        return jnp.where(feed, instead.astype(value.dtype), value)

    tapped = _tapped(text, architecture, tap)

    def outputs(
        feed: jax.Array, given: Tensors, weights: Tensors, *arguments: Any, training: bool
    ) -> Tensors:
        fed.update({name: (feed, values) for name, values in given.items()})
        tapped(with_kernels_in(kernel_type, weights), *arguments, training)
        fed.clear()
        return {name: seen.pop(name) for name in list(seen)}

    compiled: Callable[..., Tensors] = jax.jit(outputs, static_argnames="training")
    return compiled


def trace(
    state: State, images: Images, training: bool, masks: Masks, fed: Activations | None = None
) -> dict[str, Array]:
    """Compiled as a whole; whether it is fed is an argument too, so that it is compiled once."""
    pixels, kept = _prepare(state, images), _masks(masks)
    given = fed or _zeros(state, len(images))
    given = {name: jnp.asarray(values, state.dtype) for name, values in given.items()}
    feed = jnp.array(fed is not None)
    traced = _traced(state.text, state.architecture, state.kernel_type)
    seen = traced(feed, given, state.weights, state.averages, pixels, kept, training=training)
    return {name: np.array(seen[name], dtype=state.dtype) for name in state.architecture.shapes}


def _zeros(state: State, batch: int) -> Tensors:
    """A zero for each number that the layers give for a batch."""
    return {n: jnp.zeros((batch, *shape), state.dtype) for n, shape in state.architecture.shapes.items()}


def with_kernels_in(kernel_type: Any, weights: Tensors) -> Tensors:
    """The weights as the network takes them: layers with a kernel compute in the kernel's type."""
    return {name: w.astype(kernel_type) if w.ndim > 1 else w for name, w in weights.items()}


def training_loss(
    weights: Tensors, averages: Tensors, images: jax.Array, labels: jax.Array, masks: Tensors | None,
    network: Network, kernel_type: Any, label_smoothing: float = 0.0,
) -> tuple[jax.Array, tuple[Tensors, jax.Array]]:  # fmt: skip
    """Mean softmax cross-entropy; also gives the running averages and how many of the batch were right."""
    weights = with_kernels_in(kernel_type, weights)
    logits, averages = network(weights, averages, images, masks, training=True)
    targets = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    targets = optax.smooth_labels(targets, label_smoothing)
    loss = optax.softmax_cross_entropy(logits, targets).mean()
    return loss, (averages, (logits.argmax(axis=1) == labels).sum())


@cache
def _differentiated(text: str, architecture: Architecture, kernel_type: Any) -> Callable[..., Any]:
    """The training loss and its derivative by the weights, and by a zero added to each layer's output."""
    added: Tensors = {}

    def tap(name: str, value: jax.Array) -> jax.Array:
        return value + added[name]

    tapped = _tapped(text, architecture, tap)
    of_the_text = partial(training_loss, network=tapped, kernel_type=kernel_type)

    def loss(weights_and_zeros: tuple[Tensors, Tensors], *arguments: Any) -> Any:
        weights, zeros = weights_and_zeros
        added.update(zeros)
        found = of_the_text(weights, *arguments)
        added.clear()
        return found

    compiled: Callable[..., Any] = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return compiled


def gradients(state: State, images: Images, labels: Labels, masks: Masks) -> tuple[float, dict[str, Array]]:
    """By `jax.value_and_grad` of the same text with taps."""
    differentiated = _differentiated(state.text, state.architecture, state.kernel_type)
    (loss, _), found = differentiated(
        (state.weights, _zeros(state, len(images))),
        state.averages,
        _prepare(state, images),
        jnp.array(labels),
        _masks(masks),
    )
    return float(loss), {n: _to_numpy(state, n, tensor) for part in found for n, tensor in part.items()}


@partial(
    jax.jit,
    static_argnames=("network", "optimizer", "weight_decay", "label_smoothing", "kernel_type"),
    donate_argnames=("weights", "averages", "moments"),
    compiler_options=XLA_OPTIONS,
)
def train_step(
    network: Network, optimizer: optax.GradientTransformation,
    weights: Tensors, averages: Tensors, moments: Any,
    images: jax.Array, labels: jax.Array, masks: Tensors | None, learning_rate: jax.Array,
    weight_decay: float = 0.0, label_smoothing: float = 0.0, kernel_type: Any = jnp.float32,
) -> tuple[Tensors, Tensors, Any, jax.Array, jax.Array]:  # fmt: skip
    """One step on a batch; gives what it changed, the loss before it and how many of the batch were right."""
    (loss, (averages, correct)), slopes = jax.value_and_grad(training_loss, has_aux=True)(
        weights, averages, images, labels, masks, network, kernel_type, label_smoothing
    )
    updates, moments = optimizer.update(slopes, moments)
    if weight_decay:  # decoupled from the gradient, on kernels only
        keep = 1 - learning_rate * weight_decay
        weights = {name: w * keep if w.ndim > 1 else w for name, w in weights.items()}
    weights = jax.tree.map(lambda w, update: w - learning_rate * update, weights, updates)
    return weights, averages, moments, loss, correct


def scale_by_adam(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformation:
    """Optax's, corrected to the last digit: in float32 its 1 - 0.999**1 is 1e-5 off, and so is the step."""
    moments = optax.scale_by_adam(beta1, beta2)

    def update(slopes: Tensors, state: Any, params: Any = None) -> tuple[Tensors, Any]:
        _, state = moments.update(slopes, state)
        logarithms = (math.log(beta) if beta else -math.inf for beta in (beta1, beta2))
        first, second = (-jnp.expm1(state.count * logarithm) for logarithm in logarithms)
        updates = jax.tree.map(lambda m, v: m / first / (jnp.sqrt(v / second) + epsilon), state.mu, state.nu)
        return updates, state

    return optax.GradientTransformation(moments.init, update)


@cache
def optax_for(optimizer: Optimizer) -> optax.GradientTransformation:
    """Optax's transformation, without its learning rate: that is an argument of every step."""
    match optimizer.name:
        case "sgd":
            return optax.trace(optimizer.momentum)
        case "adam" | "adamw":  # the decay is decoupled in every optimiser: see `train_step`
            return scale_by_adam(optimizer.beta1, optimizer.beta2, optimizer.epsilon)
        case "rmsprop":
            return optax.scale_by_rms(optimizer.decay, optimizer.epsilon, eps_in_sqrt=False)


SLOTS = {
    "sgd": {"velocity": "trace"},
    "adam": {"first_moment": "mu", "second_moment": "nu"},
    "adamw": {"first_moment": "mu", "second_moment": "nu"},
    "rmsprop": {"mean_square": "nu"},
}


def make_step(state: State, optimizer: Optimizer) -> Step:
    """`train_step` with the transformation of `optax_for`."""
    state.optimizer = optax_for(optimizer)
    state.moments = state.optimizer.init(state.weights)
    state.slots, state.steps = SLOTS[optimizer.name], 0

    def step(state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float) -> Any:
        state.weights, state.averages, state.moments, loss, correct = train_step(
            state.network, state.optimizer, state.weights, state.averages, state.moments,
            _prepare(state, images), jnp.array(labels), _masks(masks),
            np.asarray(learning_rate, state.dtype),  # an array: a new rate does not compile again
            optimizer.weight_decay, optimizer.label_smoothing, state.kernel_type,
        )  # fmt: skip
        state.steps += 1
        return state, loss, correct

    return step


@partial(jax.jit, static_argnames=("network", "kernel_type"), compiler_options=XLA_OPTIONS)
def evaluate(
    network: Network, weights: Tensors, averages: Tensors,
    images: jax.Array, kernel_type: Any = jnp.float32,
) -> jax.Array:  # fmt: skip
    """Logits in evaluation mode."""
    return network(with_kernels_in(kernel_type, weights), averages, images)[0]


def predict(state: State, images: Images) -> Array:
    """Batches smaller than the largest so far are filled up to it: each new size would compile again."""
    state.batch = max(state.batch, len(images))
    pixels = _prepare(state, filled_up(images, state.batch))
    logits = evaluate(state.network, state.weights, state.averages, pixels, state.kernel_type)
    return np.array(logits)[: len(images)]  # cut by NumPy: JAX would compile for each size


def filled_up(images: Images, count: int) -> Images:
    """`count` pictures, black ones at the end."""
    filler = np.zeros((count - len(images), *images.shape[1:]), images.dtype)
    return np.concatenate([images, filler])


def save_native(state: State, path: Path) -> Path:
    """What `jnp.load(path)` reads, a dict of arrays: JAX has no other format of its own without a pickle."""
    target = path.with_suffix(".npz")
    jnp.savez(target, **state.weights, **state.averages)
    return target


# ---- between canonical arrays and JAX's -----------------------------------------------------------------


def _to_jax(state: State, name: str, array: Array) -> jax.Array:
    """A canonical tensor as the network takes it, in the state's type."""
    return jnp.array(to_native(array, state.layouts[name]), state.dtype)


def _to_numpy(state: State, name: str, tensor: jax.Array) -> Array:
    """A tensor, or its slot or gradient, in the canonical layout; an activation as it is."""
    return to_canonical(np.asarray(tensor), state.layouts.get(name, Layout(name)))


def _prepare(state: State, images: Images) -> jax.Array:
    """Pictures as the network sees them."""
    return normalise(jnp.array(images), state.architecture.mean, state.architecture.std, state.dtype)


@partial(jax.jit, static_argnames=("mean", "std", "dtype"))
def normalise(
    pixels: jax.Array, mean: tuple[float, ...], std: tuple[float, ...], dtype: Any = np.float32
) -> jax.Array:
    """(pixel / 255 - mean) / std."""
    return (pixels.astype(dtype) / PIXEL_SCALE - np.array(mean, dtype)) / np.array(std, dtype)


def _masks(masks: Masks) -> Tensors | None:
    """None, which keeps every unit, if there are none."""
    return {name: jnp.array(mask) for name, mask in masks.items()} or None
