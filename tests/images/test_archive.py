from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from triptych.errors import ImagesError, UnsafeArchive
from triptych.images.folder import scan
from triptych.images.source import open_images

from .making import fill, images, noise, saved

FILES = images("train/a", "train/b", "test/a", "test/b", many=4)


def zipped(
    path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], how: str = "w") -> Path:
    with tarfile.open(path, how) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def refused(path: Path, message: str) -> None:
    with pytest.raises(UnsafeArchive, match=message) as raised:
        scan(path)
    assert "\n" not in str(raised.value)
    assert path.name in str(raised.value)


def damaged(path: Path, message: str = "not an intact zip or tar archive") -> None:
    with pytest.raises(ImagesError, match=message) as raised:
        open_images(path, size=(4, 4))
    assert not isinstance(raised.value, UnsafeArchive)
    assert "\n" not in str(raised.value)


MAKERS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "zip": zipped,
    "stored": lambda path, files: zipped(path, files, zipfile.ZIP_STORED),
    "tar": tarred,
    "gz": lambda path, files: tarred(path, files, "w:gz"),
    "bz2": lambda path, files: tarred(path, files, "w:bz2"),
    "xz": lambda path, files: tarred(path, files, "w:xz"),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("wrapper", ["", "my photos/"])
def test_an_archive_is_its_folder(tmp_path: Path, kind: str, wrapper: str) -> None:
    extra = {
        "test/b/cut.png": saved(noise(5))[:60],
        "train/a/copy.png": FILES["train/a/1.png"],
        "loose.png": saved(noise(6)),
        "__MACOSX/._x.png": b"x",
        "README": b"text",
    }
    files = FILES | extra
    folder = open_images(
        fill(tmp_path / "set", files), size=(6, 6), cache=tmp_path / "one"
    )
    # In another order than that of the names; the ending says nothing.
    backwards = {wrapper + name: files[name] for name in reversed(files)}
    path = MAKERS[kind](tmp_path / "images.bin", backwards)
    archive = open_images(path, size=(6, 6), cache=tmp_path / "two")
    assert archive.key == folder.key
    assert list(archive.names) == list(folder.names)
    assert archive.problems == folder.problems
    assert len(archive.problems) == 3
    for one, other in (
        (archive.images, folder.images),
        (archive.labels, folder.labels),
    ):
        np.testing.assert_array_equal(one, other)
    assert archive.source == str(path)
    assert [p.name for p in tmp_path.iterdir()].count(
        "train"
    ) == 0  # nothing was unpacked


def test_empty_folders_in_archives_are_no_classes(tmp_path: Path) -> None:
    with zipfile.ZipFile(zipped(tmp_path / "a.zip", FILES), "a") as archive:
        archive.mkdir("train/c")
        archive.writestr("train/models/weights.bin", "no image at all")
    with tarfile.open(tarred(tmp_path / "a.tar", FILES), "a") as tar:
        member = tarfile.TarInfo("train/c")
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    for name, folders in (("a.zip", ["c", "models"]), ("a.tar", ["c"])):
        listing = scan(tmp_path / name)
        listing.reader.close()
        assert listing.classes == ("a", "b")
        assert [(one.kind, one.path) for one in listing.problems] == [
            ("no images", f) for f in folders
        ]


BAD_NAMES = [
    "../a/evil.png",
    "train/../../evil.png",
    "/etc/passwd",
    "C:/evil.png",
    "train\\..\\..\\evil",
    "\\evil",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_members_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    message = "absolute path|leaves the archive"
    refused(zipped(tmp_path / "a.zip", FILES | {name: b"x"}), message)
    refused(tarred(tmp_path / "a.tar", FILES | {name: b"x"}), message)
    refused(tarred(tmp_path / "a.tar.gz", FILES | {name: b"x"}, "w:gz"), message)


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive, match="leaves the archive") as caught:
        scan(zipped(tmp_path / "a.zip", {"../" + "x" * 60_000: b"x"}))
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_hidden_members_are_checked_too(tmp_path: Path) -> None:
    refused(
        zipped(tmp_path / "a.zip", FILES | {"__MACOSX/../../.x": b"x"}),
        "leaves the archive",
    )


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010644])
def test_zip_links_and_devices(tmp_path: Path, mode: int) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("train/a/link.png")
        member.external_attr = mode << 16
        archive.writestr(member, "/etc/passwd")
    refused(path, r"link\.png' is a link or a device")


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
    ],
)
def test_tar_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    path = tarred(tmp_path / "a.tar", FILES)
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("train/a/odd.png")
        member.type, member.linkname = kind, "train/a/0.png"
        archive.addfile(member)
    refused(path, r"odd\.png' is a link, a device")


def test_a_name_twice(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", FILES)
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("./train/a/0.png"))
    refused(path, "is in it twice")


def forged(
    path: Path, *, size: int = 0, packed: int = 0, flags: int = 0, many: int = 1
) -> Path:
    """A zip whose list announces these sizes and flags for its last `many` members."""
    files = FILES | {f"train/a/forged {i}.png": b"x" for i in range(many)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for member in archive.filelist[-many:]:
            member.file_size = size or member.file_size
            member.compress_size = packed or member.compress_size
            member.flag_bits |= flags
    return path


def test_zip_limits(tmp_path: Path) -> None:
    refused(
        forged(tmp_path / "a.zip", size=500_000_001, packed=400_000_000),
        "has 500 MB; 500 are allowed",
    )
    refused(
        forged(tmp_path / "b.zip", size=499_000_000, packed=400_000_000, many=201),
        "total over 100 GB",
    )
    refused(forged(tmp_path / "c.zip", size=1_000_200, packed=5_000), "over 200 times")
    for size, packed, many in (
        (500_000_000, 400_000_000, 1),
        (499_000_000, 400_000_000, 200),
        (2_000_000, 10_000, 1),
    ):
        scan(
            forged(tmp_path / "fine.zip", size=size, packed=packed, many=many)
        ).reader.close()
    scan(forged(tmp_path / "small.zip", size=1_000_000, packed=10)).reader.close()


def test_a_real_zip_bomb(tmp_path: Path) -> None:
    refused(
        zipped(tmp_path / "a.zip", FILES | {"train/a/zeros.png": bytes(3_000_000)}),
        "over 200 times",
    )


def tar_of_sizes(path: Path, *sizes: int) -> Path:
    """A tar with members of these sizes, made of holes: it takes no room on disk."""
    with open(tarred(path, FILES), "r+b") as file:
        with tarfile.open(path) as archive:
            archive.getmembers()
            place = archive.offset
        for i, size in enumerate(sizes):
            member = tarfile.TarInfo(f"train/a/long {i}.png")
            member.size = size
            file.seek(place)
            file.write(member.tobuf())
            place += 512 + -(-size // 512) * 512
        file.truncate(place + 1024)
    return path


def test_tar_limits(tmp_path: Path) -> None:
    refused(
        tar_of_sizes(tmp_path / "a.tar", 500_000_001), "has 500 MB; 500 are allowed"
    )
    refused(tar_of_sizes(tmp_path / "b.tar", *[499_000_000] * 201), "total over 100 GB")
    scan(tar_of_sizes(tmp_path / "fine.tar", 500_000_000, 400_000_000)).reader.close()


def test_tar_bombs(tmp_path: Path) -> None:
    refused(
        tarred(tmp_path / "a.tgz", FILES | {"train/a/zeros": bytes(9_000_000)}, "w:gz"),
        "over 200 times",
    )
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 60_000_000
    with gzip.open(tmp_path / "b.tgz", "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        file.write(bytes(60_000_000))
    refused(tmp_path / "b.tgz", "a header of 60,000,")


@contextmanager
def tracemalloc_peak() -> Iterator[list[int]]:
    """A list that holds the peak of Python's memory in the block, in bytes, once the
    block is left.
    """
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def test_lying_zip_sizes_do_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
        archive.writestr("train/a/lie.png", bytes(lie := 20_000_000))
        archive.filelist[-1].file_size = 100
    with tracemalloc_peak() as peak:
        damaged(path, "Bad CRC-32")
    assert peak[0] < lie / 7


def test_encrypted(tmp_path: Path) -> None:
    damaged(
        forged(tmp_path / "a.zip", flags=1), "is encrypted; unpack it with its password"
    )


def test_other_methods(tmp_path: Path) -> None:
    refused(zipped(tmp_path / "a.zip", FILES, zipfile.ZIP_LZMA), "another method")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda at: at.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_what_is_no_file_is_not_read(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    """A pipe would hold the reader for ever."""
    at = tmp_path / "photos.zip"
    make(at)
    damaged(at, "it is not a regular file")


def test_no_archive(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {"photo.png": saved(noise(1)), "empty.zip": b"", "text.tar": b"hello" * 500},
    )
    for path in tmp_path.glob("*.*"):
        damaged(path)


@pytest.mark.parametrize("kind", MAKERS)
def test_cut_archives(tmp_path: Path, kind: str) -> None:
    data = MAKERS[kind](tmp_path / "whole", FILES).read_bytes()
    path = tmp_path / "cut"
    # At 60 % a plain tar is cut inside a member; a whole number of blocks leaves its
    # last member whole.
    for length in (
        10,
        700,
        len(data) * 6 // 10,
        (len(data) * 7 // 10) // 512 * 512,
        len(data) - 9000,
    ):
        if 0 < length < len(data) - 1:
            path.write_bytes(data[:length])
            damaged(path)


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz", "tar"])
def test_damaged_archives(tmp_path: Path, kind: str) -> None:
    path = MAKERS[kind](tmp_path / "whole", FILES)
    data = bytearray(path.read_bytes())
    if kind == "tar":
        # A damaged header in the middle; tarfile would take it for the end.
        second = 512 + -(-len(FILES["train/a/0.png"]) // 512) * 512
        data[second : second + 8] = b"DAMAGED!"
    else:
        middle = len(data) // 2
        data[middle : middle + 8] = bytes(
            byte ^ 0x55 for byte in data[middle : middle + 8]
        )
    path.write_bytes(data)
    damaged(path)
