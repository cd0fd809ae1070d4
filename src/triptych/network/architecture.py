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

Layers that stand in several places are a block: see `triptych.network.blocks`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from triptych.errors import ArchitectureError, did_you_mean, quote
from triptych.files import from_table, read_toml
from triptych.network.blocks import Definition, Growth, Scope, are_tables, defined
from triptych.network.graph import Architecture as Architecture
from triptych.network.graph import Block as Block
from triptych.network.graph import Node as Node
from triptych.network.graph import Section
from triptych.network.layers import Layer, Shape
from triptych.network.names import INPUT as INPUT
from triptych.network.names import check_argument_name, check_network_name

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
    growth, scope = Growth(name, {}), Scope()
    for layer in layers:
        given, one = layer if isinstance(layer, tuple) else (None, layer)
        growth.add(one, given, None, scope)
    channels = len(input_shape) and input_shape[-1]
    nodes = tuple(growth.nodes)
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
        {key: value for key, value in table.items() if key in HEAD},
        ArchitectureError,
    )
    layers = table.get("layers")
    if not are_tables(layers):
        raise ArchitectureError(f"{name}: needs its layers as [[layers]] tables")
    definitions, labels = _blocks(name, table.get("blocks", {}))
    growth = Growth(name, definitions)
    growth.read(layers, Scope())
    channels = len(head.input) and head.section != "head" and head.input[-1]
    return Architecture(
        name,
        head.input,
        tuple(growth.nodes),
        head.mean or (0.0,) * channels,
        head.std or (1.0,) * channels,
        growth.blocks + labels,
        head.section,
    )


def _blocks(
    network: str, tables: object
) -> tuple[dict[str, Definition], tuple[Block, ...]]:
    """The blocks that a file defines, and those that it only names the places of."""
    if not isinstance(tables, dict):
        raise ArchitectureError(f"{network}: blocks must be [blocks.name] tables")
    labels = {name: one for name, one in tables.items() if isinstance(one, list)}
    for name, places in labels.items():
        check_argument_name(f"{network}: block {quote(name)}", name)
        if not places or not all(isinstance(place, str) for place in places):
            raise ArchitectureError(
                f"{network}: block {quote(name)}: its places must be strings"
            )
    others = {name: one for name, one in tables.items() if name not in labels}
    found = tuple(Block(name, tuple(places)) for name, places in labels.items())
    return defined(network, others), found


HEAD = ("input", "mean", "std", "section")
KNOWN = ("name", *HEAD, "blocks", "layers")
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
    section: Section = "whole"
