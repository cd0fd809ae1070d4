"""A network cut in two: a body, whose weights stay as they are, and a head that is
trained on what the body outputs.

Frozen is frozen by construction: the body is only ever asked for its outputs, in
evaluation mode, so its batch norms keep their averages, and no step sees its tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from triptych.errors import ArchitectureError
from triptych.network.graph import Architecture, Block, Node
from triptych.network.layers import Dropout
from triptych.network.names import INPUT


def cut(architecture: Architecture, trained: int) -> tuple[Architecture, Architecture]:
    """The body and the head of a network, the head with the last `trained` layers that
    hold kernels, or with as few more as it takes to cut where one tensor passes.

    Both keep the layers' names. The body outputs features, the head reads them as they
    are: no mean and standard deviation are taken from them again. Raises
    ArchitectureError if no cut leaves a layer with a kernel on either side.
    """
    for place in reversed(range(len(architecture.nodes))):
        above, below = architecture.nodes[: place + 1], architecture.nodes[place + 1 :]
        if not kernels(architecture, above):
            break
        if kernels(architecture, below) >= trained and _passes(architecture, place):
            return _body(architecture, above), _head(architecture, below, above[-1])
    raise ArchitectureError(
        f"{architecture.name}: cannot keep a part of it as it is and train the last "
        f"{trained} layer(s) with kernels: only one tensor may pass between the two; "
        "train fewer layers, or all"
    )


def kernels(architecture: Architecture, nodes: Sequence[Node]) -> int:
    """How many of the layers hold kernels."""
    return sum(
        any(
            tensor.endswith("kernel")
            for tensor in node.layer.parameters(*architecture.input_shapes(node))
        )
        for node in nodes
    )


def _passes(architecture: Architecture, place: int) -> bool:
    """Whether all that lies below node number `place` reads it alone, and can.

    What is dropped at random belongs to the training; flattened images stand in
    another order where channels come first.
    """
    node = architecture.nodes[place]
    if isinstance(node.layer, Dropout) or node.name in architecture.flattened:
        return False
    below = architecture.nodes[place + 1 :]
    known = {node.name, *(one.name for one in below)}
    return all(known.issuperset(one.inputs) for one in below)


def _body(architecture: Architecture, nodes: Sequence[Node]) -> Architecture:
    return dataclasses.replace(
        architecture,
        nodes=tuple(nodes),
        blocks=_within(architecture.blocks, nodes),
        section="body",
    )


def _head(
    architecture: Architecture, nodes: Sequence[Node], above: Node
) -> Architecture:
    def renamed(node: Node) -> Node:
        inputs = (INPUT if name == above.name else name for name in node.inputs)
        return dataclasses.replace(node, inputs=tuple(inputs))

    return dataclasses.replace(
        architecture,
        input_shape=architecture.shapes[above.name],
        nodes=tuple(map(renamed, nodes)),
        mean=(),
        std=(),
        blocks=_within(architecture.blocks, nodes),
        section="head",
    )


def _within(blocks: Sequence[Block], nodes: Sequence[Node]) -> tuple[Block, ...]:
    """The blocks' places of which these nodes hold something."""
    found = []
    for block in blocks:
        places = tuple(
            place
            for place in block.places
            if any(node.name.startswith(f"{place}.") for node in nodes)
        )
        if places:
            found.append(Block(block.name, places))
    return tuple(found)
