"""Which tensors move by rounding alone: their true gradient is 0."""

from __future__ import annotations

from triptych.network.architecture import Architecture, Node
from triptych.network.layers import (
    Add,
    AveragePool,
    BatchNorm,
    Bias,
    Concat,
    Flatten,
    GlobalAveragePool,
    GroupNorm,
    MaxPool,
    Recurrent,
    Rows,
    Scale,
    TokenPool,
    Tokens,
)

HANDS_ON = (
    *(Bias, Scale, MaxPool, AveragePool, GlobalAveragePool),
    *(Flatten, Rows, Tokens, TokenPool, Concat, Add),
)
"""Layers in which a number added to a channel comes out as one, everywhere the same."""


def shift_invariant(architecture: Architecture) -> set[str]:
    """The tensors that move by rounding alone: biases that a norm of each channel takes
    away, and its running mean.

    The true gradient of such a bias is 0. Adam and RMSprop divide what rounding leaves
    of it by its own size, so the bias wanders, though nothing that is computed in
    training changes. It is taken away through every layer that hands on what each
    channel has in common. A recurrent layer's biases are no such: they stand inside its
    gates.
    """

    wandering: set[str] = set()
    for node in architecture.nodes:
        if isinstance(node.layer, Recurrent):
            continue
        moving = {f"{node.name}.bias", f"{node.name}.offset"}
        own = moving & architecture.parameters.keys()
        if own and (behind := norms_behind(architecture, node.name)):
            wandering |= own | {f"{name}.mean" for name in behind}
    return wandering & architecture.tensors.keys()


def norms_behind(architecture: Architecture, name: str) -> set[str]:
    """The norms of each channel behind a layer's output; none if anything else reads
    it, too.
    """
    found: set[str] = set()
    for reader in (node for node in architecture.nodes if name in node.inputs):
        behind = (
            norms_behind(architecture, reader.name)
            if isinstance(reader.layer, HANDS_ON)
            else set()
        )
        if _by_channel(architecture, reader):
            behind = {reader.name}
        if not behind:
            return set()
        found |= behind
    return found


def _by_channel(architecture: Architecture, node: Node) -> bool:
    """Whether a layer takes each channel's mean away: batch norm, and a norm of groups
    of one channel.
    """
    channels = architecture.input_shapes(node)[0][-1]
    return isinstance(node.layer, BatchNorm) or (
        isinstance(node.layer, GroupNorm) and node.layer.groups == channels
    )
