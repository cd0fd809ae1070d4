"""A named graph of layers: built, checked, read from TOML and written to it.

An architecture file::

    name = "mine"
    input = [64, 64, 3]          # height, width, channels

    [[layers]]
    kind = "conv"                # a name may be given; "conv1" otherwise
    filters = 32

    [[layers]]
    kind = "add"
    inputs = ["conv1", "images"] # the layer above otherwise;
                                 # "images" is the network's input
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from triptych.errors import ArchitectureError, did_you_mean, quote
from triptych.files import from_table, read_toml
from triptych.network.graph import Architecture as Architecture
from triptych.network.graph import Node as Node
from triptych.network.layers import VOCABULARY, Layer, Shape
from triptych.network.names import INPUT as INPUT
from triptych.network.names import check_network_name

MOST_PIXELS = 2**16
"""Height or width of a network's input, at the most."""


def sequence(
    name: str,
    input_shape: Shape,
    layers: Iterable[Layer | tuple[str, Layer]],
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> Architecture:
    """An architecture in which each layer reads the one above; layers are named by kind
    and number.

    `mean` and `std` are 0 and 1 in every channel unless given.
    """
    tables = [layer if isinstance(layer, tuple) else (None, layer) for layer in layers]
    nodes = tuple(_named((given, layer, None) for given, layer in tables))
    channels = len(input_shape) and input_shape[-1]
    return Architecture(
        name, input_shape, nodes, mean or (0.0,) * channels, std or (1.0,) * channels
    )


def from_toml(text_or_path: str | Path) -> Architecture:
    """An architecture from a TOML file (a Path) or text (a str); raises
    ArchitectureError in one line.
    """
    table, name = _read(text_or_path)
    for key in table:
        if key not in KNOWN:
            raise ArchitectureError(
                f"{name}: unknown key {quote(key)}: {did_you_mean(key, KNOWN)}"
            )
    head = from_table(
        _Head,
        {key: value for key, value in table.items() if key in ("input", "mean", "std")},
        ArchitectureError,
    )
    layers = table.get("layers")
    if not isinstance(layers, list) or not all(
        isinstance(item, dict) for item in layers
    ):
        raise ArchitectureError(f"{name}: needs its layers as [[layers]] tables")
    channels = len(head.input) and head.input[-1]
    return Architecture(
        name,
        head.input,
        tuple(
            _named(_layer(name, number, item) for number, item in enumerate(layers, 1))
        ),
        head.mean or (0.0,) * channels,
        head.std or (1.0,) * channels,
    )


KNOWN = ("name", "input", "mean", "std", "layers")
"""What an architecture file may hold."""


def _read(text_or_path: str | Path) -> tuple[dict[str, object], str]:
    """The tables of an architecture file, and the network's name."""
    table: dict[str, object]
    if isinstance(text_or_path, Path):
        table = read_toml(text_or_path, ArchitectureError)
        name = table.get("name", text_or_path.stem)
    else:
        try:
            table = tomllib.loads(text_or_path)
        except (ValueError, RecursionError) as reason:
            raise ArchitectureError(
                f"the network is not valid TOML ({reason})"
            ) from None
        name = table.get("name", "network")
    if not isinstance(name, str):
        raise ArchitectureError(
            f"the network's name is {quote(name)}, but must be a string"
        )
    check_network_name(name)  # before any message begins with it
    return table, name


@dataclass(frozen=True)
class _Head:
    input: tuple[Annotated[int, msgspec.Meta(le=MOST_PIXELS)], ...] = (64, 64, 3)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


_Unnamed = tuple[str | None, Layer, tuple[str, ...] | None]


def _layer(network: str, number: int, table: Mapping[str, object]) -> _Unnamed:
    fields = dict(table)
    given = fields.pop("name", None)
    kind = fields.pop("kind", None)
    inputs = fields.pop("inputs", None)
    label = (
        f"{network}: layer {quote(given)}"
        if given
        else f"{network}: layer number {number}"
    )
    if not isinstance(kind, str) or kind not in VOCABULARY:
        hint = did_you_mean(str(kind), VOCABULARY)
        raise ArchitectureError(f"{label}: unknown kind {quote(kind)}: {hint}")
    if given is not None and not isinstance(given, str):
        raise ArchitectureError(f"{label}: its name must be a string")
    if inputs is not None and not (
        isinstance(inputs, list) and all(isinstance(i, str) for i in inputs)
    ):
        raise ArchitectureError(f"{label}: inputs must be a list of layer names")
    try:
        layer = from_table(VOCABULARY[kind], fields, ArchitectureError)
    except ArchitectureError as reason:
        raise ArchitectureError(f"{label} ({kind}): {reason}") from None
    return given, layer, tuple(inputs) if inputs else None


SHORT = {
    "batch_norm": "bn",
    "max_pool": "pool",
    "average_pool": "pool",
    "global_average_pool": "pool",
}
"""Kinds whose layers go by a shorter name when none is given."""


def _named(layers: Iterable[_Unnamed]) -> list[Node]:
    """Nodes, missing names and inputs filled in: kind and number, the layer above."""
    nodes: list[Node] = []
    counts: Counter[str] = Counter()
    above = INPUT
    for given, layer, inputs in layers:
        stem = SHORT.get(layer.kind, layer.kind)
        counts[stem] += 1
        name = f"{stem}{counts[stem]}"
        if name in VOCABULARY or stem[-1].isdigit():
            # The sixth ReLU is no ReLU6, nor the first ReLU6 a relu61.
            name = f"{stem}_{counts[stem]}"
        nodes.append(Node(given or name, layer, inputs or (above,)))
        above = nodes[-1].name
    return nodes
