"""Every framework file defines the contract's functions: these names, this order, these signatures.

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


def functions(body: list[ast.stmt]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def framework_of(text: str) -> dict[str, ast.FunctionDef]:
    """The functions of the class Framework."""
    tree = ast.parse(text)
    return next(
        functions(node.body)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Framework"
    )


CONTRACT = framework_of(Path(contract.__file__).read_text("utf-8"))


def faults(text: str) -> list[str]:
    """How a module departs from the contract."""
    ours = functions(ast.parse(text).body)
    found = [f"{name} is missing" for name in CONTRACT if name not in ours]
    shared = [name for name in ours if name in CONTRACT]
    if not found and shared != list(CONTRACT):
        found.append(f"order is {shared}")
    for name in shared:
        theirs = CONTRACT[name].args
        asked = ast.arguments(theirs.posonlyargs, theirs.args[1:], theirs.vararg, theirs.kwonlyargs,
                              theirs.kw_defaults, theirs.kwarg, theirs.defaults)  # fmt: skip
        if ast.unparse(ours[name].args) != ast.unparse(asked):
            found.append(f"{name} takes ({ast.unparse(ours[name].args)}), not ({ast.unparse(asked)})")
        if ast.unparse(ours[name].returns or ast.Name("")) != ast.unparse(
            CONTRACT[name].returns or ast.Name("")
        ):
            found.append(f"{name} gives another type")
        if not (ast.get_docstring(ours[name]) or "").strip():
            found.append(f"{name} has no docstring")
    return found


def test_the_contract_is_the_one_that_was_designed() -> None:
    assert list(CONTRACT) == [
        "facts", "write_network", "layouts", "build", "load_weights", "dump_weights", "trace", "gradients",
        "make_step", "predict", "save_native",
    ]  # fmt: skip
    assert all(ast.get_docstring(function) for function in CONTRACT.values())


def test_every_framework_file_is_registered() -> None:
    shared = {"__init__", "contract", "operations", "registry", "rounding", "source", "tensors"}
    assert {path.stem for path in FOLDER.glob("*.py")} - shared == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_framework_keeps_the_contract(module: str) -> None:
    assert faults((FOLDER / f"{module}.py").read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("def predict(", "def foretell(", "predict is missing"),
        ("def facts()", "def facts(verbose: bool)", "facts takes"),
        ("training: bool, masks: Masks", "masks: Masks, training: bool", "trace takes"),
        ("labels: Labels, masks: Masks", "targets: Labels, masks: Masks", "gradients takes"),
        ('    """By `backward`."""\n', "", "gradients has no docstring"),
        ("-> Weights:", "-> dict:", "dump_weights gives another type"),
        ("def write_network", "def predict(state: State, images: Images) -> Array: ...\ndef write_network",
         "order is"),
    ],
)  # fmt: skip
def test_a_departure_is_seen(old: str, new: str, fault: str) -> None:
    text = (FOLDER / "reference.py").read_text("utf-8")
    assert old in text
    assert any(found.startswith(fault) for found in faults(text.replace(old, new, 1)))
