"""A network in JAX: a pure function of `jax.numpy`."""

from __future__ import annotations

from pathlib import Path

from triptych.frameworks.emit import (
    assign,
    call,
    describe,
    module,
    quoted,
    variables,
)
from triptych.network import layers
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.layouts import Layout, Layouts

OPS = Path(__file__).with_name("ops.py")
IMPORTS = """\
from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax
"""
TYPES = "\nTensors = dict[str, jax.Array]\n"
TAKEN = {
    "weights",
    "averages",
    "masks",
    "training",
    "jax",
    "jnp",
    "conv",
    "depthwise_conv",
    "dense",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "leaky_relu",
    "hard_sigmoid",
    "max_pool",
    "average_pool",
    "attention",
    "class_token",
    "lstm",
    "gru",
    "dropout",
    "stochastic_depth",
}
"""Words that the lines of a network use: no variable of a layer can be called so."""

ACTIVATIONS: dict[type[layers.Layer], str] = {
    layers.ReLU: "jax.nn.relu",
    layers.ReLU6: "jax.nn.relu6",
    layers.Tanh: "jnp.tanh",
    layers.HardSigmoid: "hard_sigmoid",
    layers.SiLU: "jax.nn.silu",
    layers.Sigmoid: "jax.nn.sigmoid",
}


def write_network(architecture: Architecture) -> str:
    """A function `network(weights, averages, x, masks=None, training=False)`."""
    held = variables(architecture, TAKEN)
    lines = ""
    for node in architecture.nodes:
        averaged = isinstance(node.layer, layers.BatchNorm)
        target = f"{held[node.name]}, averages" if averaged else held[node.name]
        expression = _layer(architecture, node, [held[name] for name in node.inputs])
        lines += assign(target, expression, 4)
    network = (
        "\n\ndef network(\n"
        "    weights: Tensors,\n"
        "    averages: Tensors,\n"
        f"    {held[INPUT]}: jax.Array,\n"
        "    masks: Tensors | None = None,\n"
        "    training: bool = False,\n"
        ") -> tuple[jax.Array, Tensors]:\n"
        '    """Logits of NHWC images, and the running averages after them."""\n'
        f"{lines}"
        f"    return {held[architecture.nodes[-1].name]}, averages\n"
    )
    return module(describe(architecture, "JAX"), IMPORTS, OPS, network, TYPES)


def layouts(architecture: Architecture) -> Layouts:
    """The canonical names; a depthwise kernel is HW1C, as in a grouped convolution."""
    depthwise = architecture.nodes_of(layers.DepthwiseConv)
    axes = {f"{node.name}.kernel": (0, 1, 3, 2) for node in depthwise}
    names = architecture.tensors
    return {name: Layout(name, axes.get(name)) for name in names}


# ---- lines ---------------------------------------------------------------------------


def _layer(architecture: Architecture, node: Node, inputs: list[str]) -> str:
    """The expression that computes a layer."""
    x = inputs[0]
    match node.layer:
        case layers.Convolution() as conv:
            return _convolution(conv, architecture.input_shapes(node)[0], x, node.name)
        case layers.Dense(bias=bias):
            product = call("dense", x, _weight(node.name, "kernel"))
            return product + _bias(node.name, bias)
        case layers.BatchNorm(epsilon=epsilon, momentum=momentum):
            tensors = (x, "weights", "averages", quoted(node.name), "training")
            return call("batch_norm", *tensors, epsilon=epsilon, momentum=momentum)
        case layers.LayerNorm(epsilon=epsilon):
            return call("layer_norm", x, "weights", quoted(node.name), epsilon=epsilon)
        case layers.GroupNorm(groups=groups, epsilon=epsilon):
            name = quoted(node.name)
            options = {"groups": groups, "epsilon": epsilon}
            return call("group_norm", x, "weights", name, **options)
        case layers.Bias():
            return x + _bias(node.name, True)
        case layers.Scale():
            return f"{x} * {_weight(node.name, 'scale')}"
        case layers.Pool() as pool:
            window = {"size": pool.window, "strides": pool.strides}
            return call(pool.kind, x, **window, padding=_padding(pool))
        case layers.GlobalAveragePool():
            return f"{x}.mean((1, 2))"
        case layers.Flatten():
            return f"{x}.reshape({x}.shape[0], -1)"
        case layers.Tokens():
            return f"{x}.reshape({x}.shape[0], -1, {x}.shape[-1])"
        case layers.ClassToken():
            return call("class_token", x, _weight(node.name, "token"))
        case layers.PositionEmbedding():
            return f"{x} + {_weight(node.name, 'position')}"
        case layers.Attention(heads=heads, rate=rate):
            drawn = (rate, "masks") if rate else ()
            return call("attention", x, "weights", quoted(node.name), heads, *drawn)
        case layers.TokenPool(take=take):
            return f"{x}[:, 0]" if take == "first" else f"{x}.mean(1)"
        case layers.Rows():
            return f"{x}.reshape(*{x}.shape[:2], -1)"
        case layers.Recurrent(sequence=sequence) as layer:
            name = quoted(node.name)
            return call(layer.kind, x, "weights", name, sequence=sequence or None)
        case layers.LeakyReLU(slope=slope):
            return call("leaky_relu", x, slope)
        case layers.HardSwish():
            return f"{x} * hard_sigmoid({x})"
        case layers.GELU():
            return call("jax.nn.gelu", x, approximate=False)
        case layers.Activation() as activation:
            return call(ACTIVATIONS[type(activation)], x)
        case layers.Dropout(rate=rate):
            return call(node.layer.kind, x, rate, "masks", quoted(node.name))
        case layers.Add():
            return " + ".join(inputs)
        case layers.Multiply():
            one, other = map(len, architecture.input_shapes(node))
            return " * ".join(inputs) + ("[:, None, None]" if one > other else "")
        case layers.Concat():
            return call("jnp.concatenate", f"[{', '.join(inputs)}]", axis=-1)
    raise NotImplementedError(node.layer.kind)


def _convolution(
    conv: layers.Convolution, shape: layers.Shape, x: str, name: str
) -> str:
    groups = conv.groups if isinstance(conv, layers.Conv) else shape[2]
    dilated = conv.dilations != (1, 1)
    depthwise = isinstance(conv, layers.DepthwiseConv) and not dilated
    options = {
        "strides": conv.strides,
        "padding": _padding(conv),
        "dilation": conv.dilations if dilated else None,
        "groups": groups if groups > 1 and not depthwise else None,
    }
    function = "depthwise_conv" if depthwise else "conv"
    convolved = call(function, x, _weight(name, "kernel"), **options)
    return convolved + _bias(name, conv.bias)


def _weight(layer: str, tensor: str) -> str:
    return f'weights["{layer}.{tensor}"]'


def _bias(layer: str, bias: bool) -> str:
    return f" + {_weight(layer, 'bias')}" if bias else ""


def _padding(layer: layers.Window) -> str | tuple[tuple[int, int], ...]:
    """By name, or by how many pixels above and below, left and right."""
    if isinstance(layer.padding, str):
        return quoted(layer.padding.upper())
    vertical, horizontal = layers.pair(layer.padding)
    return (vertical, vertical), (horizontal, horizontal)
