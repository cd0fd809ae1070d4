"""The lower bounds in pyproject.toml are true: each at its lowest, the core and PyTorch
still work.

PyTorch itself is the one that constraints.txt names: its older releases come in sizes
that nobody wants to download for a test.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from tests.installing.environments import CONSTRAINTS, ROOT, Environment, build

pytestmark = pytest.mark.timeout(900)  # packages are downloaded

TOML = (ROOT / "pyproject.toml").read_text("utf-8")
PROJECT: dict[str, Any] = tomllib.loads(TOML)["project"]


def lowest(requirement: Requirement) -> str:
    """The version that `>=` names."""
    (bound,) = (one.version for one in requirement.specifier if one.operator == ">=")
    return bound


@pytest.fixture
def pins(tmp_path: Path) -> dict[str, str]:
    """By package; also written to pins.txt, for pip."""
    found = {one.name: lowest(one) for one in map(Requirement, PROJECT["dependencies"])}
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    (torch,) = (line for line in lines if line.startswith("torch=="))
    lines = [*(f"{name}=={version}" for name, version in found.items()), torch]
    (tmp_path / "pins.txt").write_text("\n".join(lines))
    return found


def test_the_core_and_pytorch_work_at_the_lower_bounds(
    pins: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "dist").mkdir()
    wheel, _ = build(tmp_path / "dist")
    empty = Environment.create(tmp_path)
    empty.install(f"{wheel}[pytorch]", "-c", "pins.txt")
    listed = json.loads(empty("python", "-m", "pip", "list", "--format", "json"))
    there = {one["name"].lower().replace("_", "-"): one["version"] for one in listed}
    for name, version in pins.items():
        assert there[name].startswith(version), name

    shown = empty("triptych", "show", "lenet", "--framework", "reference")
    assert "lenet in NumPy" in shown
    said = empty("triptych", "images", "sports", "--image-size", "8", "--json")
    assert json.loads(said)["problems"] == []
    words = ["triptych", "compare", "digits", "--frameworks", "pytorch"]
    words += ["--network", "mlp", "--epochs", "1", "--image-size", "8"]
    result = json.loads(empty(*words, "--out", "run", "--json"))
    assert result["frameworks"]["pytorch"]["status"] == "done"
    words = ["triptych", "eject", "run", "--framework", "pytorch"]
    forms = {"script": "ours.py", "notebook": "story.ipynb", "package": "ours"}
    for form, out in forms.items():
        empty(*words, "--as", form, "--out", out)
