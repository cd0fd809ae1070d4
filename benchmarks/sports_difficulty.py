"""How hard are the drawn sports? Four learners of growing power, on the images of the
default run.

Usage: python benchmarks/sports_difficulty.py [--image-size 48] [--seed 0] [--epochs N]
[--quick]

- linear:  logistic regression on raw pixels; should stay under 50 %, or color and
  place give sports away
- HOG:     histograms of oriented gradients and a linear SVM, features made by hand; 55
  to 80 %
- talk:    the talk's network as Triptych trains it by default; 80 to 95 %
- deeper:  a deeper network for longer; under 100 %, for some images must stay hard

`--quick` leaves the two networks out. Each figure comes with its count and a 95 %
interval (Wilson).
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import triptych
from triptych.commands.lessons.features import hog
from triptych.images.source import open_images
from triptych.images.split import TEST
from triptych.network.architecture import sequence
from triptych.network.layers import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalAveragePool,
    Layer,
    MaxPool,
    ReLU,
)

Labeled = tuple[NDArray[np.uint8], NDArray[np.int32]]  # images and their labels


def linear_accuracy(train: Labeled, test: Labeled) -> float:
    """Logistic regression on raw pixels; penalty chosen on the training images."""
    learner = make_pipeline(StandardScaler(), LogisticRegression(max_iter=60))
    search = GridSearchCV(learner, {"logisticregression__C": [1e-5, 1e-4, 1e-3]}, cv=3)
    with warnings.catch_warnings():
        # It has overfitted long before it converges.
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(train[0].reshape(len(train[0]), -1).astype(np.float32), train[1])
    return float(
        search.score(test[0].reshape(len(test[0]), -1).astype(np.float32), test[1])
    )


def hog_accuracy(train: Labeled, test: Labeled) -> float:
    """A linear SVM on HOG; its penalty is chosen on the training images."""
    search = GridSearchCV(LinearSVC(), {"C": [0.003, 0.01, 0.03, 0.1]}, cv=3)
    search.fit(hog(train[0]), train[1])
    return float(search.score(hog(test[0]), test[1]))


def network_accuracy(
    network: str | Path, size: int, seed: int, epochs: int | None
) -> float:
    """A network trained by Triptych itself, all else as in the default run."""
    with tempfile.TemporaryDirectory() as folder:
        result = triptych.compare(
            "sports",
            network=network,
            frameworks=["pytorch"],
            image_size=size,
            seed=seed,
            epochs=epochs,
            out=Path(folder) / "run",
        )
    accuracy = result.frameworks["pytorch"].test_accuracy
    if accuracy is None:
        raise SystemExit(f"{network}: {result.frameworks['pytorch'].error}")
    return accuracy


def deeper(folder: Path, size: int) -> Path:
    """An architecture file with eight convolutions of up to 256 filters and a global
    average pool.
    """
    layers: list[Layer] = []
    for filters in (32, 64, 128, 256):
        layers += [Conv(filters=filters, bias=False), BatchNorm(), ReLU()] * 2
        layers += [MaxPool()]
    layers[-1:] = [GlobalAveragePool(), Dropout(0.3), Dense(6)]
    file = folder / "deeper.toml"
    file.write_text(sequence("deeper", (size, size, 3), layers).to_toml())
    return file


def show(what: str, accuracy: float, of: int) -> None:
    right = round(accuracy * of)
    interval = binomtest(right, of).proportion_ci(method="wilson")
    print(
        f"{what:44} {accuracy:6.1%}  {right:3} of {of}  "
        f"[{interval.low:.1%}, {interval.high:.1%}]",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--image-size", type=int, default=48)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument(
        "--epochs", type=int, help="of the talk's network; the default run's otherwise"
    )
    options.add_argument("--quick", action="store_true")
    asked = options.parse_args()

    store = open_images(
        "sports", size=(asked.image_size, asked.image_size), seed=asked.seed
    )
    held = store.parts == TEST
    images = np.asarray(store.images)
    train, test = (
        (images[~held], store.labels[~held]),
        (images[held], store.labels[held]),
    )
    of = len(test[1])
    print(
        f"sports, {asked.image_size} px, seed {asked.seed}: "
        f"{len(train[1])} to learn from, {of} to test"
    )
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, "
        f"NumPy {np.__version__}"
    )
    show("linear classifier on raw pixels", linear_accuracy(train, test), of)
    show("HOG and linear SVM", hog_accuracy(train, test), of)
    if asked.quick:
        return
    accuracy = network_accuracy(
        "sports-cnn", asked.image_size, asked.seed, asked.epochs
    )
    show(f"the talk's network, {asked.epochs or 'default'} epochs", accuracy, of)
    with tempfile.TemporaryDirectory() as folder:
        accuracy = network_accuracy(
            deeper(Path(folder), asked.image_size), asked.image_size, asked.seed, 20
        )
    show("eight convolutions, 20 epochs", accuracy, of)


if __name__ == "__main__":
    main()
