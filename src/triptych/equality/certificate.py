"""certificate.json: what was proved, how, and the verdict.

Other programs read this. It only ever grows: a field is never renamed, removed or given
another meaning without a new `schema`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from triptych.equality.bounds import QUANTITIES, Device, Name, Rule
from triptych.equality.questions import PROBES
from triptych.errors import NotEqual, UsageError
from triptych.frameworks.contract import Facts, Optimizer
from triptych.frameworks.registry import REGISTRY
from triptych.network.conventions import Precision
from triptych.network.pretrained import Origin
from triptych.running.exam import REFERENCE
from triptych.running.machine import Machine
from triptych.running.recipe import Fit, Resize
from triptych.running.records import read_json
from triptych.running.schedule import Schedule

SCHEMA = 2

MOST_STEPS = 100_000
MOST_IMAGES = 65_536
"""In a batch: with more, or more steps, a number was mistyped, and no machine would
come to an end.
"""
MOST_SEED = 2**63 - 1
"""What JSON readers take for an integer."""

Verdict = Literal["equal", "different", "inconclusive"]


class Quantity(Struct, kw_only=True, omit_defaults=True):
    """One comparison of two answers."""

    framework: str
    against: Annotated[str, Meta(description='"reference", or another framework.')]
    quantity: Name
    where: Annotated[
        str, Meta(description="The layer, tensor or slot by its canonical name.")
    ]
    case: Annotated[str, Meta(description='"network", or one of the probes.')]
    gap: Annotated[
        float | None,
        Meta(
            description="Largest difference, relative to the largest number there; "
            "null if it is not a number."
        ),
    ]
    bound: float
    rule: Annotated[
        Rule,
        Meta(description="The row of `bounds` that gave the bound, with its reason."),
    ]
    holds: bool
    batch: int | None = None
    training: Annotated[
        str | None, Meta(description="Which training, if it is about steps.")
    ] = None
    step: Annotated[int | None, Meta(description="After which step, from 1.")] = None
    note: str = ""


class Subject(Struct, kw_only=True):
    """One framework that was checked."""

    title: str
    status: Literal["answered", "missing", "failed"]
    error: str | None = None
    version: str | None = None
    device: str | None = None
    threads: int | None = None
    modes: Annotated[
        dict[str, str],
        Meta(
            description="Modes that compute with less precision than requested, "
            "and their state."
        ),
    ] = field(default_factory=dict)
    trained_sha256: Annotated[
        str | None,
        Meta(
            description="Hash of all weights after the training of the network: "
            "the same in equal runs."
        ),
    ] = None
    flips: Annotated[
        dict[str, int],
        Meta(
            description="By case: decisions of ReLUs and max pools in the forward pass "
            "that differ from the reference's."
        ),
    ] = field(default_factory=dict)


def subject_of(facts: Facts) -> Subject:
    """A framework that answered, from what it says of itself."""
    return Subject(
        status="answered",
        title=facts.title,
        version=facts.version,
        device=facts.device,
        threads=facts.threads,
        modes=facts.modes,
    )


def device_of(facts: Facts) -> Device:
    """On which kind of device a framework computed, from what it says of itself."""
    return "cpu" if facts.device == "cpu" else "gpu"


class Drift(Struct, kw_only=True):
    """One framework's training of the network next to the reference's."""

    framework: str
    training: str
    steps: Annotated[
        list[int], Meta(description="After which steps the weights were compared.")
    ] = field(default_factory=list)
    weights: Annotated[
        list[float | None],
        Meta(description="Largest gap of a parameter at these steps."),
    ] = field(default_factory=list)
    envelope: Annotated[
        list[float],
        Meta(
            description="How far it drifts from itself, one kernel nudged; "
            "zeros in float64."
        ),
    ] = field(default_factory=list)
    flips: Annotated[
        list[int],
        Meta(description="Decisions that differ from the reference's at these steps."),
    ] = field(default_factory=list)
    loss: Annotated[
        list[float | None], Meta(description="Gap of the loss at every step.")
    ] = field(default_factory=list)


class RuleOfBound(Struct, kw_only=True):
    """A row of the table of bounds, for this precision."""

    rule: Rule
    device: Device
    factor: Annotated[float, Meta(description="Factor on the envelope.")]
    floor: Annotated[float, Meta(description="The smallest that the bound can be.")]
    reason: str


class Difference(Struct, kw_only=True, omit_defaults=True):
    """The first comparison that fails."""

    framework: str
    against: str
    where: str
    quantity: Name
    gap: float | None
    bound: float
    case: str
    step: int | None = None
    note: str = ""


class ProofSettings(Struct, kw_only=True):
    """Everything needed to repeat the same checks."""

    network: Annotated[str, Meta(description="The architecture file.")]
    frameworks: list[str]
    precision: Precision
    steps: Annotated[int, Meta(ge=1, le=MOST_STEPS)]
    optimizers: list[Optimizer]
    schedules: Annotated[
        list[Schedule], Meta(description="One for each of `optimizers`.")
    ]
    seed: Annotated[int, Meta(ge=0, le=MOST_SEED)]
    batch_size: Annotated[int, Meta(ge=2, le=MOST_IMAGES)]
    probes: bool = True
    images: Annotated[str | None, Meta(description="null for seeded noise.")] = None
    fit: Fit = "squash"
    resize: Resize = "bilinear"
    full: bool = False
    weights: Annotated[
        str | None,
        Meta(description='A file, a run or "imagenet"; null for seeded values.'),
    ] = None


class Certificate(Struct, kw_only=True):
    """The content of certificate.json."""

    schema: int = SCHEMA
    verdict: Verdict
    precision: Precision
    network: str
    made: Annotated[str, Meta(description="ISO 8601 in UTC.")]
    weights_sha256: str
    batches_sha256: str
    versions: Annotated[
        dict[str, dict[str, str]], Meta(description="By framework, by package.")
    ]
    machine: Machine
    first_difference: Difference | None
    frameworks: dict[str, Subject]
    asked: ProofSettings | None = None
    origin: Annotated[
        Origin | None,
        Meta(description="Where the weights come from; null if they were drawn."),
    ] = None
    bounds: list[RuleOfBound]
    drift: list[Drift] = field(default_factory=list)
    quantities: Annotated[
        list[Quantity],
        Meta(
            description="Everything against the reference; "
            "between two frameworks the tightest of each kind."
        ),
    ]

    def check(self) -> None:
        """Raise NotEqual, with the first difference, unless the verdict is "equal"."""
        if self.verdict != "equal":
            raise NotEqual(self.sentence())

    def sentence(self) -> str:
        """The verdict and its reason in one line."""
        return f"{self.verdict}: {self.reason()}"

    def reason(self) -> str:
        """What the verdict rests on, in one line that does not repeat it."""
        answered = [
            one.title for one in self.frameworks.values() if one.status == "answered"
        ]
        names = f"{', '.join(answered)} and the NumPy reference"
        others = [one for one in self.frameworks.values() if one.status != "answered"]
        if self.first_difference is not None:
            return describe(self.first_difference)
        if self.verdict == "inconclusive":
            reasons = [(one.error or one.title).splitlines()[0] for one in others]
            return "; ".join(reasons) or "nothing was compared"
        reach = self._vague_from()
        vague = (
            f"; from step {reach} on, rounding has grown too large to tell"
            if reach
            else ""
        )
        return f"{names} compute the same {self.network} in {self.precision}{vague}"

    def _vague_from(self) -> int | None:
        """The first step after which the bound of a weight or loss is as large as what
        it bounds.
        """
        steps = [
            one.step
            for one in self.quantities
            if one.bound >= 1
            and one.step
            and one.rule != "shift_invariant"
            and "optimizer." not in one.where
        ]
        return min(steps, default=None)

    def contradictions(self) -> list[str]:
        """What in the certificate does not follow from its own figures; empty for an
        honest one.
        """
        found = [
            f"{one.framework}: {one.quantity} at {one.where} is said to "
            f"{'hold' if one.holds else 'fail'}"
            for one in self.quantities
            if one.holds != (one.gap is not None and one.gap <= one.bound)
        ]
        due = verdict_of(self.quantities, self.frameworks)
        if due != self.verdict:
            found.append(
                f"the verdict is {self.verdict!r}, but the figures say {due!r}"
            )
        return found


def verdict_of(quantities: list[Quantity], frameworks: dict[str, Subject]) -> Verdict:
    """Different if anything differs; inconclusive if one did not answer or nothing was
    asked; else equal.
    """
    if not all(one.holds for one in quantities):
        return "different"
    if not quantities or any(one.status != "answered" for one in frameworks.values()):
        return "inconclusive"
    return "equal"


def tightest(certificate: Certificate) -> list[Quantity]:
    """For each framework and quantity, the comparison with the reference that comes
    nearest to its bound.
    """
    found: dict[tuple[str, str], Quantity] = {}

    def nearness(one: Quantity) -> float:
        return math.inf if one.gap is None else one.gap / one.bound

    for one in certificate.quantities:
        key = (one.framework, one.quantity)
        if one.against == REFERENCE and (
            key not in found or nearness(one) > nearness(found[key])
        ):
            found[key] = one
    return list(found.values())


def first_of(quantities: list[Quantity]) -> Difference | None:
    """The first comparison that does not hold: in the order of the list, the reference
    before others.
    """
    failing = [one for one in quantities if not one.holds]
    if not failing:
        return None
    rank = {name: place for place, name in enumerate(QUANTITIES)}
    cases = list(dict.fromkeys(one.case for one in quantities))
    first = min(
        failing,
        key=lambda one: (
            one.against != REFERENCE,
            cases.index(one.case),
            rank[one.quantity],
        ),
    )
    return msgspec.convert(
        {name: getattr(first, name) for name in Difference.__struct_fields__},
        Difference,
    )


def describe(one: Difference) -> str:
    """A difference in words: who, what, where, how far, and since when."""
    size = one.note or "not a number"
    if one.gap is not None:
        size = f"gap {one.gap:.1e}, bound {one.bound:.1e}"
    where = one.where + (f" in probe '{one.case}'" if one.case in PROBES else "")
    since = f", first after step {one.step}" if one.step else ""
    return (
        f"{_title(one.framework)} against {_title(one.against)}: "
        f"{one.quantity} at {where}{since}: {size}"
    )


def _title(name: str) -> str:
    """How a framework is called in a sentence; a stored certificate may name others."""
    if name == REFERENCE:
        return "the reference"
    return REGISTRY[name].title if name in REGISTRY else name


def read_certificate(path: Path) -> Certificate:
    """A stored certificate; raises RunFolderError if it cannot be read, UsageError if
    it is none.
    """
    try:
        stored = msgspec.convert(read_json(path), Certificate)
    except msgspec.ValidationError as reason:
        raise UsageError(f"{path}: is not a certificate ({reason})") from None
    asked = stored.asked
    if stored.schema != SCHEMA or (
        asked and len(asked.optimizers) != len(asked.schedules)
    ):
        raise UsageError(f"{path}: is not a certificate of this version of Triptych")
    return stored


def json_schema() -> dict[str, object]:
    """The JSON Schema of certificate.json."""
    return msgspec.json.schema(Certificate)
