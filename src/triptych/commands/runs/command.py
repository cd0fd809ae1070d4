"""`triptych runs` on the command line."""

from __future__ import annotations

import click

from triptych.command_line import JSON, Command, print_json


@click.command(cls=Command)
@JSON
def runs(as_json: bool) -> None:
    """List the runs under runs/, newest first."""
    from triptych.commands.runs.terminal import runs_lines
    from triptych.running.summary import summaries
    from triptych.terminal import show

    found = summaries()
    if as_json:
        print_json(found)
    else:
        lines = runs_lines(found)
        show(*(lines or ["No runs yet. To begin: triptych compare sports"]))
