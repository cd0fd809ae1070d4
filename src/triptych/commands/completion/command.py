"""`triptych completion` on the command line."""

from __future__ import annotations

import click

from triptych.command_line import COMPLETION, Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script.

    For bash: eval "$(triptych completion bash)"
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(
        made(
            click.get_current_context().find_root().command, {}, "triptych", COMPLETION
        ).source()
    )
