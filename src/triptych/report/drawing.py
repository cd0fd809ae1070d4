"""Curves in a pair of axes, as SVG to set into the page.

Equal curves are the rule here, so each framework has a width of its own besides its
colour and its dashes: they are drawn from wide to narrow, and those that coincide are
seen lying on each other.

The SVG is written without fixed colours: ink, grid and frameworks are CSS variables of
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

INK, _GRID = "#0a0a0b", "#0a0a0c"  # stand for CSS variables until the SVG is written
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "triptych",
    "font.size": 12,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
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


def axes_for(across: str, up: str, height: float = 3.8) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, which say what runs across and up."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.8, height), layout="constrained", facecolor="none")
        axes = figure.add_subplot(facecolor="none")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, axes


def draw(
    axes: Axes,
    pen: Pen,
    across: Sequence[float],
    up: Sequence[float],
    marker: str | None,
) -> None:
    """A framework's curve."""
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


def svg(figure: Figure, name: str, curves: Sequence[Curve]) -> Markup:
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
    text = text.replace(INK, "var(--ink)").replace(_GRID, "var(--line)")
    return Markup(re.sub(r"\s*\n\s*", " ", text))  # safe: Matplotlib escapes its texts


def _font(found: re.Match[str]) -> str:
    """Text takes the page's font; its size stays."""
    return f"font-size: {found[2]}" if found[2] else ""
