"""From the answers to the certificate."""

from __future__ import annotations

import hashlib
from collections import ChainMap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from triptych.equality.bounds import TABLE, Device, Rule
from triptych.equality.certificate import (
    Certificate,
    Drift,
    ProofSettings,
    Quantity,
    RuleOfBound,
    Subject,
    first_of,
    verdict_of,
)
from triptych.equality.judgement import Answered, Discrepancy, gap, judge
from triptych.equality.shift_invariant import shift_invariant
from triptych.equality.ties import flips
from triptych.network.architecture import Architecture
from triptych.network.conventions import ULP, Precision
from triptych.network.pretrained import Origin
from triptych.network.weights import Weights, weights_hash
from triptych.running.exam import Answers, Case, Training, under
from triptych.running.machine import machine


def certify(
    answered: Sequence[Answered],
    subjects: Mapping[str, Subject],
    versions: dict[str, dict[str, str]],
    asked: ProofSettings | None = None,
    origin: Origin | None = None,
) -> Certificate:
    """Judge every case and draw up the certificate; the first case is the network's.

    Where each framework was asked something of its own, there is a case for each.
    """
    quantities = [_quantity(one) for case in answered for one in judge(case)]
    network = answered[0].case
    for name, subject in subjects.items():
        if subject.status == "answered":
            own = [one for one in answered if name in one.frameworks]
            subject.flips = {one.case.name: _flips(one, name) for one in own}
            subject.trained_sha256 = _trained(own[0], name)
    return Certificate(
        verdict=verdict_of(quantities, dict(subjects)),
        precision=network.precision,
        network=_called(network.architecture),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        weights_sha256=weights_hash(network.weights),
        batches_sha256=batches_hash([one.case for one in answered]),
        versions=versions,
        machine=machine(),
        first_difference=first_of(quantities),
        frameworks=dict(subjects),
        asked=asked,
        origin=origin,
        bounds=rules(network.precision, ChainMap(*(dict(o.devices) for o in answered))),
        drift=[
            _drift(answered[0], name, training)
            for name in answered[0].frameworks
            for training in network.trainings
            if training.watched
        ],
        quantities=quantities,
    )


def _called(architecture: Architecture) -> str:
    """What was proved, in words: of a network that was cut in two, a part."""
    whole = architecture.section == "whole"
    return (
        architecture.name if whole else f"{architecture.section} of {architecture.name}"
    )


def _quantity(one: Discrepancy) -> Quantity:
    return Quantity(
        framework=one.framework,
        against=one.against,
        gap=_finite(one.gap),
        bound=one.bound,
        holds=one.holds,
        rule=one.rule,
        note=one.note,
        **vars(one.place),
    )


def rules(precision: Precision, devices: Mapping[str, Device]) -> list[RuleOfBound]:
    """The rows of the table of bounds that a certificate uses."""
    found: dict[tuple[Rule, Device], RuleOfBound] = {}
    for (rule, column, device), bound in TABLE.items():
        if column == precision and device in devices.values():
            floor = bound.floor * ULP[precision]
            found[rule, device] = RuleOfBound(
                rule=rule,
                device=device,
                factor=bound.factor,
                floor=floor,
                reason=bound.reason,
            )
    return list(found.values())


def batches_hash(cases: Sequence[Case]) -> str:
    """SHA-256 over the images, labels and masks of all cases."""
    digest = hashlib.sha256()
    for case in cases:
        for batch in case.batches:
            tensors: Weights = {
                "images": batch.images,
                "labels": batch.labels,
                **batch.masks,
            }
            digest.update(weights_hash(tensors).encode())
    return digest.hexdigest()


def _flips(answered: Answered, name: str) -> int:
    """How many decisions differ from the reference's in a case's forward passes."""
    total = 0
    for number in answered.case.looked_at:
        try:
            found = flips(
                answered.case,
                answered.reference,
                answered.frameworks[name],
                f"forward_training/{number}",
            )
        except (KeyError, ValueError):
            # Answers of another form: the comparison has said so.
            continue
        total += sum(found.values())
    return total


def _trained(answered: Answered, name: str) -> str | None:
    """The hash of all that a framework's trainings of the network ended with."""
    ends: Weights = {}
    for training in answered.case.trainings:
        last = under(
            answered.frameworks[name], f"{training.name}/{len(training.rates)}"
        )
        ends |= {f"{training.name}/{tensor}": values for tensor, values in last.items()}
    return weights_hash(ends) if ends else None


def _drift(answered: Answered, name: str, training: Training) -> Drift:
    """How a training of the network runs beside the reference's."""
    case, truth, answers = answered.case, answered.reference, answered.frameworks[name]
    size, own, apart = (
        answered.scales,
        answered.own_envelopes[name],
        shift_invariant(case.architecture),
    )
    drift = Drift(framework=name, training=training.name)

    def far(key: str) -> float | None:
        return gap(answers[key], truth[key], size[key])[0] if key in answers else None

    for step in training.kept:
        at = f"{training.name}/{step}"
        keys = [f"{at}/{n}" for n in case.architecture.parameters if n not in apart]
        gaps = [np.inf if (one := far(key)) is None else one for key in keys]
        drift.steps.append(step)
        drift.weights.append(_finite(max(gaps, default=0.0)))
        drift.envelope.append(max((own.get(key, 0.0) for key in keys), default=0.0))
        drift.flips.append(_other_decisions(truth, answers, f"{at}/decisions"))
    for step in range(1, len(training.rates) + 1):
        loss = far(f"{training.name}/{step}/loss")
        drift.loss.append(None if loss is None else _finite(loss))
    return drift


def _other_decisions(truth: Answers, answers: Answers, prefix: str) -> int:
    """How many decisions that stand under `prefix` differ."""
    ours, theirs = under(truth, prefix), under(answers, prefix)
    both = [
        layer
        for layer in ours
        if layer in theirs and ours[layer].shape == theirs[layer].shape
    ]
    return sum(int((ours[layer] != theirs[layer]).sum()) for layer in both)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
