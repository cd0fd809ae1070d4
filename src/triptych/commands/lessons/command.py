"""`triptych lessons` on the command line."""

from __future__ import annotations

from pathlib import Path

import click

from triptych.command_line import JSON, Command, print_json


@click.command(cls=Command)
@click.argument("number", required=False, type=int, metavar="[NUMBER]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("lessons"),
    show_default=True,
    metavar="DIR",
    help="Folder for your copy of the lesson; an existing copy is kept.",
)
@click.option("--no-open", is_flag=True, help="Copy it without opening it.")
@JSON
def lessons(number: int | None, out: Path, no_open: bool, as_json: bool) -> None:
    """List the lessons, or copy one and open it in JupyterLab."""
    from triptych.commands.lessons import lessons as shipped
    from triptych.commands.lessons.terminal import lessons_table
    from triptych.terminal import show

    if number is None:
        found = shipped.list_lessons()
        print_json(found) if as_json else show(lessons_table(found))
        return
    mine = shipped.take_lesson(shipped.find_lesson(number), out)
    print_json({"lesson": mine}) if as_json else show(f"Lesson: {mine}")
    if not no_open and not as_json and not shipped.open_notebook(mine):
        show("To open it here: pip install 'triptych[lessons]'")
