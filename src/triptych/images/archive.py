"""Zip and tar archives, read in place: nothing is ever unpacked to disk.

The whole list of members is checked before the first image is read. One member that
could harm (a path that leaves the folder, a link, a device, a bomb) refuses the
archive: who packs such a thing is not to be trusted with the rest.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ImagesError, UnsafeArchive, quote
from triptych.files import check_file
from triptych.images.reader import MAX_FILE, Names, Problem, is_hidden

MAX_TOTAL = 100_000_000_000
"""Bytes of all members of an archive together, unpacked."""
MAX_RATIO = 200
"""Unpacked over packed size; photographs are near 1, and only a bomb is far above."""
RATIO_FROM = 1_000_000
"""Bytes below which the ratio says nothing: a plain white icon packs well."""
_HEADER_LIMIT = 1 << 20
LONGEST_REASON = 200
"""Characters: what the standard library says of damage may repeat a member's name."""

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What the standard library raises on a damaged archive."""


def open_archive(path: Path) -> ZipReader | TarReader:
    """The reader for the archive at `path`, told by its content.

    Raises UnsafeArchive for a member that must not be read, ImagesError for what is
    no archive.
    """
    with _damage_named(path):
        check_file(path)  # a pipe would hold the reader for ever
        with open(path, "rb") as file:
            head = file.read(6)
        if zipfile.is_zipfile(path):
            return ZipReader(path)
        return TarReader(path, head)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ImagesError(
            f"{path} is not an intact zip or tar archive "
            f"({str(error)[:LONGEST_REASON] or type(error).__name__}); "
            "give a folder, or pack it again"
        ) from error


class _Checked:
    """The member list of one archive as it is checked: names so far, and their total
    size.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.total = 0
        self._seen: set[str] = set()

    def member(self, name: str, size: int, packed: int, *, is_folder: bool) -> str:
        """Check one member; gives its path with plain `/`. Raises UnsafeArchive. Sizes
        in bytes.
        """
        path = name.replace("\\", "/")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or re.match("[A-Za-z]:", path):
            self.refuse(name, "has an absolute path")
        if ".." in parts or "\0" in path:
            self.refuse(name, "has a path that leaves the archive")
        if size > MAX_FILE:
            self.refuse(
                name, f"has {size / 1e6:,.0f} MB; {MAX_FILE / 1e6:,.0f} are allowed"
            )
        self.total += size
        if self.total > MAX_TOTAL:
            self.refuse(name, f"brings the total over {MAX_TOTAL / 1e9:,.0f} GB")
        if size > RATIO_FROM and size > MAX_RATIO * packed:
            self.refuse(name, f"unpacks to over {MAX_RATIO} times its size")
        plain = "/".join(parts)
        if not is_folder:
            if plain in self._seen:
                self.refuse(name, "is in it twice")
            self._seen.add(plain)
        return plain

    def refuse(self, name: str, why: str) -> None:
        raise UnsafeArchive(
            f"{self.path} is refused: member {quote(name)} {why}; "
            "pack the images again without it"
        )


def _shown(path: str) -> bool:
    return path != "" and not any(is_hidden(part) for part in path.split("/"))


def _empty_folders(folders: set[str], files: list[str]) -> list[str]:
    """The folders that hold neither a file nor a folder."""
    parents = {path.rpartition("/")[0] for path in (*files, *folders)}
    return sorted(path for path in folders - parents if _shown(path))


class ZipReader:
    """The files in a zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._zip = zipfile.ZipFile(path)
        try:
            folders: set[str] = set()
            found = self._check(folders)
        except BaseException:
            self._zip.close()
            raise
        found.sort(key=lambda item: item[0].split("/"))
        self._members = [info for _, info in found]
        self.names = Names.of(name for name, _ in found)
        self.empty_folders = _empty_folders(folders, [name for name, _ in found])

    def _check(self, folders: set[str]) -> list[tuple[str, zipfile.ZipInfo]]:
        checked, found = _Checked(self.path), []
        for info in self._zip.infolist():
            name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
            plain = checked.member(
                name, info.file_size, info.compress_size, is_folder=info.is_dir()
            )
            # The upper half of the attributes is a Unix mode, or nothing.
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                checked.refuse(name, "is a link or a device")
            if info.flag_bits & 1:
                raise ImagesError(
                    f"{self.path} is encrypted; unpack it with its password "
                    "and give the folder"
                )
            # Other methods can grow without bound inside one call of the standard
            # library.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                checked.refuse(
                    name, "is packed with another method than store or deflate"
                )
            if info.is_dir():
                folders.add(plain)
            elif _shown(plain):
                found.append((plain, info))
        return found

    def ranks(self) -> NDArray[np.int64]:
        """Where each file begins in the archive."""
        return np.array([info.header_offset for info in self._members], dtype=np.int64)

    def read(self, i: int, limit: int = -1) -> bytes:
        """The bytes of file `i`; raises ImagesError when the archive is damaged
        there.
        """
        info = self._members[i]
        with _damage_named(self.path), self._zip.open(info) as file:
            # One byte more than announced, never "all": a lying header must not fill
            # the memory, and reaching the end is what makes zipfile compare the
            # checksum.
            data = file.read(info.file_size + 1 if limit < 0 else limit)
            if limit < 0 and len(data) != info.file_size:
                raise zipfile.BadZipFile(
                    f"{quote(info.filename)} has {len(data)} of {info.file_size} bytes"
                )
            return data

    def close(self) -> None:
        """Close the archive's file."""
        self._zip.close()


class _Bounded:
    """A file for tarfile that refuses huge single reads: forged headers ask for it."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT:
            raise UnsafeArchive(
                f"{self._path} is refused: a header of {size:,} bytes; "
                "pack the images again"
            )
        return self._file.read(size)


class TarReader:
    """The files in a tar archive, plain or compressed with gzip, bzip2 or xz."""

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._file = _unpacked(path, head)
        self._packed = path.stat().st_size
        try:
            folders: set[str] = set()
            found = self._check(folders)
        except BaseException:
            self._file.close()
            raise
        found.sort(key=lambda item: item[0].split("/"))
        self.names = Names.of(name for name, _, _ in found)
        self._starts = np.array([start for _, start, _ in found], dtype=np.int64)
        self._sizes = np.array([size for _, _, size in found], dtype=np.int64)
        self.empty_folders = _empty_folders(folders, [name for name, _, _ in found])

    def _check(self, folders: set[str]) -> list[tuple[str, int, int]]:
        """Name, start and size of every file, in bytes of the unpacked archive."""
        checked, found = _Checked(self.path), []
        bounded = cast(IO[bytes], _Bounded(self._file, self.path))
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # else it keeps a million of them
                name = member.name
                plain = checked.member(
                    name, member.size, member.size, is_folder=member.isdir()
                )
                # A tar is compressed as a whole, so the ratio is one of totals; the
                # header comes before its data, so nothing of a bomb is unpacked.
                if (
                    checked.total > RATIO_FROM
                    and checked.total > MAX_RATIO * self._packed
                ):
                    checked.refuse(
                        name,
                        f"unpacks to over {MAX_RATIO} times the size of the archive",
                    )
                if member.isdir():
                    folders.add(plain)
                elif not member.isreg() or member.issparse():
                    checked.refuse(name, "is a link, a device or a sparse file")
                elif _shown(plain):
                    found.append((plain, member.offset_data, member.size))
            self._check_end(tar.offset)
        return found

    def _check_end(self, offset: int) -> None:
        # tarfile takes a damaged header for the end; the true end is a block of zeros.
        self._file.seek(offset)
        block = self._file.read(tarfile.BLOCKSIZE)
        # Reaching the end of the file is what makes gzip compare its checksum; padding
        # is never long.
        self._file.read(_HEADER_LIMIT)
        if len(block) < tarfile.BLOCKSIZE or any(block):
            raise tarfile.ReadError(f"broken off or damaged at byte {offset:,}")

    def ranks(self) -> NDArray[np.int64]:
        """Where each file begins in the unpacked archive: a compressed one can only be
        read forward.
        """
        return self._starts

    def read(self, i: int, limit: int = -1) -> bytes:
        """The bytes of file `i`; raises ImagesError when the archive is damaged
        there.
        """
        size = int(self._sizes[i]) if limit < 0 else min(limit, int(self._sizes[i]))
        with _damage_named(self.path):
            self._file.seek(int(self._starts[i]))
            data = self._file.read(size)
            if len(data) != size:
                raise tarfile.ReadError("broken off")
            return data

    def close(self) -> None:
        """Close the archive's file."""
        self._file.close()


def _unpacked(path: Path, head: bytes) -> IO[bytes]:
    if head.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path))
    if head.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(path))
    if head.startswith(b"\xfd7zXZ"):
        return cast(IO[bytes], lzma.open(path))
    return open(path, "rb")
