"""PyTorch: an `nn.Module`, autograd and a plain training step, channels last inside."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
from triptych.frameworks.pytorch.ops import prepare, train_step
from triptych.frameworks.pytorch.write import TAKEN, layouts, write_network
from triptych.frameworks.source import run_source, run_with_taps
from triptych.network.architecture import Architecture
from triptych.network.conventions import PRECISIONS, SLOTS, OptimizerName, Precision
from triptych.network.layouts import (
    Array,
    Layouts,
    channels_first,
    to_canonical,
    to_native,
)
from triptych.network.weights import Weights

FILENAME = "<network.py in PyTorch>"


@dataclass
class State:
    """A network with its optimizer, once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    layouts: Layouts
    network: nn.Module
    device: torch.device
    optimizer: torch.optim.Optimizer | None = None
    slots: tuple[str, ...] = ()
    """The optimizer's slots, by the names of the conventions."""
    steps: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """What weights, averages, loss and optimizer are kept in."""
        return torch.float64 if self.precision == "float64" else torch.float32


def facts() -> Facts:
    """CUDA is used if there is one; without TF32, so that float32 means float32."""
    _strict()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    version, threads = str(torch.__version__), torch.get_num_threads()
    versions = {"torch": version, "numpy": np.__version__}
    products = torch.backends.cuda.matmul.allow_tf32
    onednn = os.environ.get("ONEDNN_DEFAULT_FPMATH_MODE", "strict").lower()
    modes = {
        "TF32 in matrix products": "on" if products else "off",
        "TF32 in convolutions": "on" if torch.backends.cudnn.allow_tf32 else "off",
        "oneDNN": f"float32 {onednn}",
    }
    return Facts("PyTorch", version, versions, device, threads, PRECISIONS, modes)


def _strict() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The text is executed and its `Network` moved to the device, channels last."""
    text = write_network(architecture)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _strict()
    network = run_source(text, FILENAME)["Network"]()
    own = layouts(architecture)
    state = State(architecture, precision, text, own, network, device)
    network.to(device, state.dtype, memory_format=torch.channels_last)
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """What the optimizer holds is by parameter, under names of its own."""
    tensors = _tensors(state)
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name in weights:
                _assign(state, name, tensor, weights[name])
    if state.optimizer is not None and "optimizer.step" in weights:
        state.steps = int(weights["optimizer.step"])
        for name in state.architecture.parameters:
            held = state.optimizer.state[tensors[name]]
            held["step"] = torch.tensor(float(state.steps))
            for slot in state.slots:
                value = held[OWN_SLOTS[slot]] = torch.empty_like(tensors[name])
                _assign(state, name, value, weights[f"optimizer.{slot}.{name}"])


def dump_weights(state: State) -> Weights:
    """Slots that the optimizer makes at its first step are zeros until then."""
    held = _tensors(state).items()
    weights = {name: _to_canonical(state, name, tensor) for name, tensor in held}
    if state.optimizer is not None:
        weights["optimizer.step"] = np.array(state.steps, dtype=np.int64)
        for (slot, name), value in _slots(state, state.optimizer).items():
            weights[f"optimizer.{slot}.{name}"] = _to_canonical(state, name, value)
    return weights


def trace(
    state: State,
    images: Images,
    training: bool,
    masks: Masks,
    fed: Activations | None = None,
) -> dict[str, Array]:
    """The same text, with a tap after each layer, run on the same module."""
    seen: dict[str, Array] = {}

    def tap(name: str, value: Tensor) -> Tensor:
        seen[name] = _activation_to_canonical(state, name, value)
        if fed is None:
            return value
        return _activation_to_native(state, name, fed[name], value)

    state.network.train(training)
    with torch.no_grad(), _averages_kept(state):
        _run_tapped(state, tap, images, masks)
    return seen


def gradients(
    state: State, images: Images, labels: Labels, masks: Masks
) -> tuple[float, dict[str, Array]]:
    """By autograd, on the module itself, with a zero added to each layer's output."""
    zeros: dict[str, Tensor] = {}

    def tap(name: str, value: Tensor) -> Tensor:
        zeros[name] = torch.zeros_like(value, requires_grad=True)
        return value + zeros[name]

    state.network.train()
    state.network.zero_grad()
    targets = torch.from_numpy(labels).to(state.device)
    with _averages_kept(state):  # until autograd is done with them
        logits = _run_tapped(state, tap, images, masks)
        loss = F.cross_entropy(logits.to(state.dtype), targets)
        loss.backward()
    tensors, names = _tensors(state), state.architecture.parameters
    found = {name: _to_canonical(state, name, tensors[name].grad) for name in names}
    for name, zero in zeros.items():
        found[name] = _activation_to_canonical(state, name, zero.grad)
    state.network.zero_grad()
    return loss.item(), found


def _run_tapped(
    state: State, tap: Callable[[str, Tensor], Tensor], images: Images, masks: Masks
) -> Tensor:
    """The logits by the same text with taps, on the same module."""
    held = variables(state.architecture, TAKEN)
    made = run_with_taps(state.text, FILENAME, "forward", held, tap)
    forward = made["Network"].forward
    given = _read(state, images), _masks(state, masks)
    with _autocast(state):
        logits: Tensor = forward(state.network, *given)
    return logits


OPTIMIZERS: dict[OptimizerName, Callable[..., torch.optim.Optimizer]] = {
    # Without momentum PyTorch keeps no velocity; this least one adds nothing to a sum.
    "sgd": lambda parameters, o: torch.optim.SGD(
        parameters, lr=0, momentum=o.momentum or sys.float_info.min, fused=True
    ),
    "nesterov": lambda parameters, o: torch.optim.SGD(
        parameters,
        lr=0,
        momentum=o.momentum or sys.float_info.min,
        nesterov=True,
        fused=True,
    ),
    "adam": lambda parameters, o: torch.optim.Adam(
        parameters, lr=0.0, betas=(o.beta1, o.beta2), eps=o.epsilon, fused=True
    ),
    "rmsprop": lambda parameters, o: torch.optim.RMSprop(
        parameters, lr=0.0, alpha=o.rho, eps=o.epsilon
    ),
}
# The decay is decoupled in every optimizer: see `train_step`.
OPTIMIZERS["adamw"] = OPTIMIZERS["adam"]

OWN_SLOTS = {
    "velocity": "momentum_buffer",
    "first_moment": "exp_avg",
    "second_moment": "exp_avg_sq",
    "mean_square": "square_avg",
}
"""PyTorch's names for the slots, by those of the conventions."""


def make_step(state: State, optimizer: Optimizer) -> Step:
    """PyTorch's own optimizers, fused where they can be; all keep the conventions."""
    made = OPTIMIZERS[optimizer.name](state.network.parameters(), optimizer)
    state.optimizer, state.slots, state.steps = made, SLOTS[optimizer.name], 0

    def step(
        state: State,
        images: Images,
        labels: Labels,
        masks: Masks,
        learning_rate: float,
    ) -> tuple[State, Tensor, Tensor]:
        state.network.train()
        state.steps += 1
        loss, correct = train_step(
            state.network,
            made,
            _prepare(state, images),
            torch.from_numpy(labels).to(state.device),
            _masks(state, masks),
            learning_rate,
            optimizer.weight_decay,
            optimizer.label_smoothing,
            state.precision == "bfloat16",
        )
        return state, loss, correct

    return step


def predict(state: State, images: Images) -> Array:
    """In evaluation mode, without autograd."""
    state.network.eval()
    with torch.inference_mode(), _autocast(state):
        logits: Tensor = state.network(_read(state, images))
    values: Array = logits.to(state.dtype).cpu().numpy()
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


def save_native(state: State, path: Path) -> Path:
    """A state dict: `torch.load(path, weights_only=True)`, then `load_state_dict`."""
    target = path.with_suffix(".pt")
    torch.save(state.network.state_dict(), target)
    return target


# ---- between canonical arrays and PyTorch's ------------------------------------------


def _tensors(state: State) -> dict[str, Tensor]:
    """Parameters and running averages by canonical name."""
    own = dict(state.network.named_parameters()) | dict(state.network.named_buffers())
    return {name: own[layout.name] for name, layout in state.layouts.items()}


def _slots(
    state: State, optimizer: torch.optim.Optimizer
) -> dict[tuple[str, str], Tensor]:
    """What the optimizer holds, by slot and parameter."""
    tensors, found = _tensors(state), {}
    for name in state.architecture.parameters:
        held = optimizer.state.get(tensors[name], {})
        for slot in state.slots:
            zeros = torch.zeros_like(tensors[name])
            found[slot, name] = held.get(OWN_SLOTS[slot], zeros)
    return found


@contextmanager
def _averages_kept(state: State) -> Iterator[None]:
    """Puts the running averages back afterwards."""
    averages = {name: own.clone() for name, own in state.network.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in state.network.named_buffers():
                buffer.copy_(averages[name])


def _assign(state: State, name: str, tensor: Tensor, array: Array) -> None:
    """A canonical tensor, or its slot, into the tensor that holds it."""
    tensor.copy_(torch.from_numpy(to_native(array, state.layouts[name])))


def _to_canonical(state: State, name: str, tensor: Tensor | None) -> Array:
    """A tensor, or its slot or gradient, in the canonical layout."""
    assert tensor is not None
    return to_canonical(tensor.detach().cpu().numpy(), state.layouts[name])


def _activation_to_native(
    state: State, name: str, array: Array, like: Tensor
) -> Tensor:
    if array.ndim == 4:
        array = array.transpose(0, 3, 1, 2)
    elif shapes := state.architecture.flattened.get(name):
        array = array[:, channels_first(shapes)]
    native = torch.from_numpy(np.ascontiguousarray(array))
    return torch.empty_like(like).copy_(native)


def _activation_to_canonical(state: State, name: str, value: Tensor | None) -> Array:
    assert value is not None
    array = value.detach().to(state.dtype).cpu().numpy()
    if array.ndim == 4:
        return np.array(array.transpose(0, 2, 3, 1))
    shapes = state.architecture.flattened.get(name)
    return np.array(array[:, np.argsort(channels_first(shapes))] if shapes else array)


def _prepare(state: State, images: Images) -> Tensor:
    """Images as the network sees them; features are so already."""
    if state.architecture.section == "head":
        features = torch.from_numpy(images).to(state.device, state.dtype)
        return features.permute(0, 3, 1, 2) if features.ndim == 4 else features
    mean, std = state.architecture.mean, state.architecture.std
    return prepare(images, mean, std, state.dtype, state.device)


def _read(state: State, images: Images) -> Tensor:
    """The same in the precision that the first layer reads."""
    pixels = _prepare(state, images)
    return pixels.bfloat16() if state.precision == "bfloat16" else pixels


def _masks(state: State, masks: Masks) -> dict[str, Tensor] | None:
    """Dropout masks as the network takes them; None, which keeps every unit, if none.

    Those of attention, of heads and tokens, are no images.
    """
    native, shapes = {}, state.architecture.shapes
    for name, mask in masks.items():
        if len(shapes[name]) == 3:
            mask = mask.transpose(0, 3, 1, 2)
        elif flattened := state.architecture.flattened.get(name):
            mask = mask[:, channels_first(flattened)]
        native[name] = torch.from_numpy(np.ascontiguousarray(mask)).to(state.device)
    return native or None


def _autocast(state: State) -> torch.autocast:
    half, kind = state.precision == "bfloat16", state.device.type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=half)
