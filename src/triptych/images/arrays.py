"""Images that are held in memory: kept as one file, which is then a source like any
other, so that every process and a later day find it.

The file is a safetensors file: `images`, uint8 (n, height, width, 3), `labels`, int32
(n,), and the names of the classes in its metadata. Nothing in it is unpickled or
unpacked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from triptych.errors import ImagesError, RunFolderError, UsageError, quote
from triptych.images.decode import pixel_digest, resize, way
from triptych.images.folder import check_classes
from triptych.images.reader import Names, printable
from triptych.images.split import UNDECIDED
from triptych.images.store import SCHEMA, Contents, DecodedImage
from triptych.network.weights import StoredTensors, save_tensors, weights_hash

SUFFIX = ".safetensors"

TITLE = "the arrays (images, labels)"
"""What messages call them, wherever they are kept."""

Arrays = tuple[ArrayLike, ArrayLike] | list[ArrayLike]
"""A pair: images, uint8 of shape (n, height, width, 3), or without the last axis for
gray ones; and n labels, numbers or names.
"""


def keep_arrays(arrays: Arrays, folder: Path) -> Path:
    """The file below `folder` that holds `arrays`, named after what is in it.

    Raises UsageError for arrays that are no labeled images, ImagesError if the file
    cannot be written.
    """
    images, labels, classes = _checked(arrays)
    tensors: dict[str, NDArray[np.generic]] = {"images": images, "labels": labels}
    about = json.dumps(classes)
    digest = hashlib.sha256(f"{weights_hash(tensors)} {about}".encode()).hexdigest()
    path = folder / f"arrays-{digest[:12]}{SUFFIX}"
    if not path.exists():
        try:
            save_tensors(path, tensors, {"classes": about})
        except OSError as error:
            raise ImagesError(
                f"cannot keep the images in {folder}: {error.strerror or error}; "
                "make room, or set TRIPTYCH_CACHE to another folder"
            ) from error
    return path


def _checked(
    arrays: Arrays,
) -> tuple[NDArray[np.uint8], NDArray[np.int32], tuple[str, ...]]:
    """The arrays in the form that is kept, and the classes in order."""
    if not isinstance(arrays, tuple | list) or len(arrays) != 2:
        raise UsageError(
            f"images: {quote(arrays)} are no images; "
            "give a tuple of two arrays, (images, labels), or a folder"
        )
    try:
        images, given = np.asarray(arrays[0]), np.asarray(arrays[1])
    except ValueError as error:
        raise UsageError(f"images: (images, labels) are not arrays: {error}") from None
    pixels = _rgb(images)
    if given.shape != images.shape[:1] or given.dtype.kind not in "iuU":
        raise UsageError(
            f"labels: {given.dtype} of shape {given.shape}, but must be whole numbers "
            f"or names, one for each of the {len(images)} images"
        )
    found, labels = np.unique(given, return_inverse=True)
    classes = tuple(map(_class_name, found))
    numbers = labels.astype(np.int32)
    parts = np.full(len(numbers), UNDECIDED, np.uint8)
    check_classes(TITLE, classes, numbers, parts, ())
    return pixels, numbers, classes


def _rgb(images: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Images in three channels, gray ones too; raises UsageError if they are none."""
    if images.ndim == 3:
        images = images[..., None]
    rgb = images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] in (1, 3)
    if not rgb or not images.size:
        shape = " x ".join(map(str, images.shape))
        raise UsageError(
            f"images: {images.dtype} of shape {shape}, but must be uint8, 0 to 255, "
            "of shape (n, height, width, 3) or (n, height, width), and not empty"
        )
    whole = np.broadcast_to(images, (*images.shape[:3], 3))
    return np.ascontiguousarray(whole, np.uint8)


def _class_name(label: object) -> str:
    try:
        return printable(str(label))
    except UnicodeEncodeError:
        raise UsageError(
            f"labels: {quote(str(label))} is not text; name the classes in Unicode"
        ) from None


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """What such a file holds. Raises ImagesError when it holds something else."""

    path: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    classes: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> LabeledImages:
        """The file at `path`."""
        try:
            tensors = StoredTensors(path)
            images, labels = tensors["images"], tensors["labels"]
            classes = tuple(json.loads(tensors.about["classes"]))
        except RunFolderError as error:
            raise ImagesError(str(error)) from None
        except (KeyError, ValueError, TypeError):
            raise _no_images(path) from None
        rgb = images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] == 3
        numbered = labels.dtype == np.int32 and labels.shape == images.shape[:1]
        named = all(isinstance(name, str) and name.isprintable() for name in classes)
        if not (rgb and numbered and named and images.size):
            raise _no_images(path)
        held = cls(
            path, images.astype(np.uint8, copy=False), labels.astype(np.int32), classes
        )
        if not set(np.unique(held.labels).tolist()) <= set(range(len(classes))):
            raise _no_images(path)
        return held

    def contents(self, size: tuple[int, int], fit: str, method: str) -> Contents:
        """What a store of them holds at `size` = (height, width)."""
        digest = weights_hash({"images": self.images, "labels": self.labels})
        made = f"{digest} {SCHEMA} {size[0]}x{size[1]} {way(fit, method)}"
        whole = f"{made} {json.dumps(self.classes)}"
        return Contents(
            key=hashlib.blake2b(whole.encode(), digest_size=20).hexdigest(),
            source=str(self.path),
            size=size,
            fit=fit,
            classes=self.classes,
            names=Names.of(
                f"{self.classes[label]}/{row:06}"
                for row, label in enumerate(self.labels)
            ),
            labels=self.labels,
            parts=np.full(len(self.labels), UNDECIDED, np.uint8),
            resize=method,
            title=TITLE,
        )

    def resized(
        self, size: tuple[int, int], fit: str, method: str
    ) -> Generator[DecodedImage]:
        """Each of them at `size`, like any image."""
        for row, image in enumerate(self.images):
            yield DecodedImage(
                row,
                resize(image, size, fit, method),
                pixel_digest(Image.fromarray(image)),
            )


def _no_images(path: Path) -> ImagesError:
    return ImagesError(
        f"{path} holds no labeled images; from Python, images=(images, labels) "
        "makes such a file"
    )
