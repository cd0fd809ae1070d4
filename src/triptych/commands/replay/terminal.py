"""A replay on the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import assert_never

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from triptych.commands.replay.result import Ablation, Factorial, RecipeScores, Replay
from triptych.running.protocol import (
    Alive,
    BenchPlanned,
    CaseAsked,
    EpochDone,
    Event,
    Failed,
    FeaturesComputed,
    Finished,
    FirstStepDone,
    ImagesPrepared,
    Measuring,
    Missing,
    Noted,
    ProofPlanned,
    ReplayPlanned,
    RunOpened,
    Started,
    StepDone,
    StoppedEarly,
    TrainingsPlanned,
    TurnBegins,
    TurnEnds,
)
from triptych.terminal import Progress, clock, table


class ReplayProgress(Progress):
    """Shows a replay while it goes on: a line a training at work; without a terminal,
    one when it ends.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.labels: dict[str, str] = {}
        self.epochs: dict[str, float] = {}
        """Of those at work, how many epochs they have, in part or whole."""
        self.done = 0
        self.began, self.first = time.monotonic(), 0

    def __call__(self, who: str, event: Event) -> None:
        """Hear an event of a replay; from several threads."""
        match event:
            case ReplayPlanned(labels, done):
                self._plan(labels, done)
            case ImagesPrepared(done, total):
                self.prepared(done, total)
            case Started():
                self.epochs[who] = 0.0
            case StepDone():
                self.epochs[who] = event.epoch - 1 + event.share
            case EpochDone(figures):
                self.epochs[who] = float(figures.epoch)
            case Finished():
                self._finish(who)
            case (
                Failed()
                | Missing()
                | Alive()
                | FeaturesComputed()
                | StoppedEarly()
                | CaseAsked()
                | Measuring()
                | RunOpened()
                | Noted()
                | TurnEnds()
            ):
                pass
            case (
                TrainingsPlanned()
                | ProofPlanned()
                | BenchPlanned()
                | TurnBegins()
                | FirstStepDone()
            ):
                pass
            case _:
                assert_never(event)

    def _plan(self, labels: dict[str, str], done: int) -> None:
        self.labels, self.done, self.epochs = labels, done, {}
        self.began, self.first = time.monotonic(), done
        self.say(f"{done} of {len(labels)} training runs done")

    def _finish(self, who: str) -> None:
        self.epochs.pop(who, None)
        self.done += 1
        left = f"{clock(self.seconds_left):>9} left"
        self.say(f"{self.done:>3} of {len(self.labels)}  {left}  {self.labels[who]}")

    @property
    def seconds_left(self) -> float | None:
        """Of the trainings that are planned, at the pace so far."""
        gained = self.done - self.first
        left = len(self.labels) - self.done
        return (time.monotonic() - self.began) / gained * left if gained else None

    def parts(self) -> Sequence[RenderableType]:
        grid = Table.grid(padding=(0, 2))
        if self.labels:
            bar = ProgressBar(len(self.labels), self.done, width=24)
            planned = (
                f"{self.done} of {len(self.labels)} training runs, "
                f"{clock(self.seconds_left)} left"
            )
            grid.add_row(bar, planned)
        for name, epochs in list(self.epochs.items()):
            grid.add_row(
                "", Text(f"{self.labels[name]}: epoch {epochs:.1f}", style="dim")
            )
        return [grid]


def replay_parts(done: Replay) -> list[RenderableType]:
    """A replay on the terminal: the recipes, the two suspects crossed, both ablations,
    where the page is.
    """
    seeds = done.asked.seeds
    recipes = table(
        title=f"{done.images.source} in {done.framework}, {seeds} seed(s) each"
    )
    recipes.add_column("recipe", no_wrap=True)
    for heading in ("test (95 % CI)", "training"):
        recipes.add_column(heading, justify="right", no_wrap=True)
    for one in done.recipes:
        recipes.add_row(
            Text(one.name), _accuracy(one.trained), f"{_mean(one.trained.train):.1%}"
        )
    parts: list[RenderableType] = [
        recipes,
        f"Guessing gives {done.chance:.1%}, the majority class {done.majority:.1%}.",
    ]
    if done.cause is not None:
        parts += ["", _factorial_table(done.cause), done.cause.sentence()]
    for ablation in (done.forwards, done.backwards):
        parts += ["", _ablation_table(ablation)]
    return [
        *parts,
        f"Figures: {done.folder}/replay.json; page: {done.folder}/replay.html",
    ]


def _ablation_table(ablation: Ablation) -> Table:
    shown = table(
        title=f"from {ablation.start} to {ablation.end}, one more factor per row"
    )
    for heading in ("factor", "is now"):
        shown.add_column(heading, overflow="fold")
    for heading in ("test", "effect (pp, 95 % CI)"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for step in ablation.changes:
        effect = f"{100 * step.effect:+.1f}{_span(step.effect_interval, '+')}"
        shown.add_row(step.factor, Text(step.now), f"{step.trained.mean:.1%}", effect)
    return shown


def _factorial_table(cause: Factorial) -> Table:
    crossed = table(title=f"{cause.recipe}: which of the two was it?")
    crossed.add_column(cause.factors[0])
    crossed.add_column(f"{cause.factors[1]}: {cause.was[1]}", justify="right")
    crossed.add_column(cause.now[1], justify="right")
    for state, row in zip((cause.was[0], cause.now[0]), cause.cells, strict=True):
        crossed.add_row(Text(state), *(_accuracy(cell) for cell in row))
    return crossed


def _accuracy(trained: RecipeScores) -> str:
    return f"{trained.mean:.1%}{_span(trained.interval)}"


def _span(interval: tuple[float, float] | None, sign: str = "") -> str:
    """An interval in points, within what an accuracy can be unless it is a gain."""
    if interval is None:
        return ""
    low, high = interval if sign else (max(interval[0], 0.0), min(interval[1], 1.0))
    return f" ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
