"""What the lessons need besides the library: exercises that answer, and cells in other frameworks.

A lesson begins with `%load_ext triptych.teaching`; then a cell that begins with `%%framework jax` runs in a
process of its own in which that framework may be imported.
"""

from __future__ import annotations

from typing import Any

from triptych.teaching.cells import run_cell
from triptych.teaching.exercises import check
from triptych.teaching.lessons import Lesson, find_lesson, list_lessons, open_notebook, take_lesson

__all__ = ["Lesson", "check", "find_lesson", "list_lessons", "open_notebook", "run_cell", "take_lesson"]


def load_ipython_extension(shell: Any) -> None:
    """`%%framework NAME [VARIABLE]`: run the cell by NAME, and keep what it prints in VARIABLE."""

    def framework(line: str, cell: str) -> None:
        name, *variable = line.split()
        printed = run_cell(name, cell)
        print(printed, end="")
        shell.user_ns.update(dict.fromkeys(variable, printed))

    shell.register_magic_function(framework, "cell", "framework")
