"""Three to ten images a class: everything works, and what cannot is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import triptych
from triptych.running.protocol import Event, Noted

SMALL: dict[str, Any] = {
    "framework": "reference", "precision": "float64", "network": "sports-cnn",
    "image_size": 12, "epochs": 3,
}  # fmt: skip
"""With batch norm and dropout."""


def few(*counts: int) -> tuple[Any, Any]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return (
        np.random.default_rng(0).integers(
            0, 256, (len(labels), 12, 12, 3), dtype=np.uint8
        ),
        labels,
    )


def train(images: Any, out: Path, **recipe: object) -> tuple[Any, list[str]]:
    notes: list[str] = []

    def hear(who: str, event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.message)

    done = triptych.train(images, out=out, recipe=recipe, callback=hear, **SMALL)
    one = done.frameworks["reference"]
    assert one.status == "done", one.error
    return done, notes


@pytest.mark.parametrize("counts", [(3, 3), (3, 4, 10), (10, 10, 10), (5, 3)])
@pytest.mark.parametrize("size", [1, 2, 32])
def test_few_images(counts: tuple[int, ...], size: int, tmp_path: Path) -> None:
    done, notes = train(few(*counts), tmp_path / "run", batch_size=size, patience=1)
    images = done.images
    # Of three images one is for the test, and none of two can be spared to validate.
    for part in ("train", "test"):
        assert min(images.class_counts[part]) >= 1
    assert bool(images.validation) == (max(counts) > 3)
    assert any("patience" in note for note in notes) == (not images.validation)
    assert done.frameworks["reference"].test_accuracy is not None


@pytest.mark.parametrize("balance", ["none", "sampling"])
@pytest.mark.parametrize("trained", ["all", "head"])
def test_of_each_kind(balance: str, trained: str, tmp_path: Path) -> None:
    train(few(9, 3), tmp_path / "run", batch_size=1, balance=balance, train=trained)


def test_patience_without_a_validation_part(tmp_path: Path) -> None:
    done, notes = train(few(2, 2), tmp_path / "run", patience=1, batch_size=1)
    one = done.frameworks["reference"]
    assert done.images.validation == 0
    assert one.stopped is None
    assert len(one.epochs) == 3
    assert notes == [
        "patience has nothing to go by, since the images are too few for a validation "
        "split; all epochs are trained"
    ]
