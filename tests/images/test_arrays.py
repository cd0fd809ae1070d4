"""Images held in memory: kept as a file, and then a source like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from triptych.errors import ImagesError, UsageError
from triptych.images import digits
from triptych.images.source import class_names, located, open_images

Write = Callable[[Path], object]


def drawn(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_arrays_give_the_store_that_their_images_would() -> None:
    """The digits as arrays, gray and 8 by 8, are the built-in digits."""
    table = digits._table()
    gray = np.rint(table[:, :64].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    held = open_images((gray, table[:, 64].astype(int)), size=(16, 16))
    known = open_images("digits", size=(16, 16))
    assert held.classes == known.classes
    np.testing.assert_array_equal(held.images, known.images)
    np.testing.assert_array_equal(held.labels, known.labels)


def test_names_are_classes_and_a_later_day_finds_them() -> None:
    labels = ["cat", "dog", "ünder\n"] * 4
    path = located((drawn(12, 5, 7, 3), labels))
    assert Path(path).is_absolute()
    assert path == located((drawn(12, 5, 7, 3), labels))
    assert path != located((drawn(12, 5, 7, 3), labels[::-1]))
    assert class_names(path) == ("cat", "dog", "ünder\\n")
    store = open_images(path, size=(5, 7))
    np.testing.assert_array_equal(store.images, drawn(12, 5, 7, 3))
    assert store.name(1) == "dog/000001"


def test_copies_are_found_among_arrays() -> None:
    twice = np.concatenate([drawn(4, 6, 6)] * 2)
    store = open_images((twice, [0, 1, 0, 1] * 2), size=(6, 6))
    assert (len(store), len(store.problems)) == (4, 4)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (drawn(4, 8, 8, 3) / 255, [0, 1, 0, 1], "float64 of shape 4 x 8 x 8 x 3, but"),
        (drawn(4, 3, 8, 8), [0, 1, 0, 1], "uint8 of shape 4 x 3 x 8 x 8, but must"),
        (drawn(4, 8), [0, 1, 0, 1], "uint8 of shape 4 x 8, but must"),
        (drawn(4, 8, 8, 3), [0, 1], "one for each of the 4 images"),
        (drawn(4, 8, 8, 3), np.eye(4), "labels: float64 of shape"),
        (drawn(4, 8, 8, 3), [0.0, 1.0, 0.0, 1.0], "must be whole numbers or names"),
        (drawn(4, 8, 8, 3), [None, "a", "b", "c"], "labels: object of shape"),
        ([[1, 2], [3]], [0, 1], "images: "),
        (drawn(0, 8, 8, 3), [], "shape 0 x 8 x 8 x 3, but must .* not empty"),
        (drawn(4, 8, 0, 3), [0, 1, 0, 1], "shape 4 x 8 x 0 x 3, but must"),
        (drawn(4, 8, 8), ["\ud800", "a"] * 2, r"labels: '.ud800' is not text"),
    ],
)
def test_what_is_no_labeled_images(images: Any, labels: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        located((images, labels))


@pytest.mark.parametrize(
    "given",
    [
        drawn(4, 8, 8, 3),
        (drawn(4, 8, 8, 3),),
        None,
        {"images": 3},
    ],
)
def test_what_is_no_pair(given: Any) -> None:
    with pytest.raises(UsageError, match=r"give a tuple of two arrays") as refused:
        located(given)
    assert "\n" not in str(refused.value)


SAME = np.concatenate([drawn(1, 8, 8, 3)] * 4)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (drawn(4, 8, 8, 3), [1, 1, 1, 1], "one class, '1'; add a second class"),
        (drawn(4, 8, 8, 3), [0, 1, 1, 1], "'0' has one usable image; add some, or"),
        (SAME, [0, 0, 1, 1], "no usable image .4 left out, .*; give each class"),
        (SAME, [0, 0, 0, 0], "one class, '0'"),
    ],
)
def test_too_little_to_learn_from(
    images: NDArray[np.uint8], labels: list[int], message: str
) -> None:
    """Said of the arrays, and not of files or folders, which the user has none of."""
    with pytest.raises(ImagesError, match=message) as refused:
        open_images((images, labels), size=(8, 8))
    said = str(refused.value)
    assert said.startswith("the arrays (images, labels)")
    assert "safetensors" not in said
    assert "folder" not in said


def test_an_empty_name_is_no_folder() -> None:
    assert located("") == ""
    with pytest.raises(ImagesError, match="no folder or archive ''"):
        open_images("", size=(8, 8))


IMAGES, LABELS = drawn(4, 8, 8, 3), np.array([0, 1, 0, 1], np.int32)
CLASSES = {"classes": '["a", "b"]'}


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff" * 64),
        lambda path: path.mkdir(),
        lambda path: save_file({"conv": np.zeros(3)}, path),
        lambda path: save_file({"images": IMAGES, "labels": LABELS}, path),
        lambda path: save_file(
            {"images": IMAGES, "labels": LABELS}, path, {"classes": '["a\\u0007", "b"]'}
        ),
        lambda path: save_file({"images": IMAGES, "labels": LABELS + 1}, path, CLASSES),
        lambda path: save_file({"images": IMAGES, "labels": LABELS - 1}, path, CLASSES),
        lambda path: save_file({"images": IMAGES, "labels": LABELS[:2]}, path, CLASSES),
        lambda path: save_file(
            {"images": IMAGES * 1.0, "labels": LABELS}, path, CLASSES
        ),
        lambda path: save_file({"images": IMAGES[:0], "labels": LABELS[:0]}, path),
    ],
)
def test_a_file_with_something_else_in_it(write: Write, tmp_path: Path) -> None:
    write(path := tmp_path / "some.safetensors")
    with pytest.raises(ImagesError, match=r"some\.safetensors"):
        open_images(path, size=(8, 8))
    with pytest.raises(ImagesError, match=r"some\.safetensors"):
        class_names(path)
