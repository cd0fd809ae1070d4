"""What the forms of a program share, in either style."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

from triptych.commands.eject.program import Source

Texts = dict[str, str]
"""What the files of a form hold, by their paths."""


def notebook_of(text: str) -> str:
    """The notebook, as Jupyter writes it, of a text with `# %%` before each cell."""
    notebook = {
        "cells": list(_cells(text)),
        "metadata": KERNEL,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


ABOUT_BUILT_IN = {
    "sports": "The drawn sports of Triptych",
    "digits": "The handwritten digits of Triptych",
}


def folder_name(images: Path) -> str:
    """What the folder of images is called, wherever it lies; that of an archive, when
    it is unpacked.
    """
    name = images.name
    return name.removesuffix("".join(images.suffixes)) if images.is_file() else name


KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FOLDED = {"jupyter": {"source_hidden": True}}


def _cells(text: str) -> Iterator[dict[str, object]]:
    """A notebook's cells from their text, in which each begins with a line `# %%`, its
    kind beside it.
    """
    for number, cell in enumerate(re.split(r"^# %%", text, flags=re.MULTILINE)[1:]):
        kind, _, body = cell.partition("\n")
        made: dict[str, object]
        if kind.strip() == "[markdown]":
            prose = re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE)
            made = {"cell_type": "markdown", "metadata": {}, "source": _lines(prose)}
        else:
            made = {
                "cell_type": "code",
                "execution_count": None,
                "outputs": [],
                "metadata": FOLDED if kind.strip() == "folded" else {},
                "source": _lines(body.strip()),
            }
        # Not a random one: equal notebooks are equal files.
        yield made | {"id": f"cell-{number:02}"}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


BEFORE = ("GLIBC_TUNABLES",)
"""What has no effect once a process has begun, as a notebook's has."""


def kernel_environment(source: Source) -> dict[str, str]:
    """What makes a process fast that has begun already."""
    return {
        name: value for name, value in source.entry.speed.items() if name not in BEFORE
    }


def facts(source: Source, name: str) -> dict[str, object]:
    """What the templates of every form and style are filled with."""
    recipe, architecture = source.recipe, source.architecture
    return {
        "name": name,
        "about": about(source),
        "needs": requirements(source),
        "version": version("triptych"),
        "speed": source.entry.speed,
        "title": source.title,
        "module": source.entry.module,
        "recipe": recipe,
        "half": recipe.precision == "bfloat16",
        "trained": source.trained,
        "size": architecture.input_shape[:2],
        "classes": architecture.classes,
        "dropouts": architecture.dropouts,
        "attentive": [
            n for n in architecture.dropouts if len(architecture.shapes[n]) == 2
        ],
        "mean": architecture.mean,
        "std": architecture.std,
        "normalized": any(architecture.mean) or set(architecture.std) != {1.0},
    }


def notebook_facts(source: Source) -> dict[str, object]:
    """What is to say in a notebook besides."""
    return {
        "title_line": f"{source.architecture.name} in {source.title}",
        "color": source.entry.color,
        "folder": folder_name(Path(source.recipe.images)),
        "built_in": ABOUT_BUILT_IN.get(source.recipe.images),
        "environment": kernel_environment(source),
    }


def about(source: Source) -> str:
    """What the program is, in a line."""
    height, width, _ = source.architecture.input_shape
    return (
        f"{source.architecture.name} in {source.title}, "
        f"for images of {height} x {width} pixels "
        f"and {source.architecture.classes} classes."
    )


def requirements(source: Source) -> list[str]:
    """What the program needs besides Python, in the versions that Triptych accepts."""
    stated = [line.partition(";")[0].strip() for line in requires("triptych") or []]
    by_name = {re.split(r"[^\w.-]", line, maxsplit=1)[0]: line for line in stated}
    return [
        by_name[package]
        for package in (*source.entry.needs, "numpy", "pillow", "safetensors")
    ]
