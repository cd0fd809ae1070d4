"""The exact style: a program that trains to the same losses as here, to the bit.

What is general here is written out for one network, recipe and framework. The network
and the optimizer are the texts that run here. The images are those of a table that goes
along, so that nothing has to be searched, compared or divided.
"""

from __future__ import annotations

import re
import symtable
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from triptych import frameworks
from triptych.commands.eject.form import tidy
from triptych.commands.eject.forms import (
    Texts,
    about,
    facts,
    notebook_facts,
    notebook_of,
)
from triptych.commands.eject.program import Source, fill, literal, split_network
from triptych.frameworks.emit import docstring, quote
from triptych.network import layouts
from triptych.network.layouts import Layout
from triptych.network.weights import Distribution, initial_distributions

SECTIONS = {
    "settings": "What decides a run.",
    "network": "The network, as it ran.",
    "weights": "How each tensor is initialized, and where it is.",
    "step": "A step of training, and predictions.",
    "loop": "Batches as the seed decides, and the training around them.",
    "images": "From files to arrays.",
    "command": "The command line.",
}
"""What a program holds, in the order in which it is read."""


def script(source: Source, name: str) -> Texts:
    """One file."""
    beside = 'Path(__file__).with_suffix("{}")'
    given = _facts(source, name, beside.format(".safetensors"), beside.format(".csv"))
    parts = _sections(given)
    body = "\n\n\n".join(parts[part] for part in SECTIONS)
    text = fill("exact/script.py.j2", **given, imports=parts["imports"], body=body)
    return {f"{name}.py": tidy(text)}


def package(source: Source, name: str) -> Texts:
    """A folder that pip can install, one module a section."""
    # What is learned later stays outside.
    home = 'Path(__file__).with_name("{}")' if source.trained else "Path({!r})"
    weights = home.format("weights.safetensors").replace("'", '"')
    given = _facts(source, name, weights, 'Path(__file__).with_name("split.csv")')
    parts = _sections(given)
    imports = parts.pop("imports")
    texts = {
        "README.md": fill("README.md.j2", modules=SECTIONS, **given),
        "pyproject.toml": fill("pyproject.toml.j2", **given),
        f"{name}/__init__.py": f"{docstring(about(source))}\n",
        f"{name}/__main__.py": tidy(fill("exact/main.py.j2", **given)),
    }
    for part, text in parts.items():
        below = "".join(
            f"from {name}.{other} import {', '.join(sorted(names))}\n"
            for other, names in _needs(parts, part).items()
        )
        module = (
            f"{docstring(SECTIONS[part])}\n\nimport sys\n{imports}\n{below}\n{text}"
        )
        texts[f"{name}/{part}.py"] = tidy(module, first_party=name)
    return texts


def notebook(source: Source, name: str) -> Texts:
    """Cells with the sections and a story around them; what is long and the same
    everywhere is folded.
    """
    paths = (f"Path({literal(name + end)})" for end in (".safetensors", ".csv"))
    given = _facts(source, name, *paths) | notebook_facts(source)
    parts = _sections(given)
    text = fill("exact/notebook.py.j2", **given, part=parts)
    return {f"{name}.ipynb": notebook_of(tidy(text))}


WRITERS = {"script": script, "notebook": notebook, "package": package}
"""By form."""


def _sections(given: Mapping[str, object]) -> dict[str, str]:
    """The texts of the sections, and the imports of all."""
    text = fill("exact/sections.py.j2", **given)
    parts = re.split(r"^# %% (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: body.strip("\n")
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def _facts(source: Source, name: str, weights: str, split: str) -> dict[str, object]:
    """What the templates are filled with; paths are expressions."""
    recipe, architecture = source.recipe, source.architecture
    imports, network = split_network(source)
    initial = initial_distributions(architecture)
    tables = _tables(source)
    change = recipe.augmentation
    home = Path(frameworks.__path__[0]) / source.entry.module
    size = architecture.input_shape[:2]
    reach = (
        tuple((np.array(size) * change.shift).astype(int).tolist()) if change else ()
    )
    return facts(source, name) | {
        "weights_path": weights,
        "split_path": split,
        "network_imports": imports,
        "network": network,
        "tensors": [_tensor(n, source.layouts[n], how) for n, how in initial.items()],
        "laws": {how.law for how in initial.values()},
        "tables": tables,
        "channels_first": quote(Path(layouts.__file__), "channels_first(").strip(),
        "native": "to_native(name, weights[name])" if tables else "weights[name]",
        "canonical": "{n: to_canonical(n, array) for n, array in tensors.items()}"
        if tables
        else "tensors",
        "reach": reach,
        "opposite": tuple(-one for one in reach),
        "ops": home / "ops.py",
        "run": home / "run.py",
    }


def _tensor(name: str, layout: Layout, how: Distribution) -> str:
    """A line of the table of tensors."""
    size = repr(how.size)
    if how.law == "orthogonal":
        size = str(how.shape[1] // how.shape[0])
    elif len(how.parts) > 1:
        values = tuple(how.size * part for part in how.parts)
        size = f"np.repeat({values}, {how.shape[-1] // len(values)})"
    return f'"{name}": ("{layout.name}", {how.shape}, "{how.law}", {size})'


def _tables(source: Source) -> dict[str, dict[str, object]]:
    """What a framework keeps otherwise, by table and tensor, or layer of dropout."""
    found: dict[str, dict[str, object]] = {
        "AXES": {n: one.axes for n, one in source.layouts.items() if one.axes},
        "FLATTENED": {
            n: one.flattened for n, one in source.layouts.items() if one.flattened
        },
        "GATES": {n: one.gates for n, one in source.layouts.items() if one.gates},
        "ROWS": {
            n: one.row for n, one in source.layouts.items() if one.row is not None
        },
    }
    if found["FLATTENED"]:
        of_masks = source.architecture.flattened
        dropouts = source.architecture.dropouts
        found["FLATTENED"] |= {n: s for n, s in of_masks.items() if n in dropouts}
    return {table: values for table, values in found.items() if values}


def _needs(parts: Mapping[str, str], name: str) -> dict[str, set[str]]:
    """Which names a section takes from which others."""
    read = global_names(parts[name])
    return {
        other: names
        for other, text in parts.items()
        if other != name and (names := read & _defined(text))
    }


def global_names(text: str) -> set[str]:
    """The names that a text reads and that no function holds, annotations included."""

    def below(scope: symtable.SymbolTable) -> Iterator[str]:
        top = scope.get_type() == "module"
        yield from (
            s.get_name()
            for s in scope.get_symbols()
            if (s.is_referenced() if top else s.is_global())
        )
        for child in scope.get_children():
            yield from below(child)

    return set(below(symtable.symtable(text, "program", "exec")))


def _defined(text: str) -> set[str]:
    """The names that a text gives to something at its top level."""
    symbols = symtable.symtable(text, "program", "exec").get_symbols()
    return {one.get_name() for one in symbols if one.is_assigned()}
