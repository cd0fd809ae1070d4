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
    help="Height and width of the images; the network's own.",
)
@click.option(
    "--batch-size",
    type=int,
    default=32,
    show_default=True,
    metavar="N",
    help="Images a step.",
)
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    metavar="NAME",
    help="float32, float64 or bfloat16.",
)
@FRAMEWORKS
@click.option("--images", metavar=IMAGES, help="Real input; sports otherwise.")
@click.option(
    "--repeats", type=int, default=5, show_default=True, metavar="N", help="Rounds."
)
@click.option(
    "--seconds",
    type=float,
    default=1.0,
    show_default=True,
    metavar="X",
    help="Length of a measurement.",
)
@click.option(
    "--threads", type=int, metavar="N", help="For each framework; one a core otherwise."
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What allows a ranking; the newest below runs/ that fits otherwise.",
)
@out("Where figures and page go.")
@TIMEOUT
@JSON
def bench(network: str, as_json: bool, **given: Any) -> None:
    """Measure what each framework costs here: time, memory, energy, share of the
    machine's peak.

    One process a framework, equal threads, measured in turn. Nothing is ranked without
    a certificate that they compute the same: see triptych verify.
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
