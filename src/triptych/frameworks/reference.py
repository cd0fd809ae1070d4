"""The reference: NumPy in float64, written to be read. What every framework is held
against.

Its operations and their derivatives are in `triptych.frameworks.operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

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
from triptych.frameworks.emit import describe, variables
from triptych.frameworks.operations import add, cross_entropy
from triptych.frameworks.rounding import Values, begin_anew
from triptych.frameworks.source import run_source, run_with_taps
from triptych.frameworks.tensors import Reached, Tensor, backward, reached
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import PIXEL_SCALE, SLOTS, Precision
from triptych.network.layouts import Array, Layout, Layouts
from triptych.network.weights import Weights, save_tensors

FILENAME = "<network.py in NumPy>"
TAKEN = {*layers.VOCABULARY, "weights", "averages", "masks", "training"}
"""Words that the lines of a network use: no variable of a layer can be called so."""


@dataclass
class State:
    """Weights and optimizer slots as plain float64 arrays, by canonical name."""

    architecture: Architecture
    text: str
    network: Callable[..., Tensor]
    weights: dict[str, Values]
    optimizer: Optimizer | None = None
    slots: dict[str, Values] = field(default_factory=dict)
    steps: int = 0


def facts() -> Facts:
    """float64 only: it is what float64 means here."""
    return Facts(
        "NumPy reference",
        np.__version__,
        {"numpy": np.__version__},
        "cpu",
        1,
        ("float64",),
    )


# ---- the network, written ------------------------------------------------------------


def write_network(architecture: Architecture) -> str:
    """A function `network(x, weights, averages, masks, training)` of the operations
    above.
    """
    held = variables(architecture, TAKEN)
    lines, used = [], []
    for node in architecture.nodes:
        call = _layer(architecture, node, [held[name] for name in node.inputs])
        target = held[node.name]
        if isinstance(node.layer, layers.BatchNorm):
            target += f', averages["{node.name}"]'
        lines.append(f"    {target} = {call}\n")
        used.append(call[: call.index("(")])
    return (
        f"{describe(architecture, 'NumPy')}\n\n"
        "from triptych.frameworks.operations import "
        f"{', '.join(sorted(set(used)))}\n\n\n"
        f"def network({held[INPUT]}, weights, averages, masks, training):\n"
        f"{''.join(lines)}    return {held[architecture.nodes[-1].name]}\n"
    )


def _layer(architecture: Architecture, node: Node, inputs: list[str]) -> str:
    """The call that computes a layer."""
    shape = architecture.input_shapes(node)[0]
    kind, name, layer = node.layer.kind, node.name, node.layer
    arguments = list(inputs)
    if isinstance(layer, layers.Convolution | layers.Dense):
        arguments += [
            f'weights["{tensor}"]' if tensor in architecture.parameters else "None"
            for tensor in (f"{name}.kernel", f"{name}.bias")
        ]
    match layer:
        case layers.Convolution():
            arguments += _window(layer, shape)
        case layers.MaxPool() | layers.AveragePool():
            arguments.append(
                f"{layer.window}, stride={layer.strides}, pads={layer.pads(shape)}"
            )
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            arguments.append(
                f'weights["{name}.scale"], weights["{name}.offset"], '
                f'averages["{name}"], {epsilon}, {momentum}, training'
            )
        case layers.LayerNorm(epsilon=epsilon):
            arguments.append(
                f'weights["{name}.scale"], weights["{name}.offset"], {epsilon}'
            )
        case layers.GroupNorm(groups=groups, epsilon=epsilon):
            tensors = f'weights["{name}.scale"], weights["{name}.offset"]'
            arguments.append(f"{tensors}, {groups}, {epsilon}")
        case layers.Scale():
            arguments.append(f'weights["{name}.scale"]')
        case layers.Bias():
            arguments.append(f'weights["{name}.bias"]')
        case layers.Recurrent(sequence=sequence):
            arguments += [
                f'weights["{name}.{tensor}"]' for tensor in layer.parameters(shape)
            ]
            arguments.append(f"sequence={sequence}")
        case layers.LeakyReLU(slope=slope):
            arguments.append(str(slope))
        case layers.ClassToken():
            arguments.append(f'weights["{name}.token"]')
        case layers.PositionEmbedding():
            arguments.append(f'weights["{name}.position"]')
        case layers.Attention(heads=heads, rate=rate):
            own = layer.parameters(shape)
            arguments += [f'weights["{name}.{tensor}"]' for tensor in own]
            arguments.append(f"{heads}")
            if rate:
                arguments.append(f'{rate}, masks.get("{name}")')
        case layers.TokenPool(take=take):
            arguments.append(repr(take))
        case layers.Dropout(rate=rate):
            arguments.append(f'{rate}, masks.get("{name}")')
    return f"{kind}({', '.join(arguments)})"


def _window(conv: layers.Convolution, shape: layers.Shape) -> list[str]:
    """The options of a convolution; those at 1 are left out."""
    found = [f"stride={conv.strides}", f"pads={conv.pads(shape)}"]
    if conv.dilations != (1, 1):
        found.append(f"dilation={conv.dilations}")
    if isinstance(conv, layers.Conv) and conv.groups > 1:
        found.append(f"groups={conv.groups}")
    return found


def layouts(architecture: Architecture) -> Layouts:
    """The canonical names and layouts: what these mean, they mean here."""
    return {name: Layout(name) for name in architecture.tensors}


# ---- the contract --------------------------------------------------------------------


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The source text is executed; precisions other than float64 are refused."""
    if precision != "float64":
        raise UsageError(
            f"the reference computes in float64 only, not in {precision}: "
            "use --precision float64"
        )
    text = write_network(architecture)
    state = State(architecture, text, run_source(text, FILENAME)["network"], {})
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """Everything becomes float64."""
    for name in state.architecture.tensors:
        if name in weights:
            state.weights[name] = weights[name].astype(np.float64)
    if state.optimizer is not None and "optimizer.step" in weights:
        state.steps = int(weights["optimizer.step"])
        state.slots = {name: weights[name].astype(np.float64) for name in state.slots}


def dump_weights(state: State) -> Weights:
    """Copies."""
    weights: Weights = {
        name: values.copy() for name, values in (state.weights | state.slots).items()
    }
    if state.optimizer is not None:
        weights["optimizer.step"] = np.array(state.steps, dtype=np.int64)
    return weights


def trace(
    state: State,
    images: Images,
    training: bool,
    masks: Masks,
    fed: Activations | None = None,
) -> dict[str, Array]:
    """The same text, with a tap after each layer."""
    seen: dict[str, Array] = {}

    def tap(name: str, tensor: Tensor) -> Tensor:
        seen[name] = tensor.values
        return _beside(tensor) if fed is None else Tensor(fed[name].astype(np.float64))

    _forward(state, _tapped(state, tap), images, masks, training)
    return seen


def _tapped(
    state: State, tap: Callable[[str, Tensor], Tensor]
) -> Callable[..., Tensor]:
    """The same text with taps."""
    held = variables(state.architecture, TAKEN)
    made = run_with_taps(state.text, FILENAME, "network", held, tap)
    network: Callable[..., Tensor] = made["network"]
    return network


def gradients(
    state: State, images: Images, labels: Labels, masks: Masks
) -> tuple[float, dict[str, Array]]:
    """By `backward`."""
    return gradients_near(state, images, labels, masks, {})


def gradients_near(
    state: State,
    images: Images,
    labels: Labels,
    masks: Masks,
    moved: Mapping[str, Values],
) -> tuple[float, dict[str, Array]]:
    """As `gradients`, but the layers that are in `moved` hand on what stands there
    instead of their values.

    So a ReLU or a max pool can be made to decide a tie as another framework decided it.
    """
    seen: dict[str, Tensor] = {}

    def tap(name: str, tensor: Tensor) -> Tensor:
        seen[name] = _beside(tensor)
        seen[name].values = moved.get(name, tensor.values)
        return seen[name]

    loss, found, _, _ = _loss_and_gradients(
        state, _tapped(state, tap), images, labels, masks
    )
    return loss, {**found, **{name: tensor.gradient for name, tensor in seen.items()}}


def _beside(tensor: Tensor) -> Tensor:
    """The same values in a tensor of its own, for a tap: dropout may hand on its very
    input.
    """
    same = add(tensor)
    same.values = tensor.values
    return same


def pieces(
    state: State, images: Images, labels: Labels, masks: Masks, smoothing: float = 0.0
) -> dict[str, Reached]:
    """Which pieces of the network's operations, and of the loss, a batch reaches in
    training.
    """
    logits, _, _ = _forward(state, state.network, images, masks, training=True)
    loss = cross_entropy(logits, labels, smoothing)
    backward(loss, np.array(1.0))
    return reached(loss)


def make_step(state: State, optimizer: Optimizer) -> Step:
    """The update rules as the contract states them."""
    state.optimizer, state.steps = optimizer, 0
    state.slots = {
        f"optimizer.{slot}.{name}": np.zeros(shape)
        for slot in SLOTS[optimizer.name]
        for name, shape in state.architecture.parameters.items()
    }

    def step(
        state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float
    ) -> tuple[State, float, np.int64]:
        loss, found, averages, logits = _loss_and_gradients(
            state, state.network, images, labels, masks, optimizer.label_smoothing
        )
        state.steps += 1
        for name, gradient in found.items():
            if name.endswith("kernel"):  # recurrent ones, too
                state.weights[name] = state.weights[name] * (
                    1 - learning_rate * optimizer.weight_decay
                )
            slots = [f"optimizer.{slot}.{name}" for slot in SLOTS[optimizer.name]]
            change, new = update(
                optimizer, gradient, [state.slots[slot] for slot in slots], state.steps
            )
            state.weights[name] = state.weights[name] - learning_rate * change
            state.slots.update(zip(slots, new, strict=True))
        state.weights.update(averages)
        return state, loss, (logits.argmax(axis=1) == labels).sum()

    return step


def update(
    o: Optimizer, g: Values, slots: list[Values], step: int
) -> tuple[Values, list[Values]]:
    """What one unit of learning rate takes off a parameter with gradient g, and the
    slots after it.

    `slots` are those of `SLOTS`, in their order, zero at first; steps count from 1.
    """
    match o.name:
        case "sgd":
            v = o.momentum * slots[0] + g
            return v, [v]
        case "nesterov":
            v = o.momentum * slots[0] + g
            return g + o.momentum * v, [v]
        case "adam" | "adamw":
            m = o.beta1 * slots[0] + (1 - o.beta1) * g
            v = o.beta2 * slots[1] + (1 - o.beta2) * g**2
            m_corrected, v_corrected = m / (1 - o.beta1**step), v / (1 - o.beta2**step)
            return m_corrected / (np.sqrt(v_corrected) + o.epsilon), [m, v]
        case "rmsprop":
            s = o.rho * slots[0] + (1 - o.rho) * g**2
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
    state: State,
    network: Callable[..., Tensor],
    images: Images,
    masks: Masks,
    training: bool,
) -> tuple[Tensor, dict[str, Tensor], dict[str, Values]]:
    """The logits, the parameters' tensors, and the running values after this batch."""
    begin_anew()
    x = Tensor(images.astype(np.float64))
    if state.architecture.section != "head":  # features are as they are
        mean, std = np.array(state.architecture.mean), np.array(state.architecture.std)
        x = Tensor((images / PIXEL_SCALE - mean) / std)
    parameters = {
        name: Tensor(state.weights[name]) for name in state.architecture.parameters
    }
    averages = {
        node.name: (
            state.weights[f"{node.name}.mean"],
            state.weights[f"{node.name}.variance"],
        )
        for node in state.architecture.nodes_of(layers.BatchNorm)
    }
    logits = network(x, parameters, averages, masks, training)
    after: dict[str, Values] = {}
    for name, (mean, variance) in averages.items():
        after |= {f"{name}.mean": mean, f"{name}.variance": variance}
    return logits, parameters, after


def _loss_and_gradients(
    state: State,
    network: Callable[..., Tensor],
    images: Images,
    labels: Labels,
    masks: Masks,
    smoothing: float = 0.0,
) -> tuple[float, dict[str, Values], dict[str, Values], Values]:
    """Loss, the parameters' gradients, the running values after this batch, logits."""
    logits, parameters, averages = _forward(
        state, network, images, masks, training=True
    )
    loss = cross_entropy(logits, labels, smoothing)
    backward(loss, np.array(1.0))
    found = {name: tensor.gradient for name, tensor in parameters.items()}
    return float(loss.values), found, averages, logits.values
