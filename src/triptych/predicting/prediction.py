"""Labels and probabilities for pictures, accuracy for folders."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from triptych.errors import PicturesError, RunFolderError, UsageError
from triptych.frameworks import registry
from triptych.network.layers import pair
from triptych.network.weights import load_tensors, save_tensors
from triptych.pictures.source import open_pictures, read_picture
from triptych.running.folder import RunFolder
from triptych.running.launch import run_worker
from triptych.running.result import confusion_matrix, interval


class Prediction(Struct, kw_only=True):
    """What a network says of one picture."""

    picture: str
    label: str
    probabilities: dict[str, float]
    """By class, in the network's order; they sum to 1."""


class Evaluation(Struct, kw_only=True):
    """How right a network is on a folder of pictures."""

    framework: str
    pictures: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    classes: list[str]
    confusion: list[list[int]]
    """Rows the true class, columns the predicted."""


def predict(
    run: Path | str, pictures: Sequence[Path | str], *, framework: str | None = None
) -> list[Prediction]:
    """Label and probabilities of each picture, by the run's network.

    `framework` is one that finished in the run; the one that was best on the validation part otherwise.
    Raises PicturesError for a file that is no picture, RunFolderError for a run without weights.
    """
    folder = RunFolder.open(run)
    entry = _choose(folder, framework)
    recipe = folder.recipe()
    if not pictures:
        raise UsageError("name one picture or more")
    images = np.stack(
        [read_picture(Path(path), pair(recipe.size), recipe.fit, recipe.resize) for path in pictures]
    )
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        path = Path(scratch) / "images.safetensors"
        save_tensors(path, {"images": images})
        probabilities = _softmax(_logits(folder, entry, {"images": str(path)}))
    classes: list[str] = folder.pictures()["classes"]
    return [
        Prediction(
            picture=str(path),
            label=classes[int(row.argmax())],
            probabilities=dict(zip(classes, map(float, row), strict=True)),
        )
        for path, row in zip(pictures, probabilities, strict=True)
    ]


def evaluate(run: Path | str, pictures: Path | str, *, framework: str | None = None) -> Evaluation:
    """Accuracy and confusion matrix of the run's network on all pictures of a folder, archive or set.

    Its classes must be among the run's, by name; raises PicturesError if not.
    """
    folder = RunFolder.open(run)
    entry = _choose(folder, framework)
    recipe = folder.recipe()
    store = open_pictures(pictures, size=pair(recipe.size), fit=recipe.fit, resize=recipe.resize)
    classes: list[str] = folder.pictures()["classes"]
    unknown = sorted(set(store.classes) - set(classes))
    if unknown:
        raise PicturesError(
            f"{pictures}: the network does not know {', '.join(unknown)}; it knows {', '.join(classes)}"
        )
    ours = np.array([classes.index(name) for name in store.classes])
    labels = ours[np.asarray(store.labels)]
    predicted = _logits(folder, entry, {"store": str(store.path)}).argmax(axis=1)
    right = int((predicted == labels).sum())
    return Evaluation(
        framework=entry.name,
        pictures=len(labels),
        accuracy=right / len(labels),
        accuracy_interval=interval(right, len(labels)),
        classes=classes,
        confusion=confusion_matrix(labels, predicted, len(classes)),
    )


def _choose(folder: RunFolder, framework: str | None) -> registry.Entry:
    """The framework asked for, or the one with the best validation accuracy."""
    names = (framework,) if framework else folder.recipe().frameworks
    best: dict[str, float] = {}
    for name in names:
        panel = folder.panel(registry.find(name))
        accuracies = [event["validation_accuracy"] or 0.0 for event in panel.events()]
        if accuracies and panel.weights.is_file():
            best[name] = max(accuracies)
    if not best:
        raise RunFolderError(
            f"{folder.path}: there are no weights of {framework or 'any framework'} yet; finish it with: "
            f"triptych resume {folder.path}"
        )
    return registry.find(max(best, key=lambda name: best[name]))


def _logits(folder: RunFolder, entry: registry.Entry, pictures: dict[str, str]) -> NDArray[Any]:
    """Logits of what `pictures` names: a "store", or a file of "images"."""
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        here = Path(scratch)
        job = {"job": "predict", "run": str(folder.path), "logits": str(here / "logits.safetensors")}
        run_worker(entry, job | pictures, here / "worker.log")
        return load_tensors(here / "logits.safetensors")["logits"]


def _softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
