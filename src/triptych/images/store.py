"""Images decoded once and kept as one memory-mapped array.

A store is a folder of files: `images.bin` (uint8, rows x height x width x 3),
`labels.bin` (int32), `parts.bin` (uint8), `digests.bin` (16 bytes an image),
`names.bin` with `ends.bin` (see `Names`), and `store.json`, which says what they hold.
The index costs 5 bytes an image in memory; names, digests and pixels stay on disk
until they are looked at.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import PIL
from numpy.typing import NDArray

from triptych.errors import ImagesError, UnreadableImage
from triptych.images.duplicates import find_duplicates
from triptych.images.folder import check_classes
from triptych.images.reader import Names, Problem

SCHEMA = 3
"""Grows with every change of the files' layout or of how decoding and resizing work."""

OnProgress = Callable[[int, int], None]
"""Called with (done, total) images."""

_INDEX = ("labels.bin", "parts.bin", "ends.bin", "names.bin")


class _Facts(msgspec.Struct, kw_only=True):
    """What store.json says of the other files."""

    schema: int
    key: str
    source: str
    size: tuple[int, int]
    fit: str
    resize: str = "bilinear"
    images: int
    classes: tuple[str, ...]
    index: str
    made: str
    decoder: str
    problems: list[tuple[str, str, str]]


@dataclass(frozen=True, eq=False)
class Contents:
    """What is to be stored, the pixels aside. Arrays have shape (candidates,)."""

    key: str
    source: str
    size: tuple[int, int]
    fit: str
    classes: tuple[str, ...]
    names: Names
    labels: NDArray[np.int32]
    parts: NDArray[np.uint8]
    resize: str = "bilinear"
    title: str = ""
    """What messages call it, if not by its source."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """Candidate number `row`, decoded: pixels (height, width, 3) and their digest; or
    why it could not be.
    """

    row: int
    pixels: NDArray[np.uint8] | None = None
    digest: bytes = bytes(16)
    failure: UnreadableImage | None = None


@dataclass(frozen=True, eq=False)
class Store:
    """Decoded images, open for reading. Every image is in it once."""

    path: Path
    key: str
    """Hexadecimal; equal keys mean equal images, size, fit and resize."""
    source: str
    size: tuple[int, int]
    fit: str
    images: NDArray[np.uint8] = field(repr=False)
    """(images, height, width, 3), memory-mapped, read-only."""
    labels: NDArray[np.int32] = field(repr=False)
    parts: NDArray[np.uint8] = field(repr=False)
    """0 undecided, 1 train, 2 validation, 3 test (see `split`)."""
    digests: NDArray[np.uint8] = field(repr=False)
    """(images, 16), memory-mapped: what an image is known by wherever it lies (see
    `pixel_digest`).
    """
    names: Names = field(repr=False)
    classes: tuple[str, ...]
    problems: tuple[Problem, ...] = field(repr=False)
    resize: str = "bilinear"

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, i: int) -> str:
        """The path of image `i` below its source."""
        return self.names[i]

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open the store in the folder `path`.

        Raises ImagesError when it is missing, damaged, or of another version of
        Triptych.
        """
        try:
            facts = json.loads((path / "store.json").read_bytes())
            if facts["schema"] != SCHEMA:
                raise ValueError(f"schema {facts['schema']}, not {SCHEMA}")
            return cls._open(path, msgspec.convert(facts, _Facts))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ImagesError(
                f"the image store {path} cannot be used ({error}); "
                "delete it, and it will be made again"
            ) from error

    @classmethod
    def _open(cls, path: Path, facts: _Facts) -> Store:
        rows, (height, width) = facts.images, facts.size
        labels = np.fromfile(path / "labels.bin", np.int32)
        parts = np.fromfile(path / "parts.bin", np.uint8)
        ends = np.memmap(path / "ends.bin", np.int64, mode="r")
        names = np.memmap(path / "names.bin", np.uint8, mode="r")
        if not len(labels) == len(parts) == len(ends) == rows:
            raise ValueError("its index is not as long as it says")
        if (path / "images.bin").stat().st_size != rows * height * width * 3:
            raise ValueError("images.bin is not of the stated size")
        if (path / "digests.bin").stat().st_size != rows * 16:
            raise ValueError("digests.bin is not of the stated size")
        if _index_digest(path) != facts.index:
            raise ValueError("its index was changed")
        return cls(
            path=path,
            key=facts.key,
            source=facts.source,
            size=(height, width),
            fit=facts.fit,
            images=np.memmap(
                path / "images.bin", np.uint8, mode="r", shape=(rows, height, width, 3)
            ),
            labels=labels,
            parts=parts,
            digests=np.memmap(
                path / "digests.bin", np.uint8, mode="r", shape=(rows, 16)
            ),
            names=Names(names, ends),
            classes=facts.classes,
            problems=tuple(Problem(*problem) for problem in facts.problems),
            resize=facts.resize,
        )


def write_store(
    folder: Path,
    contents: Contents,
    images: Iterable[DecodedImage],
    progress: OnProgress | None = None,
) -> None:
    """Fill the empty `folder`; `images` come in any order, one for each candidate.

    Pixels go through a file and not through a memory map, so that what is written is
    not counted as this process's memory. Raises ImagesError when too few images are
    left, OSError when the disk is full.
    """
    row_bytes = contents.size[0] * contents.size[1] * 3
    with open(folder / "images.bin", "w+b") as file:
        written = _write_pixels(file, contents, images, progress)
        written.leave_out_duplicates(contents)
        written.problems.sort(key=lambda item: item[0])
        kept = np.flatnonzero(written.usable)
        check_classes(
            contents.title or contents.source,
            contents.classes,
            contents.labels[kept],
            contents.parts[kept],
            [(int(contents.labels[row]), why) for row, why in written.problems],
        )
        _close_gaps(file, kept, row_bytes)
        _to_disk(file)
    problems = [problem for _, problem in written.problems]
    _write_index(folder, contents, kept, written.digests[kept], problems)


@dataclass(frozen=True, eq=False)
class _Written:
    """What is known of each candidate once its pixels are written."""

    digests: NDArray[np.uint8]
    usable: NDArray[np.bool_]
    problems: list[tuple[int, Problem]] = field(default_factory=list)

    def leave_out_duplicates(self, contents: Contents) -> None:
        """Images that are the same as others are not used."""
        labels, parts = contents.labels, contents.parts
        for copy in find_duplicates(self.digests, labels, parts, self.usable):
            self.usable[copy.row] = False
            detail = f"same pixels as {contents.names[copy.of]}"
            problem = Problem(copy.kind, contents.names[copy.row], detail)
            self.problems.append((copy.row, problem))


def _write_pixels(
    file: BinaryIO,
    contents: Contents,
    images: Iterable[DecodedImage],
    progress: OnProgress | None,
) -> _Written:
    """Write each image to its row."""
    total = len(contents.labels)
    written = _Written(np.zeros((total, 16), np.uint8), np.zeros(total, np.bool_))
    row_bytes = contents.size[0] * contents.size[1] * 3
    for done, image in enumerate(images, 1):
        if image.pixels is not None:
            file.seek(image.row * row_bytes)
            file.write(np.ascontiguousarray(image.pixels).data)
            written.digests[image.row] = np.frombuffer(image.digest, np.uint8)
            written.usable[image.row] = True
        elif (why := image.failure) is not None:
            problem = Problem(why.kind, contents.names[image.row], why.detail)
            written.problems.append((image.row, problem))
        if progress is not None:
            progress(done, total)
    return written


def _close_gaps(file: BinaryIO, kept: NDArray[np.int64], row_bytes: int) -> None:
    """Move the `kept` rows together, in order, and cut the file behind the last."""
    for new, old in enumerate(kept):
        if new != old:
            file.seek(int(old) * row_bytes)
            data = file.read(row_bytes)
            file.seek(new * row_bytes)
            file.write(data)
    file.truncate(len(kept) * row_bytes)


def _write_index(
    folder: Path,
    contents: Contents,
    kept: NDArray[np.int64],
    digests: NDArray[np.uint8],
    problems: list[Problem],
) -> None:
    names = Names.of(contents.names[int(row)] for row in kept)
    columns = (
        contents.labels[kept].astype(np.int32).tobytes(),
        contents.parts[kept].astype(np.uint8).tobytes(),
        names.ends.tobytes(),
        bytes(names.blob),
    )
    for name, data in zip(
        (*_INDEX, "digests.bin"), (*columns, digests.tobytes()), strict=True
    ):
        with open(folder / name, "wb") as file:
            file.write(data)
            _to_disk(file)
    facts = _Facts(
        schema=SCHEMA,
        key=contents.key,
        source=contents.source,
        size=contents.size,
        fit=contents.fit,
        resize=contents.resize,
        images=len(kept),
        classes=contents.classes,
        index=_index_digest(folder),
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        decoder=f"Pillow {PIL.__version__}",
        problems=[(one.kind, one.path, one.detail) for one in problems],
    )
    with open(folder / "store.json", "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(facts), indent=1))
        _to_disk(file)


def _index_digest(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in _INDEX:
        with open(folder / name, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _to_disk(file: BinaryIO) -> None:
    """Before the store gets its name: after a power cut a store is whole or absent."""
    file.flush()
    os.fsync(file.fileno())
