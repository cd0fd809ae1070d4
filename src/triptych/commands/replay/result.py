"""replay.json: what was trained, and what each difference was worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from triptych.commands.replay.settings import ReplaySettings
from triptych.images.found import ImagesFound
from triptych.running.machine import Machine

SCHEMA = 2
FILE = "replay.json"

Interval = tuple[float, float]


class RecipeScores(Struct, kw_only=True):
    """One recipe, trained once with each seed."""

    test: Annotated[
        list[float], Meta(description="Test accuracy of each seed, 0 to 1.")
    ]
    train: Annotated[
        list[float],
        Meta(
            description="Training accuracy over the last epoch, dropout active, "
            "of each seed."
        ),
    ]
    mean: Annotated[float, Meta(description="Mean of the test accuracies.")]
    interval: Annotated[
        Interval | None,
        Meta(description="Student's t interval of that mean, 95 %; null for one seed."),
    ] = None
    folders: Annotated[
        list[str],
        Meta(description="The folder of each seed's training run, below the replay's."),
    ]


class ReplayedRecipe(Struct, kw_only=True):
    """A recipe that was replayed."""

    name: str
    factors: Annotated[
        dict[str, str], Meta(description="What can differ between recipes, in words.")
    ]
    trained: RecipeScores


class Change(Struct, kw_only=True):
    """One step of an ablation: one factor changed, all else as in the step before."""

    factor: str
    was: str
    now: str
    trained: RecipeScores
    effect: Annotated[
        float, Meta(description="Mean gain in test accuracy, each seed against itself.")
    ]
    effect_interval: Annotated[
        Interval | None, Meta(description="Student's t interval of the gain, 95 %.")
    ] = None

    def points(self) -> str:
        """The gain with its interval, for people."""
        if self.effect_interval is None:
            return f"{100 * self.effect:+.1f}"
        low, high = self.effect_interval
        return f"{100 * self.effect:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


class Ablation(Struct, kw_only=True):
    """From one recipe to another, one factor at a time."""

    start: str
    end: str
    changes: list[Change]


class Factorial(Struct, kw_only=True):
    """Two suspects of the worst recipe, each as it was and as another recipe had it:
    four trainings.
    """

    recipe: str
    factors: tuple[str, str]
    was: tuple[str, str]
    now: tuple[str, str]
    cells: Annotated[
        list[list[RecipeScores]],
        Meta(
            description="Rows: the first factor as it was, then changed; "
            "columns: the second."
        ),
    ]

    def sentence(self) -> str:
        """What each is worth alone and what both are, in points of test accuracy."""
        (was, second), (first, both) = self.cells
        alone = [change("", "", "", was, one) for one in (first, second, both)]
        parts = [one.points() for one in alone]
        return (
            f"Changing {self.factors[0]} alone has an effect of {parts[0]} points, "
            f"{self.factors[1]} alone {parts[1]}, both {parts[2]}."
        )


class Replay(Struct, kw_only=True):
    """The result of a replay: the content of replay.json and of what --json prints."""

    schema: int = SCHEMA
    folder: str
    asked: Annotated[ReplaySettings, Meta(description="As in replay.toml.")]
    images: ImagesFound
    framework: Annotated[
        str, Meta(description="Its title; `versions` has its versions.")
    ]
    versions: dict[str, str]
    machine: Machine
    chance: Annotated[float, Meta(description="Accuracy of guessing: 1 / classes.")]
    majority: Annotated[
        float,
        Meta(
            description="Accuracy of the majority class: its share of the test split."
        ),
    ]
    trainings: Annotated[
        int, Meta(description="Number of training runs, each counted once.")
    ]
    seconds: Annotated[float, Meta(description="Total time of the training runs.")]
    recipes: Annotated[list[ReplayedRecipe], Meta(description="Best first.")]
    forwards: Annotated[
        Ablation,
        Meta(description="From the worst, taking over one more factor from the best."),
    ]
    backwards: Annotated[
        Ablation,
        Meta(description="From the best, taking over one more factor from the worst."),
    ]
    cause: Factorial | None = None

    def _repr_html_(self) -> str:
        from triptych.commands.replay.terminal import replay_parts
        from triptych.terminal import to_html

        return to_html(*replay_parts(self))


def interval(values: Sequence[float]) -> Interval | None:
    """Student's 95 % interval of the mean; None for a single value."""
    if len(values) < 2:
        return None
    middle, n = float(np.mean(values)), len(values)
    half = student_t(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return middle - half, middle + half


def student_t(freedom: int) -> float:
    """Student's t that 95 % of draws stay within, by bisection on the angle atan(t /
    sqrt(freedom)).
    """
    low, high = 0.0, math.pi / 2
    while low < (angle := (low + high) / 2) < high:
        low, high = (angle, high) if _within(angle, freedom) < 0.95 else (low, angle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """The share of draws within that angle (Abramowitz and Stegun, 26.7.3 and
    26.7.4).
    """
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for power in range(2 + odd, freedom, 2):
        term *= math.cos(angle) ** 2 * (power - 1) / power
        total += term
    share = math.sin(angle) * total
    return 2 / math.pi * (angle + share) if odd else share


def trained(test: list[float], train: list[float], folders: list[str]) -> RecipeScores:
    """The figures of one recipe's trainings."""
    return RecipeScores(
        test=test,
        train=train,
        mean=float(np.mean(test)),
        interval=interval(test),
        folders=folders,
    )


def change(
    factor: str, was: str, now: str, before: RecipeScores, after: RecipeScores
) -> Change:
    """A step of an ablation; a seed is compared with itself, so that what both share
    counts for neither.
    """
    gains = [b - a for a, b in zip(before.test, after.test, strict=True)]
    effect = float(np.mean(gains))
    return Change(
        factor=factor,
        was=was,
        now=now,
        trained=after,
        effect=effect,
        effect_interval=interval(gains),
    )
