"""The lessons: notebooks that ship with the package, to be taken away and worked on."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import UsageError
from triptych.files import write_atomic, writing


@dataclass(frozen=True)
class Lesson:
    """One notebook: its number, its title, and what it is about in a sentence."""

    number: int
    title: str
    about: str
    path: Path


def list_lessons() -> list[Lesson]:
    """All lessons in their order; raises UsageError if they are not installed."""
    lessons = sorted(
        (_read(path) for path in _folder().glob("*.ipynb")), key=lambda one: one.number
    )
    if not lessons:
        raise UsageError("this installation lacks its lessons; reinstall triptych")
    return lessons


def find_lesson(number: int) -> Lesson:
    """The lesson of that number; raises UsageError with the numbers there are."""
    lessons = {lesson.number: lesson for lesson in list_lessons()}
    if number not in lessons:
        raise UsageError(
            f"there is no lesson {number}: "
            f"they are numbered {min(lessons)} to {max(lessons)}"
        )
    return lessons[number]


def take_lesson(lesson: Lesson, folder: Path) -> Path:
    """A copy to work on in `folder`; one that is there already stays as it is.

    Raises RunFolderError if it cannot be written.
    """
    mine = folder / lesson.path.name
    with writing(mine):
        if not mine.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(mine, lesson.path.read_bytes())
    return mine


def open_notebook(path: Path) -> bool:
    """Open it in JupyterLab and wait until that is closed; False if JupyterLab is not
    installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        return False
    subprocess.run([sys.executable, "-m", "jupyterlab", str(path)], check=False)
    return True


def _folder() -> Path:
    """Beside this file if installed; in a checkout where people look for notebooks."""
    beside = Path(__file__).parent / "notebooks"
    return (
        beside
        if beside.is_dir()
        else Path(__file__).parents[4] / "notebooks" / "lessons"
    )


def _read(path: Path) -> Lesson:
    """A lesson begins with "# 3. A network" and a paragraph, whose first sentence says
    what it is about.
    """
    first = json.loads(path.read_text("utf-8"))["cells"][0]
    title, _, text = "".join(first["source"]).partition("\n")
    number, _, name = title.removeprefix("# ").partition(". ")
    about = " ".join(text.strip().split("\n\n")[0].split())
    return Lesson(int(number), name, about, path)
