"""`triptych predict` and `evaluate` on the command line."""

from __future__ import annotations

from typing import Any

import click

from triptych.command_line import IMAGES, JSON, Command, options, print_json

ANSWERING = options(
    click.option(
        "--framework",
        metavar="NAME",
        help="The framework that computes: any installed one, whichever was trained.",
    ),
    click.option(
        "--weights",
        metavar="NAME",
        help="The framework whose trained weights are used.  "
        "[default: its own, or those best on the validation part]",
    ),
)


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|FOLDER...")
@ANSWERING
@click.option("--csv", is_flag=True, help="Print CSV, one row per image.")
@click.option("--jsonl", is_flag=True, help="Print JSON Lines, one per image.")
@JSON
def predict(
    run: str,
    images: tuple[str, ...],
    csv: bool,
    jsonl: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Classify images with a trained run.

    Exit code 0 if every image was read, 1 if some could not be, 2 if none could.
    """
    from triptych.commands.predict.prediction import predict
    from triptych.commands.predict.terminal import passed_over_lines, prediction_lines
    from triptych.terminal import show

    forms = {"--json": as_json, "--csv": csv, "--jsonl": jsonl}
    asked = [name for name, wanted in forms.items() if wanted]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(asked)}: give one of them")
    found = predict(run, images, **given)
    if as_json:
        print_json(found)
    elif csv:
        click.echo(found.to_csv(), nl=False)
    elif jsonl:
        click.echo(found.to_json_lines(), nl=False)
    else:
        show(*prediction_lines(found))
    aside = passed_over_lines(found)
    if csv or jsonl:
        aside += found.model.sentences()
    if found.failed:
        aside.append(
            f"triptych: {len(found.failed):,} of {len(found.predictions):,} "
            "files cannot be read"
        )
    for line in aside:
        click.echo(line, err=True)
    if found.failed:
        raise click.exceptions.Exit(1)


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@click.argument("images", metavar=IMAGES)
@click.option(
    "--part",
    type=click.Choice(["test", "validation", "train", "all"]),
    default="test",
    show_default=True,
    help="Which part of the images; those the run has seen belong to the part "
    "they had there.",
)
@ANSWERING
@JSON
def evaluate(run: str, images: str, as_json: bool, **given: Any) -> None:
    """Measure a run's accuracy on images that it has not been trained on."""
    from triptych.commands.predict.evaluation import evaluate
    from triptych.commands.predict.terminal import evaluation_parts
    from triptych.terminal import show

    evaluation = evaluate(run, images, **given)
    if as_json:
        print_json(evaluation)
    else:
        show(*evaluation_parts(evaluation))
