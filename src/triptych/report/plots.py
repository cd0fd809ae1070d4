"""What is drawn: a plot for each question that a page answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from triptych.report.drawing import INK, Curve, Pen, Plot, axes_for, draw, pens, svg

__all__ = [
    "AblationStep",
    "Curve",
    "Pen",
    "Plot",
    "Rounds",
    "ablation_plot",
    "accuracy_plot",
    "drift_plot",
    "gaps_plot",
    "loss_plot",
    "parts_plot",
    "pens",
    "rounds_plot",
]

MOST_POINTS = 200
"""Points of a curve; more steps are averaged in groups."""

_ROOM = 60
"""Letters of a label that stands in a plot."""


def loss_plot(curves: Sequence[Curve]) -> Plot:
    """The loss of every step, all frameworks in one pair of axes."""
    group = -(-max(len(curve.values) for curve in curves) // MOST_POINTS)
    figure, axes = axes_for("step", "loss")
    for curve in curves:
        steps, means = _averaged(curve.values, group)
        marker = None if len(means) > 1 else curve.pen.marker
        draw(axes, curve.pen, steps, means, marker=marker)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _logarithmic_if_wide(
        axes, np.concatenate([np.asarray(curve.values) for curve in curves])
    )
    words = "; ".join(
        f"{curve.pen.title} from {curve.values[0]:.3g} to {curve.values[-1]:.3g}"
        for curve in curves
    )
    return Plot(
        svg(figure, "loss", curves), f"Loss of each training step: {words}.", group
    )


def _averaged(values: Sequence[float], group: int) -> tuple[list[float], list[float]]:
    """The mean of every `group` values, and where it stands; steps count from 1."""
    starts = range(0, len(values), group)
    steps = [1 + start + (min(group, len(values) - start) - 1) / 2 for start in starts]
    return steps, [float(np.mean(values[start : start + group])) for start in starts]


def _logarithmic_if_wide(axes: Axes, values: NDArray[np.float64]) -> None:
    """A logarithmic scale where the values span more than a power of ten."""
    if values.min() > 0 and values.max() > 10 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def accuracy_plot(curves: Sequence[Curve]) -> Plot:
    """The validation accuracy after every epoch."""
    figure, axes = axes_for("epoch", "validation accuracy")
    for curve in curves:
        epochs = range(1, len(curve.values) + 1)
        draw(axes, curve.pen, epochs, curve.values, marker=curve.pen.marker)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    words = "; ".join(
        f"{curve.pen.title} from {curve.values[0]:.1%} to {curve.values[-1]:.1%}"
        for curve in curves
    )
    return Plot(
        svg(figure, "accuracy", curves),
        f"Validation accuracy after each epoch: {words}.",
    )


def _percent(value: float, place: int) -> str:
    return f"{100 * value:.4g} %"


def gaps_plot(
    layers: Sequence[str], curves: Sequence[Curve], bounds: Sequence[float]
) -> Plot:
    """The gap of every layer's output, and the bound."""
    figure, axes = axes_for("", "gap")
    places = range(len(layers))
    for curve in curves:
        draw(axes, curve.pen, places, curve.values, marker=curve.pen.marker)
    axes.plot(places, bounds, color=INK, linewidth=1.2, linestyle=":")
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
        svg(figure, "gaps", curves),
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
    figure, axes = axes_for("step", "gap of the weights")
    for curve in curves:
        draw(axes, curve.pen, steps, curve.values, marker=curve.pen.marker)
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
        svg(figure, re.sub(r"\W", "-", training), curves),
        f"{training.capitalize()}: how far the weights are from the reference's, "
        f"at the end {words}{dotted}.",
    )


@dataclass(frozen=True)
class AblationStep:
    """A row of an ablation: what was changed, and the accuracy then, with its interval
    and every seed's.
    """

    label: str
    mean: float
    interval: tuple[float, float] | None
    every: Sequence[float]


def ablation_plot(
    name: str, color: str, steps: Sequence[AblationStep], blind: float
) -> Plot:
    """The accuracy after each step of an ablation, from top to bottom; `blind` is what
    needs no network.
    """
    pen = Pen(name, name, color, 2.2, "none", "o")
    figure, axes = axes_for("test accuracy", "", height=1.2 + 0.62 * len(steps))
    places = range(len(steps))
    axes.plot(
        [step.mean for step in steps], places, color=color, linewidth=1, linestyle=":"
    )
    for place, step in enumerate(steps):
        reach = None
        if step.interval is not None:
            low, high = (min(max(end, 0.0), 1.0) for end in step.interval)
            reach = low, high
        _spread(axes, place, pen, reach, step.every, step.mean)
        _label(axes, place, step.label)
    axes.axvline(blind, color=INK, linewidth=1, linestyle=":")
    axes.set_xlim(0, 1)
    axes.set_ylim(len(steps) - 0.5, -0.6)
    axes.set_yticks(places, [])
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    words = "; ".join(f"{step.label} {step.mean:.1%}" for step in steps)
    return Plot(
        svg(figure, name, [Curve(pen, [])]),
        f"Test accuracy after each step {name}: {words}.",
    )


def _spread(
    axes: Axes,
    place: int,
    pen: Pen,
    reach: tuple[float, float] | None,
    every: Sequence[float],
    middle: float,
) -> None:
    """A row's numbers: their reach as a bar, a tick for each, their middle."""
    if reach is not None:
        axes.plot(
            list(reach),
            [place, place],
            color=pen.color,
            linewidth=3,
            alpha=0.35,
            solid_capstyle="round",
        )
    axes.plot(
        every,
        [place] * len(every),
        color=INK,
        linestyle="",
        marker="|",
        markersize=9,
    )
    axes.plot([middle], [place], color=pen.color, marker=pen.marker, markersize=8)


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
        color=INK,
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
        reach = min(row.values), max(row.values)
        _spread(axes, place, replace(row.pen, marker="o"), reach, row.values, median)
    words = "; ".join(
        f"{row.pen.title} {median:,.4g}"
        for row, median in zip(rows, medians, strict=True)
    )
    return Plot(
        svg(figure, name, [Curve(row.pen, []) for row in rows]),
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
    words = "; ".join(_in_words(row, parts) for row in rows)
    return Plot(
        svg(figure, name, [Curve(row.pen, []) for row in rows]), f"{across}: {words}."
    )


def _in_words(row: Rounds, parts: Sequence[str]) -> str:
    values = zip(parts, row.values, strict=True)
    return (
        f"{row.pen.title} {', '.join(f'{part} {value:.3g}' for part, value in values)}"
    )


def _rows(across: str, drawn: Sequence[Pen], largest: float) -> tuple[Figure, Axes]:
    """Axes with a row for each pen, the first on top, from 0 to the largest value."""
    figure, axes = axes_for(across, "", height=1.1 + 0.42 * len(drawn))
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.set_yticks(range(len(drawn)), [pen.title for pen in drawn])
    axes.set_xlim(0, 1.05 * largest)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.6g}"))
    return figure, axes
