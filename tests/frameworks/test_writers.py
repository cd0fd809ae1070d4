"""Networks are written where no framework is, and as a formatter writes them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from triptych import equality
from triptych.frameworks import emit, registry
from triptych.network.architecture import from_toml
from triptych.network.zoo import NOTEBOOKS, ZOO, find_network

BARE = """
import json, sys
sys.modules.update(dict.fromkeys(("keras", "tensorflow", "torch", "jax", "optax")))

from triptych.cli import cli
from triptych.frameworks.registry import DEFAULT, find

assert all(find(name).missing() for name in DEFAULT)
spawned = []
def watch(event, given):
    if event == "subprocess.Popen":
        spawned.append(given)
sys.addaudithook(watch)
cli(sys.argv[1:], standalone_mode=False)
loaded = [name for name, module in sys.modules.items() if module]
loaded = sorted({name.partition(".")[0] for name in loaded})
print(json.dumps({"loaded": loaded, "spawned": len(spawned)}), file=sys.stderr)
"""
"""The command line in a process in which no framework can be found or imported; says
what it needed.
"""

HEAVY = {
    "keras",
    "tensorflow",
    "torch",
    "jax",
    "optax",
    "matplotlib",
    "scipy",
    "pandas",
}


def bare(*words: str, at: Path) -> tuple[str, set[str], int]:
    """What a command prints, the packages that it has imported, and how many processes
    it started.
    """
    done = subprocess.run(
        [sys.executable, "-c", BARE, *words],
        cwd=at,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    needed = json.loads(done.stderr.splitlines()[-1])
    return done.stdout, set(needed["loaded"]), needed["spawned"]


def test_show_needs_no_framework_and_no_other_process(tmp_path: Path) -> None:
    said, loaded, spawned = bare("show", "sports-cnn", at=tmp_path)
    for sign in (
        "def network() -> keras.Model:",
        "tf.Module",
        "nn.Module",
        "Tensors = dict[str, jax.Array]",
    ):
        assert sign in said
    assert not loaded & HEAVY
    assert spawned == 0


@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_eject_needs_no_framework(framework: str, tmp_path: Path) -> None:
    _, loaded, _ = bare(
        "eject", "sports-cnn", "--framework", framework, "--out", "mine.py", at=tmp_path
    )
    compile((tmp_path / "mine.py").read_text("utf-8"), "mine.py", "exec")
    assert not loaded & HEAVY


@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_a_network_is_written_as_a_formatter_writes_it(
    framework: str, tmp_path: Path
) -> None:
    """Lines as ruff breaks them unasked, imports that are used, and no others."""
    networks = [find_network(name) for name in (*ZOO, *NOTEBOOKS)]
    networks += map(
        from_toml, (Path(equality.__file__).parent / "probes").glob("*.toml")
    )
    for number, network in enumerate(networks):
        text = registry.find(framework).writer().write_network(network)
        (tmp_path / f"network{number}.py").write_text(text, "utf-8")
    for words in (
        ["format", "--diff"],
        ["check", "--select", "E,F,I", "--ignore", "E501"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--isolated", "."], cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]


OPS = '''
def outer(x):
    """Calls another."""
    return inner(x) + other.unused(x)


@decorated
def inner(x):
    return x


def unused(x):
    return outer(x)
'''


def test_what_a_quoted_piece_calls_is_quoted_too(tmp_path: Path) -> None:
    ops = tmp_path / "ops.py"
    ops.write_text(OPS)
    quoted = ast.parse(
        emit.quote(ops, "def network(unused):\n    return outer(unused)\n")
    ).body
    assert [one.name for one in quoted if isinstance(one, ast.FunctionDef)] == [
        "outer",
        "inner",
    ]
    assert [
        len(one.decorator_list) for one in quoted if isinstance(one, ast.FunctionDef)
    ] == [0, 1]


@pytest.mark.parametrize(
    ("target", "expression"),
    [
        ("x", f'layers.Conv2D({"3" * 20}, name="{"a" * 40}")(x)'),
        ("x", f"f({'a' * 50}, {'b' * 50})[:, ::2]"),
        (
            "x",
            f'conv(x, weights["{"a" * 40}"], strides=(1, 1)) + weights["{"b" * 40}"]',
        ),
        ("x", " + ".join(letter * 30 for letter in "abcd")),
        ("x", f"outer(inner({', '.join(letter * 30 for letter in 'abcd')}), y)"),
        ("x", f'f("{"(" * 30}", "{"," * 30}", "{"a" * 30}")'),
        ("self." + "a" * 40, f"nn.Conv2d(3, 8, 3, padding=1, groups={'1' * 20})"),
        ("x", "a" * 100),
    ],
)
def test_a_folded_line_says_the_same(target: str, expression: str) -> None:
    folded = emit.assign(target, expression, 4)
    assert ast.unparse(ast.parse(f"if True:\n{folded}").body[0]) == ast.unparse(
        ast.parse(f"if True:\n    {target} = {expression}").body[0]
    )
    assert folded.count("\n") > 1 or "(" not in expression
