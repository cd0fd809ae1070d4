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
    "exact: the same losses as in Triptych, to the bit.  "
    "[default: native; exact for a package]",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Recipe that the program trains with.",
)
@click.option(
    "--images",
    metavar=IMAGES,
    help="Images it is meant for; they decide classes, image size and recipe.  "
    "[default: the built-in set that the network fits]",
)
@click.option(
    "--image-size", type=int, metavar="PX", help="Height and width of its input."
)
@click.option(
    "--classes",
    type=click.IntRange(2),
    metavar="N",
    help="Number of classes.",
)
@out("Where the program goes.", "FILE")
@JSON
def eject(as_json: bool, **given: Any) -> None:
    """Write a program that trains, evaluates and predicts without Triptych.

    From a run, it takes the recipe and the weights along.
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
