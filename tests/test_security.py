"""What SECURITY.md says never happens, watched by audit events in every process that a
command starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HOOK = Path(__file__).parent / "watched"


def watched(words: Sequence[object], folder: Path) -> tuple[int, str]:
    """A command's exit code and what was seen that must never happen."""
    log = folder / "watched.log"
    path = os.pathsep.join(filter(None, [str(HOOK), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path, "WATCHED": str(log)},
    )
    return done.returncode, log.read_text() if log.exists() else ""


@pytest.mark.timeout(600)
def test_a_run_unpickles_nothing_and_connects_to_nobody(tmp_path: Path) -> None:
    triptych = ("-m", "triptych.cli")
    small = ("--network", "mlp", "--epochs", 1, "--image-size", 8)
    both = ("--frameworks", "pytorch,jax", "--out", "run")
    compare = (*triptych, "compare", "digits", *small, *both)
    assert watched(compare, tmp_path) == (0, "")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "black.png")
    assert watched((*triptych, "predict", "run", "black.png"), tmp_path) == (0, "")
    assert watched((*triptych, "resume", "run"), tmp_path) == (0, "")


@pytest.mark.parametrize(
    ("program", "event"),
    [
        ("import pickle; pickle.loads(b'cos\\ngetcwd\\n(tR.')", "pickle.find_class"),
        (
            "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)",
            "socket.connect",
        ),
    ],
)
def test_what_must_never_happen_would_be_seen(
    program: str, event: str, tmp_path: Path
) -> None:
    _, seen = watched(("-c", program), tmp_path)
    assert event in seen
