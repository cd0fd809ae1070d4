"""What is asked: the network at hand, and probes with no symmetry to hide behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from triptych.equality.bounds import TABLE
from triptych.frameworks.contract import Optimizer
from triptych.images.batches import Batch, Batches
from triptych.network.architecture import Architecture, from_toml
from triptych.network.conventions import ULP, Precision
from triptych.network.rng import stream
from triptych.network.weights import Weights, initial_weights
from triptych.running.exam import NUDGED, TRAJECTORY, Case, Training, trajectory
from triptych.running.folder import FIRST_STEP
from triptych.running.recipe import LEARNING_RATES
from triptych.running.schedule import Schedule, ScheduleName

NETWORK = "network"
"""The case of the network that a user asks about."""

NUDGES = 2
"""How often a case is asked again, its weights moved by one unit in the last place."""

PROBES = ("odd", "even", "scales", "rows", "wide", "modern", "tokens")
"""Networks that come with this package for proofs: its file says what each is for."""


def probe(name: str) -> Architecture:
    """One of the networks that come with this package for proofs."""
    return from_toml(Path(__file__).parent / "probes" / f"{name}.toml")


def moved_weights(architecture: Architecture, seed: int) -> Weights:
    """Initial values, all of them moved a little, so that no bias is 0 and no scale or
    variance 1.
    """
    weights: Weights = {}
    for name, tensor in initial_weights(architecture, seed).items():
        noise = 0.05 * stream(seed, "moved", name).standard_normal(tensor.shape)
        moved = (tensor.astype(np.float64) + noise).astype(np.float32)
        weights[name] = (
            np.abs(moved) + np.float32(0.5) if name.endswith(".variance") else moved
        )
    return weights


def noise(
    architecture: Architecture, sizes: Sequence[int], seed: int
) -> tuple[Batch, ...]:
    """Batches of seeded noise, of these numbers of images, with labels and masks."""
    batches = []
    for number, size in enumerate(sizes):
        generator = stream(seed, "noise", architecture.name, number)
        images = generator.integers(
            0, 256, (size, *architecture.input_shape), dtype=np.uint8
        )
        labels = generator.integers(0, architecture.classes, size)
        rows = np.arange(size)
        made = Batches(
            images, labels, rows, size, seed + number, dropouts=architecture.dropouts
        )
        batches.append(made.batch(0, 0))
    return tuple(batches)


def network_case(
    architecture: Architecture,
    weights: Weights,
    batches: tuple[Batch, ...],
    precision: Precision,
    optimizers: Iterable[tuple[Optimizer, Schedule]],
    steps: int,
) -> Case:
    """The case of a user's network: everything about the first batch, and `steps` steps
    of each optimizer.
    """
    trainings = tuple(
        Training(
            trajectory(optimizer),
            optimizer,
            tuple(schedule.at(step, steps) for step in range(steps)),
            milestones(steps),
            watched=True,
        )
        for optimizer, schedule in optimizers
    )
    return Case(NETWORK, architecture, weights, batches, precision, (0,), trainings)


def first_step_case(
    architecture: Architecture,
    weights: Weights,
    batch: Batch,
    precision: Precision,
    optimizer: Optimizer,
    rate: float,
) -> Case:
    """What a run answers in passing: logits before its first step, all after it."""
    training = Training(trajectory(optimizer), optimizer, (rate,), (1,))
    return Case(FIRST_STEP, architecture, weights, (batch,), precision, (), (training,))


def probe_cases(precision: Precision, seed: int) -> list[Case]:
    """Layers of every kind at uneven sizes, a batch of one, a short last batch; every
    optimizer, schedule.

    What an optimizer does to a recurrent layer shows in plain steps, in which nothing
    is divided by its size. No optimizer has but its default numbers: one that took no
    notice of them would pass.
    """
    trainings = tuple(_through_the_schedules(one) for one in OPTIMIZERS)
    plain = _through_the_schedules(Optimizer("sgd", momentum=0.0))
    decaying = _through_the_schedules(
        Optimizer("sgd", weight_decay=0.1, label_smoothing=0.1)
    )

    def case(
        name: str,
        sizes: tuple[int, ...],
        looked_at: tuple[int, ...] = (0,),
        trainings: tuple[Training, ...] = (),
    ) -> Case:
        network = probe(name)
        weights, batches = moved_weights(network, seed), noise(network, sizes, seed)
        return Case(name, network, weights, batches, precision, looked_at, trainings)

    return [
        case("odd", (5,)),
        case("even", (4, 1), (1,), (plain,)),
        case("scales", (6, 6), trainings=trainings),
        case("rows", (4, 4), trainings=(decaying,)),
        case("wide", (12,)),
        case("modern", (8,)),
        case("tokens", (6,), trainings=(decaying,)),
    ]


OPTIMIZERS = (
    Optimizer("sgd", momentum=0.8, weight_decay=0.1, label_smoothing=0.1),
    Optimizer("nesterov", momentum=0.8, weight_decay=0.1, label_smoothing=0.1),
    Optimizer("adam", weight_decay=0.1, label_smoothing=0.1),
    Optimizer(
        "adamw",
        beta1=0.8,
        beta2=0.98,
        epsilon=1e-7,
        weight_decay=0.2,
        label_smoothing=0.2,
    ),
    Optimizer("rmsprop", rho=0.8, epsilon=1e-7, weight_decay=0.1, label_smoothing=0.1),
)
"""What the probe of many scales is trained by, each with other numbers than its
defaults but for one.
"""


def schedules(learning_rate: float) -> list[Schedule]:
    """One of each name, all of them going somewhere; the constant one after a warm-up,
    which takes the first of three steps and leaves it at the full rate.
    """
    names: tuple[ScheduleName, ...] = get_args(ScheduleName)
    return [
        Schedule(
            name,
            learning_rate,
            0.5 if name == "inverse-time" else 0.0,
            0.4 if name == "constant" else 0.0,
        )
        for name in names
    ]


def _through_the_schedules(optimizer: Optimizer) -> Training:
    """Three steps by each schedule, resumed in between."""
    ways = schedules(LEARNING_RATES[optimizer.name])
    rates = tuple(schedule.at(step, 3) for schedule in ways for step in range(3))
    steps = tuple(range(1, len(rates) + 1))
    return Training(optimizer.name, optimizer, rates, steps, resumed=len(rates) // 2)


def milestones(steps: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50, ... up to the last step: where a trajectory is looked at."""
    found = {factor * 10**power for power in range(9) for factor in (1, 2, 5)}
    return tuple(sorted({step for step in found if step < steps} | {steps}))


def nudged_reference(case: Case) -> list[Case]:
    """What the reference is asked besides, to see how far its own answers move: nothing
    in float64.

    The steps of a user's network are asked with a larger nudge, of the size that
    rounding may have by the time it reaches a ReLU, so that at least as many of its
    decisions flip as do in an honest framework.
    """
    if case.precision == "float64":
        return []
    cases = [_nudged(case, f"{number}", 1) for number in range(1, NUDGES + 1)]
    if _is_long(case):
        units = TABLE["forward", case.precision, "cpu"].floor
        steps = [
            _nudged(case, f"steps{number}", units) for number in range(1, NUDGES + 1)
        ]
        cases = [
            dataclasses.replace(one, trainings=()) for one in cases if one.looked_at
        ]
        cases += [dataclasses.replace(one, looked_at=()) for one in steps]
    return cases


def nudged_kernel(case: Case) -> list[Case]:
    """What a framework is asked besides: its long trainings with one kernel moved;
    nothing in float64.
    """
    if case.precision == "float64" or not any(
        training.watched for training in case.trainings
    ):
        return []
    kernels = [name for name in case.weights if name.endswith("kernel")]
    if not kernels:
        return []
    cases = []
    for number in range(1, NUDGES + 1):
        chosen = kernels[(number - 1) % len(kernels)]
        whole = _nudged(case, f"kernel{number}", 1)
        weights = case.weights | {chosen: whole.weights[chosen].astype(np.float32)}
        cases.append(
            dataclasses.replace(whole, weights=weights, looked_at=(), rounding=None)
        )
    return cases


def _is_long(case: Case) -> bool:
    return any(training.name.startswith(TRAJECTORY) for training in case.trainings)


def _nudged(case: Case, label: str, units: float) -> Case:
    """The same case with every weight moved up or down by units in the last place of
    its precision.
    """
    weights: Weights = {}
    for name, tensor in case.weights.items():
        signs = stream(0, "nudge", label, name).choice((-1.0, 1.0), tensor.shape)
        weights[name] = tensor.astype(np.float64) * (
            1 + signs * units * ULP[case.precision]
        )
    name = f"{case.name}{NUDGED}{label}"
    return dataclasses.replace(
        case, name=name, weights=weights, rounding=case.precision
    )
