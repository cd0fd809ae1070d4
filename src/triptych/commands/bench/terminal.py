"""A bench on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from triptych.commands.bench.result import Bench, Measured, Spread
from triptych.frameworks import registry
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
from triptych.terminal import Progress, clock, table, with_reach


class BenchProgress(Progress):
    """Shows a bench while it goes on: a line a framework; without a terminal, who is
    ready, and rounds.
    """

    REFRESH = 1  # drawing takes time from whoever is being measured

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.states: dict[str, str] = {}
        self.rounds, self.round = 0, 0

    def __call__(self, who: str, event: Event) -> None:
        """Hear an event of a bench."""
        match event:
            case BenchPlanned(frameworks, rounds):
                self.states, self.rounds = dict.fromkeys(frameworks, "waiting"), rounds
            case ImagesPrepared(done, total):
                self.prepared(done, total)
            case Missing(message):
                self.states[who] = "missing"
                self.warn(message)
            case Failed(message):
                self.states[who] = "failed"
                self.warn(message)
            case Started():
                self.states[who] = "starting"
            case Measuring(what):
                self.states[who] = what
            case FirstStepDone(seconds):
                self.states[who] = "ready"
                self.say(
                    f"{registry.find(who).title:<16} ready, "
                    f"first step after {clock(seconds)}"
                )
            case TurnBegins(number):
                self._begin(number)
                self.states[who] = "measuring"
            case TurnEnds(number):
                self.states[who] = f"waiting, {number} of {self.rounds} rounds done"
            case (
                StepDone()
                | EpochDone()
                | StoppedEarly()
                | Alive()
                | FeaturesComputed()
                | CaseAsked()
                | Finished()
                | RunOpened()
                | Noted()
            ):
                pass
            case TrainingsPlanned() | ProofPlanned() | ReplayPlanned():
                pass
            case _:
                assert_never(event)

    def _begin(self, number: int) -> None:
        if number > self.round:
            self.round = number
            self.say(f"round {number} of {self.rounds}")

    def parts(self) -> Sequence[RenderableType]:
        grid = Table.grid(padding=(0, 2))
        for name, state in list(self.states.items()):
            entry = registry.REGISTRY.get(name)
            title = (
                Text(entry.title, style=f"bold {entry.color}")
                if entry
                else Text("Machine's peak")
            )
            grid.add_row(title, Text(state))
        return [f"Round {self.round} of {self.rounds}", grid] if self.round else [grid]


def bench_parts(done: Bench) -> list[RenderableType]:
    """A bench on the terminal: what is steady, what came before, whether it is ranked,
    where the page is.
    """
    energy = any(one.joules_per_1000 for one in done.frameworks.values())
    steady, start = _steady_table(done), _start_table(done, energy)
    lines: list[RenderableType] = [steady, start] if start.row_count else [steady]
    if done.peak.flops is not None:
        lines.append(
            f"The machine's peak: {done.peak.flops.median / 1e9:,.0f} GFLOP/s, "
            f"NumPy's matrix product in {done.peak.precision}, same number of threads."
        )
    reasons = {
        one.share_missing for one in done.frameworks.values() if one.share_missing
    }
    lines += [f"No share of the peak: {reason}." for reason in sorted(reasons)]
    if not energy and done.done:
        lines.append("Energy: not reported by this machine.")
    return [
        *lines,
        *_ranking_lines(done),
        f"Figures: {done.folder}/bench.json; page: {done.folder}/bench.html",
    ]


def _steady_table(done: Bench) -> Table:
    """What every round measures anew."""
    asked, ranked = done.asked, done.ranking is not None
    height, width, _ = done.network.input
    shown = table(
        title=f"{done.network.name} in {asked.precision}, "
        f"batches of {asked.batch_size}, {width} x {height} pixels, "
        f"{asked.threads} thread(s): medians of {asked.repeats} round(s)"
    )
    fastest = ["of the fastest"] if ranked else []
    _head(shown, ["images/s", *fastest, "real input", "predict", "of peak"])
    for name in done.order:
        one = done.frameworks[name]
        if one.status != "done":
            shown.add_row(_title(name, one), one.status)
            continue
        speeds = [_over_rounds(one.training, _rate), _over_rounds(one.real, _rate)]
        if ranked:
            speeds.insert(1, _over_rounds(one.ratio, "{:.2f}".format))
        share = _over_rounds(one.share_of_peak, "{:.1%}".format)
        speeds += [_over_rounds(one.prediction, _rate), share]
        shown.add_row(_title(name, one), *speeds)
    return shown


def _start_table(done: Bench, energy: bool) -> Table:
    """What is measured once, and what is no speed."""
    shown = table(title="startup, single images, memory")
    joules = ["J/1,000"] if energy else []
    _head(shown, ["import", "compile", "first step", "p50", "p99", "MiB", *joules])
    for name in done.order:
        one = done.frameworks[name]
        if one.status == "done":
            shown.add_row(_title(name, one), *_start_cells(one, energy))
    return shown


def _head(shown: Table, headings: Sequence[str]) -> None:
    shown.add_column("framework", overflow="fold")
    for heading in headings:
        shown.add_column(heading, justify="right", overflow="fold")


def _title(name: str, one: Measured) -> Text:
    return Text(one.title, style=f"bold {registry.find(name).color}")


def _ranking_lines(done: Bench) -> list[str]:
    """Why they are ranked, or why not."""
    if done.ranking is None:
        return [f"Not ranked: {done.unranked}"]
    lines = [f"Ranked: {done.certificate} proves that they compute the same."]
    if done.close:
        lines.append(
            f"As fast as the first in some rounds, or faster: {', '.join(done.close)}."
        )
    return lines


def _start_cells(one: Measured, energy: bool) -> list[Text | str]:
    said = one.startup
    assert said is not None
    seconds = (said.import_seconds, said.compile_seconds, said.time_to_first_step)
    latencies = (one.latency_p50 or 0.0, one.latency_p99 or 0.0)
    cells: list[Text | str] = [*(f"{value:.1f} s" for value in seconds)]
    cells += [
        *(f"{1000 * value:.3g} ms" for value in latencies),
        f"{one.peak_memory_mib:,.0f}",
    ]
    return [*cells, _over_rounds(one.joules_per_1000, _rate)] if energy else cells


def _over_rounds(spread: Spread | None, form: Callable[[float], str]) -> Text:
    """The median, and below it the lowest and the highest."""
    if spread is None:
        return Text("")
    reach = (spread.low, spread.high) if spread.low < spread.high else None
    return with_reach(form(spread.median), reach, form)


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
