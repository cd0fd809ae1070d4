"""How time and memory grow with the number of images and with their size.

- Number: 1,000, 4,000 and 16,000 different JPEG files of 64 px, read at 64 px.
- Size: 512 JPEG files of 224 px, read at 32, 64, 128 and 224 px.

For each: the first pass with an empty cache (as in "Images"), then one epoch of
compact-cnn in PyTorch, batch size 32, with validation, each in a process of its own,
with its peak memory. The exponent p of time ~ n^p or time ~ side^p is the slope of a
straight line through the logarithms: 1 is proportional, and 2 in the side is
proportional to the pixels.

One run each. Budget: 180 seconds.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.folders import many
from benchmarks.images import first_pass
from benchmarks.measuring import (
    Part,
    Row,
    Settings,
    Values,
    ask_child,
    attempt,
    environment,
    output_of,
    say,
    triptych,
)
from triptych.frameworks import registry

NETWORK, FRAMEWORK, BATCH = "compact-cnn", "pytorch", 32
COUNTS, QUICK_COUNTS, COUNTS_SIZE = (1000, 4000, 16000), (60, 120), 64
SIZES, QUICK_SIZES, SIZES_COUNT = (32, 64, 128, 224), (8, 16), 512
AXES = {"count": "images", "size": "pixels a side"}
MEASURES = {
    "first_seconds": "time of the first pass",
    "epoch_seconds": "time of an epoch",
    "first_mib": "memory of the first pass",
    "epoch_mib": "memory of an epoch",
}

INK, GRID, FIRST = "#334155", "#cbd5e1", "#0f766e"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "triptych",
    "font.size": 11,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.edgecolor": GRID,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "grid.color": GRID,
}


def one(folder: Path, size: int, scratch: Path) -> Values:
    """The first pass over a folder at a size, and an epoch on it."""
    cache, run = scratch / "growth-cache", scratch / "growth-run"
    try:
        passed = ask_child(
            first_pass, {"folder": str(folder), "size": size, "cache": str(cache)}, 300
        )
        command = triptych(
            "train", folder, "--network", NETWORK, "--framework", FRAMEWORK,
            "--image-size", size, "--batch-size", BATCH, "--epochs", 1, "--out", run,
        )  # fmt: skip
        output_of(command, 400, environment(TRIPTYCH_CACHE=str(cache)))
        epoch = json.loads(
            (run / FRAMEWORK / "events.jsonl").read_text("utf-8").splitlines()[0]
        )
        facts = json.loads((run / FRAMEWORK / "facts.json").read_text("utf-8"))
    finally:
        for left in (cache, run):
            shutil.rmtree(left, ignore_errors=True)
    return {
        "count": passed["images"],
        "size": size,
        "first_seconds": passed["seconds"],
        "first_mib": passed["peak_mib"],
        "epoch_seconds": epoch["train_seconds"] + epoch["validation_seconds"],
        "epoch_mib": facts["peak_memory_mib"],
    }


def measure(settings: Settings) -> Values:
    """Over counts, then over sizes."""
    images, scratch = settings.images().folder, settings.scratch
    counts, sizes = (QUICK_COUNTS, QUICK_SIZES) if settings.quick else (COUNTS, SIZES)
    small = QUICK_SIZES[0] if settings.quick else COUNTS_SIZE
    found: dict[str, list[Values]] = {"count": [], "size": []}
    for count in counts:
        say(f"  {count:,} images")
        folder = many(images, scratch / f"many-{count}", count, small)
        found["count"].append(attempt(one, folder, small, scratch))
        shutil.rmtree(folder)
    folder = many(
        images,
        scratch / "sized",
        QUICK_COUNTS[0] if settings.quick else SIZES_COUNT,
        max(sizes),
    )
    for size in sizes:
        say(f"  {size} px")
        found["size"].append(attempt(one, folder, size, scratch))
    return {"over": found}


def exponent(across: Sequence[float], up: Sequence[float]) -> float:
    """The p of up ~ across^p that fits best in logarithms, to a hundredth.

    Raises ValueError for fewer than two points.
    """
    if len(set(across)) < 2:
        raise ValueError("one point has no slope")
    return round(float(np.polyfit(np.log(across), np.log(up), 1)[0]), 2)


def series(values: Values, over: str) -> tuple[list[float], dict[str, list[float]]]:
    """Along one axis: the places, and each measure there; what failed is left out."""
    points = [point for point in values["over"][over] if "failed" not in point]
    return [point[over] for point in points], {
        key: [point[key] for point in points] for key in MEASURES
    }


def rows(values: Values) -> list[Row]:
    """Every point, then the exponents."""
    found, slopes = [], []
    for over, title in AXES.items():
        for point in values["over"][over]:
            if "failed" in point:
                found.append(Row(f"a point over {title}", failed=point["failed"]))
                continue
            where = f"{point['count']:,} images, {point['size']} px"
            for key, what in MEASURES.items():
                found.append(
                    Row(
                        f"{where}: {what}",
                        [point[key]],
                        "s" if key.endswith("seconds") else "MiB",
                    )
                )
        across, measured = series(values, over)
        for key, what in MEASURES.items():
            if len(set(across)) > 1:
                slopes.append(
                    Row(
                        f"exponent over {title}: {what}",
                        [exponent(across, measured[key])],
                        "",
                    )
                )
    return found + slopes


def remarks(values: Values) -> list[str]:
    """One line that says what grows how, and the plot."""
    said = []
    for over, title in AXES.items():
        across, measured = series(values, over)
        if len(set(across)) > 1:
            powers = (
                f"{MEASURES[key]} as n^{exponent(across, up):g}"
                for key, up in measured.items()
            )
            said.append(f"over n {title}, {', '.join(powers)}")
    line = "; ".join(said)
    return (
        [
            f"{line[0].upper()}{line[1:]}.",
            "![Time and memory over number and size](growth.svg)",
        ]
        if said
        else []
    )


def plot(values: Values) -> str:
    """The curves as SVG: time above, memory below; over the number on the left, the
    size on the right.
    """
    import matplotlib

    target = io.StringIO()
    with matplotlib.rc_context(STYLE):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawing(values).savefig(target, format="svg", metadata=nothing)
    return target.getvalue()


def drawing(values: Values) -> Any:
    """The figure of `plot`, to be made and saved in STYLE."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 6.2), layout="constrained", facecolor="white")
    grid = figure.subplots(2, 2, sharex="col", sharey="row")
    for column, (over, title) in enumerate(AXES.items()):
        across, measured = series(values, over)
        for row, (suffix, unit) in enumerate(
            (("seconds", "seconds"), ("mib", "MiB at the most"))
        ):
            axes = grid[row][column]
            _curves(
                axes,
                across,
                {key: up for key, up in measured.items() if key.endswith(suffix)},
            )
            if row:
                axes.set_xlabel(title)
            if not column:
                axes.set_ylabel(unit)
    grid[0][0].legend(frameon=False)
    return figure


def _curves(axes: Any, across: list[float], measured: dict[str, list[float]]) -> None:
    """Both curves of one pair of axes, both logarithmic, with a tick at every place."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    for key, up in measured.items():
        first = key.startswith("first")
        color = FIRST if first else registry.find(FRAMEWORK).color
        axes.plot(
            across,
            up,
            color=color,
            marker="s" if first else "o",
            label="first pass" if first else "epoch",
            linewidth=2,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(across, [f"{place:,.0f}" for place in across])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(linewidth=0.6)
    axes.set_axisbelow(True)


PART = Part("growth", "Growth", 180, measure, rows, remarks)
