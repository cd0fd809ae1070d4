"""`triptych replay` on the command line."""

from __future__ import annotations

from typing import Any

import click

from triptych.command_line import IMAGES, JSON, TIMEOUT, Command, names, out, print_json


@click.command(cls=Command)
@click.argument("images", default="sports", metavar=f"[{IMAGES}|REPLAY]")
@click.option(
    "--recipes",
    callback=names,
    metavar="NAMES|FILES",
    help="Comma-separated list of recipes.  [default: the talk's three notebooks]",
)
@click.option(
    "--seeds",
    type=int,
    default=3,
    show_default=True,
    metavar="N",
    help="Training runs per step.",
)
@click.option(
    "--framework",
    default="pytorch",
    show_default=True,
    metavar="NAME",
    help="The framework that trains everything.",
)
@click.option(
    "--epochs",
    type=int,
    default=12,
    show_default=True,
    metavar="N",
    help="Number of epochs, the same for all recipes.",
)
@click.option(
    "--image-size",
    type=int,
    default=32,
    show_default=True,
    metavar="PX",
    help="Height and width of the images, the same for all recipes.",
)
@click.option(
    "--unscaled",
    is_flag=True,
    help="Each recipe's own epochs and image size, as in 2017: days on a CPU.",
)
@click.option("--full", is_flag=True, help="The full sports set: 7,096 + 1,775 images.")
@click.option(
    "--worst",
    metavar="NAME",
    help="Recipe to start from.  [default: the least accurate]",
)
@click.option(
    "--best", metavar="NAME", help="Recipe to end at.  [default: the most accurate]"
)
@out("Folder for the figures and the page.")
@TIMEOUT
@JSON
def replay(
    images: str,
    recipes: list[str] | None,
    unscaled: bool,
    epochs: int,
    image_size: int,
    as_json: bool,
    **given: Any,
) -> None:
    """Why 70, 64 and 17 %? Train the talk's notebooks; change one factor at a time.

    From the worst recipe to the best and back, with what each difference was worth. An
    interrupted replay resumes when given its folder; nothing is trained twice.
    """
    from triptych.commands.replay.replay import replay
    from triptych.commands.replay.terminal import ReplayProgress, replay_parts
    from triptych.terminal import show

    if recipes is not None:
        given["recipes"] = recipes
    given |= (
        {"epochs": None, "image_size": None}
        if unscaled
        else {"epochs": epochs, "image_size": image_size}
    )
    with ReplayProgress() as progress:
        done = replay(images, callback=progress, **given)
    if as_json:
        print_json(done)
    else:
        show(*replay_parts(done))
