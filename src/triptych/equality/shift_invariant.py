"""Which tensors move by rounding alone: their true gradient is 0."""

from __future__ import annotations

from triptych.network.architecture import Architecture
from triptych.network.layers import (
    Add,
    AveragePool,
    BatchNorm,
    Bias,
    Concat,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Recurrent,
    Rows,
)

HANDS_ON = (Bias, MaxPool, AveragePool, GlobalAveragePool, Flatten, Rows, Concat, Add)
"""Layers in which a number added to a channel comes out as the same number."""


def shift_invariant(architecture: Architecture) -> set[str]:
    """The tensors that move by rounding alone: biases that a batch norm takes away, and
    its running mean.

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
    return wandering


def norms_behind(architecture: Architecture, name: str) -> set[str]:
    """The batch norms behind a layer's output; none if anything else reads it, too."""
    found: set[str] = set()
    for reader in (node for node in architecture.nodes if name in node.inputs):
        behind = (
            norms_behind(architecture, reader.name)
            if isinstance(reader.layer, HANDS_ON)
            else set()
        )
        if isinstance(reader.layer, BatchNorm):
            behind = {reader.name}
        if not behind:
            return set()
        found |= behind
    return found
