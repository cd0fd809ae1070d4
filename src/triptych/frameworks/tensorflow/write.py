"""A network in TensorFlow: a `tf.Module` of variables, called through `tf.nn`."""

from __future__ import annotations

import math
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
    variables,
)
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.conventions import LSTM_FORGET_BIAS, TOKEN_DEVIATION
from triptych.network.layouts import Layout, Layouts

OPS = Path(__file__).with_name("ops.py")
IMPORTS = "import tensorflow as tf\n"
TAKEN = {
    "self",
    "masks",
    "training",
    "tf",
    "grouped_conv",
    "average_pool",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "attention",
    "class_token",
    "lstm",
    "gru",
    "gelu",
    "leaky_relu",
    "hard_sigmoid",
    "dropout",
    "stochastic_depth",
}
"""Words that the lines of a network use: no variable of a layer can be called so."""

ACTIVATIONS: dict[type[layers.Layer], str] = {
    layers.ReLU: "tf.nn.relu",
    layers.ReLU6: "tf.nn.relu6",
    layers.Tanh: "tf.tanh",
    layers.Sigmoid: "tf.sigmoid",
    layers.HardSigmoid: "hard_sigmoid",
    layers.SiLU: "tf.nn.silu",
    layers.GELU: "gelu",
}


def write_network(architecture: Architecture) -> str:
    """A `tf.Module` class `Network`; called with NHWC images, it gives logits."""
    held, names = variables(architecture, TAKEN), _names(architecture)
    init, forward = "", ""
    for node in architecture.nodes:
        own = f"self.{names[node.name]}"
        for tensor, shape in architecture.tensors_of(node).items():
            init += assign(f"{own}_{tensor}", _variable(node, tensor, shape), 8)
        inputs = [held[name] for name in node.inputs]
        expression = _layer(architecture, node, own, inputs)
        forward += assign(held[node.name], expression, 8)
    masks, training = (
        "masks: dict[str, tf.Tensor] | None = None",
        "training: bool = False",
    )
    given = f"self, {held[INPUT]}: tf.Tensor, {masks}, {training}"
    network = (
        "\n\nclass Network(tf.Module):\n"
        "    def __init__(self, dtype: tf.DType = tf.float32) -> None:\n"
        "        super().__init__()\n"
        f"{init}\n"
        f"{fold(f'def __call__({given}) -> tf.Tensor:', 4)}"
        f"{forward}"
        f"        return {held[architecture.nodes[-1].name]}\n"
    )
    return module(describe(architecture, "TensorFlow"), IMPORTS, OPS, network)


def layouts(architecture: Architecture) -> Layouts:
    """Attributes of the module, each in the canonical layout."""
    found, names = {}, _names(architecture)
    for name in architecture.tensors:
        layer, _, tensor = name.rpartition(".")
        found[name] = Layout(f"{names[layer]}_{tensor}")
    return found


# ---- names ---------------------------------------------------------------------------


def _names(architecture: Architecture) -> dict[str, str]:
    """What each layer's attributes begin with: its name, but no two are the same.

    They would be where a layer "a" has a recurrent kernel and "a_recurrent" a kernel.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for node in architecture.nodes:
        tensors, prefix = architecture.tensors_of(node), in_one_word(node.name)
        while not taken.isdisjoint(own := {f"{prefix}_{tensor}" for tensor in tensors}):
            prefix += "_"
        found[node.name] = prefix
        taken |= own
    return found


# ---- lines ---------------------------------------------------------------------------


def _variable(node: Node, tensor: str, shape: layers.Shape) -> str:
    """How a layer's variable is made."""
    if isinstance(node.layer, layers.Recurrent):
        return _recurrent(node.layer, tensor, shape)
    if isinstance(node.layer, layers.Attention) and tensor.endswith("kernel"):
        channels = shape[0]
        parts = {"gates": shape[1] // channels, "dtype": "dtype"}
        return call("glorot_uniform", channels, channels, **parts)
    law = {"kernel": "initial", "bias": "bias_initial"}.get(tensor, "")
    if getattr(node.layer, law, None) == "normal":
        return call("tf.Variable", call("tf.random.normal", shape, dtype="dtype"))
    match tensor:
        case "kernel":
            depthwise = isinstance(node.layer, layers.DepthwiseConv)
            inputs = math.prod(shape[:2] if depthwise else shape[:-1])
            return call("he_normal", shape, fan_in=inputs, dtype="dtype")
        case "bias" | "offset" | "output_bias":
            return _filled("zeros", shape)
        case "token" | "position":
            spread = {"stddev": TOKEN_DEVIATION, "dtype": "dtype"}
            return call("tf.Variable", call("tf.random.normal", shape, **spread))
        case "scale" if isinstance(node.layer, layers.Scale):
            values = call("tf.fill", shape, call("tf.cast", node.layer.start, "dtype"))
            return call("tf.Variable", values)
        case "scale":
            return _filled("ones", shape)
        case "mean":
            return _filled("zeros", shape, trainable=False)
        case "variance":
            return _filled("ones", shape, trainable=False)
    raise NotImplementedError(tensor)


def _filled(with_what: str, shape: layers.Shape, trainable: bool | None = None) -> str:
    values = call(f"tf.{with_what}", shape[0], "dtype")
    return call("tf.Variable", values, trainable=trainable)


def _recurrent(layer: layers.Recurrent, tensor: str, shape: layers.Shape) -> str:
    """How a variable of a recurrent layer is made; an LSTM is to remember at first."""
    options: dict[str, object] = {"gates": layer.gates, "dtype": "dtype"}
    match tensor:
        case "kernel":
            return call("glorot_uniform", shape[0], layer.units, **options)
        case "recurrent_kernel":
            return call("orthogonal", layer.units, **options)
        case "bias" if isinstance(layer, layers.LSTM):
            starts = [LSTM_FORGET_BIAS if gate == "f" else 0.0 for gate in layer.GATES]
            values = call("tf.constant", starts, "dtype")
            return call("tf.Variable", call("tf.repeat", values, layer.units))
    return _filled("zeros", shape)


def _layer(architecture: Architecture, node: Node, own: str, inputs: list[str]) -> str:
    """The expression that computes a layer, whose attributes begin with `own`."""
    x, shape = inputs[0], architecture.input_shapes(node)[0]
    match node.layer:
        case layers.Convolution() as conv:
            return _convolution(conv, shape, x, own)
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            tensors = [f"{own}_{tensor}" for tensor in architecture.tensors_of(node)]
            return call("batch_norm", x, *tensors, epsilon, momentum, "training")
        case layers.LayerNorm(epsilon=epsilon):
            return call("layer_norm", x, f"{own}_scale", f"{own}_offset", epsilon)
        case layers.GroupNorm(groups=groups, epsilon=epsilon):
            scaled = (f"{own}_scale", f"{own}_offset")
            return call("group_norm", x, *scaled, groups, epsilon)
        case layers.Scale():
            return f"{x} * tf.cast({own}_scale, {x}.dtype)"
        case layers.Bias():
            return _biased(x, own) if len(shape) == 3 else f"{x} + {own}_bias"
        case layers.Dense(bias=bias):
            return f"{x} @ {own}_kernel" + (f" + {own}_bias" if bias else "")
        case layers.Pool() as pool:
            return _pool(pool, shape, x)
        case layers.GlobalAveragePool():
            return call("tf.reduce_mean", x, axis=(1, 2))
        case layers.ClassToken():
            return call("class_token", x, f"{own}_token")
        case layers.PositionEmbedding():
            return f"{x} + tf.cast({own}_position, {x}.dtype)"
        case layers.Attention(heads=heads, rate=rate) as layer:
            tensors = [f"{own}_{tensor}" for tensor in layer.parameters(shape)]
            drawn = (rate, "masks", quoted(node.name)) if rate else ()
            return call("attention", x, *tensors, heads, *drawn)
        case layers.TokenPool(take=take):
            first = take == "first"
            return f"{x}[:, 0]" if first else call("tf.reduce_mean", x, axis=1)
        case layers.Flatten() | layers.Rows() | layers.Tokens():
            return call("tf.reshape", x, (-1, *architecture.shapes[node.name]))
        case layers.Recurrent(sequence=sequence) as layer:
            tensors = [f"{own}_{tensor}" for tensor in layer.parameters(shape)]
            return call(layer.kind, x, *tensors, sequence=sequence or None)
        case layers.LeakyReLU(slope=slope):
            return call("leaky_relu", x, slope)
        case layers.HardSwish():
            return f"{x} * hard_sigmoid({x})"
        case layers.Activation() as activation:
            return call(ACTIVATIONS[type(activation)], x)
        case layers.Dropout(rate=rate):
            return call(node.layer.kind, x, rate, "masks", quoted(node.name))
        case layers.Add():
            return " + ".join(inputs)
        case layers.Multiply():
            pixels = len(shape) > len(architecture.input_shapes(node)[1])
            return " * ".join(inputs) + ("[:, None, None]" if pixels else "")
        case layers.Concat():
            return call("tf.concat", f"[{', '.join(inputs)}]", axis=-1)
    raise NotImplementedError(node.layer.kind)


def _convolution(
    conv: layers.Convolution, shape: layers.Shape, x: str, own: str
) -> str:
    kernel = f"{own}_kernel"
    if isinstance(conv, layers.DepthwiseConv):
        convolved = _depthwise(conv, shape, x, kernel)
    elif isinstance(conv, layers.Conv) and conv.groups > 1:
        x, options = _general(conv, shape, x)
        convolved = call("grouped_conv", x, kernel, conv.groups, **options)
    elif conv.dilations != (1, 1):
        x, options = _general(conv, shape, x)
        convolved = call("tf.nn.convolution", x, kernel, **options)
    else:
        options = {"strides": plain(conv.strides), "padding": _padding(conv, shape)}
        convolved = call("tf.nn.conv2d", x, kernel, **options)
    return _biased(convolved, own) if conv.bias else convolved


def _general(
    conv: layers.Convolution, shape: layers.Shape, x: str
) -> tuple[str, dict[str, object]]:
    """What `tf.nn.convolution` takes, which pads by a rule's name only.

    It alone has gradients of dilated convolutions in float64 on a CPU.
    """
    x, padding = _padded(conv, shape, x)
    options: dict[str, object] = {
        "strides": plain(conv.strides, 1),
        "padding": padding,
        "dilations": plain(conv.dilations, 1),
    }
    return x, options


def _depthwise(
    conv: layers.DepthwiseConv, shape: layers.Shape, x: str, kernel: str
) -> str:
    """One stride for both axes is all that TensorFlow has.

    Where they differ, pixels are left out afterwards. It pads by a rule's name only:
    padded by so many pixels and fused with a bias, it ends the process (2.21, CPU).
    """
    function, (rows, columns) = "tf.nn.depthwise_conv2d", conv.strides
    if rows != columns:
        whole = {"strides": (1, 1, 1, 1), "padding": _all_axes(conv, shape)}
        return f"{call(function, x, kernel, **whole)}[:, ::{rows}, ::{columns}]"
    x, padding = _padded(conv, shape, x)
    options = {"strides": (1, rows, columns, 1), "padding": padding}
    dilations = conv.dilations if conv.dilations != (1, 1) else None
    return call(function, x, kernel, **options, dilations=dilations)


def _pool(pool: layers.Pool, shape: layers.Shape, x: str) -> str:
    maximum = isinstance(pool, layers.MaxPool)
    window = {"ksize": plain(pool.window), "strides": plain(pool.strides)}
    if not maximum and not isinstance(pool.padding, str):
        return call("average_pool", x, **window, pads=_all_axes(pool, shape))
    kind = "max" if maximum else "avg"
    x, padding = _padded(pool, shape, x, filler=f"{x}.dtype.min")
    return call(f"tf.nn.{kind}_pool2d", x, **window, padding=padding)


def _biased(value: str, own: str) -> str:
    return call("tf.nn.bias_add", value, f"{own}_bias")


def _padding(
    layer: layers.Window, shape: layers.Shape
) -> str | tuple[tuple[int, int], ...]:
    """What a two-dimensional convolution takes: a rule's name, or how many pixels."""
    if isinstance(layer.padding, str):
        return quoted(layer.padding.upper())
    return _all_axes(layer, shape)


def _padded(
    layer: layers.Window, shape: layers.Shape, x: str, filler: str | None = None
) -> tuple[str, str]:
    """What takes a rule's name only gets its input padded beforehand."""
    if isinstance(layer.padding, str):
        return x, quoted(layer.padding.upper())
    padded = call("tf.pad", x, _all_axes(layer, shape), constant_values=filler)
    return padded, quoted("VALID")


def _all_axes(layer: layers.Window, shape: layers.Shape) -> tuple[tuple[int, int], ...]:
    """A layer's padding, of the batch and of the channels, too."""
    return ((0, 0), *layer.pads(shape), (0, 0))
