"""What is loaded before it is needed: nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import triptych

FRAMEWORKS = {"keras", "tensorflow", "torch", "jax", "optax"}


def loaded(code: str, tmp_path: Path) -> set[str]:
    """The top-level modules that a fresh Python holds after `code`."""
    report = (
        "import sys; names = sorted({name.split('.')[0] for name in sys.modules}); "
        "print('\\n' + ' '.join(names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def run_command(*arguments: str) -> str:
    """The code that runs the command line to its end and goes on."""
    return (
        "import contextlib, sys; from triptych.cli import main\n"
        f"sys.argv = ['triptych', *{list(arguments)!r}]\n"
        "with contextlib.suppress(SystemExit): main()"
    )


def test_the_package_is_light(tmp_path: Path) -> None:
    modules = loaded("import triptych; dir(triptych); triptych.__version__", tmp_path)
    assert "triptych" in modules
    assert not modules & (
        FRAMEWORKS
        | {"numpy", "PIL", "msgspec", "click", "rich", "matplotlib", "sklearn"}
    )


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("compare", "--help"), ("show", "--help")],
)
def test_help_is_light(arguments: tuple[str, ...], tmp_path: Path) -> None:
    modules = loaded(run_command(*arguments), tmp_path)
    assert "click" in modules
    assert not modules & (
        FRAMEWORKS | {"numpy", "PIL", "msgspec", "rich", "matplotlib", "sklearn"}
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs",),
        ("networks",),
        ("cache",),
        ("show", "lenet", "--toml"),
        ("compare", "no such folder"),
        ("images", "digits"),
    ],
    ids=" ".join,
)
def test_no_framework_is_loaded_by_what_needs_none(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    modules = loaded(run_command(*arguments), tmp_path)
    assert "triptych" in modules
    assert not modules & FRAMEWORKS


def test_the_python_interface_loads_no_framework(tmp_path: Path) -> None:
    names = [name for name in triptych.__all__ if name != "__version__"]
    modules = loaded(f"from triptych import {', '.join(names)}", tmp_path)
    assert "numpy" in modules
    assert not modules & FRAMEWORKS


def test_a_framework_that_is_loaded_would_be_seen(tmp_path: Path) -> None:
    assert "optax" in loaded(
        "import types, sys; sys.modules['optax.schedules'] = types.ModuleType('x')",
        tmp_path,
    )


def test_public_names_are_listed_and_there() -> None:
    assert set(triptych.__all__) <= set(dir(triptych))
    assert {"compare", "resume", "predict", "evaluate", "TriptychError"} <= set(
        triptych.__all__
    )
    for name in triptych.__all__:
        thing = getattr(triptych, name)
        assert thing.__name__.rpartition(".")[2] == name
        assert thing.__doc__


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="'triptych' has no attribute 'compair'"):
        triptych.compair  # noqa: B018
