"""PyTorch: an `nn.Module`, autograd and a plain training step, channels last inside."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.frameworks.contract import Activations, Facts, Images, Labels, Masks, Optimizer, Step
from triptych.frameworks.source import describe, renamed, run_source, run_with_taps, sources, variables
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import PIXEL_SCALE, PRECISIONS, Precision
from triptych.network.layers import Shape
from triptych.network.layouts import (
    Array,
    Layout,
    Layouts,
    channels_first,
    gate_order,
    to_canonical,
    to_native,
)
from triptych.network.weights import Weights

FILENAME = "<network.py in PyTorch>"
TAKEN = {"self", "masks", "torch", "F", "dropout", "average_pool"}
"""Words that the lines of a network use: no variable of a layer can be called so."""
ATTRIBUTES = """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule
    half ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters
    parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
    to_empty train training type xpu zero_grad
""".split()  # noqa: SIM905 - words to be read
"""What an `nn.Module` has already: no layer's module can be called so."""


@dataclass
class State:
    """A network with its optimiser, once it has one."""

    architecture: Architecture
    precision: Precision
    text: str
    layouts: Layouts
    network: nn.Module
    device: torch.device
    optimizer: torch.optim.Optimizer | None = None
    slots: dict[str, str] = field(default_factory=dict)
    """The optimiser's names for its slots, by ours."""
    steps: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """What weights, averages, loss and optimiser are kept in."""
        return torch.float64 if self.precision == "float64" else torch.float32


def facts() -> Facts:
    """CUDA is used if there is one; TF32 is switched off, so that float32 means float32."""
    _strict()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    version = str(torch.__version__)
    versions = {"torch": version, "numpy": np.__version__}
    modes = {
        "TF32 in matrix products": "on" if torch.backends.cuda.matmul.allow_tf32 else "off",
        "TF32 in convolutions": "on" if torch.backends.cudnn.allow_tf32 else "off",
        "oneDNN": f"float32 {os.environ.get('ONEDNN_DEFAULT_FPMATH_MODE', 'strict').lower()}",
    }
    return Facts("PyTorch", version, versions, device, torch.get_num_threads(), PRECISIONS, modes)


def _strict() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


# ---- the network, written ------------------------------------------------------------------------------


def dropout(x: Tensor, rate: float, masks: dict[str, Tensor] | None, name: str) -> Tensor:
    """Inverted dropout; the mask says which units to keep, and without masks all are kept."""
    return x if masks is None else x * masks[name] / (1 - rate)


class Bias(nn.Module):
    """Adds one trained number a channel; PyTorch has biases inside other modules only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.bias.view(-1, 1, 1) if x.ndim == 4 else self.bias)


def average_pool(
    x: Tensor, size: int | tuple[int, int], stride: int | tuple[int, int], pads: tuple[int, int, int, int]
) -> Tensor:
    """Mean of each window in which padding does not count, for pads (left, right, top, bottom)."""
    inside = F.pad(torch.ones_like(x[:1, :1]), pads)
    return F.avg_pool2d(F.pad(x, pads), size, stride) / F.avg_pool2d(inside, size, stride)


def write_network(architecture: Architecture) -> str:
    """A module with an `nn.Module` class `Network`; `forward(x, masks=None)` takes NCHW pictures."""
    held, modules = variables(architecture, TAKEN), _modules(architecture)
    init, forward = [], []
    for node in architecture.nodes:
        own = f"self.{modules[node.name]}"
        module, call = _layer(architecture, node, own, [held[name] for name in node.inputs])
        if module:
            init.append(f"        {own} = {module}\n")
        if isinstance(node.layer, layers.LSTM):
            init.append(
                "        # The same sum has another bias already: two would train twice as fast.\n"
                f'        {own}.get_parameter("bias_hh_l0").requires_grad_(False).zero_()\n'
            )
        forward.append(f"        {held[node.name]} = {call}\n")
    network = (
        "\n\nclass Network(nn.Module):\n"
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        f"{''.join(init)}\n"
        f"    def forward(self, {held[INPUT]}: Tensor, masks: dict[str, Tensor] | None = None) -> Tensor:\n"
        f"{''.join(forward)}"
        f"        return {held[architecture.nodes[-1].name]}\n"
    )
    pieces = sources((Bias, dropout, average_pool), network)
    whole = "import torch\n" if "torch." in pieces + network else ""
    functional = "import torch.nn.functional as F\n" if "F." in pieces + network else ""
    return (
        f"{describe(architecture, 'PyTorch')}\n\n"
        f"{whole}{functional}from torch import Tensor, nn\n{pieces}{network}"
    )


def _modules(architecture: Architecture) -> dict[str, str]:
    """The attribute that holds each layer's module: its name, unless every module has such an attribute."""
    return renamed((node.name for node in architecture.nodes), ATTRIBUTES)


def _layer(architecture: Architecture, node: Node, own: str, inputs: list[str]) -> tuple[str | None, str]:
    """How a layer is made in `__init__`, if it has tensors, and how it is called in `forward` as `own`."""
    shape = architecture.input_shapes(node)[0]
    x = inputs[0]
    match node.layer:
        case layers.Conv() | layers.DepthwiseConv() as conv:
            outputs = shape[2] if isinstance(conv, layers.DepthwiseConv) else conv.filters
            groups = {"groups": shape[2]} if isinstance(conv, layers.DepthwiseConv) else {}
            padding, x = _pad(conv, shape, x)
            options = _options(
                stride=_plain(conv.strides, 1), **padding, **groups, bias=None if conv.bias else False
            )
            size = _plain(conv.window)
            return f"nn.Conv2d({shape[2]}, {outputs}, {size}{options})", f"{own}({x})"
        case layers.BatchNorm(epsilon=eps, momentum=kept):
            kind = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
            made = f"nn.{kind}({shape[-1]}, eps={eps}, momentum={round(1 - kept, 12)})"
            return made, f"{own}({x})"
        case layers.Bias():
            return f"Bias({shape[-1]})", f"{own}({x})"
        case layers.Dense(units=units, bias=bias):
            made = f"nn.Linear({shape[0]}, {units}{_options(bias=None if bias else False)})"
            return made, f"{own}({x})"
        case layers.MaxPool() as pool:
            padding, x = _pad(pool, shape, x, filler=', value=float("-inf")')
            size = _plain(pool.window)
            stride = None if pool.strides == pool.window else _plain(pool.strides)
            return None, f"F.max_pool2d({x}, {size}{_options(stride=stride, **padding)})"
        case layers.AveragePool() as pool:
            (top, bottom), (left, right) = pool.pads(shape)
            size, stride = _plain(pool.window), _plain(pool.strides)
            if top == bottom == left == right == 0:
                return None, f"F.avg_pool2d({x}, {size}{_options(stride=None if stride == size else stride)})"
            return None, f"average_pool({x}, {size}, {stride}, pads=({left}, {right}, {top}, {bottom}))"
        case layers.GlobalAveragePool():
            return None, f"{x}.mean(dim=(2, 3))"
        case layers.Flatten():
            return None, f"torch.flatten({x}, start_dim=1)"
        case layers.Rows():  # of NCHW pictures; a view, since their channels are last in memory
            return None, f"{x}.permute(0, 2, 3, 1).flatten(start_dim=2)"
        case layers.Recurrent(units=units, sequence=sequence) as layer:
            made = f"nn.{layer.kind.upper()}({shape[1]}, {units}, batch_first=True)"
            return made, f"{own}({x})[0]{'' if sequence else '[:, -1]'}"
        case layers.ReLU():
            return None, f"F.relu({x})"
        case layers.ReLU6():
            return None, f"F.relu6({x})"
        case layers.Tanh():
            return None, f"torch.tanh({x})"
        case layers.Sigmoid():
            return None, f"torch.sigmoid({x})"
        case layers.GELU():
            return None, f"F.gelu({x})"
        case layers.Dropout(rate=rate):
            return None, f'dropout({x}, {rate}, masks, "{node.name}")'
        case layers.Add():
            return None, " + ".join(inputs)
        case layers.Concat():
            return None, f"torch.cat([{', '.join(inputs)}], dim={2 if len(shape) == 2 else 1})"
    raise NotImplementedError(node.layer.kind)


def _pad(
    layer: layers.Conv | layers.DepthwiseConv | layers.MaxPool, shape: layers.Shape, x: str, filler: str = ""
) -> tuple[dict[str, Any], str]:
    """The layer's `padding=`, and its input padded beforehand where the two ends of an axis differ."""
    (top, bottom), (left, right) = layer.pads(shape)
    if top == bottom and left == right:
        return {"padding": _plain((top, left), 0)}, x
    return {}, f"F.pad({x}, ({left}, {right}, {top}, {bottom}){filler})"


def _plain(pair: tuple[int, int], default: int | None = None) -> Any:
    """One number for two equal ones; None for the default, which need not be written."""
    value = pair[0] if pair[0] == pair[1] else pair
    return None if value == default else value


def _options(**options: Any) -> str:
    return "".join(f", {name}={value!r}" for name, value in options.items() if value is not None)


NAMES = {
    "kernel": "weight",
    "scale": "weight",
    "offset": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}
RECURRENT_NAMES = {
    "kernel": "weight_ih_l0",
    "recurrent_kernel": "weight_hh_l0",
    "bias": "bias_ih_l0",
    "recurrent_bias": "bias_hh_l0",
}
GATES = {"lstm": "ifgo", "gru": "rzn"}
"""The order of the gates in PyTorch, in the letters of the conventions."""


def layouts(architecture: Architecture) -> Layouts:
    """Names of the state dict; kernels OIHW and (out, in), features channels first."""
    found, modules = {}, _modules(architecture)
    for node in architecture.nodes:
        shapes = architecture.input_shapes(node)
        depthwise, dense = (isinstance(node.layer, of) for of in (layers.DepthwiseConv, layers.Dense))
        axes = {4: (2, 3, 0, 1) if depthwise else (3, 2, 0, 1), 2: (1, 0)}
        names = RECURRENT_NAMES if isinstance(node.layer, layers.Recurrent) else NAMES
        gates = tuple[int, ...]()
        if isinstance(node.layer, layers.Recurrent):
            gates = gate_order(node.layer.GATES, GATES[node.layer.kind])
        for tensor, shape in (node.layer.parameters(*shapes) | node.layer.statistics(*shapes)).items():
            meets_input = tensor == "kernel" or not dense  # a dense bias meets the layer's own output
            flattened = architecture.flattened.get(node.inputs[0], ()) if meets_input else ()
            name = f"{modules[node.name]}.{names.get(tensor, tensor)}"
            found[f"{node.name}.{tensor}"] = Layout(name, axes.get(len(shape)), flattened, gates)
    return found


# ---- the contract --------------------------------------------------------------------------------------


def build(architecture: Architecture, weights: Weights, precision: Precision) -> State:
    """The source text is executed and its `Network` moved to the device, channels last."""
    text = write_network(architecture)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _strict()
    network = run_source(text, FILENAME)["Network"]()
    state = State(architecture, precision, text, layouts(architecture), network, device)
    state.network.to(device, state.dtype, memory_format=torch.channels_last)
    load_weights(state, weights)
    return state


def load_weights(state: State, weights: Weights) -> None:
    """Optimiser slots are matched by `State.slots`."""
    tensors = _tensors(state)
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name in weights:
                tensor.copy_(torch.from_numpy(to_native(weights[name], state.layouts[name])))
    if state.optimizer is not None and "optimizer.step" in weights:
        state.steps = int(weights["optimizer.step"])
        for name in state.architecture.parameters:
            held = state.optimizer.state[tensors[name]]
            held["step"] = torch.tensor(float(state.steps))
            for slot, theirs in state.slots.items():
                native = to_native(weights[f"optimizer.{slot}.{name}"], state.layouts[name])
                held[theirs] = torch.empty_like(tensors[name]).copy_(torch.from_numpy(native))


def dump_weights(state: State) -> Weights:
    """Slots that the optimiser makes at its first step are zeros until then."""
    tensors = _tensors(state)
    weights = {name: _to_numpy(state, name, tensor) for name, tensor in tensors.items()}
    if state.optimizer is not None:
        weights["optimizer.step"] = np.array(state.steps, dtype=np.int64)
        for name in state.architecture.parameters:
            held = state.optimizer.state.get(tensors[name], {})
            for slot, theirs in state.slots.items():
                value = held.get(theirs, torch.zeros_like(tensors[name]))
                weights[f"optimizer.{slot}.{name}"] = _to_numpy(state, name, value)
    return weights


def trace(
    state: State, images: Images, training: bool, masks: Masks, fed: Activations | None = None
) -> dict[str, Array]:
    """The same text, with a tap after each layer, run on the same module."""
    seen: dict[str, Array] = {}

    def tap(name: str, value: Tensor) -> Tensor:
        seen[name] = _activation_to_canonical(state, name, value)
        return value if fed is None else _activation_to_native(state, name, fed[name], value)

    state.network.train(training)
    with torch.no_grad(), _averages_kept(state):
        _run_tapped(state, tap, images, masks)
    return seen


def gradients(state: State, images: Images, labels: Labels, masks: Masks) -> tuple[float, dict[str, Array]]:
    """By autograd, on the module itself, with a zero added to each layer's output."""
    zeros: dict[str, Tensor] = {}

    def tap(name: str, value: Tensor) -> Tensor:
        zeros[name] = torch.zeros_like(value, requires_grad=True)
        return value + zeros[name]

    state.network.train()
    state.network.zero_grad()
    with _averages_kept(state):
        logits = _run_tapped(state, tap, images, masks)
        loss = F.cross_entropy(logits.to(state.dtype), torch.from_numpy(labels).to(state.device))
        loss.backward()
    tensors = _tensors(state)
    found = {n: _to_numpy(state, n, tensors[n].grad) for n in state.architecture.parameters}
    found |= {n: _activation_to_canonical(state, n, zero.grad) for n, zero in zeros.items()}
    state.network.zero_grad()
    return loss.item(), found


def _run_tapped(state: State, tap: Callable[[str, Tensor], Tensor], images: Images, masks: Masks) -> Tensor:
    """The logits by the same text with taps, on the same module."""
    held = variables(state.architecture, TAKEN)
    forward = run_with_taps(state.text, FILENAME, "forward", held, tap)["Network"].forward
    with _autocast(state):
        logits: Tensor = forward(state.network, _read(state, images), _masks(state, masks))
    return logits


@contextmanager
def _averages_kept(state: State) -> Iterator[None]:
    """Puts the running averages back afterwards."""
    averages = {name: buffer.clone() for name, buffer in state.network.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in state.network.named_buffers():
                buffer.copy_(averages[name])


def train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor,
    masks: dict[str, Tensor] | None, learning_rate: float,
    weight_decay: float = 0.0, label_smoothing: float = 0.0, bfloat16: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """One step on a batch; gives the loss before it and how many of the batch were right."""
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bfloat16):
        # What has a kernel computes in it anyway; an LSTM fails on many CPUs unless it reads it, too.
        logits = network(images.bfloat16() if bfloat16 else images, masks).to(images.dtype)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    optimizer.zero_grad()
    loss.backward()
    if weight_decay:  # decoupled from the gradient, on kernels only
        with torch.no_grad():
            kernels: list[Tensor] = [parameter for parameter in network.parameters() if parameter.ndim > 1]
            torch._foreach_mul_(kernels, 1 - learning_rate * weight_decay)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    return loss.detach(), (logits.argmax(1) == labels).sum()


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    # Without momentum PyTorch keeps no velocity; this least one adds nothing to a sum.
    "sgd": lambda parameters, o: torch.optim.SGD(
        parameters, lr=0, momentum=o.momentum or sys.float_info.min, fused=True
    ),
    "adam": lambda parameters, o: torch.optim.Adam(
        parameters, lr=0.0, betas=(o.beta1, o.beta2), eps=o.epsilon, fused=True
    ),
    "rmsprop": lambda parameters, o: torch.optim.RMSprop(parameters, lr=0.0, alpha=o.decay, eps=o.epsilon),
}
OPTIMIZERS["adamw"] = OPTIMIZERS["adam"]  # the decay is decoupled in every optimiser: see `train_step`

SLOTS = {
    "sgd": {"velocity": "momentum_buffer"},
    "adam": {"first_moment": "exp_avg", "second_moment": "exp_avg_sq"},
    "adamw": {"first_moment": "exp_avg", "second_moment": "exp_avg_sq"},
    "rmsprop": {"mean_square": "square_avg"},
}


def make_step(state: State, optimizer: Optimizer) -> Step:
    """PyTorch's own optimisers, fused where there is a fused one; all agree with the conventions."""
    state.optimizer = OPTIMIZERS[optimizer.name](state.network.parameters(), optimizer)
    state.slots, state.steps = SLOTS[optimizer.name], 0

    def step(state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float) -> Any:
        state.network.train()
        state.steps += 1
        loss, correct = train_step(
            state.network, state.optimizer, _prepare(state, images),
            torch.from_numpy(labels).to(state.device), _masks(state, masks), learning_rate,
            optimizer.weight_decay, optimizer.label_smoothing, state.precision == "bfloat16",
        )  # fmt: skip
        return state, loss, correct

    return step


def predict(state: State, images: Images) -> Array:
    """In evaluation mode, without autograd."""
    state.network.eval()
    with torch.inference_mode(), _autocast(state):
        logits: Array = state.network(_read(state, images)).to(state.dtype).cpu().numpy()
    return logits


def save_native(state: State, path: Path) -> Path:
    """A state dict: `torch.load(path, weights_only=True)`, then `Network().load_state_dict`."""
    target = path.with_suffix(".pt")
    torch.save(state.network.state_dict(), target)
    return target


# ---- between canonical arrays and PyTorch's -------------------------------------------------------------


def _tensors(state: State) -> dict[str, Tensor]:
    """Parameters and running averages by canonical name."""
    own = dict(state.network.named_parameters()) | dict(state.network.named_buffers())
    return {name: own[layout.name] for name, layout in state.layouts.items()}


def _to_numpy(state: State, name: str, tensor: Tensor | None) -> Array:
    """A tensor, or its slot or gradient, in the canonical layout."""
    assert tensor is not None
    return to_canonical(tensor.detach().cpu().numpy(), state.layouts[name])


def _activation_to_native(state: State, name: str, array: Array, like: Tensor) -> Tensor:
    if array.ndim == 4:
        array = array.transpose(0, 3, 1, 2)
    elif shapes := state.architecture.flattened.get(name):
        array = array[:, channels_first(shapes)]
    return torch.empty_like(like).copy_(torch.from_numpy(np.ascontiguousarray(array)))


def _activation_to_canonical(state: State, name: str, value: Tensor | None) -> Array:
    assert value is not None
    array = value.detach().to(state.dtype).cpu().numpy()
    if array.ndim == 4:
        return np.array(array.transpose(0, 2, 3, 1))
    shapes = state.architecture.flattened.get(name)
    return np.array(array[:, np.argsort(channels_first(shapes))] if shapes else array)


def _prepare(state: State, images: Images) -> Tensor:
    return prepare(images, state.architecture.mean, state.architecture.std, state.dtype, state.device)


def _read(state: State, images: Images) -> Tensor:
    """The same in the precision that the first layer reads."""
    pixels = _prepare(state, images)
    return pixels.bfloat16() if state.precision == "bfloat16" else pixels


def prepare(
    images: Images, mean: tuple[float, ...], std: tuple[float, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Pictures as the network sees them: NCHW of (pixel / 255 - mean) / std, channels last in memory."""
    pixels = torch.from_numpy(images)
    if device.type == "cuda":  # from pinned memory the copy does not wait for the steps that are under way
        pixels = pixels.pin_memory()
    pixels = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).to(dtype) / PIXEL_SCALE
    if any(mean) or set(std) != {1.0}:
        centre, spread = (
            torch.tensor(values, dtype=dtype, device=device).view(1, -1, 1, 1) for values in (mean, std)
        )
        pixels = (pixels - centre) / spread
    return pixels


def _masks(state: State, masks: Masks) -> dict[str, Tensor] | None:
    return native_masks(masks, state.architecture.flattened, state.device)


def native_masks(
    masks: Masks, flattened: Mapping[str, tuple[Shape, ...]], device: torch.device
) -> dict[str, Tensor] | None:
    """Dropout masks in PyTorch's layout; None, which keeps every unit, if there are none."""
    native = {}
    for name, mask in masks.items():
        mask = mask.transpose(0, 3, 1, 2) if mask.ndim == 4 else mask
        mask = mask[:, channels_first(flattened[name])] if name in flattened else mask
        native[name] = torch.from_numpy(np.ascontiguousarray(mask)).to(device)
    return native or None


def _autocast(state: State) -> torch.autocast:
    return torch.autocast(state.device.type, dtype=torch.bfloat16, enabled=state.precision == "bfloat16")
