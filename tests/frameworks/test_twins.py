"""The frameworks are twins: the same private names for the same things, and no private
names of others.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from triptych import frameworks
from triptych.frameworks import registry
from triptych.network.conventions import OptimizerName
from triptych.running.transport import environment

FOLDER = Path(frameworks.__file__).parent
FOUR = sorted(registry.find(name).module for name in registry.DEFAULT)


def parsed(module: str, part: str) -> ast.Module:
    return ast.parse((FOLDER / module / f"{part}.py").read_text("utf-8"))


def defined(tree: ast.Module) -> set[str]:
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize("module", FOUR)
def test_the_same_things_have_the_same_names(module: str) -> None:
    run = parsed(module, "run")
    assert {"State", "_tensors", "_slots", "_prepare"} <= defined(run)
    assert {"prepare", "train_step"} <= defined(parsed(module, "ops"))
    assert "_layer" in defined(parsed(module, "write"))
    (state,) = [
        node
        for node in run.body
        if isinstance(node, ast.ClassDef) and node.name == "State"
    ]
    fields = [
        node.target.id
        for node in state.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    assert fields[:5] == ["architecture", "precision", "text", "layouts", "network"]
    assert {"optimizer", "slots"} <= set(fields)


@pytest.mark.parametrize("module", FOUR)
def test_every_optimizer_is_in_the_table(module: str) -> None:
    keys = set()
    for node in ast.walk(parsed(module, "run")):
        match node:
            case ast.AnnAssign(
                target=ast.Name(id="OPTIMIZERS"), value=ast.Dict(keys=found)
            ):
                keys |= {key.value for key in found if isinstance(key, ast.Constant)}
            case ast.Assign(
                targets=[ast.Subscript(ast.Name("OPTIMIZERS"), ast.Constant(key))]
            ):
                keys.add(key)
    assert keys == set(get_args(OptimizerName))


PUBLIC = {"_fields", "_replace"}
"""Of named tuples, whatever they begin with."""
PRIVATE = {
    "keras": ["keras.src.backend.common.dtypes", "_get_variable_index"],
    "jax": [], "pytorch": [], "tensorflow": [],
}  # fmt: skip
"""What no public name of a framework gives; each stands in one place, and is tried
before it is used.
"""


def private(tree: ast.Module) -> Iterator[str]:
    """What a file takes of a framework that is not public."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if (
                ".src" in module or "._" in module
            ):
                yield module
            case ast.Attribute(attr=name) if name.startswith("_") and not name.endswith(
                "__"
            ):
                if name not in PUBLIC:
                    yield name


@pytest.mark.parametrize("module", FOUR)
def test_what_is_private_to_a_framework_stands_in_one_place(module: str) -> None:
    found = [name for part in ("run", "ops") for name in private(parsed(module, part))]
    assert found == PRIVATE[module]


GUARD = """
import json, sys, types
import keras
from triptych.errors import FrameworkUnsupported
from triptych.frameworks import registry
from triptych.network.weights import initial_weights
from triptych.network.zoo import mlp

run, network = registry.find("keras:torch").load(), mlp(size=4, classes=2)

def built(precision):
    try:
        weights = initial_weights(network, 0)
        return str(run.build(network, weights, precision).network.dtype)
    except FrameworkUnsupported as error:
        return str(error)

said = [built("float64"), built("float32")]
sys.modules["keras.src.backend.common.dtypes"] = types.ModuleType("another version's")
said += [built("float64"), built("float32")]
del keras.src.optimizers.base_optimizer.BaseOptimizer._get_variable_index
said += [built("float32")]
print(json.dumps(said))
"""


def test_another_version_of_keras_is_refused_where_conventions_cannot_hold() -> None:
    entry = registry.find("keras:torch")
    if missing := entry.missing():
        pytest.skip(missing)
    done = subprocess.run(
        [sys.executable, "-c", GUARD],
        env=environment(entry),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    here, single, double_elsewhere, single_elsewhere, without_slots = json.loads(
        done.stdout.splitlines()[-1]
    )
    assert (here, single, single_elsewhere) == ("float64", "float32", "float32")
    assert "Keras on PyTorch 3." in double_elsewhere
    advice = "use --precision float32, or install another version"
    assert f"computes float64 in float32: {advice}" in double_elsewhere
    assert "finds an optimizer's slots in another way" in without_slots
    assert "\n" not in double_elsewhere + without_slots
