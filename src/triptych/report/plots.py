"""Curves over each other, as SVG to set into the page.

Equal curves are the rule here, so each framework has a width of its own besides its
color and its dashes: they are drawn from wide to narrow, and those that coincide are
seen lying on each other.

The SVG is written without fixed colors: ink, grid and frameworks are CSS variables of
the page, so a plot follows it into the dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

MOST_POINTS = 200
"""Points of a curve; more steps are averaged in groups."""

_ROOM = 60
"""Letters of a label that stands in a plot."""
_INK, _GRID = "#0a0a0b", "#0a0a0c"  # stand for CSS variables until the SVG is written
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "triptych",
    "font.size": 12,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Pen:
    """How a framework is drawn."""

    name: str
    title: str
    color: str
    width: float
    dashes: str
    """As in SVG's stroke-dasharray."""
    marker: str


@dataclass(frozen=True)
class Curve:
    """One framework's values, one a step or one an epoch."""

    pen: Pen
    values: Sequence[float]


@dataclass(frozen=True)
class Plot:
    """A plot for the page: the drawing, and in words for those who do not see it."""

    svg: Markup
    words: str
    group: int = 1
    """How many steps a point is the mean of."""


def pens(frameworks: Sequence[tuple[str, str, str]]) -> list[Pen]:
    """A pen for each (name, title, color), the first the widest."""
    dashes = ("none", "12 6", "6 6", "5 2")
    narrowest, widest = 1.8, min(7.0, 1.8 + 2.2 * (len(frameworks) - 1))
    widths = np.linspace(widest, narrowest, len(frameworks))
    drawn = enumerate(zip(frameworks, widths, strict=True))
    return [
        Pen(name, title, color, float(width), dashes[i % 4], "osD^"[i % 4])
        for i, ((name, title, color), width) in drawn
    ]


def loss_plot(curves: Sequence[Curve]) -> Plot:
    """The loss of every step, all frameworks in one pair of axes."""
    group = -(-max(len(curve.values) for curve in curves) // MOST_POINTS)
    figure, axes = _axes("step", "loss")
    for curve in curves:
        ends = range(0, len(curve.values), group)
        steps = [
            1 + start + (min(group, len(curve.values) - start) - 1) / 2
            for start in ends
        ]
        means = [float(np.mean(curve.values[start : start + group])) for start in ends]
        _draw(
            axes,
            curve.pen,
            steps,
            means,
            marker=None if len(means) > 1 else curve.pen.marker,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    values = np.concatenate([np.asarray(curve.values) for curve in curves])
    if values.min() > 0 and values.max() > 10 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    words = "; ".join(
        f"{curve.pen.title} from {curve.values[0]:.3g} to {curve.values[-1]:.3g}"
        for curve in curves
    )
    return Plot(
        _svg(figure, "loss", curves), f"Loss of each training step: {words}.", group
    )


def accuracy_plot(curves: Sequence[Curve]) -> Plot:
    """The validation accuracy after every epoch."""
    figure, axes = _axes("epoch", "validation accuracy")
    for curve in curves:
        epochs = range(1, len(curve.values) + 1)
        _draw(axes, curve.pen, epochs, curve.values, marker=curve.pen.marker)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, place: f"{100 * value:.4g} %")
    )
    words = "; ".join(
        f"{curve.pen.title} from {curve.values[0]:.1%} to {curve.values[-1]:.1%}"
        for curve in curves
    )
    return Plot(
        _svg(figure, "accuracy", curves),
        f"Validation accuracy after each epoch: {words}.",
    )


def gaps_plot(
    layers: Sequence[str], curves: Sequence[Curve], bounds: Sequence[float]
) -> Plot:
    """The gap of every layer's output, and the bound."""
    figure, axes = _axes("", "gap")
    places = range(len(layers))
    for curve in curves:
        _draw(axes, curve.pen, places, curve.values, marker=curve.pen.marker)
    axes.plot(places, bounds, color=_INK, linewidth=1.2, linestyle=":")
    axes.set_yscale("log")
    axes.set_xticks(
        places,
        layers,
        rotation=60,
        ha="right",
        rotation_mode="anchor",
        fontsize=9,
        parse_math=False,
    )
    words = "; ".join(
        f"{curve.pen.title} up to {np.nanmax(curve.values):.1e}" for curve in curves
    )
    return Plot(
        _svg(figure, "gaps", curves),
        f"Gap of each layer's output: {words}; bound {max(bounds):.1e}.",
    )


def drift_plot(
    training: str,
    steps: Sequence[int],
    curves: Sequence[Curve],
    envelopes: Sequence[Curve],
) -> Plot:
    """How far the weights drift from the reference's over the steps, and each from
    itself when nudged.
    """
    figure, axes = _axes("step", "gap of the weights")
    for curve in curves:
        _draw(axes, curve.pen, steps, curve.values, marker=curve.pen.marker)
    for curve in envelopes:
        axes.plot(
            steps,
            np.maximum(curve.values, 1e-17),
            color=curve.pen.color,
            linewidth=1,
            linestyle=":",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.xaxis.set_minor_formatter(NullFormatter())
    words = "; ".join(f"{curve.pen.title} {curve.values[-1]:.1e}" for curve in curves)
    dotted = "; dotted: from itself, when one kernel is nudged" if envelopes else ""
    return Plot(
        _svg(figure, re.sub(r"\W", "-", training), curves),
        f"{training.capitalize()}: how far the weights are from the reference's, "
        f"at the end {words}{dotted}.",
    )


@dataclass(frozen=True)
class Step:
    """A row of a walk: what was changed, and the accuracy then, with its interval and
    every seed's.
    """

    label: str
    mean: float
    interval: tuple[float, float] | None
    every: Sequence[float]


def walk_plot(name: str, color: str, steps: Sequence[Step], blind: float) -> Plot:
    """The accuracy after each step of a walk, from top to bottom; `blind` is what needs
    no network.
    """
    pen = Pen(name, name, color, 2.2, "none", "o")
    figure, axes = _axes("test accuracy", "", height=1.2 + 0.62 * len(steps))
    places = range(len(steps))
    axes.plot(
        [step.mean for step in steps], places, color=color, linewidth=1, linestyle=":"
    )
    for place, step in enumerate(steps):
        if step.interval is not None:
            low, high = (min(max(end, 0.0), 1.0) for end in step.interval)
            axes.plot(
                [low, high],
                [place, place],
                color=color,
                linewidth=3,
                alpha=0.35,
                solid_capstyle="round",
            )
        axes.plot(
            step.every,
            [place] * len(step.every),
            color=_INK,
            linestyle="",
            marker="|",
            markersize=9,
        )
        axes.plot([step.mean], [place], color=color, marker=pen.marker, markersize=8)
        _label(axes, place, step.label)
    axes.axvline(blind, color=_INK, linewidth=1, linestyle=":")
    axes.set_xlim(0, 1)
    axes.set_ylim(len(steps) - 0.5, -0.6)
    axes.set_yticks(places, [])
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, place: f"{100 * value:.4g} %")
    )
    words = "; ".join(f"{step.label} {step.mean:.1%}" for step in steps)
    return Plot(
        _svg(figure, name, [Curve(pen, [])]),
        f"Test accuracy after each step {name}: {words}.",
    )


def _label(axes: Axes, place: int, text: str) -> None:
    """What a row is about, above it, where there is most room; of a long one, such as a
    path, both ends.
    """
    if len(text) > _ROOM:
        text = f"{text[: _ROOM // 3]} … {text[-_ROOM // 2 :]}"
    axes.text(
        0.005,
        place - 0.32,
        text,
        color=_INK,
        fontsize=11,
        va="center",
        parse_math=False,
    )


@dataclass(frozen=True)
class Rounds:
    """One framework's figure in every round of a bench."""

    pen: Pen
    values: Sequence[float]


def rounds_plot(name: str, across: str, rows: Sequence[Rounds]) -> Plot:
    """A row for each framework, the first on top: every round, their reach, and the
    median.
    """
    figure, axes = _rows(
        across, [row.pen for row in rows], max(max(row.values) for row in rows)
    )
    medians = [float(np.median(row.values)) for row in rows]
    for place, (row, median) in enumerate(zip(rows, medians, strict=True)):
        color, ends = row.pen.color, [min(row.values), max(row.values)]
        axes.plot(
            ends,
            [place, place],
            color=color,
            linewidth=3,
            alpha=0.35,
            solid_capstyle="round",
        )
        axes.plot(
            row.values,
            [place] * len(row.values),
            color=_INK,
            linestyle="",
            marker="|",
            markersize=9,
        )
        axes.plot([median], [place], color=color, marker="o", markersize=8)
    words = "; ".join(
        f"{row.pen.title} {median:,.4g}"
        for row, median in zip(rows, medians, strict=True)
    )
    return Plot(
        _svg(figure, name, [Curve(row.pen, []) for row in rows]),
        f"{across}, medians: {words}.",
    )


def parts_plot(
    name: str, across: str, parts: Sequence[str], rows: Sequence[Rounds]
) -> Plot:
    """A bar for each framework, the first on top, of `parts` that follow each other,
    from dark to light.
    """
    figure, axes = _rows(
        across, [row.pen for row in rows], max(sum(row.values) for row in rows)
    )
    for place, row in enumerate(rows):
        begins = [0.0, *np.cumsum(row.values)]
        for part, (begin, value) in enumerate(zip(begins, row.values, strict=False)):
            alpha = 1 - 0.7 * part / max(len(parts) - 1, 1)
            axes.barh(
                [place],
                [value],
                left=[begin],
                height=0.5,
                color=row.pen.color,
                alpha=alpha,
            )
    said = []
    for row in rows:
        values = zip(parts, row.values, strict=True)
        said.append(
            f"{row.pen.title} "
            f"{', '.join(f'{part} {value:.3g}' for part, value in values)}"
        )
    words = "; ".join(said)
    return Plot(
        _svg(figure, name, [Curve(row.pen, []) for row in rows]), f"{across}: {words}."
    )


def _rows(across: str, drawn: Sequence[Pen], largest: float) -> tuple[Figure, Axes]:
    """Axes with a row for each pen, the first on top, from 0 to the largest value."""
    figure, axes = _axes(across, "", height=1.1 + 0.42 * len(drawn))
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.set_yticks(range(len(drawn)), [pen.title for pen in drawn])
    axes.set_xlim(0, 1.05 * largest)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.6g}"))
    return figure, axes


def _axes(across: str, up: str, height: float = 3.8) -> tuple[Figure, Axes]:
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.8, height), layout="constrained", facecolor="none")
        axes = figure.add_subplot(facecolor="none")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, axes


def _draw(
    axes: Axes,
    pen: Pen,
    across: Sequence[float],
    up: Sequence[float],
    marker: str | None,
) -> None:
    dashes = (
        "-"
        if pen.dashes == "none"
        else (0, [float(part) / pen.width for part in pen.dashes.split()])
    )
    axes.plot(
        across,
        up,
        color=pen.color,
        linewidth=pen.width,
        linestyle=dashes,
        dash_capstyle="butt",
        marker=marker,
        markersize=4 + 1.3 * pen.width,
    )


def _svg(figure: Figure, name: str, curves: Sequence[Curve]) -> Markup:
    """The figure as an SVG element that can stand in a page beside others."""
    target = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(target, format="svg", metadata=nothing)
    text = target.getvalue()
    text = text[text.index("<svg") :]
    # It would hold for the whole page.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| version="1.1"', "", text).replace(
        "xlink:href", "href"
    )
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r'width="[^"]*" height="[^"]*" viewBox', "viewBox", text, count=1)
    text = re.sub(r"font-family: [^;\"]*(; )?|font: (\S+) [^;\"]*", _font, text)
    for pen in (curve.pen for curve in curves):
        text = text.replace(pen.color, f"var(--{pen.name})")
    text = text.replace(_INK, "var(--ink)").replace(_GRID, "var(--line)")
    return Markup(re.sub(r"\s*\n\s*", " ", text))  # safe: Matplotlib escapes its texts


def _font(found: re.Match[str]) -> str:
    """Text takes the page's font; its size stays."""
    return f"font-size: {found[2]}" if found[2] else ""
