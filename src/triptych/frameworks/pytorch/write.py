"""A network in PyTorch: an `nn.Module` that takes NCHW images."""

from __future__ import annotations

from pathlib import Path

from triptych.frameworks.emit import (
    assign,
    call,
    describe,
    fold,
    in_one_word,
    module,
    plain,
    quoted,
    renamed,
    variables,
)
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.layouts import Layout, Layouts, gate_order

OPS = Path(__file__).with_name("ops.py")
IMPORTS = (
    "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n"
)
TAKEN = {
    *("self", "masks", "torch", "F", "float"),
    *("dropout", "stochastic_depth", "average_pool", "hard_sigmoid"),
}
"""Words that the lines of a network use: no variable of a layer can be called so."""
ATTRIBUTES = """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu
    cuda double dump_patches eval extra_repr float forward get_buffer get_extra_state
    get_parameter get_submodule half ipu load_state_dict modules mtia named_buffers
    named_children named_modules named_parameters parameters register_backward_hook
    register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook
    register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule
    share_memory state_dict to to_empty train training type xpu zero_grad
""".split()  # noqa: SIM905 - words to be read
"""What an `nn.Module` has already: no layer's module can be called so."""

ACTIVATIONS: dict[type[layers.Layer], str] = {
    layers.ReLU: "F.relu",
    layers.ReLU6: "F.relu6",
    layers.Tanh: "torch.tanh",
    layers.Sigmoid: "torch.sigmoid",
    layers.HardSigmoid: "hard_sigmoid",
    layers.SiLU: "F.silu",
    layers.HardSwish: "F.hardswish",
    layers.GELU: "F.gelu",
}

TENSORS = {
    "kernel": "weight",
    "scale": "weight",
    "offset": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}
RECURRENT_TENSORS = {
    "kernel": "weight_ih_l0",
    "recurrent_kernel": "weight_hh_l0",
    "bias": "bias_ih_l0",
    "recurrent_bias": "bias_hh_l0",
}
ATTENTION_TENSORS = {
    "kernel": "qkv.weight",
    "bias": "qkv.bias",
    "output_kernel": "out.weight",
    "output_bias": "out.bias",
}
GATES = {"lstm": "ifgo", "gru": "rzn"}
"""The order of the gates in PyTorch, in the letters of the conventions."""

ONE_BIAS = """\
        # The same sum has another bias already: two would train twice as fast.
        {own}.get_parameter("bias_hh_l0").requires_grad_(False).zero_()
"""
"""An LSTM has two biases in PyTorch."""


def write_network(architecture: Architecture) -> str:
    """A class `Network`; `forward(x, masks=None)` gives logits."""
    held, names = variables(architecture, TAKEN), _names(architecture)
    init, forward = "", ""
    for node in architecture.nodes:
        own = f"self.{names[node.name]}"
        if made := _module(architecture, node):
            init += assign(own, made, 8)
        if isinstance(node.layer, layers.LSTM):
            init += ONE_BIAS.format(own=own)
        inputs = [held[name] for name in node.inputs]
        forward += assign(held[node.name], _layer(architecture, node, own, inputs), 8)
    given = f"self, {held[INPUT]}: Tensor, masks: dict[str, Tensor] | None = None"
    network = (
        "\n\nclass Network(nn.Module):\n"
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        f"{init}\n"
        f"{fold(f'def forward({given}) -> Tensor:', 4)}"
        f"{forward}"
        f"        return {held[architecture.nodes[-1].name]}\n"
    )
    return module(describe(architecture, "PyTorch"), IMPORTS, OPS, network)


def layouts(architecture: Architecture) -> Layouts:
    """Names of the state dict; kernels OIHW and (out, in), features channels first."""
    found, names = {}, _names(architecture)
    for node in architecture.nodes:
        for tensor, shape in architecture.tensors_of(node).items():
            layout = _layout(architecture, node, tensor, len(shape), names[node.name])
            found[f"{node.name}.{tensor}"] = layout
    return found


def _layout(
    architecture: Architecture, node: Node, tensor: str, rank: int, own: str
) -> Layout:
    """Where a tensor of the layer stands whose module is called `own`."""
    depthwise = isinstance(node.layer, layers.DepthwiseConv)
    axes = {4: (2, 3, 0, 1) if depthwise else (3, 2, 0, 1), 2: (1, 0)}.get(rank)
    if isinstance(node.layer, layers.Recurrent):
        names, gates = RECURRENT_TENSORS, GATES[node.layer.kind]
        order = gate_order(node.layer.GATES, gates)
    else:
        names, order = TENSORS, ()
    # A dense bias meets the layer's own output, what else there is meets the input.
    meets_input = tensor == "kernel" or not isinstance(node.layer, layers.Dense)
    flattened = architecture.flattened.get(node.inputs[0], ()) if meets_input else ()
    if isinstance(node.layer, layers.Scale):
        names = {}
    if isinstance(node.layer, layers.Attention):
        names = ATTENTION_TENSORS
    return Layout(f"{own}.{names.get(tensor, tensor)}", axes, flattened, order)


def _names(architecture: Architecture) -> dict[str, str]:
    """The attribute that holds each layer's module.

    It is the layer's name, unless every module has such an attribute.
    """
    names = (node.name for node in architecture.nodes)
    return renamed(names, ATTRIBUTES, in_one_word)


# ---- lines ---------------------------------------------------------------------------


def _module(architecture: Architecture, node: Node) -> str | None:
    """How a layer is made in `__init__`, if it has tensors."""
    shape = architecture.input_shapes(node)[0]
    match node.layer:
        case layers.Convolution() as conv:
            return _convolution(conv, shape)
        case layers.BatchNorm(epsilon=epsilon, momentum=kept):
            kind = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
            taken = round(1 - kept, 12)
            return call(f"nn.{kind}", shape[-1], eps=epsilon, momentum=taken)
        case layers.LayerNorm(epsilon=epsilon):
            kind = "LayerNorm2d" if len(shape) == 3 else "nn.LayerNorm"
            return call(kind, shape[-1], eps=epsilon)
        case layers.GroupNorm(groups=groups, epsilon=epsilon):
            return call("nn.GroupNorm", groups, shape[-1], eps=epsilon)
        case layers.Bias():
            return call("Bias", shape[-1])
        case layers.Scale(start=start):
            return call("Scale", shape[-1], start)
        case layers.Dense(units=units, bias=bias):
            return call("nn.Linear", shape[-1], units, bias=None if bias else False)
        case layers.ClassToken():
            return call("ClassToken", shape[1])
        case layers.PositionEmbedding():
            return call("PositionEmbedding", *shape)
        case layers.Attention(heads=heads, rate=rate):
            return call("Attention", shape[1], heads, rate=rate or None)
        case layers.Recurrent(units=units) as layer:
            kind = f"nn.{layer.kind.upper()}"
            return call(kind, shape[1], units, batch_first=True)
    return None


def _convolution(conv: layers.Convolution, shape: layers.Shape) -> str:
    groups = conv.groups if isinstance(conv, layers.Conv) else shape[2]
    options = {
        "stride": plain(conv.strides, 1),
        "padding": _padding(conv, shape),
        "dilation": plain(conv.dilations, 1),
        "groups": groups if groups > 1 else None,
        "bias": None if conv.bias else False,
    }
    outputs = conv.filters if isinstance(conv, layers.Conv) else shape[2]
    return call("nn.Conv2d", shape[2], outputs, plain(conv.window), **options)


def _layer(architecture: Architecture, node: Node, own: str, inputs: list[str]) -> str:
    """How a layer is called in `forward`, if it has a module as `own`."""
    shape = architecture.input_shapes(node)[0]
    x = inputs[0]
    match node.layer:
        case layers.Convolution() as conv:
            return call(own, _padded(conv, shape, x))
        case layers.BatchNorm() | layers.LayerNorm() | layers.GroupNorm():
            return call(own, x)
        case layers.Bias() | layers.Scale() | layers.Dense():
            return call(own, x)
        case layers.ClassToken() | layers.PositionEmbedding():
            return call(own, x)
        case layers.Attention(rate=rate):
            return call(own, x, *(("masks", quoted(node.name)) if rate else ()))
        case layers.Tokens():
            return f"{x}.flatten(start_dim=2).transpose(1, 2)"
        case layers.TokenPool(take=take):
            return f"{x}[:, 0]" if take == "first" else call(f"{x}.mean", dim=1)
        case layers.MaxPool() as pool:
            return _max_pool(pool, shape, x)
        case layers.AveragePool() as pool:
            return _average_pool(pool, shape, x)
        case layers.GlobalAveragePool():
            return call(f"{x}.mean", dim=(2, 3))
        case layers.Flatten():
            return call("torch.flatten", x, start_dim=1)
        case layers.Rows():  # a view, since the images' channels are last in memory
            return f"{x}.permute(0, 2, 3, 1).flatten(start_dim=2)"
        case layers.Recurrent(sequence=sequence):
            return f"{own}({x})[0]{'' if sequence else '[:, -1]'}"
        case layers.LeakyReLU(slope=slope):
            return call("F.leaky_relu", x, slope)
        case layers.Activation() as activation:
            return call(ACTIVATIONS[type(activation)], x)
        case layers.Dropout(rate=rate):
            return call(node.layer.kind, x, rate, "masks", quoted(node.name))
        case layers.Add():
            return " + ".join(inputs)
        case layers.Multiply():
            pixels = len(shape) > len(architecture.input_shapes(node)[1])
            return " * ".join(inputs) + ("[:, :, None, None]" if pixels else "")
        case layers.Concat():
            channels = 2 if len(shape) == 2 else 1
            return call("torch.cat", f"[{', '.join(inputs)}]", dim=channels)
    raise NotImplementedError(node.layer.kind)


def _max_pool(pool: layers.MaxPool, shape: layers.Shape, x: str) -> str:
    size, stride = plain(pool.window), plain(pool.strides)
    options = {
        "stride": None if stride == size else stride,
        "padding": _padding(pool, shape),
    }
    padded = _padded(pool, shape, x, value='float("-inf")')
    return call("F.max_pool2d", padded, size, **options)


def _average_pool(pool: layers.AveragePool, shape: layers.Shape, x: str) -> str:
    (top, bottom), (left, right) = pool.pads(shape)
    size, stride = plain(pool.window), plain(pool.strides)
    if top == bottom == left == right == 0:
        return call("F.avg_pool2d", x, size, stride=None if stride == size else stride)
    return call("average_pool", x, size, stride, pads=(left, right, top, bottom))


Padded = layers.Convolution | layers.MaxPool


def _even(layer: Padded, shape: layers.Shape) -> bool:
    """Whether PyTorch's layer pads so: both ends of each axis alike, and before a pool
    by half a window at the most.
    """
    pads = layer.pads(shape)
    if isinstance(layer, layers.MaxPool) and any(
        2 * before > size for (before, _), size in zip(pads, layer.window, strict=True)
    ):
        return False
    return all(before == after for before, after in pads)


def _padding(layer: Padded, shape: layers.Shape) -> int | tuple[int, int] | None:
    """The layer's own `padding`."""
    (top, _), (left, _) = layer.pads(shape)
    return plain((top, left), 0) if _even(layer, shape) else None


def _padded(
    layer: Padded, shape: layers.Shape, x: str, value: str | None = None
) -> str:
    """The layer's input, padded beforehand where the two ends of an axis differ."""
    if _even(layer, shape):
        return x
    (top, bottom), (left, right) = layer.pads(shape)
    return call("F.pad", x, (left, right, top, bottom), value=value)
