"""Whose names the tensors of a file have: a map from ours to theirs, as a data file.

::

    family = "torchvision"
    layout = "pytorch"                  # words and axes: layouts.toml
    places = ["stage{s}.block{b}"]      # counted by {n}, from 0
    skip = ["*.num_batches_tracked"]    # theirs that no network needs

    [layers]                            # ours = theirs; the first that fits
    "stage{s}.block{b}.[path.]conv{c}" = "layer{s}.{b - 1}.conv{c}"

    [tensors]                           # likewise; several are joined along the last
    "class_token1.token" = "cls_token"  # axis

    [[overrides]]                       # how their layers differ from ours
    kind = "batch_norm"
    epsilon = 0.001

    [config]                            # what config.json beside the file must say
    hidden_act = "relu"

A number in braces has a name; what stands in brackets may be missing. On the other side
braces hold sums and products of these numbers. A map fits a network when it names each
of its tensors, whatever the network is called.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from triptych.errors import ArchitectureError
from triptych.files import from_table, read_toml
from triptych.network.architecture import Architecture, Node
from triptych.network.blocks import computed
from triptych.network.layers import Layer, Shape
from triptych.network.layouts import Array
from triptych.network.pretrained.origin import Preprocessing

MAPS = Path(__file__).parent / "maps"
LAYOUTS = Path(__file__).parent / "layouts.toml"

Numbers = dict[str, int]


@dataclass(frozen=True)
class Layout:
    """How a kind of file keeps a layer's tensors: see layouts.toml."""

    separator: str
    tensors: Mapping[str, str]
    axes: Mapping[str, tuple[tuple[int, ...], ...]]


@dataclass(frozen=True)
class Override:
    """Layers of a `kind`, in the `layers` of these patterns or anywhere, that have
    other fields.
    """

    kind: str
    fields: Mapping[str, object]
    layers: tuple[str, ...] = ()

    def on(self, node: Node) -> bool:
        """Whether it is meant for a layer."""
        return node.layer.kind == self.kind and (
            not self.layers
            or any(_match(one, node.name) is not None for one in self.layers)
        )


@dataclass(frozen=True)
class Family:
    """A map, as its file has it."""

    family: str
    layout: str
    own: bool = False
    """Whether theirs are our names."""
    layers: Mapping[str, str] = field(default_factory=dict)
    tensors: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    reversed: tuple[str, ...] = ()
    """Kernels that read channels in the opposite order: BGR."""
    overrides: tuple[Override, ...] = ()
    preprocessing: Preprocessing | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    """What config.json beside the file may not contradict."""

    def parts(self, architecture: Architecture) -> dict[str, tuple[str, ...]] | None:
        """By canonical tensor: the names of what makes it up; None if one has none."""
        if self.own:
            return {name: (name,) for name in architecture.tensors}
        counted = _counted(self.places, architecture)
        layout = layouts()[self.layout]
        found = {}
        for node in architecture.nodes:
            numbers = counted.get(node.name, {})
            layer = _theirs(self.layers, node.name, numbers)
            for tensor in architecture.tensors_of(node):
                own = f"{node.name}.{tensor}"
                parts = _theirs(self.tensors, own, numbers)
                if parts is None and layer is not None and tensor in layout.tensors:
                    parts = (layout.separator.join([layer[0], layout.tensors[tensor]]),)
                if parts is None:
                    return None
                found[own] = parts
        return found

    def adapted(self, architecture: Architecture) -> Architecture:
        """The network with the fields of layers that the family has."""
        nodes = []
        for node in architecture.nodes:
            layer = node.layer
            for override in self.overrides:
                if override.on(node):
                    layer = _with(layer, override.fields)
            nodes.append(dataclasses.replace(node, layer=layer))
        return dataclasses.replace(architecture, nodes=tuple(nodes))

    def shape(self, layer: Layer, parts: Sequence[Shape]) -> Shape | None:
        """The canonical shape of a tensor of `layer` that is made up of such parts, but
        for axes of length 1; None if they cannot be joined.
        """
        turned = [
            tuple(part[axis] for axis in self._order(layer, len(part)))
            for part in parts
        ]
        *rest, last = turned[0] or (1,)
        if any(list(one[:-1]) != rest for one in turned[1:]):
            return None
        return (*rest, last + sum(one[-1] for one in turned[1:]))

    def canonical(self, own: str, layer: Layer, parts: Sequence[Array]) -> Array:
        """The tensor `own` of `layer` from what makes it up, but for axes of length
        1.
        """
        turned = [part.transpose(self._order(layer, part.ndim)) for part in parts]
        whole = np.concatenate(turned, axis=-1) if len(turned) > 1 else turned[0]
        return whole[..., ::-1, :] if own in self.reversed else whole

    def _order(self, layer: Layer, count: int) -> tuple[int, ...]:
        """Their axes in our order, for a tensor of a layer with so many."""
        for axes in layouts()[self.layout].axes.get(layer.kind, ()):
            if len(axes) == count:
                return tuple(int(axis) for axis in np.argsort(axes))
        return tuple(range(count))


def _with(layer: Layer, fields: Mapping[str, object]) -> Layer:
    known = {one.name: getattr(layer, one.name) for one in dataclasses.fields(layer)}
    return from_table(type(layer), known | dict(fields), ArchitectureError)


def same_but_for_ones(one: Shape, other: Shape) -> bool:
    """Whether two shapes differ in axes of length 1 only."""
    return [size for size in one if size != 1] == [size for size in other if size != 1]


# ---- files ---------------------------------------------------------------------------


@cache
def families() -> tuple[Family, ...]:
    """Every map of the folder, by name of file."""
    return tuple(_family(path) for path in sorted(MAPS.glob("*.toml")))


def _family(path: Path) -> Family:
    table = read_toml(path)
    overrides = table.pop("overrides", [])
    assert isinstance(overrides, list)
    return from_table(Family, {**table, "overrides": [_override(o) for o in overrides]})


def _override(table: Mapping[str, object]) -> Mapping[str, object]:
    own = {key: value for key, value in table.items() if key in ("kind", "layers")}
    return own | {"fields": {key: table[key] for key in table if key not in own}}


@cache
def layouts() -> dict[str, Layout]:
    """The layouts of layouts.toml, by name."""
    tables = read_toml(LAYOUTS)
    return {
        name: from_table(Layout, table)
        for name, table in tables.items()
        if isinstance(table, dict)
    }


# ---- patterns ------------------------------------------------------------------------


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    written = re.sub(
        r"\{(\w+)\}|(\[)|(\])|[^\w{}\[\]]+",
        lambda found: (
            rf"(?P<{found[1]}>\d+)" if found[1]
            else "(?:" if found[2]
            else ")?" if found[3]
            else re.escape(found[0])
        ),
        pattern,
    )  # fmt: skip
    return re.compile(written)


def _match(pattern: str, name: str) -> Numbers | None:
    found = _compiled(pattern).fullmatch(name)
    if found is None:
        return None
    return {key: int(value) for key, value in found.groupdict().items() if value}


def _theirs(
    patterns: Mapping[str, str | tuple[str, ...]], name: str, numbers: Numbers
) -> tuple[str, ...] | None:
    """What the first pattern that fits a name makes of it."""
    for pattern, theirs in patterns.items():
        found = _match(pattern, name)
        if found is not None:
            several = (theirs,) if isinstance(theirs, str) else theirs
            return tuple(_filled(one, numbers | found) for one in several)
    return None


def _filled(theirs: str, numbers: Numbers) -> str:
    return re.sub(
        r"\{([^}]*)\}", lambda found: str(computed(found[1], numbers, theirs)), theirs
    )


def _counted(places: Iterable[str], architecture: Architecture) -> dict[str, Numbers]:
    """By layer: {"n": the number of the place that it stands in, from 0}."""
    seen: dict[str, int] = {}
    counted = {}
    for node in architecture.nodes:
        for place in places:
            found = _compiled(f"{place}.").match(f"{node.name}.")
            if found is not None:
                counted[node.name] = {"n": seen.setdefault(found[0], len(seen))}
                break
    return counted
