"""`triptych bench` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from triptych.command_line import (
    FRAMEWORKS,
    IMAGES,
    JSON,
    TIMEOUT,
    Command,
    out,
    print_json,
)


@click.command(cls=Command)
@click.argument("network", default="sports-cnn", metavar="[NETWORK|FILE]")
@click.option(
    "--image-size",
    type=int,
    metavar="PX",
    help="Height and width of the images.  [default: the network's own]",
)
@click.option(
    "--batch-size",
    type=int,
    default=32,
    show_default=True,
    metavar="N",
    help="Batch size.",
)
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    metavar="NAME",
    help="float32, float64 or bfloat16.",
)
@FRAMEWORKS
@click.option(
    "--images", metavar=IMAGES, help="Images for the real input.  [default: sports]"
)
@click.option(
    "--repeats",
    type=int,
    default=5,
    show_default=True,
    metavar="N",
    help="Number of rounds.",
)
@click.option(
    "--seconds",
    type=float,
    default=1.0,
    show_default=True,
    metavar="X",
    help="Length of each measurement.",
)
@click.option(
    "--threads",
    type=int,
    metavar="N",
    help="Threads per framework.  [default: one per core]",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The certificate for a ranking.  [default: the newest below runs/ that fits]",
)
@out("Folder for the figures and the page.")
@TIMEOUT
@JSON
def bench(network: str, as_json: bool, **given: Any) -> None:
    """Measure what each framework costs on this machine.

    Time, memory, energy and the share of the machine's peak. Each framework runs in a
    process of its own, with the same number of threads; they are measured in turn.
    Nothing is ranked without a certificate that they compute the
    same: see triptych verify.
    """
    from triptych.commands.bench.bench import bench
    from triptych.commands.bench.terminal import BenchProgress, bench_parts
    from triptych.terminal import show

    with BenchProgress() as progress:
        done = bench(network, callback=progress, **given)
    if as_json:
        print_json(done)
    else:
        show(*bench_parts(done))
    if not done.done or any(one.status == "failed" for one in done.frameworks.values()):
        raise click.exceptions.Exit(1)
