"""The run folder: what lies where, and how it is read and written.

::

    runs/<name>/
      recipe.toml  network.toml  pictures.json       what was asked, and of which pictures
      pictures.safetensors                           what its pictures are known by, part by part
      result.json  report.html                       all figures; the page
      <framework>/network.py  facts.json             the source that ran; what ran it
      <framework>/weights.safetensors                the best epoch's
      <framework>/checkpoint.safetensors             the last epoch's, optimiser included
      <framework>/logits.safetensors                 the test part's
      <framework>/first_step.safetensors             everything before and after the first step
      certificate.json                               whether all compute the same, judged by that step
      <framework>/events.jsonl  worker.log           the figures of each epoch; what its process said

Every file is written whole or not at all.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from triptych.errors import RunFolderError
from triptych.frameworks.registry import Entry
from triptych.network.architecture import Architecture, from_toml
from triptych.network.weights import StoredTensors, load_tensors, save_tensors
from triptych.network.zoo import ZOO
from triptych.pictures.sheet import describe
from triptych.pictures.split import SIDE_NAMES, split
from triptych.pictures.store import Store
from triptych.running.recipe import Recipe, make_recipe
from triptych.tables import read_toml, write_atomic, writing

RUNS = Path("runs")
"""Where runs go when nothing else is said."""


FIRST_STEP = "first_step"
"""The name of what a run answers in passing, as a case of an exam."""


@dataclass(frozen=True)
class Panel:
    """One framework's part of a run folder."""

    path: Path

    @property
    def network(self) -> Path:
        """The source text that ran."""
        return self.path / "network.py"

    @property
    def weights(self) -> Path:
        """Canonical tensors of the best epoch."""
        return self.path / "weights.safetensors"

    @property
    def epoch(self) -> int | None:
        """The epoch that its weights are of; None if there are none, or nobody knows."""
        if not self.weights.is_file():
            return None
        said = StoredTensors(self.weights).about.get("epoch", "")
        return int(said) if said.isdecimal() else None

    @property
    def checkpoint(self) -> Path:
        """Canonical tensors after the last finished epoch, optimiser and progress included."""
        return self.path / "checkpoint.safetensors"

    @property
    def logits(self) -> Path:
        """What the best weights say of the test part: logits, true labels, and rows in the store."""
        return self.path / "logits.safetensors"

    @property
    def first_step(self) -> Path:
        """What it computed in its first step, as in an exam: what the certificate is made from."""
        return self.path / f"{FIRST_STEP}.safetensors"

    @property
    def log(self) -> Path:
        """What the framework's process wrote to its output."""
        return self.path / "worker.log"

    def events(self) -> list[dict[str, Any]]:
        """What happened so far, in order; empty before the first epoch ends."""
        try:
            lines = (self.path / "events.jsonl").read_text("utf-8").splitlines()
            return [msgspec.json.decode(line) for line in lines]
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as reason:
            raise RunFolderError(f"{self.path / 'events.jsonl'}: cannot be read ({reason})") from None

    def write_events(self, events: list[dict[str, Any]]) -> None:
        """Replace the list of what happened."""
        write_atomic(self.path / "events.jsonl", b"".join(msgspec.json.encode(e) + b"\n" for e in events))

    def facts(self) -> dict[str, Any] | None:
        """What the framework said of itself and of the finished training; None if it is not finished."""
        return read_json(self.path / "facts.json") if (self.path / "facts.json").exists() else None


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds a run."""

    path: Path

    @classmethod
    def create(cls, path: Path | None, recipe: Recipe, architecture: Architecture, store: Store) -> RunFolder:
        """A new run folder, under `runs/` if no path is given; raises RunFolderError if it cannot be."""
        sides = split(store.labels, store.sides, recipe.seed)
        if path is None:
            stem = Path(recipe.pictures).name.split(".")[0] or "pictures"
            path = new_folder(f"{stem}-{architecture.name}")
        folder = cls(path)
        with writing(path):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise RunFolderError(
                    f"{path}: is there already; choose another --out, or go on with: triptych resume {path}"
                )
            write_atomic(path / "network.toml", architecture.to_toml())
            write_json(path / "pictures.json", describe(store, sides))
            digests = {name: np.asarray(store.digests)[rows] for name, rows in vars(sides).items()}
            save_tensors(path / "pictures.safetensors", digests)
            write_atomic(path / "recipe.toml", recipe.to_toml())  # last: it makes the folder a run folder
        return folder

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """An existing run folder, by path or by name under `runs/`; raises RunFolderError."""
        path = Path(path)
        if not path.exists() and (RUNS / path).is_dir():
            path = RUNS / path
        if not (path / "recipe.toml").is_file():
            raise RunFolderError(f"{path}: is no run folder; 'triptych runs' lists those there are")
        return cls(path)

    @classmethod
    def find(cls, name: str) -> RunFolder | None:
        """The run of that name or path, unless a network of the zoo or a file goes by it.

        Raises RunFolderError for a folder that is no run.
        """
        if name in ZOO or name.endswith(".toml") or Path(name).is_file():
            return None
        try:
            return cls.open(name)
        except RunFolderError:
            if Path(name).is_dir():
                raise
            return None

    @property
    def started(self) -> str:
        """When it was begun, ISO 8601 in UTC: recipe.toml is written once."""
        moment = (self.path / "recipe.toml").stat().st_mtime
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")

    def recipe(self) -> Recipe:
        """What was asked."""
        return make_recipe(read_toml(self.path / "recipe.toml", RunFolderError))

    def architecture(self) -> Architecture:
        """The network as it ran, with the pictures' size and classes."""
        return from_toml(self.path / "network.toml")

    def pictures(self) -> dict[str, Any]:
        """What was found in the pictures."""
        return read_json(self.path / "pictures.json")

    def sides(self) -> dict[bytes, int]:
        """The side that each of its pictures is on, by the picture's digest."""
        digests = load_tensors(self.path / "pictures.safetensors")
        sides = ((side, digests.get(name, ())) for side, name in enumerate(SIDE_NAMES))
        return {row.tobytes(): side for side, rows in sides for row in rows}

    def panel(self, entry: Entry) -> Panel:
        """The part of one framework."""
        return Panel(self.path / entry.folder)


def new_folder(name: str) -> Path:
    """A path under `runs/` for something of that name, with the time, that is not taken."""
    base = re.sub(r"[^\w.-]+", "-", name) + time.strftime("-%Y%m%d-%H%M%S")
    return next(p for n in range(1, 1000) if not (p := RUNS / (base + f"-{n}" * (n > 1))).exists())


def make_folder(path: Path) -> None:
    """Make a folder, unless it is there; raises RunFolderError if it cannot be."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def write_json(path: Path, value: Any) -> Path:
    """Write a value as indented JSON."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON table; raises RunFolderError if it is missing or damaged."""
    try:
        value = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise RunFolderError(f"{path}: there is no such file") from None
    except (OSError, msgspec.DecodeError) as reason:
        raise RunFolderError(f"{path}: cannot be read ({reason})") from None
    if not isinstance(value, dict):
        raise RunFolderError(f"{path}: holds no table")
    return value


def list_runs(root: Path = RUNS) -> list[RunFolder]:
    """The run folders under `root`, newest first."""
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if (path / "recipe.toml").is_file()]
    found.sort(key=lambda path: (path / "recipe.toml").stat().st_mtime, reverse=True)
    return [RunFolder(path) for path in found]
