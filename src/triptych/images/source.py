"""`open_images`: from what the user named to a store of decoded images."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.errors import (
    ImagesError,
    UnreadableImage,
    UsageError,
    did_you_mean,
    quote,
)
from triptych.files import cache_folder
from triptych.images import digits, drawn
from triptych.images.arrays import SUFFIX, Arrays, LabeledImages, keep_arrays
from triptych.images.built_in import BUILT_IN
from triptych.images.cache import keep
from triptych.images.decode import check_fit, prepare, read_image, way
from triptych.images.folder import Listing, scan
from triptych.images.store import (
    SCHEMA,
    Contents,
    DecodedImage,
    OnProgress,
    Store,
    write_store,
)

__all__ = [
    "BUILT_IN",
    "ImageSource",
    "class_names",
    "located",
    "open_images",
    "read_image",
]

_THREADS = min(4, max(2, os.cpu_count() or 2))
"""Each holds an image at full resolution while it works: 50 to 100 MB for 12
megapixels.
"""
_IN_FLIGHT_FILES = 4
"""Files waiting a thread, and no more than ..."""
_IN_FLIGHT_BYTES = 64_000_000
"""... this many bytes in all (or one file): memory stays flat however many and large
the images are.
"""


ImageSource = str | Path | Arrays
"""What images can be given as: a folder, an archive, the name of a built-in set, or
arrays (images, labels).
"""


def located(images: ImageSource) -> str:
    """A built-in set by its name, anything else as an absolute path, so that it is
    found from anywhere; arrays are kept as a file in the cache.
    """
    if not isinstance(images, str | Path):
        return str(keep_arrays(images, cache_folder() / "arrays"))
    if isinstance(images, str) and images in BUILT_IN:
        return images
    path = os.path.expanduser(images)
    # Not Path(...).exists(): an empty name is not the current folder.
    return str(Path(path).resolve()) if os.path.exists(path) else str(images)


def class_names(source: str | Path) -> tuple[str, ...]:
    """The classes of what `open_images` would open; nothing is decoded. Raises
    ImagesError.
    """
    if isinstance(source, str) and source in BUILT_IN:
        return BUILT_IN[source]
    path = _existing(source)
    if path.suffix == SUFFIX:
        return LabeledImages.open(path).classes
    listing = scan(path)
    with closing(listing.reader):
        return listing.classes


def open_images(
    source: ImageSource,
    *,
    size: tuple[int, int],
    fit: str = "squash",
    resize: str = "bilinear",
    seed: int = 0,
    full: bool = False,
    strict: bool = False,
    cache: Path | None = None,
    progress: OnProgress | None = None,
) -> Store:
    """The images of `source` at `size` = (height, width), decoded now or on an
    earlier run.

    `source` is a folder, a zip or tar archive, arrays (images, labels) or the file that
    `located` made of them, or the name of a built-in set: `sports` (drawn from `seed`,
    in the talk's numbers when `full`) or `digits`. A folder of that name is reached as
    `./sports`, or as a Path. `fit` is one of FITS, `resize` one of RESIZES.
    `progress(done, total)` is called while images are decoded.

    Raises ImagesError when nothing can be learned from it, when `strict` and there is
    any problem, and when the store cannot be written; UsageError for an impossible
    `size`, `fit`, `resize` or `seed`.
    """
    check_fit(size, fit, resize)
    if seed < 0:
        raise UsageError(f"seed {seed}: give 0 or more")
    if not isinstance(source, str | Path):
        source = located(source)
    at = cache_folder(cache)
    if source == "digits":
        store = _kept(
            digits.contents(size, fit, resize),
            lambda: digits.images(size, fit, resize),
            at,
            progress,
        )
    elif source == "sports":
        plan = drawn.plan(size, seed, full, resize)
        store = _kept(plan.contents, plan.images, at, progress)
    elif (path := _existing(source)).suffix == SUFFIX:
        held = LabeledImages.open(path)
        store = _kept(
            held.contents(size, fit, resize),
            lambda: held.resized(size, fit, resize),
            at,
            progress,
        )
    else:
        store = _from_files(path, size, fit, resize, at, progress)
    if strict and store.problems:
        first = store.problems[0]
        raise ImagesError(
            f"{source}: {len(store.problems):,} problem(s) in strict mode, "
            f"first {first.path}: {first.kind} ({first.detail}); "
            "fix them or run without strict"
        )
    return replace(store, source=str(source))


def _existing(source: str | Path) -> Path:
    path = os.path.expanduser(source)
    # Not Path(...).exists(): a name may be too long for any file, or empty, which is
    # not the current folder.
    if not os.path.exists(path):
        raise ImagesError(
            f"there is no folder or archive {quote(str(source))}; "
            "give a folder, a zip or tar archive, "
            f"or a built-in set: {did_you_mean(str(source), BUILT_IN)}"
        )
    return Path(path)


def _kept(
    contents: Contents,
    images: Callable[[], Generator[DecodedImage]],
    cache: Path,
    progress: OnProgress | None,
) -> Store:
    return keep(
        cache,
        contents.key,
        _bytes(contents),
        lambda at: _fill(at, contents, images(), progress),
    )


def _fill(
    folder: Path,
    contents: Contents,
    images: Generator[DecodedImage],
    progress: OnProgress | None,
) -> None:
    # Closed and not left to the collector: threads and processes must end with an
    # error, not after it.
    with closing(images):
        write_store(folder, contents, images, progress)


def _bytes(contents: Contents) -> int:
    return len(contents.labels) * contents.size[0] * contents.size[1] * 3


def _from_files(
    path: Path,
    size: tuple[int, int],
    fit: str,
    resize: str,
    cache: Path,
    progress: OnProgress | None,
) -> Store:
    listing = scan(path)
    with closing(listing.reader):
        read = _Read.of(listing)
        contents = Contents(
            key=read.key(size, fit, resize),
            source=listing.source,
            size=size,
            fit=fit,
            classes=listing.classes,
            names=listing.names,
            labels=listing.labels,
            parts=listing.parts,
            resize=resize,
        )
        store = _kept(
            contents, lambda: _decoded(read, size, fit, resize), cache, progress
        )
    # What was found among the names is not part of the key, so it is that of this run.
    return replace(store, problems=(*listing.problems, *store.problems))


@dataclass(frozen=True, eq=False)
class _Read:
    """A listing whose files were read once, for the key: what each holds, or why it
    could not be read.
    """

    listing: Listing
    order: NDArray[np.int64]
    """The candidates in the order that is cheapest to read."""
    digests: NDArray[np.uint8]
    """(candidates, 16) of the files' bytes."""
    failures: dict[int, UnreadableImage]

    @classmethod
    def of(cls, listing: Listing) -> _Read:
        digests = np.zeros((len(listing.members), 16), np.uint8)
        failures: dict[int, UnreadableImage] = {}
        order = np.argsort(listing.reader.ranks()[listing.members], kind="stable")
        for row in map(int, order):
            try:
                data = listing.reader.read(int(listing.members[row]))
            except UnreadableImage as failure:
                failures[row], data = failure, str(failure).encode()
            digests[row] = np.frombuffer(_digest(data), np.uint8)
        return cls(listing, order, digests, failures)

    def key(self, size: tuple[int, int], fit: str, resize: str) -> str:
        """Hexadecimal, from every path and byte, and from what is made of them."""
        digest = hashlib.blake2b(
            f"{SCHEMA} {size[0]}x{size[1]} {way(fit, resize)}\n".encode(),
            digest_size=20,
        )
        for name, data in zip(self.listing.names, self.digests, strict=True):
            digest.update(name.encode() + b"\0" + data.tobytes())
        return digest.hexdigest()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]


def _decoded(
    read: _Read, size: tuple[int, int], fit: str, resize: str
) -> Generator[DecodedImage]:
    """Every candidate, decoded in threads (Pillow lets go of the interpreter), never
    far ahead of its use.
    """
    waiting: deque[tuple[Future[DecodedImage], int]] = deque()
    held = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for row in map(int, read.order):
            if (failure := read.failures.get(row)) is not None:
                yield DecodedImage(row, failure=failure)
                continue
            data = _again(read, row)
            while waiting and (
                len(waiting) >= _IN_FLIGHT_FILES * _THREADS or held > _IN_FLIGHT_BYTES
            ):
                future, length = waiting.popleft()
                held -= length
                yield future.result()
            waiting.append(
                (pool.submit(_decode_one, row, data, size, fit, resize), len(data))
            )
            held += len(data)
        while waiting:
            yield waiting.popleft()[0].result()


def _again(read: _Read, row: int) -> bytes:
    """The bytes of candidate `row`, which must be those that the key was made from."""
    listing = read.listing
    try:
        data = listing.reader.read(int(listing.members[row]))
    except UnreadableImage:
        data = b""
    if _digest(data) != read.digests[row].tobytes():
        raise ImagesError(
            f"{listing.source}: {listing.names[row]} changed while it was read; "
            "run again once nothing is writing to it"
        )
    return data


def _decode_one(
    row: int, data: bytes, size: tuple[int, int], fit: str, resize: str
) -> DecodedImage:
    try:
        pixels, digest = prepare(data, size, fit, resize)
    except UnreadableImage as failure:
        return DecodedImage(row, failure=failure)
    return DecodedImage(row, pixels, digest)
