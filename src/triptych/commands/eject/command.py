"""`triptych eject` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from triptych.command_line import IMAGES, JSON, Command, out, print_json


@click.command(cls=Command)
@click.argument("network", default="sports-cnn", metavar="[NETWORK|FILE|RUN]")
@click.option(
    "--framework",
    default="pytorch",
    show_default=True,
    metavar="NAME",
    help="keras, tensorflow, pytorch or jax.",
)
@click.option(
    "--as",
    "form",
    default="script",
    show_default=True,
    metavar="FORM",
    help="script, notebook or package.",
)
@click.option(
    "--style",
    metavar="STYLE",
    help="native: as a fluent user would write it; "
    "exact: the same losses as here, to the bit.  "
    "[default: native; exact for a package]",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How it is to be trained.",
)
@click.option(
    "--images",
    metavar=IMAGES,
    help="What it is meant for: decides classes, size and recipe.  "
    "[default: the built-in set that the network fits]",
)
@click.option(
    "--image-size", type=int, metavar="PX", help="Height and width of its images."
)
@click.option(
    "--classes",
    type=click.IntRange(2),
    metavar="N",
    help="How many classes it tells apart.",
)
@out("Where it goes.", "FILE")
@JSON
def eject(as_json: bool, **given: Any) -> None:
    """Write a program that trains, evaluates and predicts, and does not need Triptych.

    From a run it takes recipe and weights along.
    """
    from triptych.commands.eject.ejection import eject
    from triptych.terminal import show

    done = eject(**given)
    if as_json:
        print_json(done)
    else:
        show(
            f"Ejected: {done.path}",
            *(f"  {path}" for path in done.files if path != done.path),
        )
