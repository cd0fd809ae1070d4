"""What a run looks like on the terminal: live lines, and the table at the end.

Progress goes to standard error, results to standard output, so that `--json` can be piped.
"""

from __future__ import annotations

import contextlib
import errno
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from triptych.errors import visible
from triptych.frameworks import registry
from triptych.report import words
from triptych.running.exam import NUDGED

if TYPE_CHECKING:
    from pathlib import Path

    from triptych.commands.bench.result import Bench, Measured, Spread
    from triptych.commands.lessons import Lesson
    from triptych.commands.predict import Evaluation, Predictions
    from triptych.commands.replay.result import Crossing, Replay, Trained
    from triptych.equality.certificate import Certificate, Quantity
    from triptych.images.cache import StoreFacts
    from triptych.network.zoo import ZooEntry
    from triptych.running.result import Result
    from triptych.running.summary import Summary


@dataclass
class Line:
    """What is known of one framework while it trains."""

    title: str
    colour: str
    epochs: int
    epoch: int = 0
    share: float = 0.0
    loss: float | None = None
    accuracy: float | None = None
    speed: float | None = None
    state: str = "waits"
    began: float = 0.0
    first: float = 0.0
    """The share of the whole that was done when this session began: not 0 in a resumed run."""

    def hear(self, event: dict[str, Any]) -> None:
        """Take in an event of the framework's worker."""
        kind = event["event"]
        if kind == "start":
            self.state, self.began, self.first = "starts", time.monotonic(), -1.0
        elif kind in ("step", "epoch"):
            whole = kind == "epoch"
            self.epoch, self.share = event["epoch"], 1.0 if whole else event["share"]
            self.loss, self.speed, self.state = event["loss"], event["pictures_per_second"], "trains"
            if self.first < 0:
                self.began, self.first = time.monotonic(), self.done
            if whole:
                self.accuracy = event["validation_accuracy"]
        elif kind == "finished":
            self.state, self.epoch, self.share = "done", self.epochs, 1.0
        elif kind == "failed":
            self.state = "failed"

    @property
    def done(self) -> float:
        """Share of the whole training that is done."""
        return (max(self.epoch, 1) - 1 + self.share) / self.epochs

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        gained = self.done - self.first
        if self.state != "trains" or gained <= 0:
            return None
        return (time.monotonic() - self.began) / gained * (1 - self.done)


class _Console(Console):
    """A console on which names are only names: no markup, no emoji, nothing that a terminal would obey."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class _Progress(ABC):
    """What hears of long work while it goes on: drawn anew on a terminal, in plain lines elsewhere."""

    REFRESH: ClassVar[int] = 5
    """How often a second it is drawn anew."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _Console(stderr=True)
        self.pictures = (0, 0)
        self.live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live = Live(
                get_renderable=self.render, console=self.console, refresh_per_second=self.REFRESH,
                transient=True,
            )  # fmt: skip
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            with contextlib.suppress(OSError):  # the terminal has gone; the work's own end counts
                self.live.stop()

    @abstractmethod
    def render(self) -> RenderableType:
        """What the terminal shows now."""


class Progress(_Progress):
    """Shows a run while it goes on: a live line a framework; without a terminal, a plain line an epoch."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.lines: dict[str, Line] = {}

    def expect(self, frameworks: Sequence[str], epochs: int) -> None:
        """Say what is to come."""
        for name in frameworks:
            entry = registry.find(name)
            self.lines[name] = Line(entry.title, entry.colour, epochs)

    def __call__(self, name: str, event: dict[str, Any]) -> None:
        """Hear an event of a run."""
        if event["event"] == "plan":
            self.expect(event["frameworks"], event["epochs"])
        elif event["event"] == "run":
            self.console.print(Text(f"{event['folder']}: {event['summary']}"), soft_wrap=True)
        elif name == "pictures":
            self.pictures_bar(event["done"], event["total"])
        else:
            self.lines[name].hear(event)
            if event["event"] == "failed":
                self.console.print(Text(event["message"], style="red"), soft_wrap=True)
            elif self.live is None and event["event"] in ("start", "epoch"):
                self.console.print(self._plain_line(self.lines[name], event), soft_wrap=True)

    def pictures_bar(self, done: int, total: int) -> None:
        """Hear how many pictures are prepared."""
        tenth = done * 10 // max(total, 1) > self.pictures[0] * 10 // max(total, 1)
        self.pictures = (done, total)
        if self.live is None and (tenth or done == total):
            self.console.print(f"pictures  {done:,} of {total:,} prepared", soft_wrap=True)

    def _plain_line(self, line: Line, event: dict[str, Any]) -> str:
        if event["event"] == "start":
            return f"{line.title:<16} starts"
        parts = [f"epoch {line.epoch}/{line.epochs}", f"loss {_number(line.loss)}"]
        if line.accuracy is not None:
            parts.append(f"validation {line.accuracy:.1%}")
        parts += [f"{line.speed:,.0f} pictures/s", f"{clock(line.seconds_left)} left"]
        return f"{line.title:<16} " + "  ".join(parts)

    def render(self) -> Group:
        """The live picture."""
        parts: list[Any] = []
        done, total = self.pictures
        if done < total:
            bar = Table.grid(padding=(0, 2))
            bar.add_row("Pictures", ProgressBar(total, done, width=24), f"{done:,} of {total:,} prepared")
            parts.append(bar)
        if self.lines:
            grid = Table.grid(padding=(0, 2))
            for line in self.lines.values():
                grid.add_row(*self._cells(line))
            parts.append(grid)
        return Group(*parts)

    def _cells(self, line: Line) -> list[Any]:
        title = Text(line.title, style=f"bold {line.colour}")
        if line.state in ("waits", "starts", "failed"):
            return [title, ProgressBar(1, 0, width=24), Text(line.state, style="dim"), "", "", "", ""]
        return [
            title,
            ProgressBar(1, line.done, width=24, complete_style=line.colour, finished_style=line.colour),
            f"epoch {line.epoch}/{line.epochs}",
            "" if line.loss is None else f"loss {line.loss:.3f}",
            "" if line.accuracy is None else f"validation {line.accuracy:.1%}",
            "" if line.speed is None else f"{line.speed:,.0f} pictures/s",
            "done" if line.state == "done" else f"{clock(line.seconds_left)} left",
        ]


class ProofProgress(_Progress):
    """Shows a proof while it goes on: a line a framework; without a terminal, when each begins and ends."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.states: dict[str, str] = {}

    def __call__(self, name: str, event: dict[str, Any]) -> None:
        """Hear an event of a proof."""
        if event["event"] == "plan":
            self.states = dict.fromkeys(event["frameworks"], "waits")
        elif event["event"] == "progress":
            self.pictures = (event["done"], event["total"])
        elif event["event"] == "asked":
            case, _, nudged = event["case"].partition(NUDGED)
            self.states[name] = f"{case}{', nudged' if nudged else ''}: {event['what']}"
        elif event["event"] in ("start", "finished", "failed"):
            said = {"start": "starts", "finished": "has answered", "failed": "failed"}
            self.states[name] = said[event["event"]]
            if self.live is None:
                self.console.print(f"{registry.find(name).title:<16} {self.states[name]}", soft_wrap=True)

    def render(self) -> Table:
        """The live picture."""
        grid = Table.grid(padding=(0, 2))
        done, total = self.pictures
        if done < total:
            grid.add_row("Pictures", f"{done:,} of {total:,} prepared")
        for name, state in list(self.states.items()):
            entry = registry.find(name)
            grid.add_row(Text(entry.title, style=f"bold {entry.colour}"), Text(state))
        return grid


class ReplayProgress(_Progress):
    """Shows a replay while it goes on: a line a training at work; without a terminal, one when it ends."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.labels: dict[str, str] = {}
        self.shares: dict[str, float] = {}
        self.done = 0
        self.began, self.first = time.monotonic(), 0

    def __call__(self, name: str, event: dict[str, Any]) -> None:
        """Hear an event of a replay; from several threads."""
        kind = event["event"]
        if kind == "plan":
            self.labels, self.done = dict(event["labels"]), event["done"]
            self.shares, self.began, self.first = {}, time.monotonic(), self.done
            if self.live is None:
                self.console.print(f"{self.done} of {len(self.labels)} trainings done", soft_wrap=True)
        elif kind == "progress":
            self.pictures = (event["done"], event["total"])
        elif kind in ("start", "step", "epoch"):
            epochs = event.get("epoch", 1) - 1 + event.get("share", kind == "epoch")
            self.shares[name] = epochs
        elif kind == "finished":
            self.shares.pop(name, None)
            self.done += 1
            if self.live is None:
                line = f"{self.done:>3} of {len(self.labels)}  {clock(self.seconds_left):>9} left"
                self.console.print(f"{line}  {self.labels[name]}", soft_wrap=True, highlight=False)

    @property
    def seconds_left(self) -> float | None:
        """Of the trainings that are planned, at the pace so far."""
        gained = self.done - self.first
        left = len(self.labels) - self.done
        return (time.monotonic() - self.began) / gained * left if gained else None

    def render(self) -> Group:
        """The live picture."""
        grid = Table.grid(padding=(0, 2))
        done, total = self.pictures
        if done < total:
            grid.add_row(ProgressBar(total, done, width=24), f"{done:,} of {total:,} pictures prepared")
        if self.labels:
            bar = ProgressBar(len(self.labels), self.done, width=24)
            planned = f"{self.done} of {len(self.labels)} trainings, {clock(self.seconds_left)} left"
            grid.add_row(bar, planned)
        for name, epochs in list(self.shares.items()):
            grid.add_row("", Text(f"{self.labels[name]}: epoch {epochs:.1f}", style="dim"))
        return Group(grid)


class BenchProgress(_Progress):
    """Shows a bench while it goes on: a line a framework; without a terminal, who is ready, and rounds."""

    REFRESH = 1  # drawing takes time from whoever is being measured

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.states: dict[str, str] = {}
        self.rounds, self.round = 0, 0

    def __call__(self, name: str, event: dict[str, Any]) -> None:
        """Hear an event of a bench."""
        kind = event["event"]
        if kind == "plan":
            self.states, self.rounds = dict.fromkeys(event["frameworks"], "waits"), event["rounds"]
        elif kind == "progress":
            self.pictures = (event["done"], event["total"])
        elif kind in ("failed", "missing"):
            self.states[name] = kind
            self.console.print(Text(event["message"], style="red"), soft_wrap=True)
        elif kind == "turn":
            if event["round"] > self.round:
                self.round = event["round"]
                self._say(f"round {self.round} of {self.rounds}")
            self.states[name] = "starts its turn"
        elif kind == "turned":
            self.states[name] = f"waits, {event['round']} of {self.rounds} rounds done"
        elif kind == "start":
            self.states[name] = "starts"
        elif kind == "measures":
            self.states[name] = event["what"]
        elif kind == "ready":
            self.states[name] = "is ready"
            self._say(f"{registry.find(name).title:<16} is ready, first step after {clock(event['seconds'])}")

    def _say(self, line: str) -> None:
        if self.live is None:
            self.console.print(line, soft_wrap=True, highlight=False)

    def render(self) -> Group:
        """The live picture."""
        grid = Table.grid(padding=(0, 2))
        done, total = self.pictures
        if done < total:
            grid.add_row("Pictures", f"{done:,} of {total:,} prepared")
        for name, state in list(self.states.items()):
            entry = registry.REGISTRY.get(name)
            title = Text(entry.title, style=f"bold {entry.colour}") if entry else Text("The machine itself")
            grid.add_row(title, Text(state))
        if not self.round:
            return Group(grid)
        return Group(f"Round {self.round} of {self.rounds}", grid)


def bench_parts(done: Bench) -> list[Any]:
    """A bench on the terminal: what is steady, what came before, whether it is ranked, where the page is."""
    asked, ranked = done.asked, done.ranking is not None
    height, width, _ = done.network["input"]
    steady = _table(
        title=f"{done.network['name']} in {asked['precision']}, batches of {asked['batch']}, "
        f"{width} x {height} pixels, {asked['threads']} thread(s): medians of {asked['repeats']} round(s)"
    )
    start = _table(title="once: getting ready; single pictures; memory")
    for table in (steady, start):
        table.add_column("framework", overflow="fold")
    headings = ["pictures/s", *(["of the fastest"] if ranked else []), "real input", "predicts", "of peak"]
    for heading in headings:
        steady.add_column(heading, justify="right", overflow="fold")
    energy = any(one.joules_per_1000 for one in done.frameworks.values())
    headings = ["import", "compile", "first step", "p50", "p99", "MiB", *(["J/1,000"] if energy else [])]
    for heading in headings:
        start.add_column(heading, justify="right", overflow="fold")
    for name in done.order:
        one = done.frameworks[name]
        title = Text(one.title, style=f"bold {registry.find(name).colour}")
        if one.status != "done":
            steady.add_row(title, one.status)
            continue
        speeds = [_over_rounds(one.training, _rate), _over_rounds(one.real, _rate)]
        if ranked:
            speeds.insert(1, _over_rounds(one.ratio, "{:.2f}".format))
        share = _over_rounds(one.share_of_peak, "{:.1%}".format)
        steady.add_row(title, *speeds, _over_rounds(one.prediction, _rate), share)
        start.add_row(title, *_start_cells(one, energy))
    lines: list[Any] = [steady, start] if start.row_count else [steady]
    if done.peak.flops is not None:
        lines.append(
            f"The machine's peak: {done.peak.flops.median / 1e9:,.0f} GFLOP/s, NumPy's matrix product in "
            f"{done.peak.precision} with as many threads."
        )
    reasons = {one.share_missing for one in done.frameworks.values() if one.share_missing}
    lines += [f"No share of the peak: {reason}." for reason in sorted(reasons)]
    if not energy and done.done:
        lines.append("Energy: the machine does not tell.")
    if ranked:
        lines.append(f"Ranked: {done.certificate} proves that they compute the same.")
        if done.close:
            lines.append(f"In some rounds as fast as the first, or faster: {', '.join(done.close)}.")
    else:
        lines.append(f"Not ranked: {done.unranked}")
    return [*lines, f"Figures: {done.folder}/bench.json, to look at: {done.folder}/bench.html"]


def _start_cells(one: Measured, energy: bool) -> list[Text | str]:
    said = one.startup
    assert said is not None
    seconds = (said.import_seconds, said.compile_seconds, said.time_to_first_step)
    latencies = (one.latency_p50 or 0.0, one.latency_p99 or 0.0)
    cells: list[Text | str] = [*(f"{value:.1f} s" for value in seconds)]
    cells += [*(f"{1000 * value:.3g} ms" for value in latencies), f"{one.peak_memory_mib:,.0f}"]
    return [*cells, _over_rounds(one.joules_per_1000, _rate)] if energy else cells


def _over_rounds(spread: Spread | None, form: Callable[[float], str]) -> Text:
    """The median, and below it the lowest and the highest."""
    if spread is None:
        return Text("")
    reach = (spread.low, spread.high) if spread.low < spread.high else None
    return _with_reach(form(spread.median), reach, form)


def _with_reach(figure: str | Text, reach: tuple[float, float] | None, form: Callable[[float], str]) -> Text:
    """A figure, and below it from where to where it may lie."""
    if reach is None:
        return Text.assemble(figure)
    return Text.assemble(figure, (f"\n{form(reach[0])} to {form(reach[1])}", "dim"))


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def replay_parts(done: Replay) -> list[Any]:
    """A replay on the terminal: the recipes, the two suspects crossed, both walks, where the page is."""
    seeds = done.asked["seeds"]
    recipes = _table(title=f"{done.pictures['source']} in {done.framework}, {seeds} seed(s) each")
    recipes.add_column("recipe", no_wrap=True)
    for heading in ("test (95 %)", "in training"):
        recipes.add_column(heading, justify="right", no_wrap=True)
    for one in done.recipes:
        recipes.add_row(Text(one.name), _accuracy(one.trained), f"{_mean(one.trained.train):.1%}")
    parts: list[Any] = [
        recipes,
        f"Guessing has {done.chance:.1%}, always the largest class {done.largest:.1%}.",
    ]
    if done.cause is not None:
        parts += ["", _crossing_table(done.cause), done.cause.sentence()]
    for walk in (done.forwards, done.backwards):
        table = _table(title=f"from {walk.start} to {walk.end}, one thing more each")
        for heading in ("thing", "is now"):
            table.add_column(heading, overflow="fold")
        for heading in ("test", "worth, points (95 %)"):
            table.add_column(heading, justify="right", no_wrap=True)
        for step in walk.changes:
            worth = f"{100 * step.worth:+.1f}{_span(step.worth_interval, '+')}"
            table.add_row(step.thing, Text(step.now), f"{step.trained.mean:.1%}", worth)
        parts += ["", table]
    return [*parts, f"Figures: {done.folder}/replay.json, to look at: {done.folder}/replay.html"]


def _crossing_table(cause: Crossing) -> Table:
    table = _table(title=f"{cause.recipe}: which of the two was it?")
    table.add_column(cause.things[0])
    table.add_column(f"{cause.things[1]}: {cause.was[1]}", justify="right")
    table.add_column(cause.now[1], justify="right")
    for state, row in zip((cause.was[0], cause.now[0]), cause.cells, strict=True):
        table.add_row(Text(state), *(_accuracy(cell) for cell in row))
    return table


def _accuracy(trained: Trained) -> str:
    return f"{trained.mean:.1%}{_span(trained.interval)}"


def _span(interval: tuple[float, float] | None, sign: str = "") -> str:
    """An interval in points, within what an accuracy can be unless it is a gain."""
    if interval is None:
        return ""
    low, high = interval if sign else (max(interval[0], 0.0), min(interval[1], 1.0))
    return f" ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def certificate_parts(certificate: Certificate) -> list[Any]:
    """A certificate on the terminal: the gap of every quantity nearest to its bound, and the verdict."""
    from triptych.equality.bounds import QUANTITIES
    from triptych.equality.certificate import tightest

    table = _table(title=f"{certificate.network} in {certificate.precision}: how far from the reference")
    table.add_column("quantity", no_wrap=True)
    names = [name for name, one in certificate.frameworks.items() if one.status == "answered"]
    for name in names:
        entry = registry.find(name)
        table.add_column(Text(entry.title, style=entry.colour), justify="right", no_wrap=True)
    table.add_column("of the bound", justify="right", no_wrap=True)
    found = {(one.quantity, one.framework): one for one in tightest(certificate)}
    for quantity in QUANTITIES:
        own = [found[quantity, name] for name in names if (quantity, name) in found]
        if own:
            share = max(math.inf if one.gap is None else one.gap / one.bound for one in own)
            table.add_row(quantity, *(_gap(one) for one in own), f"{share:.1%}")
    verdict = {"equal": "green", "different": "red", "inconclusive": "yellow"}[certificate.verdict]
    return [table, Text(certificate.sentence(), style=f"bold {verdict}")]


def _gap(one: Quantity) -> Text:
    return Text("none" if one.gap is None else f"{one.gap:.0e}", style="" if one.holds else "bold red")


def _number(loss: float | None) -> str:
    return "not finite" if loss is None else f"{loss:.4f}"


def _table(title: str | None = None) -> Table:
    heading = None if title is None else Text(title, style="bold")
    return Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def clock(seconds: float | None) -> str:
    """Seconds for people: 8 s, 2:05 min, 1:02:05 h."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def result_table(result: Result) -> Table:
    """The table at the end of a run: test accuracy, times, speed with its reach, memory, lines of code."""
    table = _table(title=f"{result.network['name']} on {result.pictures['source']}")
    table.add_column("framework", no_wrap=True)
    for heading in ("test (95 %)", "train", "total", "pictures/s", "MiB", "lines"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in result.frameworks.items():
        title = Text(one.title, style=f"bold {registry.find(name).colour}")
        table.add_row(title, *(_figures(name, result) if one.status == "done" else [one.status]))
    return table


def _figures(name: str, result: Result) -> list[str | Text]:
    """A row's cells; the best of a column stands out where frameworks may be ranked."""
    one = result.frameworks[name]

    def best(figure: str, text: str) -> Text:
        first = result.ranking is not None and result.ranking[figure][0] == name
        return Text(text, style="bold green" if first else "")

    accuracy = "" if one.test_accuracy is None else f"{one.test_accuracy:.1%}"
    speed = best("pictures_per_second", words.rate(one.pictures_per_second or 0))
    return [
        _with_reach(accuracy, one.test_accuracy_interval, lambda share: f"{100 * share:.1f}"),
        f"{one.train_seconds:,.0f} s",
        best("total_seconds", f"{one.total_seconds:,.0f} s"),
        _with_reach(speed, one.pictures_per_second_range, words.rate),
        best("peak_memory_mib", f"{one.peak_memory_mib:,.0f}"),
        str(one.network_lines),
    ]


def agreement_lines(result: Result) -> list[str]:
    """Whether they compute the same, and how far they agree, one sentence a line."""
    agreement, lines = result.agreement, []
    done = sum(one.status == "done" for one in result.frameworks.values())
    if done:
        lines.append(f"Certificate: {words.verdict(result)}: {words.reason(result)}.")
    if result.ranking is None and done > 1:
        lines.append("So these figures are not ranked: they may compare accidents.")
    if agreement.first_step_loss_gap is not None:
        lines.append(f"First-step losses differ by at most {agreement.first_step_loss_gap:.1e}")
        if agreement.reference_gap is not None:
            lines[-1] += f", from the NumPy reference's in float64 by at most {agreement.reference_gap:.1e}"
        lines[-1] += "."
    if agreement.reference_error is not None:
        lines.append(f"The NumPy reference could not say: {agreement.reference_error}")
    if agreement.test_logits_gap is not None and agreement.same_predictions is not None:
        lines.append(
            f"After training, test logits differ by at most {agreement.test_logits_gap:.2g}; "
            f"{agreement.same_predictions:.1%} of the test pictures get the same label from all."
        )
    return lines


def problem_lines(pictures: dict[str, Any]) -> list[str]:
    """What is wrong with the pictures: a count, and the first few of each kind."""
    problems = pictures["problems"]
    if not problems:
        return []
    lines = [f"{len(problems):,} problem(s) with the pictures; the run went on without those files:"]
    for kind in pictures["problem_counts"]:
        paths = [problem["path"] for problem in problems if problem["kind"] == kind]
        lines.append(f"  {kind}: {_first_few(paths)}")
    return lines


def _first_few(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return f"{', '.join(paths[:3])}{more}"


class _Output(_Console):
    """Standard output; that its reader has gone is for the command line to handle, not for the console."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


def show(*parts: Any) -> None:
    """Print tables and lines on standard output."""
    console = _Output()
    for part in parts:
        if isinstance(part, str):
            console.print(part, soft_wrap=True, highlight=False)
        else:
            console.print(part)


def prediction_lines(found: Predictions) -> list[str]:
    """Label, the three largest probabilities and path of each picture, and what answered.

    The path stands last, so that it is whole however long it is.
    """
    rows = [("label", "probabilities", "picture")]
    for one in found.predictions:
        ranked = sorted(one.probabilities.items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{name} {share:.1%}" for name, share in ranked)
        rows.append((one.label or "-", one.error or shares, one.picture))
    return [*_aligned(rows), *found.model.sentences()]


def passed_over_lines(found: Predictions) -> list[str]:
    """The files in folders that are no pictures: how many, and the first few."""
    if not found.passed_over:
        return []
    return [f"{len(found.passed_over):,} file(s) passed over, no pictures: {_first_few(found.passed_over)}"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, in columns; the last cells are of any length."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        "  ".join([*(set_cell_size(cell, wide) for cell, wide in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def evaluation_parts(evaluation: Evaluation) -> list[Any]:
    """The accuracy in a sentence, what it is of, what answered, and the confusion matrix."""
    low, high = evaluation.accuracy_interval
    table = _table()
    table.add_column("")
    for name in evaluation.classes:
        table.add_column(name, justify="right")
    for name, row in zip(evaluation.classes, evaluation.confusion, strict=True):
        table.add_row(name, *(str(count) if count else "·" for count in row))
    part = "all pictures" if evaluation.part == "all" else f"the {evaluation.part} part"
    return [
        f"{evaluation.accuracy:.1%} of {evaluation.pictures:,} pictures right "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f}): {part} of {evaluation.source}",
        *_seen_lines(evaluation),
        *evaluation.model.sentences(),
        "",
        "Rows: the true class; columns: the predicted.",
        table,
    ]


def _seen_lines(evaluation: Evaluation) -> list[str]:
    """What the run has seen of the pictures before, whether they are counted in or left out."""
    lines = []
    if evaluation.left_out:
        known = evaluation.left_out_trained_on
        seen = f"; the run has trained on {known:,} of them" if known else ""
        lines.append(f"{evaluation.left_out:,} pictures of other parts are left out{seen}. See --part.")
    if evaluation.trained_on:
        others = evaluation.pictures - evaluation.trained_on
        rest = f"; of the {others:,} others, {evaluation.accuracy_on_others:.1%} are right" if others else ""
        lines.append(
            f"The run has trained on {evaluation.trained_on:,} of these {evaluation.pictures:,} "
            f"pictures, which flatters it{rest}."
        )
    return lines


def runs_lines(found: Sequence[Summary]) -> list[str]:
    """A few lines a run, so that every path is whole."""
    return [line for run in found for line in _run_lines(run)]


def _run_lines(run: Summary) -> list[str]:
    began = f"{run.started[:16].replace('T', ' ')} UTC"
    if run.size is None:
        return [run.folder, f"  {began}  damaged: {run.states['damaged']}"]
    height, width = run.size
    states = [
        f"{name} {accuracy:.1%}" if accuracy is not None else f"{name} {run.states[name]}"
        for name, accuracy in run.test_accuracy.items()
    ]
    asked = f"{run.network}, {width} x {height} pixels, {run.epochs} epoch(s)"
    return [
        run.folder,
        f"  {began}  {asked}  {run.verdict or 'no verdict'}: {', '.join(states)}",
        f"  pictures: {run.pictures}",
    ]


def pictures_table(found: dict[str, Any]) -> Table:
    """Counts per class and side."""
    table = _table(title=f"{found['source']}: {len(found['classes'])} classes")
    table.add_column("class")
    sides = ("train", "validation", "test")
    for side in sides:
        table.add_column(side, justify="right")
    for number, name in enumerate(found["classes"]):
        table.add_row(name, *(f"{found['class_counts'][side][number]:,}" for side in sides))
    table.add_section()
    table.add_row("all", *(f"{found[side]:,}" for side in sides))
    return table


def cache_parts(stores: Sequence[StoreFacts], folder: Path) -> list[Any]:
    """What is kept, and where."""
    if not stores:
        return [f"Nothing is kept in {folder}."]
    table = _table(title=str(folder))
    for heading in ("pictures", "source", "size", "MiB", "made"):
        table.add_column(heading, justify="left" if heading == "source" else "right")
    for store in stores:
        height, width = store.size
        table.add_row(
            f"{store.pictures:,}", store.source, f"{height} x {width}", f"{store.bytes / 2**20:,.1f}",
            store.made[:16].replace("T", " "),
        )  # fmt: skip
    return [table, "Clear it with: triptych cache --clear"]


def networks_table(zoo: Sequence[ZooEntry]) -> Table:
    """Name, size and purpose of each network."""
    table = _table()
    table.add_column("network", style="bold")
    for heading in ("pictures", "parameters", "MFLOP a picture"):
        table.add_column(heading, justify="right")
    table.add_column("what it is")
    for one in zoo:
        height, width, _ = one.input_shape
        table.add_row(
            one.name, f"{height} x {width}", f"{one.parameters:,}", f"{one.flops / 1e6:,.1f}", one.summary
        )
    return table


def lessons_table(lessons: Sequence[Lesson]) -> Table:
    """Number, title and subject of each lesson."""
    table = _table()
    table.add_column("", justify="right")
    table.add_column("lesson", style="bold")
    table.add_column("what it is about")
    for one in lessons:
        table.add_row(str(one.number), one.title, one.about)
    table.caption = "triptych lessons NUMBER copies one to work on, and opens it"
    return table


def show_source(text: str) -> None:
    """A source as it is: highlighted on a terminal, plain text in a pipe."""
    console = _Output()
    if console.is_terminal:
        console.print(Syntax(text, "python", theme="ansi_dark", background_color="default"))
    else:
        print(text, end="")


def show_sources(texts: dict[str, str]) -> None:
    """All sources: as many beside each other as the terminal is wide enough for."""
    console = _Output()
    panels = [
        Panel(
            Syntax(text, "python", theme="ansi_dark", background_color="default", word_wrap=True),
            title=registry.find(name).title,
            border_style=registry.find(name).colour,
        )
        for name, text in texts.items()
    ]
    widest = max(len(line) for text in texts.values() for line in text.splitlines()) + 4
    across = max(1, min(len(panels), console.width // widest))
    for start in range(0, len(panels), across):
        row = Table.grid(expand=True)
        for _ in panels[start : start + across]:
            row.add_column(ratio=1)
        row.add_row(*panels[start : start + across])
        console.print(row)
