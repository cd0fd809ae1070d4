"""Distributions as published, and environments that know nothing of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"


def build(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of this checkout; the wheel is built from the sdist."""
    call([sys.executable, "-m", "build", "--outdir", folder, ROOT], folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment; what runs in it sees neither this checkout nor this
    process's packages.
    """

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        venv.create(folder / "venv", with_pip=True)
        return cls(folder)

    def install(self, *words: str | Path) -> None:
        """As `pip install` does; what few tests import need not be compiled all."""
        self("python", "-m", "pip", "install", "--quiet", "--no-compile", *words)

    def __call__(self, program: str, *words: str | Path) -> str:
        """What one of the environment's programs prints."""
        return call([self.folder / "venv" / "bin" / program, *words], self.folder)


def call(words: list[str | Path], folder: Path) -> str:
    """What a command prints that must succeed; where it fails, all that it said."""
    outside = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }
    done = subprocess.run(
        list(map(str, words)),
        cwd=folder,
        env=outside | {"TRIPTYCH_CACHE": str(folder / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}:\n{done.stdout}{done.stderr}"
    return done.stdout
