"""What the gap of each answer is relative to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from triptych.equality.shift_invariant import norms_behind, shift_invariant
from triptych.network.architecture import Architecture
from triptych.network.names import OPTIMIZER
from triptych.running.exam import Answers, Case


def scales(case: Case, answers: Answers) -> dict[str, float]:
    """By the name of an answer: size of the largest number its gap is relative to."""
    groups: dict[str, float] = {}
    beside = _kernels_beside_biases(case.architecture)
    kinds = {key: _group(case, key, beside) for key in answers}
    for key, group in kinds.items():
        groups[group] = max(
            groups.get(group, 0.0), float(np.abs(answers[key]).max(initial=0))
        )
    sizes = {key: groups[group] or 1.0 for key, group in kinds.items()}
    return sizes | {
        key: max(sizes[key], terms) for key, terms in _cancelling(case, answers)
    }


def _cancelling(case: Case, answers: Answers) -> Iterator[tuple[str, float]]:
    """The gradients whose terms cancel, those of shift-invariant tensors: by name, the
    sum of the terms' sizes.
    """
    for number in case.looked_at:
        for tensor in (
            shift_invariant(case.architecture) & case.architecture.parameters.keys()
        ):
            terms = np.abs(
                answers[f"activation_gradient/{number}/{tensor.rpartition('.')[0]}"]
            )
            yield (
                f"gradient/{number}/{tensor}",
                float(terms.reshape(-1, terms.shape[-1]).sum(axis=0).max()),
            )


def _kernels_beside_biases(architecture: Architecture) -> dict[str, str]:
    """By layers without a kernel whose bias is shift-invariant: the nearest layer with
    one, before it if there is any.

    By itself, a bias whose true gradient is 0 would be measured by its own rounding.
    """
    names = [node.name for node in architecture.nodes]
    with_kernel = [
        name for name in names if f"{name}.kernel" in architecture.parameters
    ]
    found = {}
    for node in architecture.nodes:
        if node.name not in with_kernel and norms_behind(architecture, node.name):
            before = [
                name
                for name in with_kernel
                if names.index(name) < names.index(node.name)
            ]
            found[node.name] = (before[-1:] or with_kernel[:1] or [node.name])[0]
    return found


def _group(case: Case, key: str, beside: Mapping[str, str]) -> str:
    """What shares a scale: a layer's kernel and bias, their slots, its statistics; a
    training's losses.
    """
    head, _, where = key.rpartition("/")
    if where == "loss":
        return key.split("/")[0]
    if where in case.architecture.statistics:
        return f"{head}/statistics of {where.rpartition('.')[0]}"
    if "." not in where or where in case.architecture.shapes:
        return key
    slot, layer = "", where.rpartition(".")[0]
    if layer.startswith(f"{OPTIMIZER}."):
        _, name, layer = layer.split(".", 2)
        slot = f"{OPTIMIZER}.{name}."
    return f"{head}/{slot}{beside.get(layer, layer)}"
