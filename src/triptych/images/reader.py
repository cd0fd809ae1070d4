"""Where images lie: one small interface for a folder and an archive, and the problems
found there.

A reader lists the files below a source and reads one of them; it decodes nothing. Names
are kept as one block of bytes and not as Python strings: a million of them cost what
their letters cost.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ImagesError, UnreadableImage

MAX_FILE = 500_000_000
"""Bytes. A larger file is no photograph, and would be held in memory whole."""

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""What names of images end in. The content decides what a file is; its name, what it
is meant to be.
"""

PROBLEM_KINDS = {
    "unreadable": "cannot be opened or decoded; left out",
    "empty": "has no bytes; left out",
    "truncated": "the file ends before its image does; left out",
    "not an image": "not a JPEG, PNG, WebP, BMP, GIF or TIFF file; left out",
    "too large": "over 100 megapixels or 500 MB; left out",
    "no images": (
        "a class folder without a file that is, or is named like, an image; left out"
    ),
    "misplaced": "an image outside the class folders; left out",
    "link": "a link to a folder that is already listed; not followed",
    "duplicate": "same pixels as an image of its class and split; the first is kept",
    "duplicate across splits": "same pixels as an image in another split; kept there",
    "duplicate across classes": "same pixels under two labels; all are left out",
}
"""Every kind of problem, and what is done about it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is not used, or a folder not entered: the kind, where, and the cause
    in a few words.
    """

    kind: str
    path: str
    detail: str


class Names:
    """Many strings as one block of UTF-8 and the place where each ends; reads like a
    sequence.

    File names that are no text (any bytes are allowed on Linux) survive the way in and
    out.
    """

    def __init__(
        self, blob: bytes | bytearray | NDArray[np.uint8], ends: NDArray[np.int64]
    ) -> None:
        self.blob = blob
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """Pack `names`, in their order."""
        blob, ends = bytearray(), array("q")
        for name in names:
            blob += name.encode("utf-8", "surrogateescape")
            ends.append(len(blob))
        return cls(
            blob, np.frombuffer(ends, np.int64) if ends else np.zeros(0, np.int64)
        )

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> str:
        if not 0 <= i < len(self):
            raise IndexError(i)
        start = int(self.ends[i - 1]) if i else 0
        return bytes(self.blob[start : int(self.ends[i])]).decode(
            "utf-8", "surrogateescape"
        )

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))


class Reader(Protocol):
    """The files below one source."""

    names: Names
    """Relative paths with `/`, sorted folder by folder, without hidden files."""
    empty_folders: list[str]
    problems: list[Problem]

    def ranks(self) -> NDArray[np.int64]:
        """Where each file lies: reading in rising rank is cheapest. Shape (files,)."""

    def read(self, i: int, limit: int = -1) -> bytes:
        """The bytes of file `i`, at most `limit` when that is not negative.

        Raises UnreadableImage when this file cannot be read, ImagesError when the
        whole source cannot.
        """

    def close(self) -> None:
        """Let go of the source."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is the system's and not a person's."""
    return name.startswith(".") or name.casefold() in {
        "thumbs.db",
        "desktop.ini",
        "__macosx",
        "@eadir",
    }


def is_named_like_an_image(name: str) -> bool:
    """Whether a file of this name is meant to be an image."""
    return name.casefold().endswith(ENDINGS)


def printable(name: str) -> str:
    """`name` on one line in characters that every terminal and JSON writer accepts."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def read_file(path: Path, limit: int = -1) -> bytes:
    """The bytes of the file at `path`, at most `limit` if that is not negative; raises
    UnreadableImage.
    """
    try:
        with open(path, "rb", opener=_at_once) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise UnreadableImage("not an image", "a pipe, socket or device")
            if facts.st_size > MAX_FILE:
                raise UnreadableImage("too large", f"{facts.st_size / 1e6:,.0f} MB")
            return file.read(limit)
    except OSError as error:
        raise UnreadableImage("unreadable", error.strerror or str(error)) from error


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: a pipe would wait for somebody to write into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class FolderReader:
    """A folder on disk. Links are followed, each folder once, and never into a loop."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.empty_folders: list[str] = []
        self.problems: list[Problem] = []
        self._linked: set[tuple[int, int]] = set()
        try:
            os.scandir(root).close()
        except OSError as error:
            raise ImagesError(
                f"cannot list {root}: {error.strerror}; check its permissions"
            ) from error
        self.names = Names.of(self._walk())

    def ranks(self) -> NDArray[np.int64]:
        """Files lie in the order of their names."""
        return np.arange(len(self.names), dtype=np.int64)

    def read(self, i: int, limit: int = -1) -> bytes:
        """The bytes of file `i`; raises UnreadableImage."""
        return read_file(self.root / self.names[i], limit)

    def close(self) -> None:
        """Nothing is held open."""

    def _problem(self, kind: str, path: str, detail: str) -> None:
        self.problems.append(Problem(kind, printable(path), detail))

    def _walk(self) -> Iterator[str]:
        """Relative paths of the files, depth first. A stack, not recursion: depth is
        the user's choice.
        """
        opened = [(_identity(self.root), self._entries(self.root, ""))]
        while opened:
            found = next(opened[-1][1], None)
            if found is None:
                opened.pop()
                continue
            entry, path = found
            try:
                if entry.is_dir():
                    if self._may_enter(
                        entry, path, [identity for identity, _ in opened]
                    ):
                        opened.append(
                            (_identity(entry), self._entries(entry, path + "/"))
                        )
                elif entry.is_file():
                    yield path
                elif entry.is_symlink():
                    self._problem("unreadable", path, "a link to nothing")
                else:
                    self._problem("not an image", path, "a pipe, socket or device")
            except OSError as error:
                self._problem("unreadable", path, error.strerror or str(error))

    def _entries(
        self, folder: Path | os.DirEntry[str], prefix: str
    ) -> Iterator[tuple[os.DirEntry[str], str]]:
        """What lies in one folder, by name, each with its relative path."""
        try:
            with os.scandir(folder) as listed:
                entries = sorted(
                    (e for e in listed if not is_hidden(e.name)), key=lambda e: e.name
                )
        except OSError as error:
            self._problem("unreadable", prefix, error.strerror or str(error))
            return
        if not entries and prefix:
            self.empty_folders.append(prefix.rstrip("/"))
        for entry in entries:
            yield entry, prefix + entry.name

    def _may_enter(
        self, entry: os.DirEntry[str], path: str, ancestors: Sequence[tuple[int, int]]
    ) -> bool:
        """Whether a folder is new. Only links lead back up, or to a place from many."""
        if not entry.is_symlink():
            return True
        identity = _identity(entry)
        if identity in ancestors or identity in self._linked:
            self._problem(
                "link", path, f"leads to {printable(os.path.realpath(entry.path))}"
            )
            return False
        self._linked.add(identity)
        return True


def _identity(folder: Path | os.DirEntry[str]) -> tuple[int, int]:
    # os.stat and not entry.stat(): on Windows only the former knows the file's number.
    facts = os.stat(folder)
    return facts.st_dev, facts.st_ino
