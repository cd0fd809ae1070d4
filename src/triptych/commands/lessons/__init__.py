"""What the lessons need besides the library: exercises that answer, and cells in other
frameworks.

A lesson begins with `%load_ext triptych.commands.lessons`; then a cell that begins with
`%%framework jax` runs in a process of its own in which that framework may be imported.
"""

from __future__ import annotations

from typing import Any

from triptych.commands.lessons.exercises import check

__all__ = ["check"]


def load_ipython_extension(shell: Any) -> None:
    """`%%framework NAME [VARIABLE]`: run the cell by NAME, and keep what it prints in
    VARIABLE.

    With several names, as in `%%framework keras,keras:jax`, each runs the cell, and
    VARIABLE holds what they print by name.
    """

    # Only now: the list of lessons needs none of it.
    from triptych.commands.lessons.cells import run_cells
    from triptych.frameworks import registry

    def framework(line: str, cell: str) -> None:
        asked, *variable = line.split()
        names = asked.split(",")
        printed = run_cells(names, cell)
        for name, text in printed.items():
            print(
                f"{registry.find(name).title}:\n{text}" if len(names) > 1 else text,
                end="",
            )
        shell.user_ns.update(
            dict.fromkeys(variable, printed if len(names) > 1 else printed[asked])
        )

    shell.register_magic_function(framework, "cell", "framework")
