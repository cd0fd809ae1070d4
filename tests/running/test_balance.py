"""Classes of unequal size: what a run decides by itself, says, and does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import triptych
from triptych.images.split import split
from triptych.network.cut import cut
from triptych.network.zoo import find_network
from triptych.running.folder import RunFolder
from triptych.running.images import images_of
from triptych.running.protocol import Event, Noted, silence
from triptych.running.recipe import make_recipe
from triptych.running.training import parts_of

SMALL = {"network": "mlp", "image_size": 8, "epochs": 2, "framework": "reference"}
Images = tuple[NDArray[np.uint8], NDArray[np.int64]]


def uneven(*counts: int) -> Images:
    """Noise, so many images of each class, each class of its own brightness."""
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(0).integers(0, 100, (len(labels), 8, 8, 3))
    return (noise + 70 * labels[:, None, None, None]).astype(np.uint8), labels


def run(images: Images, out: Path, **more: object) -> tuple[triptych.Recipe, list[str]]:
    """The recipe of a run on them, and what was noted before it."""
    notes: list[str] = []

    def hear(who: str, event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.message)

    recipe: dict[str, object] = {"precision": "float64", **more}
    done = triptych.train(
        images,
        recipe=recipe,
        out=out,
        callback=hear,
        **SMALL,  # type: ignore[arg-type]
    )
    assert not done.failed
    return RunFolder.open(out).recipe(), notes


def test_uneven_classes_are_balanced_unless_somebody_says_otherwise(
    tmp_path: Path,
) -> None:
    recipe, notes = run(uneven(60, 12), tmp_path / "uneven")
    assert recipe.balance == "sampling"
    assert "classes balanced" in recipe.summary()
    train = split(*_labels(60, 12), 0).train
    most, least = np.bincount(uneven(60, 12)[1][train])
    (note,) = notes
    assert note == (
        f"every class is drawn equally often, since the largest has {most} training "
        f"images and the smallest {least}; --balance none shows each image once"
    )
    recipe, notes = run(uneven(60, 12), tmp_path / "said", balance="none")
    assert (recipe.balance, notes) == ("none", [])
    # More than a third is not too few.
    recipe, notes = run(uneven(60, 24), tmp_path / "even")
    assert (recipe.balance, notes) == ("none", [])
    recipe, notes = run(uneven(60, 60), tmp_path / "asked", balance="sampling")
    assert (recipe.balance, notes) == ("sampling", [])


def _labels(*counts: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return labels, np.zeros(len(labels), np.uint8)


def test_a_word_that_is_none() -> None:
    with pytest.raises(triptych.TriptychError, match="unknown balance 'weights'"):
        make_recipe({"balance": "weights"})


def test_a_head_is_shown_balanced_features() -> None:
    """Row i of the features is i: what is drawn is known."""
    recipe = make_recipe(
        {"train": "head", "images": "digits", "balance": "sampling", "image_size": 8}
    )
    store = images_of(recipe, silence)
    architecture = find_network("mlp").adapted((8, 8), len(store.classes))
    _, head = cut(architecture, 1)
    numbered = np.arange(len(store), dtype=np.float32)[:, None]
    parts = parts_of(recipe, head, store, numbered)
    drawn = [int(one) for batch in parts.train.epoch(0) for one in batch.images[:, 0]]
    assert len(drawn) == len(parts.train.rows)
    assert len(set(drawn)) < len(drawn)
    assert set(drawn) <= set(parts.train.rows.tolist())
    labels = [int(one) for batch in parts.train.epoch(0) for one in batch.labels]
    assert labels == store.labels[drawn].tolist()
    # What is looked at stays in order.
    seen = [batch.images[:, 0] for batch in parts.validation.epoch()]
    np.testing.assert_array_equal(np.concatenate(seen), parts.validation.rows)
