"""The run folder: what lies where, and how it is read and written.

::

    runs/<name>/
      recipe.toml  network.toml           what was asked
      carried.safetensors  origin.json    weights from elsewhere, and where that is
      images.json                         of which images
      images.safetensors                  what they are known by, part by part
      result.json  report.html            all figures; the page
      <framework>/network.py  facts.json  the source that ran; what ran it
      <framework>/weights.safetensors     the best epoch's
      <framework>/checkpoint.safetensors  the last epoch's, optimizer included
      <framework>/logits.safetensors      the test part's
      <framework>/first_step.safetensors  everything before and after the first step
      <framework>/first_batch.safetensors if only a head is trained, what that was shown
      certificate.json                    whether all compute the same, by that step
      <framework>/head/                   the same of the head, if it was trained first
      <framework>/events.jsonl            the figures of each epoch
      <framework>/worker.log              what its process said

Every file is written whole or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import msgspec
import numpy as np

from triptych.errors import RecipeError, RunFolderError, quote
from triptych.files import read_file, read_toml, write_atomic, writing
from triptych.frameworks.contract import Facts
from triptych.frameworks.registry import Entry
from triptych.images.found import ImagesFound, describe
from triptych.images.split import PART_NAMES, split
from triptych.network.architecture import Architecture, from_toml
from triptych.network.layers import pair
from triptych.network.pretrained import Loaded, Origin
from triptych.network.weights import (
    StoredTensors,
    Weights,
    initial_weights,
    load_tensors,
    save_tensors,
)
from triptych.network.zoo import ZOO
from triptych.running.epoch import Epoch
from triptych.running.recipe import Recipe, make_recipe
from triptych.running.records import decode_json, read_json, read_record, write_json

if TYPE_CHECKING:  # loads Pillow
    from triptych.images.store import Store

RUNS = Path("runs")
"""Where runs go when nothing else is said."""


LONGEST = 200
"""The most bytes of a folder's name before the time: file systems take 255."""

RECIPE = "recipe.toml"
"""What makes a folder a run folder."""

CARRIED = "carried.safetensors"
"""The weights that a run has from elsewhere."""
ORIGIN = "origin.json"
"""Where that is."""

FIRST_STEP = "first_step"
"""The name of what a run answers in passing, as a case of an exam."""


@dataclass(frozen=True, kw_only=True)
class TrainingFacts(Facts):
    """What a framework says of itself, and what is to say of its finished training."""

    best_epoch: int
    network_lines: int
    import_memory_mib: float
    peak_memory_mib: float
    total_seconds: float


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
        """The epoch that its weights are of; None if there are none or nobody knows."""
        if not self.weights.is_file():
            return None
        said = StoredTensors(self.weights).about.get("epoch", "")
        return int(said) if said.isdecimal() and len(said) < 10 else None

    @property
    def checkpoint(self) -> Path:
        """Canonical tensors after the last finished epoch, optimizer and progress
        included.
        """
        return self.path / "checkpoint.safetensors"

    @property
    def logits(self) -> Path:
        """What the best weights say of the test part: logits, true labels, and rows in
        the store.
        """
        return self.path / "logits.safetensors"

    @property
    def first_step(self) -> Path:
        """What it computed in its first step, as in an exam: for the certificate."""
        return self.path / f"{FIRST_STEP}.safetensors"

    @property
    def first_batch(self) -> Path:
        """The features that the head of a network took its first step on."""
        return self.path / "first_batch.safetensors"

    @property
    def head(self) -> Panel:
        """What came of the head where it was trained first, and then everything."""
        return Panel(self.path / "head")

    @property
    def log(self) -> Path:
        """What the framework's process wrote to its output."""
        return self.path / "worker.log"

    def epochs(self) -> list[Epoch]:
        """The finished epochs, in order; raises RunFolderError if they are damaged."""
        path = self.path / "events.jsonl"
        try:
            return [
                decode_json(path, line, Epoch) for line in read_file(path).splitlines()
            ]
        except FileNotFoundError:
            return []
        except OSError as reason:
            raise RunFolderError(f"{path}: cannot be read ({reason})") from None

    def write_epochs(self, epochs: list[Epoch]) -> None:
        """Replace the list of finished epochs."""
        write_atomic(
            self.path / "events.jsonl",
            b"".join(msgspec.json.encode(e) + b"\n" for e in epochs),
        )

    def facts(self) -> TrainingFacts | None:
        """What the framework said of itself and of the finished training; None if it is
        not finished.
        """
        path = self.path / "facts.json"
        return read_record(path, TrainingFacts) if path.exists() else None


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds a run."""

    path: Path

    @classmethod
    def create(
        cls,
        path: Path | None,
        recipe: Recipe,
        architecture: Architecture,
        store: Store,
        carried: Loaded | None = None,
    ) -> RunFolder:
        """A new run folder, under `runs/` if no path is given, with the weights that
        training begins with if they come from somewhere; raises RunFolderError if it
        cannot be.
        """
        made = split(store.labels, store.parts, recipe.seed)
        if path is None:
            stem = Path(recipe.images).name.split(".")[0] or "images"
            path = new_folder(f"{stem}-{architecture.name}")
        folder = cls(path)
        with writing(path):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                hint = f", or resume it with: triptych resume {path}"
                raise RunFolderError(
                    f"{path}: already exists; choose another --out"
                    f"{hint * (path / RECIPE).is_file()}"
                )
            with _made(path) as place:
                write_atomic(place / "network.toml", architecture.to_toml())
                write_json(place / "images.json", describe(store, made))
                digests = {
                    name: np.asarray(store.digests)[rows]
                    for name, rows in vars(made).items()
                }
                save_tensors(place / "images.safetensors", digests)
                if carried is not None:
                    save_tensors(place / CARRIED, carried.weights)
                    write_json(place / ORIGIN, carried.origin.to_table())
                # Last: it makes it a run folder.
                write_atomic(place / RECIPE, recipe.to_toml())
        return folder

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """An existing run folder, by path or name in `runs/`; raises RunFolderError if
        there is none, or if its parts do not fit each other.
        """
        named = isinstance(path, str | Path)
        path = Path(path if named else quote(path))
        if not os.path.exists(path) and os.path.isdir(RUNS / path):
            path = RUNS / path
        if not (named and os.path.isfile(path / RECIPE)):
            raise RunFolderError(
                f"{path}: not a run folder; 'triptych runs' lists your runs"
            )
        run = cls(path)
        run.classes()
        size, wanted = run.recipe().image_size, run.architecture().input_shape[:2]
        if pair(size) != wanted:
            raise RunFolderError(
                f"{path / RECIPE}: its images have {size} pixels, but the network has "
                f"{wanted}; start a new run"
            )
        return run

    @classmethod
    def find(cls, name: str) -> RunFolder | None:
        """The run of that name or path, unless a network of the zoo or a file goes by
        it.

        Raises RunFolderError for a folder that is no run.
        """
        if name in ZOO or name.endswith(".toml") or os.path.isfile(name):
            return None
        try:
            return cls.open(name)
        except RunFolderError:
            if os.path.isdir(name):
                raise
            return None

    @property
    def started(self) -> str:
        """When it was begun, ISO 8601 in UTC: recipe.toml is written once."""
        moment = (self.path / RECIPE).stat().st_mtime
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")

    def recipe(self) -> Recipe:
        """What was asked; raises RunFolderError if it is damaged."""
        path = self.path / RECIPE
        tables = read_toml(path, RunFolderError)
        if not tables:
            raise RunFolderError(f"{path}: is empty; start a new run")
        try:
            return make_recipe(tables)
        except RecipeError as reason:
            raise RunFolderError(f"{path}: {reason}") from None

    def architecture(self) -> Architecture:
        """The network as it ran, with the images' size and classes."""
        return from_toml(self.path / "network.toml")

    def starting_weights(self) -> Weights:
        """What every framework begins with: the weights that came from elsewhere, all
        of the network's, or else such as are drawn from the seed.
        """
        carried = self.path / CARRIED
        if carried.exists():
            return load_tensors(carried)
        return initial_weights(self.architecture(), self.recipe().seed)

    def origin(self) -> Origin | None:
        """Where the weights are from that it began with; None if they were drawn."""
        path = self.path / ORIGIN
        return Origin.from_table(read_json(path)) if path.exists() else None

    def images(self) -> ImagesFound:
        """What was found in the images."""
        return read_record(self.path / "images.json", ImagesFound)

    def classes(self) -> list[str]:
        """The names of the classes in the network's order; raises RunFolderError if
        they do not fit it.
        """
        found, wanted = self.images().classes, self.architecture().classes
        if not len(found) == len(set(found)) == wanted:
            raise RunFolderError(
                f"{self.path / 'images.json'}: "
                f"the network has {wanted} classes, but it lists others"
            )
        return found

    def parts(self) -> dict[bytes, int]:
        """The part that each of its images is in, by the image's digest."""
        path = self.path / "images.safetensors"
        known: dict[bytes, int] = {}
        for name, digests in load_tensors(path).items():
            if (
                name not in PART_NAMES
                or digests.dtype != np.uint8
                or digests.shape[1:] != (16,)
            ):
                raise RunFolderError(f"{path}: {name!r} holds no digests of images")
            known |= {digest.tobytes(): PART_NAMES.index(name) for digest in digests}
        return known

    def panel(self, entry: Entry) -> Panel:
        """The part of one framework."""
        return Panel(self.path / entry.folder)


@contextmanager
def _made(path: Path) -> Iterator[Path]:
    """Where the first files of the folder `path` are put: beside it, so that it is
    there whole or not at all.

    A killed beginning would be no run that can go on, and yet stand in the way of
    another.
    """
    if path.exists():
        yield path
        return
    place = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield place
        place.rename(path)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def new_folder(name: str) -> Path:
    """A path under `runs/` for something of that name, with the time, not taken yet."""
    plain = re.sub(r"[^\w.-]+", "-", name).encode()[:LONGEST].decode(errors="ignore")
    base = plain + time.strftime("-%Y%m%d-%H%M%S")
    return next(
        p
        for n in range(1, 1000)
        if not (p := RUNS / (base + f"-{n}" * (n > 1))).exists()
    )


def make_folder(path: Path) -> None:
    """Make a folder, unless it is there; raises RunFolderError if it cannot be."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Nobody else is at work on the folder of a `what` meanwhile; raises RunFolderError
    if somebody is.
    """
    lock = filelock.FileLock(path / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RunFolderError(
            f"{path}: another process is working on this {what}"
        ) from None
    try:
        yield
    finally:
        lock.release()


def list_runs(root: Path = RUNS) -> list[RunFolder]:
    """The run folders under `root`, newest first."""
    if not root.is_dir():
        return []
    found = [
        path
        for path in root.iterdir()
        if not path.name.startswith(".") and (path / "recipe.toml").is_file()
    ]
    found.sort(key=lambda path: (path / "recipe.toml").stat().st_mtime, reverse=True)
    return [RunFolder(path) for path in found]
