"""The command line: find the command, call it, turn what happens into an exit code."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import sys

import click

from triptych import __version__
from triptych.command_line import COMPLETION
from triptych.commands import COMMANDS
from triptych.errors import TriptychError, WorkerFailed, did_you_mean, visible
from triptych.interruption import Interrupted, raise_on_signals


class Commands(click.Group):
    """The commands, each loaded from its folder when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        home = importlib.import_module(
            f"triptych.commands.{COMMANDS[cmd_name]}.command"
        )
        found: click.Command = getattr(home, cmd_name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(
                f"No such command {name!r}: {did_you_mean(name, COMMANDS)}", ctx
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="triptych")
def cli() -> None:
    """One network, several frameworks, side by side.

    Train the same image classifier in Keras, TensorFlow, PyTorch and JAX on a folder of
    images, check that they agree, and see what each costs. To begin: triptych compare
    sports
    """


def main() -> None:
    """Run the command line; errors are one line, every way out has its exit code."""
    raise_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A class may be called what the terminal cannot spell.
            stream.reconfigure(errors="replace")
    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "triptych", COMPLETION, instruction))
    if sys.platform == "win32":
        click.echo(
            "triptych: Windows is not supported; "
            "use Linux, macOS or Linux on Windows (WSL)",
            err=True,
        )
        sys.exit(2)
    try:
        status = _run()
        if sys.stdout is not None:  # it may have been closed by who started this
            sys.stdout.flush()
    except OSError as error:
        # Nor may the flush at exit fail.
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0  # the reader of a pipe has seen enough
        if error.errno != errno.EPIPE:
            what = (
                "cannot write"
                if error.filename is None
                else f"{error.filename}: cannot be used"
            )
            status = 2
            with contextlib.suppress(OSError):  # stderr may be what cannot be written
                click.echo(f"triptych: {what}: {error.strerror}", err=True)
    sys.exit(status)


def _run() -> int:
    """The exit code of the command that the arguments name."""
    try:
        with cli.make_context("triptych", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except TriptychError as error:
        logged = isinstance(error, WorkerFailed)  # the only message of several lines
        said = str(error) if logged else str(error).replace("\n", "\\n")
        click.echo(f"triptych: {visible(said)}", err=True)
        return error.exit_code
    except Interrupted as interruption:
        return _interrupted(interruption)
    except MemoryError:
        click.echo(
            "triptych: there is too little memory; "
            "make the network, the images or the batch smaller",
            err=True,
        )
        return 2
    return 0


def _interrupted(interruption: Interrupted) -> int:
    """Say what has become of the work; gives the exit code."""
    notes = getattr(interruption, "__notes__", None) or [
        "run the same command again to start over"
    ]
    # After SIGHUP there may be no terminal to say it on.
    with contextlib.suppress(OSError):
        click.echo(f"triptych: interrupted; {notes[0]}", err=True)
    return interruption.exit_code


if __name__ == "__main__":
    main()
