"""The lessons on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from triptych.commands.lessons.lessons import Lesson
from triptych.terminal import table


def lessons_table(lessons: Sequence[Lesson]) -> Table:
    """Number, title and subject of each lesson."""
    shown = table()
    shown.add_column("", justify="right")
    shown.add_column("lesson", style="bold")
    shown.add_column("what it is about")
    for one in lessons:
        shown.add_row(str(one.number), one.title, one.about)
    shown.caption = "triptych lessons NUMBER makes your own copy and opens it"
    return shown
