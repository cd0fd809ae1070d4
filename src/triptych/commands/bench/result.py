"""bench.json: every round as it was measured, and what follows from the rounds.

Other programs read this. It only ever grows: a field is never renamed, removed or given
another meaning without a new `schema`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct, field

from triptych.commands.bench.settings import BenchSettings
from triptych.running.machine import Machine
from triptych.running.measurements import PeakRound, Round, Startup
from triptych.running.result import Attempt, NetworkFacts

SCHEMA = 2
FILE = "bench.json"


class Spread(Struct, kw_only=True):
    """A figure over the rounds."""

    median: float
    low: Annotated[float, Meta(description="The lowest of the rounds.")]
    high: Annotated[float, Meta(description="The highest of the rounds.")]


class Measured(Attempt, kw_only=True):
    """One framework. Figures are null where it did not get that far; a failed one keeps
    its rounds.
    """

    status: Literal["done", "missing", "failed"]
    startup: Startup | None = None
    rounds: list[Round] = field(default_factory=list)
    training: Annotated[
        Spread | None,
        Meta(description="Images per second, on one batch of noise held in memory."),
    ] = None
    real: Annotated[
        Spread | None,
        Meta(description="Images per second in training, on images prepared ahead."),
    ] = None
    input_cost: Annotated[
        Spread | None,
        Meta(
            description="How much longer a step is on images than on noise: "
            "0.1 is a tenth."
        ),
    ] = None
    prediction: Annotated[
        Spread | None, Meta(description="Images per second, in full batches.")
    ] = None
    latency_p50: Annotated[
        float | None,
        Meta(
            description="Seconds to predict a single image: the median over all rounds."
        ),
    ] = None
    latency_p99: Annotated[
        float | None, Meta(description="99 % of them are below this.")
    ] = None
    share_of_peak: Annotated[
        Spread | None,
        Meta(
            description="Operations per second in training "
            "divided by the machine's in that round."
        ),
    ] = None
    share_missing: Annotated[str | None, Meta(description="Why there is no share.")] = (
        None
    )
    joules_per_1000: Annotated[
        Spread | None,
        Meta(description="Energy of training on 1,000 images; null if not reported."),
    ] = None
    peak_memory_mib: float | None = None
    ratio: Annotated[
        Spread | None,
        Meta(
            description="Training speed divided by the fastest framework's "
            "in the same round; null if unranked."
        ),
    ] = None


class Peak(Struct, kw_only=True):
    """What the machine can do: NumPy's matrix product with as many threads, in turn
    with the frameworks.
    """

    precision: Annotated[
        str, Meta(description="float64 for a benchmark in float64, otherwise float32.")
    ]
    flops: Spread | None = None
    rounds: list[PeakRound] = field(default_factory=list)
    error: str | None = None


class BenchImages(Struct, kw_only=True):
    """The images of real input."""

    source: str
    key: Annotated[str, Meta(description="Equal for equal decoded images.")]
    trained_on: int


class Bench(Struct, kw_only=True):
    """The result of a benchmark: the content of bench.json and of the --json output."""

    schema: int = SCHEMA
    folder: str
    made: Annotated[str, Meta(description="When it started, ISO 8601 in UTC.")]
    asked: BenchSettings
    network: NetworkFacts
    images: BenchImages
    machine: Machine
    peak: Peak
    frameworks: dict[str, Measured]
    certificate: Annotated[
        str | None,
        Meta(
            description="The file that proves that those who are ranked "
            "compute the same."
        ),
    ] = None
    ranking: Annotated[
        list[str] | None,
        Meta(description="By training speed, the fastest first; null without a proof."),
    ] = None
    unranked: Annotated[
        str | None, Meta(description="Why there is no ranking, and what to do.")
    ] = None

    @property
    def order(self) -> list[str]:
        """The frameworks in the order shown: by rank if ranked, otherwise as given."""
        first = self.ranking or []
        return [*first, *(name for name in self.frameworks if name not in first)]

    @property
    def close(self) -> list[str]:
        """The titles of those that were no slower than the first in some round."""
        ratios = [
            (self.frameworks[name].title, self.frameworks[name].ratio)
            for name in self.order[1:]
        ]
        return [
            title for title, ratio in ratios if ratio is not None and ratio.high >= 1
        ]

    @property
    def done(self) -> list[str]:
        """Those who were measured to the end."""
        return [name for name, one in self.frameworks.items() if one.status == "done"]

    def _repr_html_(self) -> str:
        from triptych.commands.bench.terminal import bench_parts
        from triptych.terminal import to_html

        return to_html(*bench_parts(self))


def spread(values: Iterable[float]) -> Spread:
    """Median, lowest and highest."""
    known = list(values)
    return Spread(median=float(np.median(known)), low=min(known), high=max(known))


def sum_up(one: Measured, batch: int, training_flops: int, peak: Peak) -> None:
    """Fill in what follows from the rounds of a framework that has done them all."""
    rounds = one.rounds
    speeds = training_speeds(one, batch)
    one.training = spread(speeds)
    one.real = spread(real_speeds(one, batch))
    one.input_cost = spread(r.real_seconds / r.train_seconds - 1 for r in rounds)
    one.prediction = spread(prediction_speeds(one, batch))
    latencies = [seconds for r in rounds for seconds in r.latencies]
    one.latency_p50, one.latency_p99 = (
        float(np.percentile(latencies, share)) for share in (50, 99)
    )
    one.peak_memory_mib = rounds[-1].peak_memory_mib
    energies = [
        r.joules * 1000 / (batch * r.steps) for r in rounds if r.joules is not None
    ]
    if len(energies) == len(rounds):
        one.joules_per_1000 = spread(energies)
    one.share_missing = _no_share(one, peak)
    if one.share_missing is None:
        pairs = zip(speeds, peak.rounds, strict=True)
        one.share_of_peak = spread(
            speed * training_flops / best.flops for speed, best in pairs
        )


def rank(frameworks: Mapping[str, Measured], batch: int) -> list[str]:
    """The frameworks by training speed; each gets its ratio to the fastest, round by
    round.
    """
    speeds = {name: training_speeds(one, batch) for name, one in frameworks.items()}
    ranked = sorted(speeds, key=lambda name: -float(np.median(speeds[name])))
    for name, one in frameworks.items():
        pairs = zip(speeds[name], speeds[ranked[0]], strict=True)
        one.ratio = spread(own / fastest for own, fastest in pairs)
    return ranked


def training_speeds(one: Measured, batch: int) -> list[float]:
    """Images a second of each round in training, on noise."""
    return [batch * r.steps / r.train_seconds for r in one.rounds]


def real_speeds(one: Measured, batch: int) -> list[float]:
    """Images a second of each round in training, on images."""
    return [batch * r.steps / r.real_seconds for r in one.rounds]


def prediction_speeds(one: Measured, batch: int) -> list[float]:
    """Images a second of each round in prediction."""
    return [batch * r.predictions / r.predict_seconds for r in one.rounds]


def _no_share(one: Measured, peak: Peak) -> str | None:
    if one.device != "cpu":
        return (
            "the machine's peak is its processor's, "
            f"but {one.title} computes on {one.device}"
        )
    return (
        None if peak.error is None else f"the machine's peak is not known: {peak.error}"
    )
