"""Every writer knows which words its own sources use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from triptych import equality
from triptych.frameworks import registry
from triptych.frameworks.emit import renamed
from triptych.running.transport import environment

WORDS = """
import ast, json, sys
from pathlib import Path
from triptych.frameworks import registry
from triptych.network.architecture import from_toml

entry = registry.find(sys.argv[1])
module = entry.writer()
network = from_toml(Path(sys.argv[2]))
names = [node.name for node in network.nodes]
given = {*names, *(f"{name}_keep" for name in names), "images", "x"}
written = ast.walk(ast.parse(module.write_network(network)))
functions = [node for node in written if isinstance(node, ast.FunctionDef)]
forward = ("forward", "network", "__call__")
body = next(f for f in reversed(functions) if f.name in forward)
nodes = [node for line in body.body for node in ast.walk(line)]
words = {node.id for node in nodes if isinstance(node, ast.Name)}
words |= {argument.arg for argument in body.args.args}
found = {
    "unknown": sorted(words - given - module.TAKEN),
    "unused": sorted(module.TAKEN - words),
}
if sys.argv[1] == "pytorch":
    entry.load()
    has = dir(sys.modules["torch"].nn.Module())
    has = {word for word in has if not word.startswith("_")}
    found["unknown"] += sorted(has - set(module.ATTRIBUTES))
print(json.dumps(found))
"""
"""The words of a written network that the writer does not know of, besides the layers'
own names.
"""


@pytest.mark.parametrize(
    "framework", ["keras:torch", "tensorflow", "pytorch", "jax", "reference"]
)
def test_a_writer_knows_every_word_of_its_sources(framework: str) -> None:
    entry = registry.find(framework)
    if entry.missing():
        pytest.skip(entry.missing() or "")
    unused: list[set[str]] = []
    for probe in ("odd", "even", "rows", "modern", "tokens"):
        network = Path(equality.__file__).parent / "probes" / f"{probe}.toml"
        done = subprocess.run(
            [sys.executable, "-c", WORDS, framework, str(network)],
            env=environment(entry),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["unknown"] == []
        unused.append(set(found["unused"]))
    assert not set.intersection(*unused)


def test_a_name_stays_where_it_can_and_no_two_become_one() -> None:
    names = ["train", "train_", "conv1", "eval"]
    found = renamed(names, {"train", "eval", "eval_"})
    assert found == {
        "train": "train__",
        "train_": "train_",
        "conv1": "conv1",
        "eval": "eval__",
    }
    spelled = renamed(["é", "e", "e_"], {"x"}, lambda name: name.replace("é", "e"))
    assert spelled == {"é": "e__", "e": "e", "e_": "e_"}
