"""A named graph of layers: checked, measured, adapted, and written as a file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from triptych.errors import ArchitectureError, did_you_mean, quote
from triptych.files import to_toml
from triptych.network.layers import Dense, Flatten, Layer, Multiply, Shape
from triptych.network.layouts import channels_first
from triptych.network.names import INPUT, check_layer_name, check_network_name


@dataclass(frozen=True)
class Node:
    """A layer with its name and the names of the nodes that feed it."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Some layers that stand in several places, at each with numbers of its own.

    The names of its layers begin with that of the place: "stage2.block1.conv1".
    """

    name: str
    places: tuple[str, ...]


Section = Literal["whole", "body", "head"]
"""A network, what of it outputs features, or what of it reads them."""

LARGEST = 10**10
"""Parameters, or outputs of a layer: with more, a number was mistyped, and no machine
would stand it.
"""


@dataclass(frozen=True)
class Architecture:
    """A network's layers, in an order in which they can be computed; the last one
    outputs the logits.

    `input_shape` is (height, width, channels); the network sees (pixel / 255 - mean) /
    std, with one number per channel. Where a network is cut in two (see
    `triptych.network.cut`), the body outputs features of any shape, and the head reads
    these as they are: its `input_shape` is theirs, its `mean` and `std` are empty.
    Raises ArchitectureError, naming the layer, if anything does not fit.
    """

    name: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    blocks: tuple[Block, ...] = ()
    section: Section = "whole"

    def __post_init__(self) -> None:
        check_network_name(self.name)
        self._check_input()
        if not self.nodes:
            raise ArchitectureError(f"{self.name}: has no layers")
        self._check_nodes()
        self._check_output()
        self._check_blocks()
        _ = self.flattened  # raises if flattened features meet others in an add

    def _check_input(self) -> None:
        if self.section == "head":
            if not 1 <= len(self.input_shape) <= 3 or min(self.input_shape) < 1:
                raise ArchitectureError(
                    f"{self.name}: a head's input must have one to three axes, "
                    "each 1 or more"
                )
            if self.mean or self.std:
                raise ArchitectureError(
                    f"{self.name}: a head reads features as they are, "
                    "with no mean and std"
                )
            return
        if len(self.input_shape) != 3 or min(self.input_shape) < 1:
            raise ArchitectureError(
                f"{self.name}: input must be [height, width, channels], each 1 or more"
            )
        if not (len(self.mean) == len(self.std) == self.input_shape[2]):
            raise ArchitectureError(
                f"{self.name}: mean and std need one number per channel"
            )
        if not all(map(math.isfinite, self.mean)):
            raise ArchitectureError(f"{self.name}: mean must be finite")
        if not all(0 < value < math.inf for value in self.std):
            raise ArchitectureError(f"{self.name}: std must be above 0 and finite")

    def _check_nodes(self) -> None:
        known = {INPUT}
        for node in self.nodes:
            _check_node(self.name, node, known)
            known.add(node.name)
        unused = (
            known
            - {name for node in self.nodes for name in node.inputs}
            - {self.nodes[-1].name}
        )
        if unused:
            raise ArchitectureError(
                f"{self.name}: nothing reads the output of {', '.join(sorted(unused))}"
            )

    def _check_output(self) -> None:
        shape = self.shapes[self.nodes[-1].name]
        if len(shape) != 1 and self.section != "body":
            advice = (
                "have the last recurrent layer output its last state only, "
                "or put a flatten or a token_pool before the last layer"
                if len(shape) == 2
                else "end with a dense layer"
            )
            raise ArchitectureError(
                f"{self.name}: layer {self.nodes[-1].name!r}: "
                f"the last layer must output one number per class; {advice}"
            )
        numbers = max(self.parameter_count, *map(math.prod, self.shapes.values()))
        if numbers > LARGEST:
            raise ArchitectureError(
                f"{self.name}: holds {numbers:,} numbers at once, "
                f"but the limit is {LARGEST:,}"
            )

    def _check_blocks(self) -> None:
        names = [node.name for node in self.nodes]
        for name in names:
            if name in self.parameters or name in self.statistics:
                raise ArchitectureError(
                    f"{self.name}: layer {name!r} is called like a tensor of another"
                )
        for block in self.blocks:
            for place in block.places:
                if not any(name.startswith(f"{place}.") for name in names):
                    raise ArchitectureError(
                        f"{self.name}: block {quote(block.name)}: no layer's name "
                        f"begins with {quote(place)} and a dot"
                    )

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The output shape of the input and of every node, by name."""
        shapes = {INPUT: self.input_shape}
        for node in self.nodes:
            try:
                shapes[node.name] = node.layer.output_shape(
                    *(shapes[name] for name in node.inputs)
                )
            except ArchitectureError as reason:
                raise ArchitectureError(
                    f"{self.name}: layer {node.name!r} ({node.layer.kind}): {reason}"
                ) from None
        return shapes

    def input_shapes(self, node: Node) -> list[Shape]:
        """The shapes that `node` is fed."""
        return [self.shapes[name] for name in node.inputs]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.shapes[self.nodes[-1].name][0]

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """The trainable tensors by canonical name, such as "conv1.kernel", and their
        canonical shapes.
        """
        return {
            f"{node.name}.{tensor}": shape
            for node in self.nodes
            for tensor, shape in node.layer.parameters(*self.input_shapes(node)).items()
        }

    @cached_property
    def statistics(self) -> dict[str, Shape]:
        """Shapes of the running values by canonical name, such as "bn1.mean"."""
        return {
            f"{node.name}.{tensor}": shape
            for node in self.nodes
            for tensor, shape in node.layer.statistics(*self.input_shapes(node)).items()
        }

    @property
    def tensors(self) -> dict[str, Shape]:
        """Shapes of the parameters and of the running values by canonical name."""
        return self.parameters | self.statistics

    def tensors_of(self, node: Node) -> dict[str, Shape]:
        """Those of one layer, by their names in it, such as "kernel"."""
        inputs = self.input_shapes(node)
        return node.layer.parameters(*inputs) | node.layer.statistics(*inputs)

    @property
    def parameter_count(self) -> int:
        """The number of trainable parameters."""
        return sum(math.prod(shape) for shape in self.parameters.values())

    @property
    def flops(self) -> int:
        """Floating-point operations of one image's forward pass; a multiply-add
        counts as two.
        """
        return sum(node.layer.flops(*self.input_shapes(node)) for node in self.nodes)

    @property
    def training_flops(self) -> int:
        """Floating-point operations of one image in a training step, without the
        optimizer's.

        Each layer's work counts once forward, again for the gradient of its parameters
        if it has any, and again for the gradient of its input if anything before it is
        trained: nothing needs the gradient of the images. If every layer is trained,
        that is three times `flops`, except for the first layer.
        """
        trained: set[str] = set()  # the nodes that hold parameters, or come after some
        total = 0
        for node in self.nodes:
            inputs = self.input_shapes(node)
            own, before = (
                bool(node.layer.parameters(*inputs)),
                not trained.isdisjoint(node.inputs),
            )
            total += node.layer.flops(*inputs) * (1 + own + before)
            if own or before:
                trained.add(node.name)
        return total

    @property
    def dropouts(self) -> dict[str, tuple[float, Shape]]:
        """By each layer that drops something in training: which share of it, and the
        shape of an image's mask.
        """
        masks = {
            node.name: node.layer.mask(*self.input_shapes(node)) for node in self.nodes
        }
        return {name: mask for name, mask in masks.items() if mask is not None}

    def nodes_of(self, layer: type[Layer]) -> list[Node]:
        """The nodes whose layer is a `layer`."""
        return [node for node in self.nodes if isinstance(node.layer, layer)]

    @cached_property
    def flattened(self) -> dict[str, tuple[Shape, ...]]:
        """The nodes whose flat output is made of images, and the shapes of these, one
        after another.

        (n,) stands for n features in between that were flat before. A framework that
        keeps channels first has these features in another order: see
        `layouts.channels_first`. A dense layer mixes all features and so ends the
        matter.
        """
        flattened: dict[str, tuple[Shape, ...]] = {}
        for node in self.nodes:
            shapes = self.input_shapes(node)
            if isinstance(node.layer, Flatten) and len(shapes[0]) == 3:
                flattened[node.name] = (shapes[0],)
            elif isinstance(node.layer, Multiply) and len(shapes[0]) == 3:
                self._check_factors(node, flattened)
            elif not isinstance(node.layer, Dense) and any(
                name in flattened for name in node.inputs
            ):
                parts = [
                    flattened.get(name, (shape,))
                    for name, shape in zip(node.inputs, shapes, strict=True)
                ]
                if node.layer.kind == "concat":
                    flattened[node.name] = tuple(
                        shape for part in parts for shape in part
                    )
                elif len({channels_first(part).tobytes() for part in parts}) == 1:
                    flattened[node.name] = parts[0]
                else:
                    raise ArchitectureError(
                        f"{self.name}: layer {node.name!r} "
                        "adds flattened features to others; put a dense layer between"
                    )
        return flattened

    def _check_factors(
        self, node: Node, flattened: Mapping[str, tuple[Shape, ...]]
    ) -> None:
        """Features that are multiplied with channels stand in the channels' order."""
        of_images = flattened.get(node.inputs[1], ())
        if any(len(one) == 3 and math.prod(one[:2]) > 1 for one in of_images):
            raise ArchitectureError(
                f"{self.name}: layer {node.name!r} "
                "multiplies channels by flattened pixels; put a dense layer between"
            )

    def adapted(
        self, size: tuple[int, int] | None = None, classes: int | None = None
    ) -> Architecture:
        """The same layers for images of `size` (height, width) and that many
        `classes`.

        The last layer must be dense for the number of classes to change; raises
        ArchitectureError if not.
        """
        *body, last = self.nodes
        if classes is not None and classes != self.classes:
            if not isinstance(last.layer, Dense):
                raise ArchitectureError(
                    f"{self.name}: layer {last.name!r} ({last.layer.kind}) "
                    f"outputs {self.classes} numbers, "
                    f"but the images have {classes} classes; end with a dense layer"
                )
            last = dataclasses.replace(
                last, layer=dataclasses.replace(last.layer, units=classes)
            )
        shape = (*(size or self.input_shape[:2]), self.input_shape[2])
        return dataclasses.replace(self, input_shape=shape, nodes=(*body, last))

    def to_toml(self) -> str:
        """The architecture file; `from_toml` reads back an equal architecture."""
        layers = []
        above = INPUT
        for node in self.nodes:
            table: dict[str, object] = {"name": node.name, "kind": node.layer.kind}
            if node.inputs != (above,):
                table["inputs"] = list(node.inputs)
            for field in dataclasses.fields(node.layer):
                value = getattr(node.layer, field.name)
                if value != field.default:
                    table[field.name] = value
            layers.append(table)
            above = node.name
        head: dict[str, object] = {"name": self.name, "input": self.input_shape}
        if self.section != "whole":
            head["section"] = self.section
        if any(self.mean) or set(self.std) != {1.0}:
            head |= {"mean": self.mean, "std": self.std}
        if self.blocks:
            head["blocks"] = {block.name: block.places for block in self.blocks}
        return to_toml({**head, "layers": layers})


def _check_node(network: str, node: Node, known: set[str]) -> None:
    label = f"{network}: layer {quote(node.name)}"
    try:
        check_layer_name(node.name)
    except ArchitectureError as reason:
        raise ArchitectureError(f"{label}: {reason}") from None
    if node.name in known:
        raise ArchitectureError(f"{label}: another layer has this name")
    for name in node.inputs:
        if name not in known:
            raise ArchitectureError(
                f"{label}: reads {quote(name)}, which is not a layer above it: "
                f"{did_you_mean(name, known)}"
            )
    if node.layer.merges and len(node.inputs) < 2:
        raise ArchitectureError(
            f"{label} ({node.layer.kind}): needs two or more inputs"
        )
    if not node.layer.merges and len(node.inputs) != 1:
        raise ArchitectureError(
            f"{label} ({node.layer.kind}): takes one input, but gets {len(node.inputs)}"
        )
