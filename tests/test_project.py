"""What the project says of itself, for people and for installers."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from packaging.requirements import Requirement

import triptych
from triptych.frameworks import registry

ROOT = Path(__file__).parents[1]
TOML = (ROOT / "pyproject.toml").read_text("utf-8")
PROJECT: dict[str, Any] = tomllib.loads(TOML)["project"]

MODULES = {"pillow": "PIL", "tomli-w": "tomli_w", "pytorch": "torch"}
"""Packages that are imported under another name."""
OPTIONAL = {"torch", "tensorflow", "keras", "jax", "jaxlib", "optax", "IPython"}
"""Imported only where the user has installed them."""


def imported(folder: Path) -> Iterator[str]:
    """The top-level names that the modules below import, inside functions too."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield (node.module or "").partition(".")[0]


def declared(requirements: list[str]) -> set[str]:
    names = {Requirement(one).name.lower() for one in requirements}
    return {MODULES.get(name, name) for name in names}


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    ours = {"triptych", "__future__"}
    used = set(imported(ROOT / "src")) - set(sys.stdlib_module_names) - OPTIONAL - ours
    through = {"markupsafe"}  # jinja2's own type for text that is escaped
    assert used - through == declared(PROJECT["dependencies"])


def test_installing_everything_installs_every_framework() -> None:
    (everything,) = (
        Requirement(one) for one in PROJECT["optional-dependencies"]["all"]
    )
    wanted = {entry.name for entry in map(registry.find, registry.DEFAULT)}
    assert everything.extras >= wanted
    assert everything.extras <= set(PROJECT["optional-dependencies"])


def test_the_license_is_the_one_declared() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])


def test_type_checkers_of_users_see_our_types() -> None:
    assert (Path(triptych.__file__).parent / "py.typed").is_file()


def test_the_citation_is_of_this_version() -> None:
    citation = msgspec.yaml.decode((ROOT / "CITATION.cff").read_bytes())
    assert str(citation["version"]) == triptych.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]


def test_the_changelog_has_this_version() -> None:
    headings = [
        line
        for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
        if line[:3] == "## "
    ]
    assert headings[0] == "## Unreleased"
    assert headings[1].startswith(f"## {triptych.__version__}")


@pytest.mark.parametrize("words", [["--help"], ["compare", "digits"]], ids=" ".join)
def test_windows_is_told_in_one_line(words: list[str], tmp_path: Path) -> None:
    program = (
        "import sys; from triptych.cli import main; sys.platform = 'win32'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("triptych: Windows is not supported")


# ---- files for other programs --------------------------------------------------------

SCHEMAS = {
    "CITATION.cff": "citation-file-format",
    ".github/workflows/ci.yml": "github-workflows",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    **{
        f".github/ISSUE_TEMPLATE/{name}.yml": "github-issue-forms"
        for name in ("bug", "different", "feature")
    },
}


def tool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:]],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("file", "schema"), SCHEMAS.items(), ids=SCHEMAS)
def test_a_file_is_valid_by_its_published_schema(file: str, schema: str) -> None:
    done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_for_github_is_checked() -> None:
    assert {
        str(path.relative_to(ROOT)) for path in (ROOT / ".github").rglob("*.yml")
    } <= set(SCHEMAS)


def test_a_wrong_workflow_would_be_seen(tmp_path: Path) -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    (tmp_path / "ci.yml").write_text(text.replace("runs-on", "run-on"))
    done = tool(
        "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        tmp_path / "ci.yml",
    )
    assert done.returncode == 1


def test_ci_runs_what_people_run() -> None:
    workflow = msgspec.yaml.decode(
        (ROOT / ".github" / "workflows" / "ci.yml").read_bytes()
    )
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_hooks_are_valid_and_download_nothing() -> None:
    done = tool("pre-commit", "validate-config", ".pre-commit-config.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    hooks = msgspec.yaml.decode((ROOT / ".pre-commit-config.yaml").read_bytes())
    (local,) = hooks["repos"]
    assert local["repo"] == "local"
    assert {hook["language"] for hook in local["hooks"]} == {"system"}


def test_the_import_rules_name_every_framework() -> None:
    """Who adds one names it where no framework may know another, and gives it a rule of
    its own.
    """
    contracts = tomllib.loads(TOML)["tool"]["importlinter"]["contracts"]
    folder = ROOT / "src" / "triptych" / "frameworks"
    found = {
        f"triptych.frameworks.{one.parent.name}" for one in folder.glob("*/run.py")
    }
    independent = {
        name
        for contract in contracts
        if contract["type"] == "independence"
        for name in contract["modules"]
    }
    own = {
        contract["source_modules"][0]
        for contract in contracts
        if contract["name"].partition(" is only ")[1]
    }
    assert found <= independent
    assert found == own
