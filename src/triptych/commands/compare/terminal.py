"""A comparison on the terminal: live lines while it goes on, the table at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from triptych.frameworks import registry
from triptych.report import words
from triptych.running.epoch import Epoch
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
from triptych.running.result import Result
from triptych.running.stopping import Stopped
from triptych.terminal import Progress, clock, problem_lines, table, with_reach


@dataclass
class Line:
    """What is known of one framework while it trains."""

    title: str
    color: str
    epochs: int
    epoch: int = 0
    share: float = 0.0
    loss: float | None = None
    accuracy: float | None = None
    speed: float | None = None
    state: str = "waiting"
    began: float = 0.0
    first: float = 0.0
    """The share of the whole that was done when this began: not 0 in a resumed run."""
    stopped: bool = False
    looked: float = 0.0
    """The share of the images that its frozen part has looked at."""

    def start(self) -> None:
        """Its process is there."""
        self.state, self.began, self.first = "starting", time.monotonic(), -1.0

    def look(self, done: int, total: int) -> None:
        """Its frozen part looks at the images, before the epochs of the rest."""
        self.state = "features"
        self.looked = done / total

    def go_on(self, epoch: int, share: float, loss: float | None, speed: float) -> None:
        """It trains, and so far has come in an epoch."""
        self.epoch, self.share, self.state = epoch, share, "trains"
        self.loss, self.speed = loss, speed
        if self.first < 0:
            self.began, self.first = time.monotonic(), self.done

    def end_epoch(self, figures: Epoch) -> None:
        """An epoch is over."""
        self.go_on(figures.epoch, 1.0, figures.loss, figures.images_per_second)
        self.accuracy = figures.validation_accuracy

    def stop(self, epoch: int) -> None:
        """It has ended before its last epoch."""
        self.epoch, self.share, self.stopped = epoch, 1.0, True

    def finish(self) -> None:
        """Its training is done."""
        self.state, self.share = "done", 1.0
        if not self.stopped:
            self.epoch = self.epochs

    def plain(self) -> str:
        """How far it is, as a line of text."""
        parts = [f"epoch {self.epoch}/{self.epochs}", f"loss {_number(self.loss)}"]
        if self.accuracy is not None:
            parts.append(f"validation {self.accuracy:.1%}")
        parts += [f"{self.speed:,.0f} images/s", f"{clock(self.seconds_left)} left"]
        return f"{self.title:<16} " + "  ".join(parts)

    def cells(self) -> list[RenderableType]:
        """How far it is, as a row of the live image."""
        title = Text(self.title, style=f"bold {self.color}")
        if self.state in ("waiting", "starting", "failed"):
            state = Text(self.state, style="dim")
            return [title, ProgressBar(1, 0, width=24), state, *[""] * 4]
        looks = self.state == "features"
        bar = ProgressBar(
            1,
            self.looked if looks else self.done,
            width=24,
            complete_style=self.color,
            finished_style=self.color,
        )
        if looks:
            share = f"features of {self.looked:.0%} of the images"
            return [title, bar, share, *[""] * 4]
        return [
            title,
            bar,
            f"epoch {self.epoch}/{self.epochs}",
            "" if self.loss is None else f"loss {self.loss:.3f}",
            "" if self.accuracy is None else f"validation {self.accuracy:.1%}",
            "" if self.speed is None else f"{self.speed:,.0f} images/s",
            "done" if self.state == "done" else f"{clock(self.seconds_left)} left",
        ]

    @property
    def done(self) -> float:
        """Share of the whole training that is done."""
        if self.stopped:
            return 1.0
        return (max(self.epoch, 1) - 1 + self.share) / self.epochs

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        gained = self.done - self.first
        if self.state != "trains" or gained <= 0:
            return None
        return (time.monotonic() - self.began) / gained * (1 - self.done)


class TrainingProgress(Progress):
    """Shows a run while it goes on: a live line a framework; without a terminal, a
    plain line an epoch.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.lines: dict[str, Line] = {}

    def expect(self, frameworks: Sequence[str], epochs: int) -> None:
        """Say what is to come."""
        for name in frameworks:
            entry = registry.find(name)
            self.lines[name] = Line(entry.title, entry.color, epochs)

    def __call__(self, who: str, event: Event) -> None:
        """Hear an event of a run."""
        match event:
            case TrainingsPlanned(frameworks, epochs):
                self.expect(frameworks, epochs)
            case RunOpened(folder, summary):
                self.console.print(Text(f"{folder}: {summary}"), soft_wrap=True)
            case Noted(message):
                self.console.print(Text(message), soft_wrap=True)
            case ImagesPrepared(done, total):
                self.prepared(done, total)
            case Started():
                self.lines[who].start()
                self.say(f"{self.lines[who].title:<16} starting")
            case StepDone():
                self.lines[who].go_on(
                    event.epoch, event.share, event.loss, event.images_per_second
                )
            case FeaturesComputed(done, total):
                self._look(who, done, total)
            case EpochDone(figures):
                self.lines[who].end_epoch(figures)
                self.say(self.lines[who].plain())
            case StoppedEarly(early):
                self.lines[who].stop(early.epoch)
                self.say(f"{self.lines[who].title:<16} {_stopped(early)}")
            case Finished():
                self.lines[who].finish()
            case Failed(message):
                self.lines[who].state = "failed"
                self.warn(message)
            case (
                Alive()
                | CaseAsked()
                | Measuring()
                | Missing()
                | ProofPlanned()
                | BenchPlanned()
            ):
                pass
            case ReplayPlanned() | TurnBegins() | TurnEnds() | FirstStepDone():
                pass
            case _:
                assert_never(event)

    def _look(self, who: str, done: int, total: int) -> None:
        """The live line moves with every batch; without it, a line each quarter."""
        line, before = self.lines[who], self.lines[who].looked
        line.look(done, total)
        if int(4 * before) < int(4 * line.looked):
            self.say(f"{line.title:<16} features of {line.looked:.0%} of the images")

    def parts(self) -> Sequence[RenderableType]:
        grid = Table.grid(padding=(0, 2))
        for line in self.lines.values():
            grid.add_row(*line.cells())
        return [grid] if self.lines else []


def _stopped(early: Stopped) -> str:
    return f"stopped after epoch {early.epoch}: {early.reason}"


def _number(loss: float | None) -> str:
    return "not finite" if loss is None else f"{loss:.4f}"


def comparison_parts(result: Result) -> list[RenderableType]:
    """A comparison on the terminal: problems, figures, how far they agree, the page."""
    return [
        *problem_lines(result.images),
        result_table(result),
        *stopping_lines(result),
        *agreement_lines(result),
        f"Report: {Path(result.folder) / 'report.html'}",
    ]


def result_table(result: Result) -> Table:
    """The table at the end of a run: test accuracy, times, speed with its reach,
    memory, lines of code.
    """
    shown = table(title=f"{result.network.name} on {result.images.source}")
    # Where room is short, a name takes two lines, of a word each.
    shown.add_column("framework", min_width=len("TensorFlow"))
    for heading in ("test (95 % CI)", "train", "total", "images/s", "MiB", "lines"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, one in result.frameworks.items():
        title = Text(one.title, style=f"bold {registry.find(name).color}")
        shown.add_row(
            title, *(_figures(name, result) if one.status == "done" else [one.status])
        )
    return shown


def _figures(name: str, result: Result) -> list[str | Text]:
    """A row's cells; the best of a column stands out where frameworks may be ranked."""
    one = result.frameworks[name]

    def best(figure: str, text: str) -> Text:
        first = result.ranking is not None and result.ranking[figure][0] == name
        return Text(text, style="bold green" if first else "")

    accuracy = "" if one.test_accuracy is None else f"{one.test_accuracy:.1%}"
    speed = best("images_per_second", words.rate(one.images_per_second or 0))
    return [
        with_reach(
            accuracy, one.test_accuracy_interval, lambda share: f"{100 * share:.1f}"
        ),
        f"{one.train_seconds:,.0f} s",
        best("total_seconds", f"{one.total_seconds:,.0f} s"),
        with_reach(speed, one.images_per_second_range, words.rate),
        best("peak_memory_mib", f"{one.peak_memory_mib:,.0f}"),
        str(one.network_lines),
    ]


def stopping_lines(result: Result) -> list[str]:
    """Who stopped before the last epoch, and why."""
    return [
        f"{one.title} {_stopped(one.stopped)}."
        for one in result.frameworks.values()
        if one.stopped is not None
    ]


def agreement_lines(result: Result) -> list[str]:
    """Whether they compute the same, and how far they agree, one sentence a line."""
    agreement, lines = result.agreement, []
    done = sum(one.status == "done" for one in result.frameworks.values())
    if done:
        lines.append(
            f"Certificate: {words.verdict(result)}. "
            f"{words.capitalized(words.reason(result))}."
        )
    if result.ranking is None and done > 1:
        lines.append(
            "These figures are not ranked: the frameworks may not compute the same."
        )
    if agreement.first_step_loss_gap is not None:
        apart = f"differ by at most {agreement.first_step_loss_gap:.1e}"
        if agreement.reference_gap is not None:
            apart += (
                " from each other, and by at most "
                f"{agreement.reference_gap:.1e} from the NumPy reference's in float64"
            )
        lines.append(f"First-step losses {apart}.")
    if agreement.reference_error is not None:
        lines.append(f"No gap to the NumPy reference: {agreement.reference_error}")
    if agreement.test_logits_gap is not None and agreement.same_predictions is not None:
        lines.append(
            "After training, test logits differ by at most "
            f"{agreement.test_logits_gap:.2g}; {agreement.same_predictions:.1%} "
            "of the test images get the same label from all."
        )
    return lines
