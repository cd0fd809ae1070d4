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
    help="Separated by commas; the talk's three notebooks otherwise.",
)
@click.option(
    "--seeds",
    type=int,
    default=3,
    show_default=True,
    metavar="N",
    help="Trainings of each step.",
)
@click.option(
    "--framework",
    default="pytorch",
    show_default=True,
    metavar="NAME",
    help="The one that all is trained in.",
)
@click.option(
    "--epochs",
    type=int,
    default=12,
    show_default=True,
    metavar="N",
    help="For all recipes alike.",
)
@click.option(
    "--image-size",
    type=int,
    default=32,
    show_default=True,
    metavar="PX",
    help="For all recipes alike.",
)
@click.option(
    "--unscaled",
    is_flag=True,
    help="Each recipe's own epochs and size, as in 2017: days on a CPU.",
)
@click.option("--full", is_flag=True, help="sports with 7,096 and 1,775 images.")
@click.option(
    "--worst",
    metavar="NAME",
    help="Where the walk begins; the recipe of the lowest accuracy.",
)
@click.option(
    "--best", metavar="NAME", help="Where it ends; the recipe of the highest accuracy."
)
@out("Where figures and page go.")
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
    """Why 70, 64 and 17 %? Train the talk's notebooks, then change one thing at a time.

    From the worst to the best recipe and back, with what each difference was worth. A
    replay that was interrupted goes on when its folder is given; what is trained is not
    trained again.
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
