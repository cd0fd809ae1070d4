"""Labels and probabilities for files and folders of images."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import msgspec
import numpy as np
from msgspec import Meta, Struct, field
from numpy.typing import NDArray

from triptych.commands.predict.model import Loaded, Model, find_model
from triptych.errors import ImagesError, UnreadableImage, UsageError, listed, quote
from triptych.images.reader import FolderReader, is_named_like_an_image, printable
from triptych.images.source import read_image
from triptych.network.layers import pair
from triptych.network.layouts import Array
from triptych.running.folder import RunFolder
from triptych.running.recipe import Recipe

_THREADS = min(4, os.cpu_count() or 1)
"""Each holds an image at full resolution while it works."""


@dataclass(frozen=True)
class _File:
    """A file to be labeled, by its printable name."""

    name: str
    path: Path
    failure: UnreadableImage | None = None
    """Why it cannot be read, if that is known already."""
    was_named: bool = True
    """Whether the user named it, and not a folder that it lies in."""

    def read(self, recipe: Recipe) -> NDArray[np.uint8] | UnreadableImage:
        """Its pixels as the network sees them, or why there are none."""
        if self.failure is not None:
            return self.failure
        try:
            return read_image(
                self.path, pair(recipe.image_size), recipe.fit, recipe.resize
            )
        except UnreadableImage as failure:
            return failure

    def is_something_else(self, failure: UnreadableImage) -> bool:
        """Whether nobody takes it for an image: neither who named it, nor its name,
        nor its content.
        """
        return (
            failure.kind == "not an image"
            and not self.was_named
            and not is_named_like_an_image(self.name)
        )


class Prediction(Struct, kw_only=True):
    """A network's prediction for one image, or why there is none."""

    image: str
    label: str | None = None
    probabilities: Annotated[
        dict[str, float],
        Meta(description="By class, in the network's order; they sum to 1."),
    ] = field(default_factory=dict)
    error: Annotated[
        str | None, Meta(description="Why the file cannot be read; null if it can.")
    ] = None


class Predictions(Struct, kw_only=True):
    """A network's predictions for several images, in the order given."""

    model: Model
    classes: list[str]
    predictions: list[Prediction]
    passed_over: Annotated[
        list[str],
        Meta(description="Files in the folders that are not images, not even by name."),
    ]

    @property
    def failed(self) -> list[Prediction]:
        """Those of files that cannot be read."""
        return [one for one in self.predictions if one.error is not None]

    def to_json_lines(self) -> str:
        """A JSON table a line and image, each with what answered."""
        return "".join(
            msgspec.json.encode(msgspec.to_builtins(one) | self._answered()).decode()
            + "\n"
            for one in self.predictions
        )

    def to_csv(self) -> str:
        """A row an image: its path, label and error, what answered, and the
        probability of each class.
        """
        into = io.StringIO()
        writer = csv.writer(into, lineterminator="\n")
        heads = [f"p({name})" for name in self.classes]
        writer.writerow(["image", "label", "error", *self._answered(), *heads])
        for one in self.predictions:
            shares = [one.probabilities.get(name) for name in self.classes]
            writer.writerow(
                [one.image, one.label, one.error, *self._answered().values(), *shares]
            )
        return into.getvalue()

    def _answered(self) -> dict[str, object]:
        model = self.model
        return {
            name: getattr(model, name) for name in ("framework", "weights", "epoch")
        }

    def _repr_html_(self) -> str:
        from triptych.commands.predict.terminal import prediction_lines
        from triptych.terminal import to_html

        return to_html(*prediction_lines(self))


def predict(
    run: Path | str,
    images: Sequence[Path | str] | Path | str,
    *,
    framework: str | None = None,
    weights: str | None = None,
) -> Predictions:
    """Label and probabilities of each image, or of one, by the run's network; for a
    folder, of all images below it.

    A file that cannot be read has its error in place of a label. `framework` can be any
    that is installed; `weights` names the framework whose trained weights are used: see
    `find_model`. Raises ImagesError if no file is an image, RunFolderError for a run
    without weights.
    """
    with Predictor(run, framework=framework, weights=weights) as predictor:
        return predictor.predict(images)


class Predictor:
    """A run's network that stays loaded, for predictions again and again.

    >>> with triptych.Predictor("runs/sports", framework="pytorch") as predictor:
    ...     predictor.predict(["cat.jpg"])
    ...     predictor.predict(["dog.jpg", "photos"])

    `framework` and `weights` are those of `predict`, and so are the errors raised. The
    framework's process is started by the first prediction, and ends with the `with`.
    """

    def __init__(
        self,
        run: Path | str,
        *,
        framework: str | None = None,
        weights: str | None = None,
    ) -> None:
        folder = RunFolder.open(run)
        self.model = find_model(folder, framework, weights)
        self._recipe, self._classes = folder.recipe(), folder.classes()
        self._loaded = Loaded(self.model)

    def __enter__(self) -> Self:
        self._loaded.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._loaded.__exit__()

    def predict(self, images: Sequence[Path | str] | Path | str) -> Predictions:
        """Label and probabilities of each image, as `triptych.predict` gives them."""
        files = list(_files(_named(images)))
        with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
            decoded = Path(scratch) / "images.bin"
            failures = _decode(files, self._recipe, decoded)
            count = failures.count(None)
            if not count:
                raise ImagesError(_nothing_readable(files, failures))
            shape = (count, *pair(self._recipe.image_size), 3)
            logits = self._loaded.logits(decoded, shape, np.arange(count))
        rows = iter(_softmax(logits))
        found = Predictions(
            model=self.model, classes=self._classes, predictions=[], passed_over=[]
        )
        for file, failure in zip(files, failures, strict=True):
            if failure is None:
                row = next(rows)
                found.predictions.append(_prediction(file.name, self._classes, row))
            elif file.is_something_else(failure):
                found.passed_over.append(file.name)
            else:
                unread = Prediction(image=file.name, error=str(failure))
                found.predictions.append(unread)
        return found


def _prediction(image: str, classes: list[str], row: NDArray[np.float64]) -> Prediction:
    probabilities = dict(zip(classes, map(float, row), strict=True))
    return Prediction(
        image=image, label=classes[int(row.argmax())], probabilities=probabilities
    )


def _named(images: object) -> list[Path]:
    """The paths that were named; raises UsageError for what is none."""
    named = listed(images)
    for one in named:
        # An empty name would be the current folder.
        if not isinstance(one, str | Path) or one == "":
            raise UsageError(
                f"{quote(one)} names no image; give paths of images or folders"
            )
    if not named:
        raise UsageError("name one or more images")
    return [Path(one) for one in named]


def _files(paths: Sequence[Path]) -> Iterator[_File]:
    """The files that were named, and those below the folders that were."""
    for path in paths:
        if not path.is_dir():
            yield _File(printable(str(path)), path)
            continue
        reader = FolderReader(path)
        for problem in reader.problems:
            if problem.kind != "link":  # it leads to files that are listed already
                failure = UnreadableImage(problem.kind, problem.detail)
                yield _File(
                    f"{printable(str(path))}/{problem.path}",
                    path,
                    failure,
                    was_named=False,
                )
        for name in reader.names:
            yield _File(printable(str(path / name)), path / name, was_named=False)


def _decode(
    files: list[_File], recipe: Recipe, into: Path
) -> list[UnreadableImage | None]:
    """Write the pixels of all readable files to one file; says why of the others."""
    failures: list[UnreadableImage | None] = []
    try:
        with into.open("wb") as written, ThreadPoolExecutor(_THREADS) as pool:
            for found in pool.map(lambda file: file.read(recipe), files):
                failed = isinstance(found, UnreadableImage)
                failures.append(found if failed else None)
                if not failed:
                    written.write(found.tobytes())
    except OSError as error:
        raise ImagesError(
            f"cannot keep decoded images in {into}: {error.strerror or error}; "
            "make room, or set TMPDIR to another folder"
        ) from None
    return failures


def _nothing_readable(
    files: list[_File], failures: list[UnreadableImage | None]
) -> str:
    if not files:
        return "there is no file in what was named; name images, or a folder with some"
    first = f"{files[0].name}: {failures[0]}"
    return (
        first
        if len(files) == 1
        else f"none of {len(files):,} files is a readable image, first {first}"
    )


def _softmax(logits: Array) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
