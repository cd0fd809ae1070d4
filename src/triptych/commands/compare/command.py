"""`triptych compare`, `train` and `resume` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from triptych.command_line import (
    FRAMEWORKS,
    IMAGES,
    JSON,
    OPTIMIZERS,
    TIMEOUT,
    Command,
    F,
    options,
    out,
    print_json,
)

if TYPE_CHECKING:
    from triptych.commands.compare.comparison import Comparison


def _defaulting(name: str, default: str, words: str, **more: Any) -> Callable[[F], F]:
    """An option whose default is decided elsewhere, with the images: in DEFAULTS."""
    return click.option(name, help=f"{words}  [default: {default}]", **more)


RECIPE_OPTIONS = options(
    _defaulting(
        "--network",
        "sports-cnn; digits: lenet, a folder of photos: efficientnet-lite0",
        "A network from the zoo, or a .toml file.",
        metavar="NAME|FILE",
    ),
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="imagenet|FILE|RUN",
        help="Pretrained weights to begin with; random for drawn ones.",
    ),
    _defaulting(
        "--train",
        "all; head if weights are given",
        "What to train: head, last:N layers, or all.",
        metavar="WHAT",
    ),
    _defaulting(
        "--epochs",
        "15; sports: 7, digits: 5",
        "Number of epochs.",
        type=int,
        metavar="N",
    ),
    click.option(
        "--patience",
        type=int,
        metavar="N",
        help="Stop after N epochs without a better validation accuracy.",
    ),
    click.option(
        "--minutes",
        type=float,
        metavar="X",
        help="Time for the epochs of each framework.",
    ),
    _defaulting(
        "--image-size",
        "64; sports: 48, digits: 32; a network file's own, or the weights'",
        "Height and width to which images are resized.",
        type=int,
        metavar="PX",
    ),
    _defaulting("--batch-size", "32; sports: 30", "Batch size.", type=int, metavar="N"),
    _defaulting("--seed", "0", "Random seed.", type=int, metavar="N"),
    _defaulting(
        "--precision", "float32", "float32, float64 or bfloat16.", metavar="NAME"
    ),
    _defaulting("--optimizer", "adamw", f"{OPTIMIZERS}.", metavar="NAME"),
    _defaulting(
        "--learning-rate",
        "adamw and adam: 0.003, sgd and nesterov: 0.05, rmsprop: 0.001; sports: 0.001",
        "Peak learning rate.",
        type=float,
        metavar="X",
    ),
    _defaulting(
        "--schedule",
        "one-cycle",
        "one-cycle, cosine, constant or inverse-time.",
        metavar="NAME",
    ),
    click.option(
        "--warm-up",
        type=float,
        metavar="SHARE",
        help="Share of the steps over which the rate rises; of cosine and constant.",
    ),
    _defaulting(
        "--fit",
        "squash",
        "How images become square: squash, crop or pad.",
        metavar="NAME",
    ),
    _defaulting(
        "--resize",
        "bilinear",
        "Interpolation: bilinear, bicubic or nearest.",
        metavar="NAME",
    ),
    _defaulting(
        "--balance",
        "sampling if the largest class is over 3 times the smallest",
        "Draw every class equally often: sampling or none.",
        metavar="NAME",
    ),
    click.option(
        "--recipe",
        type=click.Path(path_type=Path),
        metavar="NAME|FILE",
        help="All of this from a file, or fine-tune, 2017-keras, 2017-tensorflow, "
        "2017-pytorch.",
    ),
    click.option(
        "--full",
        is_flag=True,
        default=None,
        help="The full sports set: 7,096 + 1,775 images.",
    ),
    click.option(
        "--strict", is_flag=True, default=None, help="Stop if any image has a problem."
    ),
    out("The run folder.  [default: a new one below runs/]"),
    TIMEOUT,
    JSON,
)


@click.command(cls=Command)
@click.argument("images", required=False, metavar=f"[{IMAGES}]")
@FRAMEWORKS
@RECIPE_OPTIONS
def compare(as_json: bool, **given: Any) -> None:
    """Train one network in several frameworks on the same images."""
    from triptych.commands.compare.comparison import compare
    from triptych.commands.compare.terminal import TrainingProgress

    with TrainingProgress() as progress:
        result = compare(callback=progress, **given)
    _show_result(result, as_json)


@click.command(cls=Command)
@click.argument("images", metavar=IMAGES)
@click.option(
    "--framework",
    help="Framework to train.  [default: pytorch, unless the recipe names one]",
    metavar="NAME",
)
@RECIPE_OPTIONS
def train(as_json: bool, **given: Any) -> None:
    """Train one network in one framework."""
    from triptych.commands.compare.comparison import train
    from triptych.commands.compare.terminal import TrainingProgress

    with TrainingProgress() as progress:
        result = train(callback=progress, **given)
    _show_result(result, as_json)


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@TIMEOUT
@JSON
def resume(run: str, timeout: float, as_json: bool) -> None:
    """Resume an interrupted run; RUN is its folder."""
    from triptych.commands.compare.comparison import resume
    from triptych.commands.compare.terminal import TrainingProgress

    with TrainingProgress() as progress:
        result = resume(run, timeout=timeout, callback=progress)
    _show_result(result, as_json)


def _show_result(result: Comparison, as_json: bool) -> None:
    from triptych.commands.compare.terminal import comparison_parts
    from triptych.terminal import show

    if as_json:
        print_json(result)
    else:
        show(*comparison_parts(result))
    done = any(one.status == "done" for one in result.frameworks.values())
    if result.verdict == "different" or result.failed or not done:
        raise click.exceptions.Exit(1)
