"""`make notebooks`: eject the case study, then execute every notebook from a clean
kernel.

Names on the command line choose some of them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from tests.notebooks.kernels import CASE_STUDY, NOTEBOOKS, RECIPE, execute, read

from triptych.commands.eject.ejection import eject
from triptych.images.export import save_images
from triptych.images.source import open_images


def main() -> None:
    """Each in a folder that holds the drawn sports, so that nothing is left beside the
    notebooks.
    """
    every = [*CASE_STUDY.values(), *sorted((NOTEBOOKS / "lessons").glob("*.ipynb"))]
    chosen = [path for path in every if len(sys.argv) == 1 or path.stem in sys.argv[1:]]
    for framework, path in CASE_STUDY.items():
        if path in chosen:
            path.unlink(missing_ok=True)
            eject("sports-cnn", framework, "notebook", out=path, recipe=RECIPE)
    with tempfile.TemporaryDirectory(prefix="triptych-notebooks-") as folder:
        save_images(open_images("sports", size=(48, 48)), Path(folder) / "sports")
        for path in chosen:
            started = time.perf_counter()
            notebook = execute(read(path), Path(folder))
            without_logs(notebook)
            nbformat.write(notebook, path)
            seconds = time.perf_counter() - started
            print(f"{path.relative_to(NOTEBOOKS)!s:34} {seconds:5.0f} s", flush=True)


def without_logs(notebook: Any) -> None:
    """Takes out what a runtime says of the machine: what is on standard error."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output for output in cell.outputs if output.get("name") != "stderr"
            ]


if __name__ == "__main__":
    main()
