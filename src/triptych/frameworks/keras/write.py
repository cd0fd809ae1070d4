"""A network in Keras: `Sequential` along a chain, the functional API elsewhere."""

from __future__ import annotations

import unicodedata
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
IMPORTS = "import keras\nfrom keras import layers, ops\n"
TAKEN = {
    "keras",
    "layers",
    "BatchNormalization",
    "Bias",
    "PaddedAverage",
    "PaddedMax",
    "Scale",
    "StochasticDepth",
    "ClassToken",
    "PositionEmbedding",
    "Attention",
    "FirstToken",
    "Dropout",
    "LeakyReLU",
    "GELU",
    "HardSigmoid",
    "HardSwish",
}
"""Words that the lines of a network use: no variable of a layer can be called so."""

ACTIVATIONS: dict[type[layers.Layer], tuple[str, tuple[str, ...], dict[str, int]]] = {
    layers.ReLU: ("layers.ReLU", (), {}),
    layers.ReLU6: ("layers.ReLU", (), {"max_value": 6}),
    layers.GELU: ("GELU", (), {}),
    layers.Tanh: ("layers.Activation", (quoted("tanh"),), {}),
    layers.Sigmoid: ("layers.Activation", (quoted("sigmoid"),), {}),
    layers.HardSigmoid: ("HardSigmoid", (), {}),
    layers.SiLU: ("layers.Activation", (quoted("silu"),), {}),
    layers.HardSwish: ("HardSwish", (), {}),
}
"""The class that computes each, with its arguments and options."""

TENSORS = {
    "scale": "gamma",
    "offset": "beta",
    "mean": "moving_mean",
    "variance": "moving_variance",
}
ATTENTION_TENSORS = {
    "kernel": "qkv.kernel",
    "bias": "qkv.bias",
    "output_kernel": "out.kernel",
    "output_bias": "out.bias",
}
GATES = {"lstm": "ifgo", "gru": "zrn"}
"""The order of the gates in Keras, in the letters of the conventions."""


def write_network(architecture: Architecture) -> str:
    """A function `network()` that makes the model.

    Each dropout layer takes its mask from an optional input: "dropout1_keep" for
    "dropout1".
    """
    held = variables(architecture, {*TAKEN, *mask_inputs(architecture).values()})
    alone = all(len(node.inputs) == 1 for node in architecture.nodes)
    chain = alone and set(held.values()) == {"x"}
    if chain and not architecture.dropouts:
        body = _sequential(architecture)
    else:
        body = _functional(architecture, held | {INPUT: INPUT})
    network = f"\n\ndef network() -> keras.Model:\n{body}"
    return module(describe(architecture, "Keras"), IMPORTS, OPS, network)


def layouts(architecture: Architecture) -> Layouts:
    """Names of layers and their attributes; kernels are canonical, but for one.

    That is a depthwise one in groups. The gates of a GRU are in another order.
    """
    found, names = {}, layer_names(architecture)
    for node in architecture.nodes:
        for tensor in architecture.tensors_of(node):
            found[f"{node.name}.{tensor}"] = _layout(node, names[node.name], tensor)
    return {name: found[name] for name in architecture.tensors}


def _layout(node: Node, own: str, tensor: str) -> Layout:
    """Where a tensor of the layer stands that Keras calls `own`."""
    if isinstance(node.layer, layers.Recurrent):
        gates = gate_order(node.layer.GATES, GATES[node.layer.kind])
        if isinstance(node.layer, layers.GRU) and tensor.endswith("bias"):
            row = ("bias", "recurrent_bias").index(tensor)  # of one variable
            return Layout(f"{own}.cell.bias", gates=gates, row=row)
        return Layout(f"{own}.cell.{tensor}", gates=gates)
    if isinstance(node.layer, layers.Attention):
        return Layout(f"{own}.{ATTENTION_TENSORS[tensor]}")
    if isinstance(node.layer, layers.Scale):
        return Layout(f"{own}.{tensor}")
    axes = (0, 1, 3, 2) if tensor == "kernel" and _in_groups(node.layer) else None
    return Layout(f"{own}.{TENSORS.get(tensor, tensor)}", axes)


# ---- names ---------------------------------------------------------------------------


def layer_names(architecture: Architecture) -> dict[str, str]:
    """What each layer is called in Keras: as it is, but TensorFlow takes ASCII only."""
    return renamed((node.name for node in architecture.nodes), {INPUT}, _in_ascii)


def mask_inputs(architecture: Architecture) -> dict[str, str]:
    """The input that each dropout layer takes its mask from, called as no layer is."""
    names = layer_names(architecture)
    taken = {*names, *names.values()}
    return renamed(architecture.dropouts, taken, lambda name: f"{names[name]}_keep")


def pad_names(architecture: Architecture) -> dict[str, str]:
    """The layer that pads for each convolution that is padded by so many pixels."""
    names = layer_names(architecture)
    padded = (node.name for node in architecture.nodes if _zeros(node.layer))
    taken = {*names, *names.values(), *mask_inputs(architecture).values()}
    return renamed(padded, taken, lambda name: f"{names[name]}_pad")


def _in_ascii(name: str) -> str:
    """A name without the marks on its letters, and without what is not ASCII then."""
    word = in_one_word(name)
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return plain.lstrip("_") or "layer"


# ---- lines ---------------------------------------------------------------------------


def _sequential(architecture: Architecture) -> str:
    names = layer_names(architecture)
    made = [call("keras.Input", architecture.input_shape, name=quoted(INPUT))]
    for node in architecture.nodes:
        made += _pad(architecture, node).values()
        made.append(_layer(architecture, node, names[node.name]))
    lines = "".join(fold(f"{layer},", 12) for layer in made)
    return f"    return keras.Sequential(\n        [\n{lines}        ]\n    )\n"


def _functional(architecture: Architecture, held: dict[str, str]) -> str:
    names, masks = layer_names(architecture), mask_inputs(architecture)
    inputs = _inputs(architecture, masks)
    lines = [assign(name, made, 4) for name, made in inputs.items()]
    for node in architecture.nodes:
        read = ", ".join(held[name] for name in node.inputs)
        for pad in _pad(architecture, node).values():
            lines.append(assign(held[node.name], f"{pad}({read})", 4))
            read = held[node.name]
        if node.layer.merges:
            read = f"[{read}]"
        if node.name in masks:
            read += f", {masks[node.name]}"
        made = _layer(architecture, node, names[node.name])
        lines.append(assign(held[node.name], f"{made}({read})", 4))
    given = f"[{', '.join(inputs)}]" if len(inputs) > 1 else INPUT
    model = call("keras.Model", given, held[architecture.nodes[-1].name])
    return "".join(lines) + fold(f"return {model}", 4)


def _inputs(architecture: Architecture, masks: dict[str, str]) -> dict[str, str]:
    """How the images' input and those of the masks are made, by their names."""
    made = {INPUT: call("keras.Input", architecture.input_shape, name=quoted(INPUT))}
    for name, mask in masks.items():
        options = {"dtype": quoted("bool"), "name": quoted(mask), "optional": True}
        made[mask] = call("keras.Input", architecture.dropouts[name][1], **options)
    return made


def _pad(architecture: Architecture, node: Node) -> dict[str, str]:
    """How the layer is made, if there is one, that pads for a convolution."""
    if (zeros := _zeros(node.layer)) is None:
        return {}
    own = pad_names(architecture)[node.name]
    return {own: call("layers.ZeroPadding2D", plain(zeros), name=quoted(own))}


def _layer(architecture: Architecture, node: Node, own: str) -> str:
    """How a layer is made that is called `own` in Keras."""
    name = quoted(own)
    match node.layer:
        case layers.Convolution() as conv:
            return _convolution(conv, architecture.shapes[node.name][2], name)
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            averaging = {"momentum": momentum, "epsilon": epsilon}
            return call("BatchNormalization", **averaging, name=name)
        case layers.LayerNorm(epsilon=epsilon):
            return call("layers.LayerNormalization", epsilon=epsilon, name=name)
        case layers.GroupNorm(groups=groups, epsilon=epsilon):
            kind = "layers.GroupNormalization"
            return call(kind, groups, epsilon=epsilon, name=name)
        case layers.Bias():
            return call("Bias", name=name)
        case layers.Scale(start=start):
            return call("Scale", start, name=name)
        case layers.Dense(units=units, bias=bias):
            return call("layers.Dense", units, use_bias=_unless(bias), name=name)
        case layers.Pool() as pool:
            return _pool(pool, architecture.input_shapes(node)[0], name)
        case layers.GlobalAveragePool():
            return call("layers.GlobalAveragePooling2D", name=name)
        case layers.Flatten():
            return call("layers.Flatten", name=name)
        case layers.ClassToken():
            return call("ClassToken", name=name)
        case layers.PositionEmbedding():
            return call("PositionEmbedding", name=name)
        case layers.Attention(heads=heads, rate=rate):
            return call("Attention", heads, rate or None, name=name)
        case layers.TokenPool(take=take):
            first = take == "first"
            kind = "FirstToken" if first else "layers.GlobalAveragePooling1D"
            return call(kind, name=name)
        case layers.Rows() | layers.Tokens():
            return call("layers.Reshape", architecture.shapes[node.name], name=name)
        case layers.Recurrent(units=units, sequence=sequence) as layer:
            kind = f"layers.{layer.kind.upper()}"
            return call(kind, units, return_sequences=sequence or None, name=name)
        case layers.LeakyReLU(slope=slope):
            return call("LeakyReLU", slope, name=name)
        case layers.Activation() as activation:
            function, arguments, options = ACTIVATIONS[type(activation)]
            return call(function, *arguments, **options, name=name)
        case layers.StochasticDepth(rate=rate):
            return call("StochasticDepth", rate, name=name)
        case layers.Dropout(rate=rate):
            return call("Dropout", rate, name=name)
        case layers.Add():
            return call("layers.Add", name=name)
        case layers.Multiply():
            return call("layers.Multiply", name=name)
        case layers.Concat():
            return call("layers.Concatenate", name=name)
    raise NotImplementedError(node.layer.kind)


def _convolution(conv: layers.Convolution, outputs: int, name: str) -> str:
    options = {
        "strides": plain(conv.strides, 1),
        "padding": _padding(conv),
        "dilation_rate": plain(conv.dilations, 1),
        "use_bias": _unless(conv.bias),
        "name": name,
    }
    size = plain(conv.window)
    if isinstance(conv, layers.Conv):
        groups = conv.groups if conv.groups > 1 else None
        return call("layers.Conv2D", conv.filters, size, groups=groups, **options)
    if not _in_groups(conv):
        return call("layers.DepthwiseConv2D", size, **options)
    return call("layers.Conv2D", outputs, size, groups=outputs, **options)


def _pool(pool: layers.Pool, shape: layers.Shape, name: str) -> str:
    size, strides = plain(pool.window), plain(pool.strides)
    kind = "Max" if isinstance(pool, layers.MaxPool) else "Average"
    if not isinstance(pool.padding, str) or (kind, pool.padding) == ("Average", "same"):
        pads = pool.pads(shape)
        return call(f"Padded{kind}", size, strides=strides, pads=pads, name=name)
    options = {
        "strides": None if strides == size else strides,
        "padding": _padding(pool),
        "name": name,
    }
    return call(f"layers.{kind}Pooling2D", size, **options)


def _in_groups(layer: layers.Layer) -> bool:
    """Whether a depthwise convolution is written as one in groups.

    TensorFlow's depthwise convolution has one stride for both axes.
    """
    if not isinstance(layer, layers.DepthwiseConv):
        return False
    return layer.strides[0] != layer.strides[1]


def _zeros(layer: layers.Layer) -> tuple[int, int] | None:
    """By how many pixels a convolution is padded, as Keras' own cannot be."""
    if not isinstance(layer, layers.Convolution) or isinstance(layer.padding, str):
        return None
    pads = layers.pair(layer.padding)
    return pads if any(pads) else None


def _padding(layer: layers.Window) -> str | None:
    """Keras pads as the conventions do; "valid" is its default."""
    return quoted("same") if layer.padding == "same" else None


def _unless(bias: bool) -> bool | None:
    """What says that there is no bias; one is the default."""
    return None if bias else False
