"""`triptych verify` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from triptych.command_line import (
    FRAMEWORKS,
    IMAGES,
    JSON,
    OPTIMIZERS,
    TIMEOUT,
    Command,
    names,
    out,
    print_json,
)


@click.command(cls=Command)
@click.argument("network", required=False, metavar="[NETWORK|RUN]")
@click.option(
    "--network",
    "file",
    metavar="NAME|FILE",
    help="A network from the zoo, or a .toml file.",
)
@FRAMEWORKS
@click.option(
    "--precision",
    default="float64",
    show_default=True,
    metavar="NAME",
    help="float64 proves; float32 and bfloat16 are held to a budget.",
)
@click.option(
    "--steps",
    type=int,
    default=50,
    show_default=True,
    metavar="N",
    help="Number of training steps.",
)
@click.option(
    "--optimizer",
    "optimizers",
    callback=names,
    metavar="NAMES",
    help=f"Comma-separated list of optimizers: {OPTIMIZERS}.",
)
@click.option("--images", metavar=IMAGES, help="Images to use instead of seeded noise.")
@click.option(
    "--image-size",
    type=int,
    metavar="PX",
    help="Height and width of the network's input.",
)
@click.option(
    "--weights",
    metavar="imagenet|FILE|RUN",
    help="Weights to prove it with.  [default: seeded values]",
)
@click.option(
    "--batch-size",
    type=int,
    default=8,
    show_default=True,
    metavar="N",
    help="Batch size.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Random seed.",
)
@click.option(
    "--no-probes",
    is_flag=True,
    help="Check this network only, without the probe networks.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Repeat the checks of a stored certificate.",
)
@out("Folder for the certificate and the page.")
@TIMEOUT
@JSON
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    network: str | None,
    file: str | None,
    certificate: Path | None,
    out: Path | None,
    timeout: float,
    as_json: bool,
    no_probes: bool,
    **given: Any,
) -> None:
    """Prove that frameworks compute the same network, or show where they first differ.

    Exit code 0 if they are equal, 1 if they differ, 2 if the result is inconclusive.
    """
    from triptych.commands.verify.terminal import ProofProgress, verification_parts
    from triptych.commands.verify.verification import verify
    from triptych.terminal import show

    if network is not None and file is not None:
        raise click.UsageError(f"{network!r} and --network {file}: give one network")
    if certificate is not None:
        _only_certificate(ctx, network)
    with ProofProgress() as progress:
        done = verify(
            network or file,
            probes=not no_probes,
            certificate=certificate,
            out=out,
            timeout=timeout,
            callback=progress,
            **given,
        )
    print_json(done.certificate) if as_json else show(*verification_parts(done))
    if done.verdict != "equal":
        raise click.exceptions.Exit(1 if done.verdict == "different" else 2)


def _only_certificate(ctx: click.Context, network: str | None) -> None:
    """Raise UsageError for the first argument that has no say beside a certificate."""
    for parameter in ctx.command.params:
        given = (
            ctx.get_parameter_source(parameter.name or "")
            == ParameterSource.COMMANDLINE
        )
        if given and parameter.name not in ("certificate", "out", "timeout", "as_json"):
            name = parameter.opts[0] if isinstance(parameter, click.Option) else network
            raise click.UsageError(
                f"--certificate already says what to check; leave out {name}"
            )
