"""Code in one framework, run by itself: two frameworks never share a process, not even
in a notebook.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from triptych.errors import FrameworkMissing, WorkerFailed
from triptych.frameworks import registry
from triptych.running.transport import environment


def run_cell(framework: str, code: str) -> str:
    """What `code` prints in a process of its own, which sees what a worker of that
    framework sees.

    Raises UsageError for an unknown framework, FrameworkMissing, and WorkerFailed with
    the traceback.
    """
    entry = registry.find(framework)
    if missing := entry.missing():
        raise FrameworkMissing(missing)
    with tempfile.TemporaryDirectory(prefix="triptych-cell-") as folder:
        cell = Path(folder) / "cell.py"
        cell.write_text(code, "utf-8")
        done = subprocess.run(
            [sys.executable, "-P", str(cell)],
            capture_output=True,
            text=True,
            check=False,
            env=environment(entry),
        )
    if done.returncode:
        raise WorkerFailed(f"{entry.title} failed in this cell:\n{done.stderr.strip()}")
    return done.stdout


def run_cells(frameworks: Sequence[str], code: str) -> dict[str, str]:
    """What the same `code` prints by each of `frameworks`, by name, two at a time;
    raises as `run_cell`.
    """
    with ThreadPoolExecutor(2) as pool:
        printed = pool.map(lambda name: run_cell(name, code), frameworks)
        return dict(zip(frameworks, printed, strict=True))
