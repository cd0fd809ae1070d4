"""The built-in set `digits`: 1,797 handwritten digits of 8 x 8 pixels.

They are the test set of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
Digits (UCI Machine Learning Repository, 1998, CC BY 4.0), in the file that scikit-learn
distributes.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triptych.errors import ImagesError
from triptych.images.built_in import BUILT_IN
from triptych.images.decode import pixel_digest, resize, way
from triptych.images.reader import Names
from triptych.images.split import UNDECIDED
from triptych.images.store import SCHEMA, Contents, DecodedImage

CLASSES = BUILT_IN["digits"]

_WHITE = 16
"""The largest value in the file; 0 is black."""


def contents(size: tuple[int, int], fit: str, method: str = "bilinear") -> Contents:
    """What a digits store holds at `size` = (height, width). Raises ImagesError."""
    labels = _table()[:, 64].astype(np.int32)
    key = hashlib.blake2b(
        f"digits 1 {SCHEMA} {size[0]}x{size[1]} {way(fit, method)}".encode(),
        digest_size=20,
    )
    return Contents(
        key=key.hexdigest(),
        source="digits",
        size=size,
        fit=fit,
        classes=CLASSES,
        names=Names.of(f"{label}/{row:04}" for row, label in enumerate(labels)),
        labels=labels,
        parts=np.full(len(labels), UNDECIDED, np.uint8),
        resize=method,
    )


def images(
    size: tuple[int, int], fit: str, method: str = "bilinear"
) -> Generator[DecodedImage]:
    """The digits as RGB, brought to `size` like any image."""
    gray = np.rint(_table()[:, :64].reshape(-1, 8, 8) * (255 / _WHITE)).astype(np.uint8)
    for row, small in enumerate(gray):
        image = np.repeat(small[:, :, None], 3, axis=2)
        yield DecodedImage(
            row,
            resize(image, size, fit, method),
            pixel_digest(Image.fromarray(image)),
        )


def _table() -> NDArray[np.float64]:
    """One row a digit: 64 values from 0 to 16, then the label. Shape (1797, 65)."""
    path = Path(__file__).with_name("digits.csv.gz")
    try:
        with gzip.open(path, "rt") as file:
            return np.loadtxt(file, delimiter=",")
    except (OSError, ValueError) as error:
        raise ImagesError(
            f"cannot read the digits in {path}: {error}; reinstall triptych"
        ) from error
