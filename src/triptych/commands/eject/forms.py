"""The three forms of a program: one file, a notebook, a package. Each gives files by
their path, as text.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import requires, version
from pathlib import Path

from triptych.commands.eject.pieces import Part
from triptych.commands.eject.program import Source, fill, needs, write_program
from triptych.frameworks.emit import WIDTH, docstring

Files = dict[str, str]


def as_script(source: Source, name: str) -> Files:
    """One file, with its parts one after another."""
    parts = write_program(
        source, 'Path(__file__).with_suffix(".safetensors")', "command"
    )
    bodies = [
        f"# ---- {part.about.partition('.')[0]}\n\n{part.code()}"
        for part in parts.values()
    ]
    head = fill(
        "script.py.j2",
        begin=_begin(source, '__name__ == "__main__" and '),
        **_facts(source, name),
    )
    imports = _outside(parts, but=("import os", "import sys"))  # which the head has
    return {f"{name}.py": tidy(f"{head}\n{imports}\n\n\n" + "\n\n".join(bodies))}


def as_package(source: Source, name: str) -> Files:
    """A folder that pip can install, one module a part."""
    # What is learned later stays outside.
    beside = 'Path(__file__).with_name("weights.safetensors")'
    parts = write_program(
        source, beside if source.trained else 'Path("weights.safetensors")', "command"
    )
    modules = {part: made.about.partition("\n")[0] for part, made in parts.items()}
    files = {
        "README.md": fill("README.md.j2", modules=modules, **_facts(source, name)),
        "pyproject.toml": fill("pyproject.toml.j2", **_facts(source, name)),
        f"{name}/__init__.py": f"{docstring(about(source))}\n",
        f"{name}/__main__.py": tidy(
            fill("main.py.j2", begin=_begin(source), **_facts(source, name))
        ),
    }
    for part, made in parts.items():
        below = "".join(
            f"from {name}.{other} import {', '.join(sorted(names))}\n"
            for other, names in needs(parts, part).items()
        )
        imports = f"{_outside({part: made})}\n{below}"
        text = f"{docstring(made.about)}\n\n{imports}\n\n{made.code()}"
        files[f"{name}/{part}.py"] = tidy(text, first_party=name)
    return files


def as_notebook(source: Source, name: str) -> Files:
    """Cells with the parts and a story around them; what is long and the same
    everywhere is folded.
    """
    parts = write_program(source, f"Path({f'{name}.safetensors'!r})")
    text = fill(
        "notebook.py.j2",
        **_facts(source, name),
        network=source.architecture.name,
        title=source.title,
        recipe=source.recipe,
        size=source.architecture.input_shape,
        classes=source.architecture.classes,
        dropouts=source.architecture.dropouts,
        color=source.entry.color,
        images=folder_name(Path(source.recipe.images)),
        built_in=ABOUT_BUILT_IN.get(source.recipe.images),
        history=source.trained.history if source.trained else (),
        environment=kernel_environment(source),
        imports=f"{_outside(parts)}\nimport matplotlib.pyplot as plt\n",
        settings=parts["settings"].code(),
        part={key: part.code() for key, part in parts.items()},
    )
    return {f"{name}.ipynb": notebook_of(text)}


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
                "source": _lines(tidy(body).strip()),
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


def _begin(source: Source, when: str = "") -> str:
    """What sets the environment, if `when` holds, by beginning again."""
    return fill("begin.py.j2", environment=source.entry.speed, when=when)


def _outside(parts: Mapping[str, Part], but: Collection[str] = ()) -> str:
    """The imports from outside of several parts, `but` for some."""
    return "\n".join(
        sorted(
            {line for part in parts.values() for line in part.outside.values()}
            - set(but)
        )
    )


def _facts(source: Source, name: str) -> dict[str, object]:
    return {
        "name": name,
        "about": about(source),
        "needs": requirements(source),
        "version": version("triptych"),
        "trained": source.trained is not None,
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


UNTYPED = ("keras", "optax", "tensorflow")
"""What mypy finds no types for."""


def tidy(
    text: str, first_party: str = "", filename: str = "program.py", select: str = "I"
) -> str:
    """The text with its imports sorted, and those `select`ed mended, and its lines as
    ruff breaks them.
    """
    options = [
        "--isolated",
        "--line-length",
        str(WIDTH),
        "--quiet",
        "--stdin-filename",
        filename,
    ]
    known = (
        ["--config", f'lint.isort.known-first-party = ["{first_party}"]']
        if first_party
        else []
    )
    for words in (["check", "--select", select, "--fix-only", *known], ["format"]):
        done = subprocess.run(
            # -P: a ruff.py in the user's folder is not run instead
            [sys.executable, "-P", "-m", "ruff", words[0], *options, *words[1:], "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    untyped = rf"^( *(?:import|from) (?:{'|'.join(UNTYPED)})\b[^#\n]*)$"
    return re.sub(
        untyped, r"\1  # type: ignore[import-untyped]", text, flags=re.MULTILINE
    )
