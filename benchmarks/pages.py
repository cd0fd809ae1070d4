"""The page: from what is stored to Markdown. Nothing is measured here."""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.markup import escape
from rich.table import Table

from benchmarks.measuring import Figure, Part, Row, Values, shown, verdict
from triptych.files import write_atomic

REASON = 120
"""Letters of why something failed; benchmarks.json has all of them."""


def read(path: Path) -> dict[str, Values]:
    """What is stored, by part; nothing if there is no file yet."""
    if not path.exists():
        return {}
    stored: dict[str, Values] = json.loads(path.read_text("utf-8"))
    return stored


def write(path: Path, stored: Mapping[str, Values]) -> None:
    """Store it whole, or leave what was there."""
    write_atomic(path, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")


def render(parts: Mapping[str, Part], stored: Mapping[str, Values]) -> str:
    """The page of every part; one that was never measured says so."""
    sections = {name: section(part, stored.get(name)) for name, part in parts.items()}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    headlines = [one for found in sections.values() for one in found["headlines"]]
    page = environment.get_template("benchmarks.md.j2")
    return page.render(sections=sections, headlines=headlines)


def table(parts: Mapping[str, Part], stored: Mapping[str, Values]) -> Table:
    """For the terminal: of every part that was measured what is worth a glance."""
    found = Table(box=None, pad_edge=False)
    for heading in ("what", "figure", "lowest to highest", "n", "target", ""):
        found.add_column(heading, no_wrap=heading != "")
    for name in stored:
        for one in section(parts[name], stored[name])["headlines"]:
            found.add_row(*map(escape, one.values()))
    return found


def failures(stored: Mapping[str, Values]) -> list[str]:
    """What ended before it was measured, and why, a line each."""
    return [f"{name}: {one}" for name, part in stored.items() for one in _failed(part)]


def _failed(value: object) -> Iterator[str]:
    """The reasons that `attempt` has put among raw values."""
    if isinstance(value, Mapping):
        if "failed" in value:
            yield str(value["failed"])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _failed(one)


def section(part: Part, stored: Values | None) -> dict[str, Any]:
    """What the template shows of a part."""
    about = inspect.getdoc(sys.modules[part.measure.__module__]) or ""
    found: dict[str, Any] = {"title": part.title, "about": about, "stored": stored}
    if stored is None:
        return found | {"lines": [], "headlines": [], "remarks": []}
    if reason := stored["values"].get("failed"):
        rows, remarks = [Row(part.title, failed=reason)], []
    else:
        rows, remarks = part.rows(stored["values"]), part.remarks(stored["values"])
    return found | {
        "lines": [line(row) for row in rows],
        "headlines": [line(row) for row in rows if row.headline],
        "remarks": remarks,
    }


def line(row: Row) -> dict[str, str]:
    """A row of a table in words, cell by cell."""
    cells = {
        "what": row.what,
        "figure": "–",
        "spread": "–",
        "n": "–",
        "target": "–",
        "verdict": verdict(row),
    }
    if row.target is not None:
        sign = "≥" if row.target.at_least else "≤"
        cells["target"] = f"{sign} {shown(row.target.bound, row.unit)}"
    if row.failed:
        cells["figure"] = (
            f"failed: {textwrap.shorten(row.failed, REASON, placeholder=' ...')}"
        )
    elif row.values:
        figure = Figure.of(row.values)
        cells["figure"] = shown(figure.median, row.unit)
        if figure.n > 1:
            cells["spread"] = (
                f"{shown(figure.low, '%' if row.unit == '%' else '')} to "
                f"{shown(figure.high, row.unit)}"
            )
        cells["n"] = str(figure.n)
    return {
        name: " ".join(text.split()).replace("|", "\\|") for name, text in cells.items()
    }
