"""Where stores are kept: in the user's cache folder, one a key, each made by one
process at a time. What is computed from them lies beside them, kept in the same way.

A store is filled under a temporary name and then renamed, so a store that has its name
is whole. Processes that want the same store wait for the one that makes it. What a
killed process left is removed by the next.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import filelock

from triptych.errors import ImagesError
from triptych.files import cache_folder
from triptych.images.store import Store

IMAGES, FEATURES = "images", "features"
"""The folders of the cache: decoded images, and what frozen networks make of them."""

_PARTIAL = ".partial"
T = TypeVar("T")


@dataclass(frozen=True)
class StoreFacts:
    """One store in the cache, for people: `bytes` on disk, `made` in ISO 8601 (UTC)."""

    path: Path
    key: str
    source: str
    images: int
    size: tuple[int, int]
    fit: str
    bytes: int
    made: str


def keep(cache: Path, key: str, needed: int, fill: Callable[[Path], None]) -> Store:
    """The store `key` in the folder `cache`, made by `fill(folder)` when it is missing
    or damaged.

    `needed` is the bytes it takes. Raises ImagesError when it cannot be written, and
    what `fill` raises.
    """
    return keep_folder(cache / IMAGES, key, needed, fill, _intact, "decoded images")


def keep_folder(
    kept: Path,
    key: str,
    needed: int,
    fill: Callable[[Path], None],
    intact: Callable[[Path], T | None],
    what: str,
) -> T:
    """What `intact(kept / key)` finds, made by `fill(folder)` when that is None.

    `needed` is the bytes it takes. Raises ImagesError when it cannot be written, which
    calls it by `what`, and what `fill` raises.
    """
    found = intact(kept / key)
    if found is not None:
        return found
    with _writing(kept.parent, needed, what):
        kept.mkdir(parents=True, exist_ok=True)
        _sweep(kept)
        with _lock(kept, key):
            # Another process may have made it while this one waited.
            found = intact(kept / key)
            if found is not None:
                return found
            _remove(kept, key)
            _fill(kept, key, needed, fill)
            made = intact(kept / key)
            if made is None:
                raise OSError(f"{kept / key}: what was written cannot be read")
            return made


def _fill(stores: Path, key: str, needed: int, fill: Callable[[Path], None]) -> None:
    """Make a store under another name first: it is there whole, or not at all."""
    partial = stores / (key + _PARTIAL)
    partial.mkdir()
    try:
        if shutil.disk_usage(stores).free < needed:
            raise OSError("too little space is left")
        fill(partial)
        partial.rename(stores / key)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def list_stores(cache: Path | None = None) -> list[StoreFacts]:
    """All stores in the cache, newest first; damaged ones with what is known."""
    stores = cache_folder(cache) / IMAGES
    found = [
        _facts(path)
        for path in stores.glob("*")
        if path.is_dir() and path.suffix != _PARTIAL
    ]
    return sorted(found, key=lambda facts: facts.made, reverse=True)


def clear(cache: Path | None = None) -> tuple[int, int]:
    """Remove every store that nobody is making at this moment, and what was computed
    from them; gives the stores and the bytes removed.
    """
    removed = freed = 0
    folders = [cache_folder(cache) / kind for kind in (IMAGES, FEATURES)]
    for path in sorted(path for folder in folders for path in folder.glob("*")):
        if not path.is_dir():
            continue
        try:
            with _lock(path.parent, path.name.removesuffix(_PARTIAL), wait=False):
                size = _bytes(path)
                shutil.rmtree(path, ignore_errors=True)
                of_images = path.parent.name == IMAGES and path.suffix != _PARTIAL
                removed += of_images
                freed += size - (_bytes(path) if path.exists() else 0)
        except filelock.Timeout:
            continue
    return removed, freed


@contextmanager
def _writing(cache: Path, needed: int, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImagesError(
            f"cannot keep {what} in {cache}: {error.strerror or error} "
            f"({needed / 1e6:,.0f} MB are needed); "
            "make room, or set TRIPTYCH_CACHE to another folder"
        ) from error


def _intact(path: Path) -> Store | None:
    try:
        return Store.open(path)
    except ImagesError:
        return None


def _lock(stores: Path, key: str, wait: bool = True) -> filelock.BaseFileLock:
    # Lock files stay: removing one while another process waits for it would let two in.
    return filelock.FileLock(stores / f"{key}.lock", timeout=-1 if wait else 0)


def _remove(stores: Path, key: str) -> None:
    for path in (stores / key, stores / (key + _PARTIAL)):
        if path.exists():
            shutil.rmtree(path)


def _sweep(stores: Path) -> None:
    """Remove what killed processes left half made; one that lives holds its lock."""
    for path in stores.glob("*" + _PARTIAL):
        try:
            with _lock(stores, path.name.removesuffix(_PARTIAL), wait=False):
                shutil.rmtree(path, ignore_errors=True)
        except filelock.Timeout:
            continue


def _facts(path: Path) -> StoreFacts:
    try:
        facts = json.loads((path / "store.json").read_bytes())
        height, width = facts["size"]
        return StoreFacts(
            path,
            path.name,
            facts["source"],
            facts["images"],
            (height, width),
            facts["fit"],
            _bytes(path),
            facts["made"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return StoreFacts(path, path.name, "damaged", 0, (0, 0), "", _bytes(path), "")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
