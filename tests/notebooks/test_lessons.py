"""Each lesson from a clean kernel, with its exercises solved; the command that lists
and hands them out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.notebooks.kernels import NOTEBOOKS, execute, printed, read

from triptych.commands.lessons import check, load_ipython_extension
from triptych.commands.lessons.cells import run_cell
from triptych.commands.lessons.lessons import find_lesson, list_lessons, take_lesson
from triptych.errors import FrameworkMissing, UsageError, WorkerFailed

LESSONS = sorted((NOTEBOOKS / "lessons").glob("*.ipynb"))
EXERCISES = 3

# The kernel's client is not ours: its warnings are no faults of a lesson.
pytestmark = pytest.mark.filterwarnings("default")


def solutions(lesson: Path) -> list[str]:
    text = (NOTEBOOKS / "solutions" / f"{lesson.stem}.py").read_text()
    return [
        cell.partition("\n")[2].strip()
        for cell in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]
    ]


def tagged(notebook: Any, tag: str) -> list[Any]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


@pytest.mark.timeout(900)  # a lesson takes up to a minute, and more beside other work
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_its_exercises_can_be_solved(
    path: Path, tmp_path: Path
) -> None:
    lesson = read(path)
    answers = solutions(path)
    assert len(answers) == EXERCISES
    for cell, answer in zip(tagged(lesson, "exercise"), answers, strict=True):
        cell.source = answer
    execute(lesson, tmp_path)
    said = [printed(cell) for cell in tagged(lesson, "check")]
    assert len(said) == EXERCISES
    assert all(one.startswith("✓ right") and "✗" not in one for one in said), said


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_committed_with_its_outputs_and_its_exercises_open(
    path: Path,
) -> None:
    lesson = read(path)
    for cell in lesson.cells:
        if cell.cell_type == "code":
            assert cell.execution_count, cell.source
            kinds = {output.output_type for output in cell.outputs}
            assert "error" not in kinds, cell.source
    assert [printed(cell)[0] for cell in tagged(lesson, "check")] == ["○"] * EXERCISES
    assert all("..." in cell.source for cell in tagged(lesson, "exercise"))
    assert path.stat().st_size < 600_000


def test_lessons_are_numbered_without_gaps() -> None:
    assert [lesson.number for lesson in list_lessons()] == list(
        range(1, len(LESSONS) + 1)
    )


def test_every_lesson_says_what_it_is_about() -> None:
    assert all(
        lesson.title and lesson.about.endswith((".", "?")) for lesson in list_lessons()
    )


# ---- exercises -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (..., "○ open"),
        (4, "✓ right"),
        (5, "✗ not yet: count"),
        ("4", "✗ not yet (TypeError"),
    ],
)
def test_an_exercise_answers(
    answer: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check(answer, lambda n: n - 4 == 0, "count")
    assert capsys.readouterr().out.startswith(said)


# ---- cells in a framework ------------------------------------------------------------


def test_a_cell_prints_from_a_process_of_its_own() -> None:
    code = "import os, sys\nprint(os.environ['KERAS_BACKEND'], os.getpid())\n"
    backend, process = run_cell("keras:jax", code).split()
    assert backend == "jax"
    assert process != str(subprocess.os.getpid())  # type: ignore[attr-defined]


def test_one_cell_runs_in_several_frameworks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    magics: dict[str, Any] = {}
    names: dict[str, Any] = {}
    shell = SimpleNamespace(
        user_ns=names,
        register_magic_function=lambda f, _, name: magics.update({name: f}),
    )
    load_ipython_extension(shell)
    code = "import os\nprint(os.environ.get('KERAS_BACKEND'))\n"
    magics["framework"]("keras:jax,keras:torch printed", code)
    assert names["printed"] == {"keras:jax": "jax\n", "keras:torch": "torch\n"}
    assert capsys.readouterr().out == "Keras on JAX:\njax\nKeras on PyTorch:\ntorch\n"
    magics["framework"]("keras:jax printed", code)
    assert names["printed"] == capsys.readouterr().out == "jax\n"


def test_a_cell_that_fails_says_where() -> None:
    with pytest.raises(
        WorkerFailed,
        match=r"PyTorch failed in this cell:(.|\n)*line 2(.|\n)*ZeroDivision",
    ):
        run_cell("pytorch", "x = 1\nx / 0\n")


def test_a_cell_needs_a_framework_that_is_known_and_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="did you mean 'pytorch'"):
        run_cell("pytorhc", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FrameworkMissing, match="pip install"):
        run_cell("jax", "")


# ---- the command ---------------------------------------------------------------------


def triptych(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "triptych.cli", *words],
        cwd=at,
        capture_output=True,
        text=True,
        check=False,
    )


def test_lessons_are_listed(tmp_path: Path) -> None:
    found = json.loads(triptych("lessons", "--json", at=tmp_path).stdout)
    assert [one["number"] for one in found] == [
        lesson.number for lesson in list_lessons()
    ]
    assert found[0]["title"] in triptych("lessons", at=tmp_path).stdout


def test_a_lesson_is_taken_away_once(tmp_path: Path) -> None:
    done = triptych("lessons", "1", "--no-open", at=tmp_path)
    assert done.returncode == 0, done.stderr
    mine = tmp_path / "lessons" / find_lesson(1).path.name
    assert mine.read_bytes() == find_lesson(1).path.read_bytes()
    mine.write_text("worked on")
    assert triptych("lessons", "1", "--no-open", at=tmp_path).returncode == 0
    assert mine.read_text() == "worked on"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["99"], "there is no lesson 99"),
        (["one"], "is not a valid integer"),
        (["1", "--out", "taken", "--no-open"], "cannot be written"),
    ],
)
def test_wrong_use_is_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = triptych("lessons", *words, at=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_copy_is_a_notebook(tmp_path: Path) -> None:
    read(take_lesson(find_lesson(1), tmp_path))
