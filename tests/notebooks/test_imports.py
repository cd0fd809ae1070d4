"""What the lessons import is there: a quick look, before any of them is run."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

LESSONS = sorted((Path(__file__).parents[2] / "notebooks/lessons").glob("*.ipynb"))


def imports(notebook: Path) -> Iterator[str]:
    """Everything that a lesson takes from the library, a statement each."""
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] != "code" or text.startswith("%"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and "triptych" in (node.module or ""):
                yield ast.unparse(node)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_what_a_lesson_imports_is_there(lesson: Path) -> None:
    for statement in imports(lesson):
        exec(statement, {})


def test_lessons_import_operations() -> None:
    found = " ".join(statement for lesson in LESSONS for statement in imports(lesson))
    assert "from triptych.frameworks.operations import Tensor, backward" in found
