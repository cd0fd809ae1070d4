"""Every framework's files define the contract's functions: these names, this order,
these signatures.

Read as text: no framework is imported here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from triptych import frameworks
from triptych.frameworks import contract
from triptych.frameworks.registry import REGISTRY

FOLDER = Path(frameworks.__file__).parent
MODULES = sorted({entry.module for entry in REGISTRY.values()})
PARTS = {"write": "Writer", "run": "Framework"}
"""The files of a framework, and what the contract calls them."""


def functions(body: list[ast.stmt]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def functions_of(protocol: str) -> dict[str, ast.FunctionDef]:
    """The functions of a class of the contract."""
    tree = ast.parse(Path(contract.__file__).read_text("utf-8"))
    return next(
        functions(node.body)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == protocol
    )


def faults(text: str, protocol: str) -> list[str]:
    """How a module departs from the contract."""
    wanted, ours = functions_of(protocol), functions(ast.parse(text).body)
    found = [f"{name} is missing" for name in wanted if name not in ours]
    shared = [name for name in ours if name in wanted]
    if not found and shared != list(wanted):
        found.append(f"order is {shared}")
    for name in shared:
        theirs = wanted[name].args
        asked = ast.arguments(
            theirs.posonlyargs,
            theirs.args[1:],
            theirs.vararg,
            theirs.kwonlyargs,
            theirs.kw_defaults,
            theirs.kwarg,
            theirs.defaults,
        )
        takes, should = ast.unparse(ours[name].args), ast.unparse(asked)
        if takes != should:
            found.append(f"{name} takes ({takes}), not ({should})")
        if ast.unparse(ours[name].returns or ast.Name("")) != ast.unparse(
            wanted[name].returns or ast.Name("")
        ):
            found.append(f"{name} gives another type")
        if not (ast.get_docstring(ours[name]) or "").strip():
            found.append(f"{name} has no docstring")
    return found


def test_the_contract_is_the_one_that_was_designed() -> None:
    writer, framework = functions_of("Writer"), functions_of("Framework")
    assert list(writer) == ["write_network", "layouts"]
    assert list(framework) == [
        "facts", "build", "load_weights", "dump_weights", "trace", "gradients",
        "make_step", "predict", "save_native",
    ]  # fmt: skip
    assert all(
        ast.get_docstring(function)
        for function in (*writer.values(), *framework.values())
    )


def test_every_framework_is_registered() -> None:
    shared = {
        "__init__",
        "activations",
        "attention",
        "contract",
        "emit",
        "operations",
        "recurrence",
        "registry",
        "rounding",
        "source",
        "tensors",
        "windows",
    }
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert folders | {path.stem for path in FOLDER.glob("*.py")} - shared == set(
        MODULES
    )
    for folder in folders:
        files = {path.stem for path in (FOLDER / folder).glob("*.py")}
        assert files == {"__init__", "write", "ops", "run"}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("module", MODULES)
def test_a_framework_keeps_the_contract(module: str, part: str) -> None:
    alone = FOLDER / f"{module}.py"  # the reference has both in one file
    file = alone if alone.exists() else FOLDER / module / f"{part}.py"
    assert faults(file.read_text("utf-8"), PARTS[part]) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("def predict(", "def foretell(", "predict is missing"),
        ("def facts()", "def facts(verbose: bool)", "facts takes"),
        ("training: bool,\n    masks: Masks,", "masks: Masks,\n    training: bool,",
         "trace takes"),
        ("labels: Labels, masks: Masks", "targets: Labels, masks: Masks",
         "gradients takes"),
        ('    """By `backward`."""\n', "", "gradients has no docstring"),
        ("-> Weights:", "-> dict:", "dump_weights gives another type"),
        ("def build",
         "def predict(state: State, images: Images) -> Array: ...\ndef build",
         "order is"),
    ],
)  # fmt: skip
def test_a_departure_is_seen(old: str, new: str, fault: str) -> None:
    text = (FOLDER / "reference.py").read_text("utf-8")
    assert old in text
    assert any(
        found.startswith(fault)
        for found in faults(text.replace(old, new, 1), "Framework")
    )
