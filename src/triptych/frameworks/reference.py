"""The reference: NumPy in float64, written to be read. What every framework is held against.

Each operation stands with its derivative. A forward pass leaves a chain of `Tensor`s, each knowing how to
hand its gradient to what it was made from; `backward` walks the chain from the loss to the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UsageError
from triptych.frameworks.contract import Facts, Images, Labels, Masks, Optimizer, Step
from triptych.frameworks.source import describe, run_source, run_with_taps, variables
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import PIXEL_SCALE, SLOTS, Precision
from triptych.network.weights import Array, Weights, save_tensors

Values = NDArray[np.float64]
Pads = tuple[tuple[int, int], tuple[int, int]]
FILENAME = "<network.py in NumPy>"


class Tensor:
    """Values, the gradient of the loss for them, and how that gradient goes on to the parents."""

    def __init__(
        self, values: Values, parents: tuple[Tensor, ...] = (), derivative: Callable[..., Any] | None = None
    ) -> None:
        self.values = values
        self.gradient = np.zeros_like(values)
        self.parents = parents
        self.derivative = derivative
        """From the gradient of these values to the gradients of the parents' values, in their order."""


def backward(output: Tensor, gradient: Values) -> None:
    """Add to every ancestor of `output` its gradient, given that of `output` itself."""
    order: list[Tensor] = []

    def visit(tensor: Tensor) -> None:
        if not any(tensor is other for other in order):
            for parent in tensor.parents:
                visit(parent)
            order.append(tensor)

    visit(output)
    output.gradient = gradient
    for tensor in reversed(order):
        if tensor.derivative is not None:
            for parent, share in zip(tensor.parents, tensor.derivative(tensor.gradient), strict=True):
                parent.gradient = parent.gradient + share


# ---- operations, each with its derivative --------------------------------------------------------------


def windows(values: Values, size: tuple[int, int], stride: tuple[int, int]) -> list[tuple[Any, Values]]:
    """For each place (i, j) in a window: the index of the pixels that stand there, and these pixels."""
    height = (values.shape[1] - size[0]) // stride[0] + 1
    width = (values.shape[2] - size[1]) // stride[1] + 1
    places = []
    for i in range(size[0]):
        for j in range(size[1]):
            rows = slice(i, i + (height - 1) * stride[0] + 1, stride[0])
            columns = slice(j, j + (width - 1) * stride[1] + 1, stride[1])
            index = (slice(None), rows, columns)
            places.append((index, values[index]))
    return places


def pad(values: Values, pads: Pads, filler: float = 0.0) -> Values:
    """Values with `filler` added above, below, left and right."""
    return np.pad(values, ((0, 0), *pads, (0, 0)), constant_values=filler)


def unpad(values: Values, pads: Pads) -> Values:
    """Values without what `pad` added."""
    (top, bottom), (left, right) = pads
    return values[:, top : values.shape[1] - bottom, left : values.shape[2] - right]


def conv(x: Tensor, kernel: Tensor, bias: Tensor | None, stride: tuple[int, int], pads: Pads) -> Tensor:
    """Each output pixel: the sum over the window's places of (pixel there) @ (kernel there)."""
    padded = pad(x.values, pads)
    size = (kernel.values.shape[0], kernel.values.shape[1])
    places = windows(padded, size, stride)
    matrices = kernel.values.reshape(-1, *kernel.values.shape[2:])
    values = sum(pixels @ matrix for (_, pixels), matrix in zip(places, matrices, strict=True))

    def derivative(gradient: Values) -> Any:
        to_x = np.zeros_like(padded)
        to_kernel = np.empty_like(matrices)
        for place, (index, pixels) in enumerate(places):
            to_x[index] += gradient @ matrices[place].T
            to_kernel[place] = np.tensordot(pixels, gradient, axes=((0, 1, 2), (0, 1, 2)))
        shares = (unpad(to_x, pads), to_kernel.reshape(kernel.values.shape))
        return shares if bias is None else (*shares, gradient.sum(axis=(0, 1, 2)))

    if bias is None:
        return Tensor(values, (x, kernel), derivative)
    return Tensor(values + bias.values, (x, kernel, bias), derivative)


def depthwise_conv(
    x: Tensor, kernel: Tensor, bias: Tensor | None, stride: tuple[int, int], pads: Pads
) -> Tensor:
    """As `conv`, but each channel meets its own numbers only."""
    padded = pad(x.values, pads)
    size = (kernel.values.shape[0], kernel.values.shape[1])
    places = windows(padded, size, stride)
    rows = kernel.values.reshape(-1, kernel.values.shape[2])
    values = sum(pixels * row for (_, pixels), row in zip(places, rows, strict=True))

    def derivative(gradient: Values) -> Any:
        to_x = np.zeros_like(padded)
        to_kernel = np.empty_like(rows)
        for place, (index, pixels) in enumerate(places):
            to_x[index] += gradient * rows[place]
            to_kernel[place] = (pixels * gradient).sum(axis=(0, 1, 2))
        shares = (unpad(to_x, pads), to_kernel.reshape(kernel.values.shape))
        return shares if bias is None else (*shares, gradient.sum(axis=(0, 1, 2)))

    if bias is None:
        return Tensor(values, (x, kernel), derivative)
    return Tensor(values + bias.values, (x, kernel, bias), derivative)


def dense(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """x @ kernel + bias."""

    def derivative(gradient: Values) -> Any:
        shares = (gradient @ kernel.values.T, x.values.T @ gradient)
        return shares if bias is None else (*shares, gradient.sum(axis=0))

    if bias is None:
        return Tensor(x.values @ kernel.values, (x, kernel), derivative)
    return Tensor(x.values @ kernel.values + bias.values, (x, kernel, bias), derivative)


def batch_norm(
    x: Tensor, scale: Tensor, offset: Tensor, running: tuple[Values, Values], epsilon: float,
    momentum: float, training: bool,
) -> tuple[Tensor, tuple[Values, Values]]:  # fmt: skip
    """Normalise each channel; gives the running (mean, variance) after this batch with the output."""
    axes = tuple(range(x.values.ndim - 1))
    n = x.values.size // x.values.shape[-1]
    mean, variance = running
    if training:
        mean, variance = x.values.mean(axis=axes), x.values.var(axis=axes)
        unbiased = variance * (n / max(n - 1, 1))
        running = (
            momentum * running[0] + (1 - momentum) * mean,
            momentum * running[1] + (1 - momentum) * unbiased,
        )
    deviation = np.sqrt(variance + epsilon)
    normal = (x.values - mean) / deviation

    def derivative(gradient: Values) -> Any:
        to_scale, to_offset = (gradient * normal).sum(axis=axes), gradient.sum(axis=axes)
        to_x = gradient
        if training:  # the batch's mean and deviation move with x, and take their part away
            to_x = gradient - to_offset / n - normal * to_scale / n
        return to_x * scale.values / deviation, to_scale, to_offset

    return Tensor(normal * scale.values + offset.values, (x, scale, offset), derivative), running


def max_pool(x: Tensor, size: tuple[int, int], stride: tuple[int, int], pads: Pads) -> Tensor:
    """The largest pixel of each window; the first of equals gets the gradient."""
    padded = pad(x.values, pads, filler=-np.inf)
    places = windows(padded, size, stride)
    stacked = np.stack([pixels for _, pixels in places])
    winner = stacked.argmax(axis=0)

    def derivative(gradient: Values) -> Any:
        to_x = np.zeros_like(padded)
        for place, (index, _) in enumerate(places):
            to_x[index] += gradient * (winner == place)
        return (unpad(to_x, pads),)

    return Tensor(stacked.max(axis=0), (x,), derivative)


def average_pool(x: Tensor, size: tuple[int, int], stride: tuple[int, int], pads: Pads) -> Tensor:
    """The mean over each window of the pixels that are no padding."""
    padded = pad(x.values, pads)
    places = windows(padded, size, stride)
    inside = windows(pad(np.ones((1, *x.values.shape[1:3], 1)), pads), size, stride)
    count = sum(pixels for _, pixels in inside)

    def derivative(gradient: Values) -> Any:
        to_x = np.zeros_like(padded)
        for index, _ in places:
            to_x[index] += gradient / count
        return (unpad(to_x, pads),)

    return Tensor(sum(pixels for _, pixels in places) / count, (x,), derivative)


def global_average_pool(x: Tensor) -> Tensor:
    """The mean over height and width."""
    _, height, width, _ = x.values.shape

    def derivative(gradient: Values) -> Any:
        return (np.broadcast_to(gradient[:, None, None, :], x.values.shape) / (height * width),)

    return Tensor(x.values.mean(axis=(1, 2)), (x,), derivative)


def relu(x: Tensor) -> Tensor:
    """max(x, 0); its derivative at 0 is 0."""
    return Tensor(np.maximum(x.values, 0), (x,), lambda gradient: (gradient * (x.values > 0),))


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6); its derivative at 0 and at 6 is 0."""
    inside = (x.values > 0) & (x.values < 6)
    return Tensor(np.clip(x.values, 0, 6), (x,), lambda gradient: (gradient * inside,))


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    values = np.tanh(x.values)
    return Tensor(values, (x,), lambda gradient: (gradient * (1 - values**2),))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), written with tanh, which does not overflow."""
    values = 0.5 * (1 + np.tanh(0.5 * x.values))
    return Tensor(values, (x,), lambda gradient: (gradient * values * (1 - values),))


erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: Tensor) -> Tensor:
    """x Phi(x), with the normal distribution function Phi and its density phi."""
    cumulative = 0.5 * (1 + erf(x.values / math.sqrt(2)))
    density = np.exp(-0.5 * x.values**2) / math.sqrt(2 * math.pi)
    return Tensor(
        x.values * cumulative, (x,), lambda gradient: (gradient * (cumulative + x.values * density),)
    )


def dropout(x: Tensor, rate: float, mask: NDArray[np.bool_] | None) -> Tensor:
    """Inverted dropout; without a mask every unit is kept."""
    if mask is None:
        return x
    factor = mask / (1 - rate)
    return Tensor(x.values * factor, (x,), lambda gradient: (gradient * factor,))


def flatten(x: Tensor) -> Tensor:
    """One row a picture, channels running fastest."""
    return Tensor(
        x.values.reshape(len(x.values), -1), (x,), lambda gradient: (gradient.reshape(x.values.shape),)
    )


def add(*inputs: Tensor) -> Tensor:
    """The sum; each input gets the whole gradient."""
    return Tensor(sum(x.values for x in inputs), inputs, lambda gradient: (gradient,) * len(inputs))


def concat(*inputs: Tensor) -> Tensor:
    """Side by side along the last axis; each input gets its part of the gradient."""
    ends = np.cumsum([x.values.shape[-1] for x in inputs])[:-1]
    return Tensor(
        np.concatenate([x.values for x in inputs], axis=-1),
        inputs,
        lambda gradient: np.split(gradient, ends, axis=-1),
    )


def cross_entropy(logits: Tensor, labels: Labels, smoothing: float = 0.0) -> Tensor:
    """Mean softmax cross-entropy against (1 - smoothing) one_hot + smoothing / classes."""
    batch, classes = logits.values.shape
    target = np.full((batch, classes), smoothing / classes)
    target[np.arange(batch), labels] += 1 - smoothing
    shifted = logits.values - logits.values.max(axis=1, keepdims=True)  # exp of a large logit overflows
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -(target * log_probability).sum() / batch
    return Tensor(
        np.array(loss), (logits,), lambda gradient: (gradient * (np.exp(log_probability) - target) / batch,)
    )


# ---- the network, written ------------------------------------------------------------------------------


def write_network(architecture: Architecture) -> str:
    """A function `network(x, weights, averages, masks, training)` of the operations above."""
    held = variables(architecture)
    lines, used = [], []
    for node in architecture.nodes:
        call = _layer(architecture, node, [held[name] for name in node.inputs])
        target = held[node.name]
        if isinstance(node.layer, layers.BatchNorm):
            target += f', averages["{node.name}"]'
        lines.append(f"    {target} = {call}\n")
        used.append(call[: call.index("(")])
    return (
        f'"""{describe(architecture, "NumPy")}"""\n\n'
        f"from triptych.frameworks.reference import {', '.join(sorted(set(used)))}\n\n\n"
        f"def network({held[INPUT]}, weights, averages, masks, training):\n"
        f"{''.join(lines)}    return {held[architecture.nodes[-1].name]}\n"
    )


def _layer(architecture: Architecture, node: Node, inputs: list[str]) -> str:
    """The call that computes a layer."""
    shape = architecture.input_shapes(node)[0]
    kind, name, layer = node.layer.kind, node.name, node.layer
    arguments = list(inputs)
    for tensor in (
        ("kernel", "bias") if isinstance(layer, layers.Conv | layers.DepthwiseConv | layers.Dense) else ()
    ):
        arguments.append(
            f'weights["{name}.{tensor}"]' if f"{name}.{tensor}" in architecture.parameters else "None"
        )
    match layer:
        case layers.Conv() | layers.DepthwiseConv():
            arguments.append(f"stride={layer.strides}, pads={layer.pads(shape)}")
        case layers.MaxPool() | layers.AveragePool():
            arguments.append(f"{layer.window}, stride={layer.strides}, pads={layer.pads(shape)}")
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            arguments.append(
                f'weights["{name}.scale"], weights["{name}.offset"], averages["{name}"], '
                f"{epsilon}, {momentum}, training"
            )
        case layers.Dropout(rate=rate):
            arguments.append(f'{rate}, masks.get("{name}")')
    return f"{kind}({', '.join(arguments)})"


# ---- the contract --------------------------------------------------------------------------------------


@dataclass
class State:
    """Weights and optimiser slots as plain float64 arrays, by canonical name."""

    architecture: Architecture
    text: str
    network: Callable[..., Tensor]
    weights: dict[str, Values]
    optimizer: Optimizer | None = None
    slots: dict[str, Values] = field(default_factory=dict)
    steps: int = 0


def facts() -> Facts:
    """float64 only: it is what float64 means here."""
    return Facts("NumPy reference", np.__version__, {"numpy": np.__version__}, "cpu", 1, ("float64",))


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The source text is executed; precisions other than float64 are refused."""
    if precision != "float64":
        raise UsageError(
            f"the reference computes in float64 only, not in {precision}: use --precision float64"
        )
    text = write_network(architecture)
    state = State(architecture, text, run_source(text, FILENAME)["network"], {})
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """Everything becomes float64."""
    for name in state.architecture.parameters | state.architecture.statistics:
        if name in weights:
            state.weights[name] = weights[name].astype(np.float64)
    if state.optimizer is not None and "optimizer.step" in weights:
        state.steps = int(weights["optimizer.step"])
        state.slots = {name: weights[name].astype(np.float64) for name in state.slots}


def dump_weights(state: State) -> Weights:
    """Copies."""
    weights: Weights = {name: values.copy() for name, values in (state.weights | state.slots).items()}
    if state.optimizer is not None:
        weights["optimizer.step"] = np.array(state.steps, dtype=np.int64)
    return weights


def trace(state: State, images: Images, training: bool, masks: Masks) -> dict[str, Array]:
    """The same text, with a tap after each layer."""
    seen: dict[str, Array] = {}

    def tap(name: str, tensor: Tensor) -> Tensor:
        seen[name] = tensor.values
        return tensor

    text = run_with_taps(state.text, FILENAME, "network", state.architecture, tap)
    _forward(state, text["network"], images, masks, training)
    return seen


def gradients(state: State, images: Images, labels: Labels, masks: Masks) -> tuple[float, dict[str, Array]]:
    """By `backward`."""
    loss, found, _, _ = _loss_and_gradients(state, images, labels, masks)
    return loss, {name: gradient for name, gradient in found.items()}


def make_step(state: State, optimizer: Optimizer) -> Step:
    """The update rules as the contract states them."""
    state.optimizer, state.steps = optimizer, 0
    state.slots = {
        f"optimizer.{slot}.{name}": np.zeros(shape)
        for slot in SLOTS[optimizer.name]
        for name, shape in state.architecture.parameters.items()
    }

    def step(state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float) -> Any:
        loss, found, averages, logits = _loss_and_gradients(
            state, images, labels, masks, optimizer.label_smoothing
        )
        state.steps += 1
        for name, gradient in found.items():
            if name.endswith(".kernel"):
                state.weights[name] = state.weights[name] * (1 - learning_rate * optimizer.weight_decay)
            slots = [f"optimizer.{slot}.{name}" for slot in SLOTS[optimizer.name]]
            change, new = _update(optimizer, gradient, [state.slots[slot] for slot in slots], state.steps)
            state.weights[name] = state.weights[name] - learning_rate * change
            state.slots.update(zip(slots, new, strict=True))
        state.weights.update(averages)
        return state, loss, (logits.argmax(axis=1) == labels).sum()

    return step


def _update(o: Optimizer, g: Values, slots: list[Values], step: int) -> tuple[Values, list[Values]]:
    """What one unit of learning rate takes off a parameter with gradient g, and the slots after it."""
    match o.name:
        case "sgd":
            v = o.momentum * slots[0] + g
            return v, [v]
        case "adam" | "adamw":
            m = o.beta1 * slots[0] + (1 - o.beta1) * g
            v = o.beta2 * slots[1] + (1 - o.beta2) * g**2
            m_corrected, v_corrected = m / (1 - o.beta1**step), v / (1 - o.beta2**step)
            return m_corrected / (np.sqrt(v_corrected) + o.epsilon), [m, v]
        case "rmsprop":
            s = o.decay * slots[0] + (1 - o.decay) * g**2
            return g / (np.sqrt(s) + o.epsilon), [s]


def predict(state: State, images: Images) -> Array:
    """float64 logits."""
    return _forward(state, state.network, images, {}, training=False)[0].values


def save_native(state: State, path: Path) -> Path:
    """The canonical tensors as safetensors."""
    target = path.with_suffix(".safetensors")
    save_tensors(target, state.weights)
    return target


def _forward(
    state: State, network: Callable[..., Tensor], images: Images, masks: Masks, training: bool
) -> tuple[Tensor, dict[str, Tensor], dict[str, Values]]:
    """The logits, the parameters' tensors, and the running values after this batch."""
    mean, std = np.array(state.architecture.mean), np.array(state.architecture.std)
    x = Tensor((images / PIXEL_SCALE - mean) / std)
    parameters = {name: Tensor(state.weights[name]) for name in state.architecture.parameters}
    averages = {
        node.name: (state.weights[f"{node.name}.mean"], state.weights[f"{node.name}.variance"])
        for node in state.architecture.nodes_of(layers.BatchNorm)
    }
    logits = network(x, parameters, averages, masks, training)
    after = {}
    for name, (mean, variance) in averages.items():
        after |= {f"{name}.mean": mean, f"{name}.variance": variance}
    return logits, parameters, after


def _loss_and_gradients(
    state: State, images: Images, labels: Labels, masks: Masks, smoothing: float = 0.0
) -> tuple[float, dict[str, Values], dict[str, Values], Values]:
    """Loss, the parameters' gradients, the running values after this batch, and the logits."""
    logits, parameters, averages = _forward(state, state.network, images, masks, training=True)
    loss = cross_entropy(logits, labels, smoothing)
    backward(loss, np.array(1.0))
    found = {name: tensor.gradient for name, tensor in parameters.items()}
    return float(loss.values), found, averages, logits.values
