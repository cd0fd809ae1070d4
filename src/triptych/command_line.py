"""What the commands share on the command line: options that several have, and how words
are understood.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

import click

from triptych.errors import USUAL, check_timeout, nearest
from triptych.network.conventions import OptimizerName

F = TypeVar("F", bound=Callable[..., object])

COMPLETION = "_TRIPTYCH_COMPLETE"
"""The variable by which a shell asks for completions."""

OPTIMIZERS = ", ".join(get_args(OptimizerName))
"""Their names, as `--help` tells them."""

NEEDLESS = {
    "--workers": (
        "images are decoded once, on all cores, "
        "and batches are prepared in the background"
    ),
    "--device": "each framework uses the GPU that it finds",
}
"""Options of other programs that have nothing to decide here, and why."""
NEEDLESS |= {"--num-workers": NEEDLESS["--workers"], "--gpu": NEEDLESS["--device"]}


class Command(click.Command):
    """A command that understands what other programs call its options, and suggests
    what it does not.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = [
            name
            for one in self.get_params(ctx)
            for name in one.opts
            if name.startswith("--")
        ]
        try:
            end = args.index("--") if "--" in args else len(args)
            ours = [_in_our_words(word, known) for word in args[:end]]
            return super().parse_args(ctx, ours + args[end:])
        except click.NoSuchOption as error:
            name = error.option_name
            meant = nearest(name, known)
            suggested = meant and f"did you mean {meant}?"
            hint = NEEDLESS.get(name) or suggested or f"see {ctx.command_path} --help"
            raise click.UsageError(f"No such option {name!r}: {hint}", ctx) from None


def _in_our_words(word: str, known: list[str]) -> str:
    """An argument, its option named as it is called here: --lr 0.1, --batch_size=8."""
    name, equals, value = word.partition("=")
    plain = name.replace("_", "-")
    for meant in (plain, f"--{USUAL.get(plain.removeprefix('--'))}"):
        if name.startswith("--") and name not in known and meant in known:
            return meant + equals + value
    return word


def options(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, shown in the order given."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def names(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> list[str] | None:
    """An option's names from one text, in which they are separated by commas."""
    return (
        [name.strip() for name in value.split(",") if name.strip()]
        if value is not None
        else None
    )


IMAGES = "FOLDER|ARCHIVE|sports|digits"
"""How the place of images is called in help."""

JSON = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON and nothing else on standard output.",
)
FRAMEWORKS = click.option(
    "--frameworks",
    callback=names,
    metavar="NAMES",
    help="Comma-separated list of frameworks.  [default: all four]",
)
TIMEOUT = click.option(
    "--timeout",
    type=float,
    callback=lambda ctx, parameter, value: check_timeout(value),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop a framework that has been silent for this long.",
)


def out(what: str, metavar: str = "DIR") -> Callable[[F], F]:
    """The option that says where something goes."""
    return click.option(
        "--out", type=click.Path(path_type=Path), metavar=metavar, help=what
    )


def print_json(value: object) -> None:
    """Print it on standard output, indented."""
    import msgspec  # only now: help needs none of it

    click.echo(
        msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
    )
