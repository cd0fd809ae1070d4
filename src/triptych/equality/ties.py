"""Decisions near a tie: counted, and set apart from the gradients that they move."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.equality.bounds import TABLE
from triptych.frameworks import reference
from triptych.network.conventions import ULP, Precision
from triptych.network.decisions import decisions
from triptych.network.layouts import Array
from triptych.network.weights import Weights
from triptych.running.exam import Answers, Case, named_gradients, under

TIE = 16.0
"""Units in the last place, of a layer's largest number, within which a decision always counts as a tie."""


def flips(case: Case, truth: Answers, answers: Answers, prefix: str) -> dict[str, int]:
    """By deciding layer: how many of its decisions differ between two traces that stand under `prefix`."""
    ours = decisions(case.architecture, under(truth, prefix))
    theirs = decisions(case.architecture, under(answers, prefix))
    return {name: int((ours[name] != theirs[name]).sum()) for name in ours}


def deciding_as(case: Case, truth: Answers, answers: Answers) -> Answers:
    """The reference's answers with its loss and gradients found anew, each tie decided as in `answers`.

    A value within rounding of a tie may fall to either side, and the gradient with it: so the reference takes
    over what a deciding layer reads, where some of its decisions differ and nothing differs by more than
    rounding.
    """
    changed: Weights = {}
    for number in case.looked_at:
        prefix = f"forward_training/{number}"
        theirs = under(answers, prefix)
        try:
            differ = flips(case, truth, answers, prefix)
        except (KeyError, ValueError):  # no such answers, or of another form: `gap` says so
            continue
        read = {node.inputs[0] for node in case.architecture.nodes if differ.get(node.name)}
        ours = under(truth, prefix)
        near = {name: theirs[name] for name in read if _near(ours[name], theirs[name], case.precision)}
        if not near:
            continue

        def moved(
            name: str, values: NDArray[np.float64], near: Mapping[str, Array] = near
        ) -> NDArray[np.float64]:
            return near[name].astype(np.float64) if name in near else values

        state = reference.build(case.architecture, case.weights, "float64")
        batch = case.batches[number]
        loss, gradients = reference.gradients_near(state, batch.images, batch.labels, batch.masks, moved)
        changed |= {f"loss/{number}/loss": np.array(loss)} | named_gradients(case, number, gradients)
    return ChainMap(changed, truth)  # type: ignore[arg-type]  # it reads the second map only


def _near(ours: Array, theirs: Array, precision: Precision) -> bool:
    far = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0)
    units = max(TIE, TABLE["forward_training", precision, "cpu"].floor)
    return bool(far <= units * ULP[precision] * np.abs(ours.astype(np.float64)).max(initial=0))
