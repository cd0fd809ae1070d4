"""Files of weights that others wrote: which tensors they hold, each read when wanted.

Nothing in them is executed, and nothing is read before its shape is known to fit, so a
hostile file costs no more than a good one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import RunFolderError, WeightsError
from triptych.files import check_file
from triptych.network.layers import Shape
from triptych.network.layouts import Array
from triptych.network.weights import StoredTensors

Read = Callable[[str], Array]


@dataclass(frozen=True)
class Stored:
    """The tensors of one file: their shapes by the names that they have there, and what
    reads one.

    `read` raises WeightsError if the bytes are damaged.
    """

    shapes: Mapping[str, Shape]
    read: Read


KERAS = (".keras", ".h5", ".hdf5")
"""How names of files end that Keras wrote."""

PICKLES = (".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt")
"""How names of files end that are pickled, mostly."""


@contextmanager
def opened(path: Path, largest: int) -> Iterator[Stored]:
    """The tensors of a file: safetensors, or one of Keras.

    `largest` is the most bytes that are unpacked from an archive. Raises WeightsError
    in one line for a file that is missing, damaged, or pickled.
    """
    start = _start(path)
    if path.suffix in PICKLES or start.startswith(b"\x80"):
        raise WeightsError(_pickled(path))
    if path.suffix in KERAS:
        # h5py comes with Keras, and is slow to load.
        from triptych.network.pretrained.hdf5 import opened_hdf5

        with opened_hdf5(path, largest) as stored:
            yield stored
    elif path.suffix == ".safetensors":
        yield _safetensors(path)
    else:
        raise WeightsError(
            f"{path}: weights are a .safetensors file, or a .weights.h5 or .keras file "
            "of Keras; save them as one of these"
        )


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; raises WeightsError if it cannot be read."""
    try:
        check_file(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as reason:
        raise _unreadable(path, reason) from None


def _start(path: Path) -> bytes:
    try:
        check_file(path)
        with path.open("rb") as file:
            return file.read(4)
    except OSError as reason:
        raise _unreadable(path, reason) from None


def _unreadable(path: Path, reason: OSError) -> WeightsError:
    if isinstance(reason, FileNotFoundError):
        return WeightsError(f"{path}: there is no such file")
    return WeightsError(f"{path}: cannot be read ({reason.strerror or reason})")


def _pickled(path: Path) -> str:
    to = path.with_suffix(".safetensors").name
    return (
        f"{path}: is a pickle, which can execute anything and is not read; where you "
        "trust it, convert it in Python: import torch; from safetensors.torch import "
        f"save_file; save_file(torch.load({path.name!r}, weights_only=True), {to!r})"
    )


def _safetensors(path: Path) -> Stored:
    try:
        tensors = StoredTensors(path)
        shapes = {name: tensors.shape(name) for name in tensors}
    except RunFolderError as reason:
        raise WeightsError(str(reason)) from None

    def read(name: str) -> Array:
        try:
            return tensors[name]
        except RunFolderError as reason:
            raise WeightsError(f"{reason}; save it as float32") from None

    return Stored(shapes, read)
