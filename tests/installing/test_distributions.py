"""Wheel and sdist: what is in them, and that the wheel works where there is nothing
else of Triptych.
"""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.installing.environments import CONSTRAINTS, ROOT, Environment, build

import triptych

pytestmark = pytest.mark.timeout(900)  # packages are downloaded

LARGEST = 3_000_000
LESSONS = {path.name for path in (ROOT / "notebooks" / "lessons").glob("*.ipynb")}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(distributions: tuple[Path, Path]) -> list[str]:
    with zipfile.ZipFile(distributions[0]) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def sdist(distributions: tuple[Path, Path]) -> list[str]:
    with tarfile.open(distributions[1]) as archive:
        return [name.partition("/")[2] for name in archive.getnames()]


def test_they_are_small(distributions: tuple[Path, Path]) -> None:
    assert max(path.stat().st_size for path in distributions) < LARGEST


def test_the_wheel_has_every_file_of_the_package(wheel: list[str]) -> None:
    source = ROOT / "src"
    files = {
        str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()
    }
    ours = {
        name
        for name in files
        if "__pycache__" not in name and not name.startswith("triptych.egg-info")
    }
    lessons = {f"triptych/commands/lessons/notebooks/{name}" for name in LESSONS}
    assert {name for name in wheel if ".dist-info/" not in name} == ours | lessons


def test_the_wheel_says_under_which_license(
    wheel: list[str], distributions: tuple[Path, Path]
) -> None:
    info = f"triptych-{triptych.__version__}.dist-info"
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(wheel)
    with zipfile.ZipFile(distributions[0]) as archive:
        metadata = archive.read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0\n" in metadata
    assert "Author: The Triptych authors\n" in metadata
    assert "Classifier: Operating System :: POSIX\n" in metadata


def test_the_sdist_has_what_the_wheel_is_made_of(sdist: list[str]) -> None:
    top = {name.partition("/")[0] for name in sdist}
    assert {
        "src",
        "notebooks",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "NOTICE",
        "CHANGELOG.md",
    } <= top
    assert not top & {"tests", "docs", "benchmarks", "runs"}
    assert {f"notebooks/lessons/{name}" for name in LESSONS} <= set(sdist)


def test_no_exercise_is_published_with_its_solution(
    wheel: list[str], sdist: list[str]
) -> None:
    solutions = {path.name for path in (ROOT / "notebooks" / "solutions").glob("*.py")}
    assert len(solutions) == len(LESSONS)
    assert not [
        name
        for name in (*wheel, *sdist)
        if "solution" in name or Path(name).name in solutions
    ]


def test_the_wheel_works_in_an_empty_environment(
    distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    empty = Environment.create(tmp_path)
    empty.install(f"{distributions[0]}[jax]", "-c", CONSTRAINTS)
    home = empty("python", "-c", "import triptych; print(triptych.__file__)")
    assert Path(home.strip()).is_relative_to(tmp_path)

    assert empty("triptych", "--version").split()[-1] == triptych.__version__
    listed = json.loads(empty("triptych", "lessons", "--json"))
    assert len(listed) == len(LESSONS)
    assert "class" in empty("triptych", "show", "lenet", "--framework", "jax")
    words = (
        "--frameworks",
        "jax",
        "--network",
        "mlp",
        "--epochs",
        "1",
        "--image-size",
        "8",
    )
    result = json.loads(
        empty("triptych", "compare", "digits", *words, "--out", "run", "--json")
    )
    assert result["frameworks"]["jax"]["status"] == "done"
    assert (tmp_path / "run" / "report.html").is_file()
