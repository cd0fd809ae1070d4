"""Decisions near a tie: counted, and set apart from the gradients that they move."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triptych.equality.bounds import Bound
from triptych.equality.questions import nudged_reference
from triptych.frameworks import reference
from triptych.network.activation_patterns import Decisions, decisions, overturned, shown
from triptych.network.architecture import Architecture, Node
from triptych.network.layouts import Array
from triptych.network.weights import Weights
from triptych.running.exam import Answers, Case, Training, named_gradients, train, under

Values = NDArray[np.float64]


def flips(case: Case, truth: Answers, answers: Answers, prefix: str) -> dict[str, int]:
    """By deciding layer: how many of its decisions differ between two traces that stand
    under `prefix`.
    """
    ours = decisions(case.architecture, under(truth, prefix))
    theirs = decisions(case.architecture, under(answers, prefix))
    return {name: int((ours[name] != theirs[name]).sum()) for name in ours}


def deciding_as(
    case: Case,
    truth: Answers,
    answers: Answers,
    within: Mapping[str, float] | None = None,
) -> Answers:
    """The reference's answers with its loss and gradients found anew, each tie decided
    as in `answers`.

    A value within rounding of a tie may fall to either side, and the gradient with it.
    Which values do is said by `within`: how far the answer of a name may be from the
    reference's. Without it, as far as it is.
    """
    changed: Weights = {}
    for number in case.looked_at:
        try:
            moved = _overturned(case, number, truth, answers, within)
        except (KeyError, ValueError):
            # No such answers, or of another form: `gap` says so.
            continue
        if moved:
            state = reference.build(case.architecture, case.weights, "float64")
            batch = case.batches[number]
            loss, gradients = reference.gradients_near(
                state, batch.images, batch.labels, batch.masks, moved
            )
            changed[f"loss/{number}/loss"] = np.array(loss)
            changed |= named_gradients(case, number, gradients)
    return ChainMap(changed, truth)  # type: ignore[arg-type]  # it reads the second map only


def _overturned(
    case: Case,
    number: int,
    truth: Answers,
    answers: Answers,
    within: Mapping[str, float] | None,
) -> dict[str, Values]:
    """By layer: its values, on the other side of each tie that a layer behind it
    decided otherwise.

    Moved over the edge where the gradients show the decision; else what was seen going
    forward.
    """
    prefix = f"forward_training/{number}"
    ours, theirs = under(truth, prefix), under(answers, prefix)
    mine, traced = (
        decisions(case.architecture, ours),
        decisions(case.architecture, theirs),
    )
    gradients = under(answers, f"activation_gradient/{number}")
    found: dict[str, Values] = {}
    for node in case.architecture.nodes:
        if node.name not in mine:
            continue
        source, decided = node.inputs[0], mine[node.name]
        far = _apart(ours[source], theirs[source])
        near = far if within is None else within[f"{prefix}/{source}"]
        seen = _shown(case.architecture, node, ours[source], decided, gradients)
        if (
            far > near
            or (decided == (traced[node.name] if seen is None else seen)).all()
        ):
            continue
        if seen is None:
            found[source] = theirs[source].astype(np.float64)
        else:
            before = ours[source].astype(np.float64)
            found[source] = overturned(
                node.layer, before, theirs[source], decided, seen, near
            )
    return found


def _shown(
    architecture: Architecture,
    node: Node,
    x: Array,
    mine: Decisions,
    gradients: Mapping[str, Array],
) -> Decisions | None:
    """What a layer decided on the way to these gradients, if they show it; it has its
    input for itself, then.

    A program that computes gradients may round otherwise than one that only goes
    forward.
    """
    source = node.inputs[0]
    if sum(source in other.inputs for other in architecture.nodes) > 1:
        return None
    return shown(node.layer, x, gradients[source], gradients[node.name], mine)


def unsure(case: Case, training: Training, step: int, bound: Bound) -> int:
    """How many images of a step's batch have a label whose logit ties with the
    largest of the others.

    The two are nearer than twice the `bound` of the logits. Its envelope is that of the
    reference's nudged trainings up to that step.
    """
    logits = _logits(case, training, step)
    moved = [
        _logits(one, training, step) for one in nudged_reference(case) if one.trainings
    ]
    size = float(np.abs(logits).max()) or 1.0
    envelope = max(_apart(logits, one) for one in moved) / size
    labels = case.batches[(step - 1) % len(case.batches)].labels
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -math.inf
    margin = np.abs(logits[rows, labels] - others.max(axis=1))
    return int((margin <= 2 * size * bound.of(envelope, case.precision)).sum())


def _logits(case: Case, training: Training, step: int) -> Values:
    """What the reference computes in the forward pass of a training's step, from 1."""
    with case.rounded():
        weights = case.weights
        if step > 1:
            before = replace(
                training,
                rates=training.rates[: step - 1],
                kept=(step - 1,),
                watched=False,
            )
            weights = under(train(reference, case, before, "float64"), f"{step - 1}")
        state = reference.build(case.architecture, weights, "float64")
        batch = case.batches[(step - 1) % len(case.batches)]
        seen = reference.trace(state, batch.images, True, batch.masks)
    return seen[case.architecture.nodes[-1].name].astype(np.float64)


def _apart(one: Array, other: Array) -> float:
    return float(
        np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0)
    )
