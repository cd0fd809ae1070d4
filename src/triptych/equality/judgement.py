"""Laying answers next to each other: names first, then shapes, types and values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from triptych.equality.bounds import TABLE, WANDER, Device, Name, Rule
from triptych.equality.places import Place, places
from triptych.equality.scales import scales
from triptych.equality.shift_invariant import shift_invariant
from triptych.equality.ties import deciding_as, unsure
from triptych.network.conventions import SLOTS
from triptych.network.layouts import Array
from triptych.running.exam import REFERENCE, TRAJECTORY, Answers, Case, under

TRUST = 4.0
"""How much larger than the reference's envelope a framework's own may be: none vouches
for itself alone.
"""

SQUARES = ("optimizer.second_moment.", "optimizer.mean_square.")
"""Slots of squared gradients."""

SIGNED = {"first_moment": 1.0, "mean_square": 0.5}
"""First slots of optimizers that first go by the sign of the gradient, and the power
that makes its size of what they hold.
"""

TIED: tuple[Name, ...] = ("loss", "gradient", "activation_gradient")
"""What `deciding_as` finds anew for each framework."""


@dataclass(frozen=True)
class Discrepancy:
    """How far two answers are apart at one place, and how far they may be."""

    place: Place
    framework: str
    against: str
    gap: float
    bound: float
    rule: Rule
    """The row of the table that gave the bound."""
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether they count as equal there; a gap that is no number never does."""
        return math.isfinite(self.bound) and self.gap <= self.bound


@dataclass(frozen=True)
class Answered:
    """A case's answers by all who were asked."""

    case: Case
    reference: Answers
    nudged: tuple[Answers, ...]
    """The reference's with nudged weights; none in float64."""
    frameworks: Mapping[str, Answers]
    envelopes: Mapping[str, tuple[Answers, ...]]
    """Each framework's own trainings with a nudged kernel; none in float64."""
    devices: Mapping[str, Device]
    _unsure: dict[Place, int] = field(default_factory=dict)

    @cached_property
    def scales(self) -> dict[str, float]:
        """What the gap of each answer is relative to."""
        return scales(self.case, self.reference)

    @cached_property
    def envelope(self) -> dict[str, float]:
        """How far the reference's answers move with its weights."""
        truths = (
            deciding_as(self.case, self.reference, answers) for answers in self.nudged
        )
        return _moves(zip(self.nudged, truths, strict=True), self.scales, self.case)

    @cached_property
    def own_envelopes(self) -> dict[str, dict[str, float]]:
        """How far a framework's trainings drift from themselves, one kernel nudged."""
        return {
            name: _moves(
                [(drifted, own) for drifted in self.envelopes.get(name, ())],
                self.scales,
                self.case,
            )
            for name, own in self.frameworks.items()
        }

    def unsure(self, place: Place, step: int) -> int:
        """How many images a step may count as right or as wrong: their label ties
        with another class.
        """
        if place not in self._unsure:
            bound = TABLE["forward_training", self.case.precision, "cpu"]
            training = self.case.training(place.training)
            self._unsure[place] = unsure(self.case, training, step, bound)
        return self._unsure[place]


def _wander(case: Case, place: Place) -> float:
    """How far noise alone can move a tensor: a learning rate a step is what Adam makes
    of any noise.
    """
    return sum(case.training(place.training).rates[: place.step])


def _spared(
    answered: Answered, place: Place, allowed: Mapping[str, Allowance]
) -> float | NDArray[np.float64]:
    """How much of a difference is chance, number by number: ties rounding decides.

    Asked only of what is too far apart as it is: it may train the reference anew.
    """
    if (
        answered.case.precision == "float64"
        or place.training is None
        or place.step is None
    ):
        return 0.0
    if place.where == "correct":
        return answered.unsure(place, place.step)
    return _undecided(answered, place, allowed)


def _undecided(
    answered: Answered, place: Place, allowed: Mapping[str, Allowance]
) -> float | NDArray[np.float64]:
    """How far each number of a parameter may be off because rounding chose the
    direction of its first step.

    Adam and RMSprop first go by the sign of the gradient. Where all of a gradient lies
    within the bound of what the optimizer remembers of it, one correct program goes up
    and another down. That is so in a user's network below float64; the probes'
    gradients are small where they are because their inputs are.
    """
    training = answered.case.training(place.training)
    if not training.name.startswith(TRAJECTORY):
        return 0.0
    slot, *_ = SLOTS[training.optimizer.name]
    key = f"{training.name}/1/optimizer.{slot}.{place.where}"
    if slot not in SIGNED or key not in answered.reference or key not in allowed:
        return 0.0
    root = SIGNED[slot]
    remembered = np.abs(_float64(answered.reference[key])) ** root
    within = (allowed[key].far * answered.scales[key]) ** root
    return np.where(remembered <= within, WANDER * training.rates[0], 0.0)


def gap(
    one: Array, other: Array, scale: float, spared: float | NDArray[np.float64] = 0.0
) -> tuple[float, str]:
    """The largest difference relative to `scale`; infinite, with the reason, if the
    form differs.

    So much as `spared`, number by number, is no difference.
    """
    if one.shape != other.shape:
        return math.inf, f"shape {one.shape} instead of {other.shape}"
    if one.dtype.kind != other.dtype.kind:
        return math.inf, f"type {one.dtype} instead of {other.dtype}"
    with np.errstate(invalid="ignore", over="ignore"):
        far = (
            float((np.abs(_float64(one) - _float64(other)) - spared).max(initial=0))
            / scale
        )
    return (far, "") if math.isfinite(far) else (math.inf, "not finite")


def _float64(array: Array) -> NDArray[np.float64]:
    return array.astype(np.float64)


def judge(answered: Answered) -> list[Discrepancy]:
    """Every framework against the reference, place by place; then the frameworks
    against each other.
    """
    size = answered.scales
    compared = places(answered.case, answered.reference)
    bounds = {name: _bounds(answered, name, compared) for name in answered.frameworks}
    truths = {
        name: deciding_as(
            answered.case,
            answered.reference,
            answers,
            {key: bounds[name][key].far * size[key] for _, key in compared},
        )
        for name, answers in answered.frameworks.items()
    }
    found: list[Discrepancy] = []
    for name in answered.frameworks:
        found += _against_reference(
            answered, name, truths[name], compared, bounds[name]
        )
    for one, other in combinations(answered.frameworks, 2):
        found += _pair(answered, truths, compared, bounds, one, other)
    return found


def _against_reference(
    answered: Answered,
    name: str,
    truth: Answers,
    compared: list[tuple[Place, str]],
    bounds: Mapping[str, Allowance],
) -> list[Discrepancy]:
    """A framework against the reference: what was asked, and what nobody asked for."""
    answers, size = answered.frameworks[name], answered.scales
    found = []
    for place, key in compared:
        may = bounds[key]
        far, note = math.inf, "gave no answer here"
        if key in answers:
            far, note = gap(answers[key], truth[key], size[key])
            if may.far < far < math.inf:
                spared = _spared(answered, place, bounds)
                far, note = gap(answers[key], truth[key], size[key], spared)
        found.append(Discrepancy(place, name, REFERENCE, far, may.far, may.rule, note))
    for key in sorted(set(answers) - set(answered.reference)):
        place, note = Place("forward", answered.case.name, key), "was not asked for"
        found.append(
            Discrepancy(place, name, REFERENCE, math.inf, 0.0, "forward", note)
        )
    return found


@dataclass(frozen=True)
class Allowance:
    """How far a framework may be from the reference at one place, and the row of the
    table that says so.
    """

    far: float
    rule: Rule


def _bounds(
    answered: Answered, name: str, compared: list[tuple[Place, str]]
) -> dict[str, Allowance]:
    """What a framework is allowed, by the names of the answers."""
    case, own = answered.case, answered.own_envelopes[name]
    wanders = shift_invariant(case.architecture)
    found = {}
    for place, key in compared:
        rule: Rule = place.quantity
        moved = answered.envelope.get(key, 0.0)
        moved = max(moved, min(own.get(key, 0.0), TRUST * moved))
        if place.where in wanders and place.quantity in ("step", "trajectory"):
            rule, moved = "shift_invariant", _wander(case, place) / answered.scales[key]
        bound = TABLE[rule, case.precision, answered.devices[name]]
        if place.where.startswith(SQUARES) and place.where.split(".", 2)[-1] in wanders:
            # A square of rounding alone: so many times the rounding, squared.
            moved *= bound.factor
        found[key] = Allowance(bound.of(moved, case.precision), rule)
    return found


def _pair(
    answered: Answered,
    truths: Mapping[str, Answers],
    compared: list[tuple[Place, str]],
    bounds: Mapping[str, Mapping[str, Allowance]],
    one: str,
    other: str,
) -> list[Discrepancy]:
    """Two frameworks against each other: of each quantity the place where they come
    nearest to the bound.

    Each may be as far from the reference as its own bound, so the two add up. Where
    they decided a tie differently, so that their truths differ, that difference is
    taken off.
    """
    worst: dict[Name, Discrepancy] = {}
    ours, theirs = answered.frameworks[one], answered.frameworks[other]
    for place, key in compared:
        if key in ours and key in theirs:
            mine = ours[key]
            if place.quantity in TIED and mine.shape == theirs[key].shape:
                mine = (
                    _float64(mine)
                    + _float64(truths[other][key])
                    - _float64(truths[one][key])
                )
            far, note = gap(mine, theirs[key], answered.scales[key])
            may = bounds[one][key].far + bounds[other][key].far
            if may < far < math.inf:
                spared = 2 * _spared(answered, place, bounds[one])
                far, note = gap(mine, theirs[key], answered.scales[key], spared)
            here = Discrepancy(place, one, other, far, may, bounds[one][key].rule, note)
            nearest = worst.setdefault(place.quantity, here)
            if here.gap / here.bound > nearest.gap / nearest.bound:
                worst[place.quantity] = here
    return list(worst.values())


def _moves(
    pairs: Iterable[tuple[Answers, Answers]], size: Mapping[str, float], case: Case
) -> dict[str, float]:
    """The farthest that any answers are from their truth, by name; in a training that
    only grows.
    """
    found: dict[str, float] = {}
    for answers, truth in pairs:
        for key, values in answers.items():
            if key in truth and key in size:
                far, _ = gap(values, truth[key], size[key])
                found[key] = max(
                    found.get(key, 0.0), far if math.isfinite(far) else 0.0
                )
    return _growing(case, found)


def _growing(case: Case, envelope: dict[str, float]) -> dict[str, float]:
    """The envelope, that of each step of a training at least that of any before."""
    grown = dict(envelope)
    for training in case.trainings:
        largest: dict[str, float] = {}
        for step in range(1, len(training.rates) + 1):
            for tensor, far in under(grown, f"{training.name}/{step}").items():
                largest[tensor] = max(far, largest.get(tensor, 0.0))
                grown[f"{training.name}/{step}/{tensor}"] = largest[tensor]
    return grown
