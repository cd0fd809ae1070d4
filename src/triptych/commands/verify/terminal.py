"""A proof on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from triptych.commands.verify.verification import Verification
from triptych.equality.bounds import QUANTITIES
from triptych.equality.certificate import Certificate, Quantity, tightest
from triptych.frameworks import registry
from triptych.running.exam import NUDGED
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
from triptych.terminal import Progress, table


class ProofProgress(Progress):
    """Shows a proof while it goes on: a line a framework; without a terminal, when each
    begins and ends.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self.states: dict[str, str] = {}

    def __call__(self, who: str, event: Event) -> None:
        """Hear an event of a proof."""
        match event:
            case ProofPlanned(frameworks):
                self.states = dict.fromkeys(frameworks, "waiting")
            case ImagesPrepared(done, total):
                self.prepared(done, total)
            case CaseAsked(case, what):
                case, _, nudged = case.partition(NUDGED)
                self.states[who] = f"{case}{', nudged' if nudged else ''}: {what}"
            case Started():
                self._change(who, "starting")
            case Finished():
                self._change(who, "done")
            case Failed():
                self._change(who, "failed")
            case (
                StepDone()
                | EpochDone()
                | StoppedEarly()
                | Alive()
                | FeaturesComputed()
                | Measuring()
                | Missing()
                | RunOpened()
                | Noted()
                | TurnEnds()
            ):
                pass
            case (
                TrainingsPlanned()
                | BenchPlanned()
                | ReplayPlanned()
                | TurnBegins()
                | FirstStepDone()
            ):
                pass
            case _:
                assert_never(event)

    def _change(self, who: str, state: str) -> None:
        self.states[who] = state
        self.say(f"{registry.find(who).title:<16} {state}")

    def parts(self) -> Sequence[RenderableType]:
        grid = Table.grid(padding=(0, 2))
        for name, state in list(self.states.items()):
            entry = registry.find(name)
            grid.add_row(Text(entry.title, style=f"bold {entry.color}"), Text(state))
        return [grid]


def verification_parts(done: Verification) -> list[RenderableType]:
    """A proof on the terminal: the certificate, and where it is kept."""
    parts = certificate_parts(done.certificate)
    if done.folder is not None:
        page = done.folder / "certificate.html"
        parts.append(f"Certificate: {page.with_suffix('.json')}; page: {page}")
    return parts


def certificate_parts(certificate: Certificate) -> list[RenderableType]:
    """A certificate on the terminal: the gap of every quantity nearest to its bound,
    and the verdict.
    """
    colors = {"equal": "green", "different": "red", "inconclusive": "yellow"}
    style = f"bold {colors[certificate.verdict]}"
    return [_gaps_table(certificate), Text(certificate.sentence(), style=style)]


def _gaps_table(certificate: Certificate) -> Table:
    shown = table(
        title=f"{certificate.network} in {certificate.precision}: gaps to the reference"
    )
    shown.add_column("quantity", no_wrap=True)
    names = [
        name for name, one in certificate.frameworks.items() if one.status == "answered"
    ]
    for name in names:
        entry = registry.find(name)
        shown.add_column(
            Text(entry.title, style=entry.color), justify="right", no_wrap=True
        )
    shown.add_column("of the bound", justify="right", no_wrap=True)
    found = {(one.quantity, one.framework): one for one in tightest(certificate)}
    for quantity in QUANTITIES:
        own = [found[quantity, name] for name in names if (quantity, name) in found]
        if own:
            share = max(
                math.inf if one.gap is None else one.gap / one.bound for one in own
            )
            shown.add_row(quantity, *(_gap(one) for one in own), f"{share:.1%}")
    return shown


def _gap(one: Quantity) -> Text:
    return Text(
        "none" if one.gap is None else f"{one.gap:.0e}",
        style="" if one.holds else "bold red",
    )
