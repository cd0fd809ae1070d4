"""Weights as Keras stores them: HDF5 files, alone or in a .keras archive.

A tensor is called by its layer and its place among the layer's tensors:
"conv1_conv/0". Two forms are known: that of Keras 3 (`.weights.h5` and `.keras`), whose
groups are numbered and bear their layer's name as an attribute, and the one before it
(`.h5`), which lists layers and tensors by name.
"""

from __future__ import annotations

import importlib
import io
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from triptych.errors import WeightsError
from triptych.network.layers import Shape
from triptych.network.layouts import Array
from triptych.network.pretrained.stored import Stored

DEPTH = 20
"""How deep groups may be nested: those of a damaged file can hold themselves."""

MOST = 20_000
"""Groups and tensors of a file, at the most."""

CHUNK = 1_000_000
"""Numbers that a piece of a tensor may hold, at the most, if the tensor holds fewer."""

MEMBER = "model.weights.h5"
"""What the weights of a .keras archive are called."""


class Dataset(Protocol):
    """A tensor in a file: h5py has no types of its own."""

    shape: Shape | None
    dtype: np.dtype[np.generic]
    chunks: Shape | None
    is_virtual: bool
    external: object

    def __getitem__(self, all_of_it: tuple[()]) -> Array: ...


class Group(Protocol):
    """What holds tensors and other groups."""

    attrs: Mapping[str, object]

    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, name: str) -> bool: ...
    def get(
        self, name: str, *, getlink: bool = False, getclass: bool = False
    ) -> object: ...
    def __getitem__(self, name: str) -> Group | Dataset: ...


class H5py(Protocol):
    """The package h5py."""

    def File(self, file: Path | IO[bytes], mode: str) -> Group: ...  # noqa: N802

    HardLink: type
    Group: type


def _h5py(path: Path) -> H5py:
    try:
        found: H5py = importlib.import_module("h5py")
    except ImportError:
        raise WeightsError(
            f"{path}: files of Keras are read with h5py, which is not installed; "
            "install it with: pip install h5py"
        ) from None
    return found


@contextmanager
def opened_hdf5(path: Path, largest: int) -> Iterator[Stored]:
    """The tensors of a .weights.h5, .h5 or .keras file.

    At most `largest` bytes are unpacked from a .keras file. Raises WeightsError in one
    line.
    """
    h5py = _h5py(path)
    content: Path | IO[bytes] = path
    if zipfile.is_zipfile(path):
        content = io.BytesIO(_unpacked(path, largest))
    try:
        file = h5py.File(content, "r")
    except (OSError, RuntimeError, ValueError) as reason:
        raise _damaged(path, reason) from None
    with file:  # type: ignore[attr-defined]
        reader = _Reader(path, h5py)
        try:
            found = reader.tensors(file)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as reason:
            raise _damaged(path, reason) from None
        yield Stored(
            {name: dataset.shape or () for name, dataset in found.items()},
            lambda name: _values(path, name, found[name]),
        )


def _unpacked(path: Path, largest: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(MEMBER) as member:
            # What an archive says of its sizes need not be true.
            content = member.read(largest + 1)
    except KeyError:
        raise WeightsError(
            f"{path}: holds no {MEMBER}, so it is no .keras file"
        ) from None
    except (
        OSError, EOFError, RuntimeError, NotImplementedError, ValueError,
        zipfile.BadZipFile, zlib.error,
    ) as reason:  # fmt: skip
        raise _damaged(path, reason) from None
    if len(content) > largest:
        raise WeightsError(
            f"{path}: unpacks to more than {largest / 1e6:,.0f} MB, several times what "
            "the network holds: these are weights of another"
        )
    return content


def _damaged(path: Path, reason: Exception) -> WeightsError:
    said = " ".join(str(reason).split())[:200]
    return WeightsError(f"{path}: cannot be read as HDF5 ({said})")


def _values(path: Path, name: str, dataset: Dataset) -> Array:
    try:
        return np.asarray(dataset[()])
    except (OSError, RuntimeError, ValueError, TypeError) as reason:
        raise _damaged(path, reason) from None


class _Reader:
    """What walks a file: over its own groups only, and not forever."""

    def __init__(self, path: Path, h5py: H5py) -> None:
        self.path, self.h5py = path, h5py
        self.left = MOST

    def tensors(self, file: Group) -> dict[str, Dataset]:
        """The tensors by layer and place."""
        if "model_weights" in file:  # a whole model
            file = self.group(file, "model_weights")
        if "layer_names" in file.attrs:
            return self.before_keras_3(file)
        found: dict[str, Dataset] = {}
        if "layers" in file:
            self.layers(self.group(file, "layers"), found, 0)
        return found

    def layers(self, group: Group, found: dict[str, Dataset], depth: int) -> None:
        """Add the tensors of all layers below `group`."""
        if depth > DEPTH:
            raise ValueError(f"groups are nested more than {DEPTH} deep")
        for key in group:
            layer = self.group(group, key)
            if "vars" in layer:
                tensors = self.group(layer, "vars")
                own = tensors.attrs.get("name", key)
                for place in tensors:
                    found[f"{own}/{place}"] = self.dataset(tensors, place)
            if "layers" in layer:
                self.layers(self.group(layer, "layers"), found, depth + 1)

    def before_keras_3(self, file: Group) -> dict[str, Dataset]:
        """Tensors that are listed by name: "block/conv1/kernel:0", layer by layer."""
        found: dict[str, Dataset] = {}
        counts: Counter[str] = Counter()
        for layer in _words(file.attrs["layer_names"]):
            group = self.group(file, layer)
            for name in _words(group.attrs.get("weight_names", ())):
                own = name.split("/")[-2] if "/" in name else layer
                found[f"{own}/{counts[own]}"] = self.dataset(group, name)
                counts[own] += 1
        return found

    def group(self, group: Group, name: str) -> Group:
        """A group in another; raises ValueError for what is none, or lies elsewhere."""
        self.check_place(group, name)
        if group.get(name, getclass=True) is not self.h5py.Group:
            raise ValueError(f"{name!r} is no group")
        return group[name]  # type: ignore[return-value]

    def dataset(self, group: Group, name: str) -> Dataset:
        """A tensor of numbers that lies in this very file."""
        *above, last = name.split("/")
        for part in above:
            group = self.group(group, part)
        self.check_place(group, last)
        found: Dataset = group[last]  # type: ignore[assignment]
        if getattr(found, "is_virtual", True) or found.external:
            raise ValueError(f"{name!r} lies in another file")
        if found.shape is None or found.dtype.kind != "f":
            raise ValueError(f"{name!r} holds no numbers")
        if math.prod(found.chunks or ()) > max(math.prod(found.shape), CHUNK):
            raise ValueError(f"{name!r} is kept in pieces larger than itself")
        return found

    def check_place(self, group: Group, name: str) -> None:
        """A link could lead to any file of the machine."""
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"holds more than {MOST:,} groups and tensors")
        if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
            raise ValueError(f"{name!r} leads out of the file")


def _words(names: object) -> list[str]:
    """Names in an attribute: texts, or bytes in older files."""
    return [
        name.decode() if isinstance(name, bytes) else str(name)
        for name in np.asarray(names).ravel().tolist()
    ]
