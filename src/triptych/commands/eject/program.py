"""What is to be ejected, and how templates are filled."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from triptych.frameworks.emit import cut, in_docstring, quote
from triptych.frameworks.registry import Entry
from triptych.network.architecture import Architecture
from triptych.network.layouts import Layout
from triptych.network.weights import Weights
from triptych.running.recipe import Recipe


@dataclass(frozen=True)
class Trained:
    """What a run has learned."""

    weights: Weights
    classes: tuple[str, ...]
    history: tuple[dict[str, float | None], ...] = ()
    """Loss, accuracy, validation accuracy of each epoch, of the one that learned it."""
    sides: Mapping[bytes, int] = field(default_factory=dict)
    """The part that each of its images is in, by the image's digest."""


@dataclass(frozen=True)
class Source:
    """What is to be ejected."""

    recipe: Recipe
    architecture: Architecture
    entry: Entry
    network: str
    """The network's text, as it ran or would run."""
    layouts: Mapping[str, Layout]
    trained: Trained | None = None
    """What it has learned, if it is from a run."""

    @property
    def title(self) -> str:
        """The framework's name for people."""
        return self.entry.title


def fill(template: str, **facts: object) -> str:
    """A template with its blanks filled in."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "quoted": _quoted,
        "in_docstring": in_docstring,
        "markdown": _markdown,
    }
    environment.filters |= {"python": literal, "toml": _toml}
    return environment.get_template(template).render(facts)


def literal(value: object) -> str:
    """A value as Python source, texts in double quotes where formatters want them."""
    match value:
        case str() if value.count('"') > value.count("'") or repr(value)[0] == '"':
            return repr(value)
        case str():
            inside = repr(value + "\"'")[1:-4].replace("\\'", "'").replace('"', '\\"')
            return f'"{inside}"'
        case dict():
            items = (f"{literal(k)}: {literal(v)}" for k, v in value.items())
            return f"{{{', '.join(items)}}}"
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case tuple() if len(value) > 1:
            return f"({', '.join(map(literal, value))})"
    return repr(value)


def _toml(text: str) -> str:
    """A printable text as a string of TOML, which is written like one of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _quoted(text: str, ops: Path) -> str:
    """The definitions in that file that a text calls."""
    return quote(ops, text).strip("\n")


def _markdown(text: str) -> str:
    """A line of text that Markdown shows as it is: no markup, no HTML, no formulas."""
    return re.sub(r"[\\`*\[\]|$~]", r"\\\g<0>", html.escape(text, quote=False))


def split_network(source: Source) -> tuple[str, str]:
    """The imports of the network's text, and its definitions."""
    imports: list[str] = []
    kept: list[str] = []
    _docstring, *statements = ast.parse(source.network).body  # the program has its own
    for statement in statements:
        found = isinstance(statement, ast.Import | ast.ImportFrom)
        (imports if found else kept).append(cut(source.network, statement))
    return "".join(imports), "\n\n".join(kept)
