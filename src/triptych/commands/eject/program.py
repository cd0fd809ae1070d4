"""The program that is ejected: its parts, written from templates and from the library's
own sources.
"""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from triptych.commands.eject.pieces import Part, global_names, shake
from triptych.frameworks.emit import in_docstring
from triptych.frameworks.registry import Entry
from triptych.network.architecture import Architecture
from triptych.network.layers import pair
from triptych.network.layouts import Layout
from triptych.network.weights import Weights, initial_distributions
from triptych.running.recipe import Recipe

PARTS = (
    "settings",
    "images",
    "streams",
    "batches",
    "network",
    "weights",
    "training",
    "fitting",
)
"""What every form has, in an order in which each can stand after the others."""

HOMES = {
    "triptych.images.decode": "images",
    "triptych.images.copies": "images",
    "triptych.images.split": "images",
    "triptych.network.rng": "streams",
    "triptych.images.augment": "batches",
    "triptych.images.batches": "batches",
    "triptych.network.layers.base": "weights",
    "triptych.network.layers": "weights",
    "triptych.network.layouts": "weights",
    "triptych.network.weights": "weights",
    "triptych.network.conventions": "training",
    "triptych.frameworks.contract": "training",
    "triptych.running.schedule": "fitting",
}
"""The part in which each of the library's modules is at home, in the order in which
they stand there.

What a framework's `ops` holds is at home in training.
"""


@dataclass(frozen=True)
class Trained:
    """What a run has learned."""

    weights: Weights
    classes: tuple[str, ...]
    history: tuple[dict[str, float | None], ...] = ()
    """Loss, accuracy, validation accuracy of each epoch, of the one that learned it."""


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


def write_program(source: Source, weights_path: str, *more: str) -> dict[str, Part]:
    """The parts of the program, and `more` of the templates, by name; `weights_path` is
    an expression.
    """
    recipe, architecture = source.recipe, source.architecture
    flattened, dropouts = architecture.flattened, architecture.dropouts
    layouts = {name: write_layout(layout) for name, layout in source.layouts.items()}
    facts: dict[str, Any] = {
        "recipe": recipe,
        "architecture": architecture,
        "title": source.title,
        "size": pair(recipe.image_size),
        "classes": architecture.classes,
        "dropouts": dropouts,
        "initial": initial_distributions(architecture),
        "weights_path": weights_path,
        "layouts": layouts,
        "flattened": {n: s for n, s in flattened.items() if n in dropouts},
    }
    texts = {
        name: source.network
        if name == "network"
        else fill(
            f"{source.entry.module if name == 'training' else name}.py.j2", **facts
        )
        for name in (*PARTS, *more)
    }
    return shake(
        texts, HOMES | {f"triptych.frameworks.{source.entry.module}.ops": "training"}
    )


def fill(template: str, **facts: Any) -> str:
    """A template with its blanks filled in."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"in_docstring": in_docstring, "markdown": _markdown}
    environment.filters |= {"python": repr, "toml": _toml}
    return environment.get_template(template).render(facts)


def _toml(text: str) -> str:
    """A printable text as a string of TOML, which is written like one of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _markdown(text: str) -> str:
    """A line of text that Markdown shows as it is: no markup, no HTML, no formulas."""
    return re.sub(r"[\\`*\[\]|$~]", r"\\\g<0>", html.escape(text, quote=False))


def write_layout(layout: Layout) -> str:
    """The expression that makes it, without what is as usual."""
    usual = Layout(layout.name)
    values = [f'"{layout.name}"'] + [
        f"{field.name}={getattr(layout, field.name)}"
        for field in dataclasses.fields(layout)
        if getattr(layout, field.name) != getattr(usual, field.name)
    ]
    return f"Layout({', '.join(values)})"


def needs(parts: Mapping[str, Part], name: str) -> dict[str, set[str]]:
    """Which names a part takes from which others."""
    read = global_names(parts[name].code())
    found = {
        other: read & part.names() - parts[name].names()
        for other, part in parts.items()
        if other != name
    }
    return {other: names for other, names in found.items() if names}
