"""bench.html: what each framework costs, to look at."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from triptych.commands.bench.result import (
    Bench,
    Measured,
    prediction_speeds,
    real_speeds,
    training_speeds,
)
from triptych.files import write_atomic
from triptych.frameworks import registry
from triptych.report.plots import Pen, Plot, Rounds, parts_plot, pens, rounds_plot
from triptych.report.template import render
from triptych.report.words import rate

TEMPLATE = Path(__file__).with_name("page.html.j2")

PARTS = ("import", "build", "first step")
"""What stands between a command and its first step."""


def write_page(folder: Path, bench: Bench) -> Path:
    """Write bench.html into `folder`; gives its path."""
    page = folder / "bench.html"
    write_atomic(
        page,
        render(TEMPLATE, **_gather(folder, bench)).encode("utf-8", "replace"),
    )
    return page


def _gather(folder: Path, bench: Bench) -> dict[str, object]:
    """Every name that the template knows."""
    entries = [registry.find(name) for name in bench.order]
    drawn = pens([(entry.folder, entry.title, entry.color) for entry in entries])
    done = {
        pen: bench.frameworks[name]
        for pen, name in zip(drawn, bench.order, strict=True)
    }
    done = {pen: one for pen, one in done.items() if one.status == "done"}
    return {
        "run_name": folder.resolve().name,
        "headline": headline(bench),
        "version": version("triptych"),
        "colors": {entry.folder: entry.color for entry in entries},
        "bench": bench,
        "done": {pen.name: one for pen, one in done.items()},
        "others": [one for one in bench.frameworks.values() if one.status != "done"],
        "plots": _plots(done, bench.asked.batch_size) if done else [],
        "machine": bench.machine,
    }


def _plots(done: dict[Pen, Measured], batch: int) -> list[Plot]:
    def speeds(figure: Callable[[Measured, int], list[float]]) -> list[Rounds]:
        return [Rounds(pen, figure(one, batch)) for pen, one in done.items()]

    def startup(one: Measured) -> list[float]:
        said = one.startup
        assert said is not None
        return [said.import_seconds, said.build_seconds, said.first_step_seconds]

    return [
        rounds_plot(
            "training", "images/s in training, from memory", speeds(training_speeds)
        ),
        rounds_plot(
            "real", "images/s in training, from the store", speeds(real_speeds)
        ),
        rounds_plot("prediction", "images/s in prediction", speeds(prediction_speeds)),
        parts_plot(
            "start",
            "seconds to the first step",
            PARTS,
            [Rounds(pen, startup(one)) for pen, one in done.items()],
        ),
    ]


def headline(bench: Bench) -> str:
    """What came out, in one sentence."""
    done = [
        (one.title, one)
        for name in bench.order
        if (one := bench.frameworks[name]).status == "done"
    ]
    if not done:
        return "No framework has finished."
    if bench.ranking is None:
        each = ", ".join(
            f"{title} {rate(one.training.median)}"
            for title, one in done
            if one.training
        )
        return f"Training, images per second: {each}. Not ranked."
    return _ranked(bench, done)


def _ranked(bench: Bench, done: list[tuple[str, Measured]]) -> str:
    first, *others = done
    assert first[1].training is not None
    rest = ", ".join(
        f"{title} at {one.ratio.median:.2f}" for title, one in others if one.ratio
    )
    measure = " by the median" if bench.close else ""
    speed = rate(first[1].training.median)
    return (
        f"{first[0]} trains fastest here{measure}: "
        f"{speed} images per second; {rest} of that."
    )
