"""Networks and their sources on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from triptych.frameworks import registry
from triptych.network.zoo import ZooEntry
from triptych.terminal import Output, table


def networks_table(zoo: Sequence[ZooEntry]) -> Table:
    """Name, size and purpose of each network."""
    shown = table()
    shown.add_column("network", style="bold")
    for heading in ("images", "parameters", "MFLOP/image", "ImageNet"):
        shown.add_column(heading, justify="right")
    shown.add_column("weights")
    shown.add_column("what it is")
    for one in zoo:
        height, width, _ = one.input_shape
        shown.add_row(
            one.name,
            f"{height} x {width}",
            f"{one.parameters:,}",
            f"{one.flops / 1e6:,.1f}",
            "" if one.accuracy is None else f"{100 * one.accuracy:.1f} %",
            one.weights or "",
            f"{one.summary} ImageNet: {one.source}." if one.source else one.summary,
        )
    return shown


def show_source(text: str) -> None:
    """A source as it is: highlighted on a terminal, plain text in a pipe."""
    console = Output()
    if console.is_terminal:
        console.print(_highlighted(text))
    else:
        print(text, end="")


def _highlighted(text: str, word_wrap: bool = False) -> Syntax:
    return Syntax(
        text,
        "python",
        theme="ansi_dark",
        background_color="default",
        word_wrap=word_wrap,
    )


def show_sources(texts: dict[str, str]) -> None:
    """All sources: as many beside each other as the terminal is wide enough for."""
    console = Output()
    panels = [
        Panel(
            # Nothing is highlighted in a pipe, where it would take half of the time.
            _highlighted(text, word_wrap=True) if console.is_terminal else Text(text),
            title=registry.find(name).title,
            border_style=registry.find(name).color,
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
