"""Notebooks run from a clean kernel, as `make notebooks` does, but into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from triptych.frameworks import registry
from triptych.running.transport import environment

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CASE_STUDY = {name: NOTEBOOKS / f"cnn_{name}.ipynb" for name in registry.DEFAULT}
"""The talk's notebooks, and one for JAX."""
RECIPE = {"epochs": 12}
"""What they are trained by. After the seven epochs of a first run they were still on
their way, and up to 7.1 points apart.
"""


def read(path: Path) -> Any:
    """A notebook, checked against the format's schema."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def execute(notebook: Any, folder: Path) -> Any:
    """Every cell in turn, in `folder`; the first that raises fails with its traceback.

    In the environment of a worker, so that waiting threads sleep and logs are short.
    """
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    ).execute(env=environment(registry.find("tensorflow")))
    return notebook


def printed(cell: Any) -> str:
    """What a cell writes to its standard output."""
    return "".join(
        o["text"] for o in cell.get("outputs", []) if o.get("name") == "stdout"
    )
