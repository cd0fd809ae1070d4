from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from triptych.errors import ImagesError
from triptych.files import cache_folder
from triptych.images.cache import clear, list_stores
from triptych.images.folder import scan
from triptych.images.reader import FolderReader
from triptych.images.source import _THREADS, _decoded, _Read, open_images
from triptych.images.split import TEST, TRAIN
from triptych.images.store import Store

from .making import child, fill, images, noise, saved

FILES = images("train/a", "train/b", "test/a", "test/b", many=4)
OPEN = """
from triptych.images.source import open_images
def progress(done, total):
    print(done, flush=True)
store = open_images(sys.argv[1], size=(int(sys.argv[2]),) * 2, progress=progress)
print("rows", len(store))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "set", FILES)


def test_a_store_holds_what_the_files_hold(folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    store = open_images(
        folder, size=(12, 16), progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(i + 1, 16) for i in range(16)]
    assert (len(store), store.images.shape) == (16, (16, 12, 16, 3))
    assert [str(a.dtype) for a in (store.images, store.labels, store.parts)] == [
        "uint8",
        "int32",
        "uint8",
    ]
    assert (store.classes, store.size, store.fit, store.problems) == (
        ("a", "b"),
        (12, 16),
        "squash",
        (),
    )
    assert isinstance(store.images, np.memmap)
    assert not store.images.flags.writeable
    names = sorted(FILES)
    for i, name in enumerate(names):
        assert store.name(i) == name
        np.testing.assert_array_equal(
            store.images[i], np.asarray(Image.open(folder / name))
        )
        assert store.classes[store.labels[i]] == name.split("/")[1]
        assert store.parts[i] == (TRAIN if name.startswith("train") else TEST)


def test_the_second_time_nothing_is_decoded(folder: Path, tmp_path: Path) -> None:
    first = open_images(folder, size=(6, 6))
    calls: list[int] = []
    fill(tmp_path / "moved", FILES)  # the same content elsewhere is the same store
    for source in (folder, tmp_path / "moved"):
        again = open_images(
            source, size=(6, 6), progress=lambda done, _: calls.append(done)
        )
        assert (again.path, again.key, again.source) == (
            first.path,
            first.key,
            str(source),
        )
    assert calls == []


def test_the_key_follows_every_input(folder: Path) -> None:
    def key(
        size: tuple[int, int] = (6, 6), fit: str = "squash", resize: str = "bilinear"
    ) -> str:
        store = open_images(folder, size=size, fit=fit, resize=resize)
        assert (store.fit, store.resize) == (fit, resize)
        return store.key

    keys = [
        key(),
        key((6, 7)),
        key((7, 6)),
        key(fit="crop"),
        key(fit="pad"),
        key(resize="nearest"),
    ]
    fill(folder, {"train/a/0.png": saved(noise(77))})
    keys.append(key())
    (folder / "train/a/0.png").rename(folder / "train/b/0 moved.png")
    keys.append(key())
    (folder / "train/a/1.png").unlink()
    keys.append(key())
    assert len(set(keys)) == 9


def test_strict_is_fatal_on_both_runs(folder: Path) -> None:
    open_images(folder, size=(6, 6), strict=True)
    fill(folder, {"train/a/x.png": b""})
    for _ in range(2):
        with pytest.raises(
            ImagesError,
            match=r"1 problem\(s\) in strict mode, first train/a/x\.png: empty",
        ):
            open_images(folder, size=(6, 6), strict=True)
    assert len(open_images(folder, size=(6, 6))) == 16
    (folder / "train/a/x.png").unlink()
    # A stray file changes no pixel and no key; it must be noticed all the same.
    fill(folder, {"stray.png": saved(noise(78))})
    with pytest.raises(ImagesError, match="misplaced"):
        open_images(folder, size=(6, 6), strict=True)


def test_too_little_is_left(tmp_path: Path) -> None:
    bad = {"c/1.png": b"", "c/2.png": b"no"}
    with pytest.raises(
        ImagesError,
        match=r"class 'c' has no usable image.*2 left out, first c/1\.png: empty",
    ):
        open_images(fill(tmp_path / "one", images("a", "b") | bad), size=(6, 6))
    nothing = dict.fromkeys(FILES, b"text")
    with pytest.raises(ImagesError, match="no usable image"):
        open_images(fill(tmp_path / "two", nothing), size=(6, 6))
    same = images("a", "b") | dict.fromkeys(("c/1.png", "c/2.png"), saved(noise(5)))
    with pytest.raises(ImagesError, match="class 'c' has one usable image"):
        open_images(fill(tmp_path / "three", same), size=(6, 6))
    assert list_stores() == []
    assert list((cache_folder() / "images").glob("*.partial")) == []


DAMAGE: dict[str, Callable[[Path], object]] = {
    "images cut": lambda at: os.truncate(at / "images.bin", 100),
    "images longer": lambda at: os.truncate(at / "images.bin", 10_000),
    "images gone": lambda at: os.remove(at / "images.bin"),
    "labels changed": lambda at: (at / "labels.bin").write_bytes(bytes(64)),
    "parts cut": lambda at: os.truncate(at / "parts.bin", 3),
    "digests cut": lambda at: os.truncate(at / "digests.bin", 32),
    "digests gone": lambda at: os.remove(at / "digests.bin"),
    "names changed": lambda at: os.truncate(at / "names.bin", 30),
    "ends gone": lambda at: os.remove(at / "ends.bin"),
    "facts cut": lambda at: os.truncate(at / "store.json", 40),
    "facts no table": lambda at: (at / "store.json").write_text("[]"),
    "other schema": lambda at: (at / "store.json").write_text(
        json.dumps(json.loads((at / "store.json").read_text()) | {"schema": 0})
    ),
    "other rows": lambda at: (at / "store.json").write_text(
        json.dumps(json.loads((at / "store.json").read_text()) | {"images": 15})
    ),
    "empty": lambda at: list(map(os.remove, at.iterdir())),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_made_again(folder: Path, damage: str) -> None:
    whole = open_images(folder, size=(6, 6))
    pixels = np.array(whole.images)
    DAMAGE[damage](whole.path)
    with pytest.raises(ImagesError, match="cannot be used") as raised:
        Store.open(whole.path)
    assert "\n" not in str(raised.value)
    calls: list[int] = []
    again = open_images(
        folder, size=(6, 6), progress=lambda done, _: calls.append(done)
    )
    assert len(calls) == 16
    np.testing.assert_array_equal(again.images, pixels)
    assert list(again.names) == sorted(FILES)


def test_gaps_are_closed(tmp_path: Path) -> None:
    files = images("a", "b", many=40)
    for i, name in enumerate(sorted(files)):
        if i % 3 != 1:
            files[name] = b""
    store = open_images(fill(tmp_path / "set", files), size=(12, 16))
    kept = [name for name in sorted(files) if files[name]]
    assert list(store.names) == kept
    assert (store.path / "images.bin").stat().st_size == len(kept) * 12 * 16 * 3
    for i, name in enumerate(kept):
        np.testing.assert_array_equal(
            store.images[i], np.asarray(Image.open(tmp_path / "set" / name))
        )


def test_two_processes_fill_one_store_once(tmp_path: Path) -> None:
    root = fill(tmp_path / "set", images("a", "b", many=150))
    processes = [child(OPEN, root, 64) for _ in range(3)]
    said = [process.communicate(timeout=60) for process in processes]
    assert [err for _, err in said] == ["", "", ""]
    # One decodes all, the others wait and decode nothing.
    assert sorted(len(out.splitlines()) for out, _ in said) == [1, 1, 301]
    assert {out.splitlines()[-1] for out, _ in said} == {"rows 300"}
    assert len(list_stores()) == 1


def test_a_killed_fill_leaves_no_half_store(tmp_path: Path) -> None:
    root = fill(tmp_path / "set", images("a", "b", many=150))
    process = child(OPEN, root, 300)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "60":
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    stores = cache_folder() / "images"
    assert list_stores() == []
    assert [path.suffix for path in stores.iterdir() if path.is_dir()] == [".partial"]
    # The next fill, of whatever store, clears that away.
    open_images(root, size=(8, 8))
    assert [path.suffix for path in stores.iterdir() if path.is_dir()] == [""]
    assert len(open_images(root, size=(300, 300))) == 300


def test_an_error_while_filling_leaves_nothing(folder: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_images(folder, size=(6, 6), progress=stop)
    assert [
        path for path in (cache_folder() / "images").iterdir() if path.is_dir()
    ] == []


def test_files_that_change_while_they_are_read(tmp_path: Path) -> None:
    root = fill(tmp_path / "set", images("a", "b", many=60))

    def meddle(done: int, _: int) -> None:
        if done == 1:
            fill(root, {"b/59.png": saved(noise(123_456))})

    with pytest.raises(ImagesError, match=r"b/59\.png changed while it was read"):
        open_images(root, size=(6, 6), progress=meddle)
    assert list_stores() == []


MEMORY = """
from triptych.images.source import open_images
def peak():
    status = open("/proc/self/status")
    line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
open_images(sys.argv[1], size=(224, 224))
before = peak()
store = open_images(sys.argv[2], size=(224, 224))
print(before, peak(), store.images.nbytes / 2**20)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="the peak of this process alone is in /proc only"
)
def test_memory_stays_flat(tmp_path: Path) -> None:
    few = fill(tmp_path / "few", images("a", "b", many=30))
    many = fill(tmp_path / "many", images("a", "b", many=700))
    out, err = child(MEMORY, few, many).communicate(timeout=100)
    assert err == ""
    before, after, stored = map(float, out.split())
    assert stored > 190
    assert after - before < stored / 13
    assert after < 0.6 * stored


class Counting(FolderReader):
    """A folder that counts how often it was read."""

    reads = 0

    def read(self, i: int, limit: int = -1) -> bytes:
        self.reads += 1
        return super().read(i, limit)


def test_few_files_are_held_at_once(tmp_path: Path) -> None:
    def read_ahead(root: Path) -> int:
        reader = Counting(root)
        read = _Read.of(replace(scan(root), reader=reader))
        reader.reads = 0
        with closing(_decoded(read, (4, 4), "squash", "bilinear")) as decoded:
            next(decoded)
            return reader.reads

    small = fill(tmp_path / "small", images("a", "b", many=40))
    assert read_ahead(small) == 4 * _THREADS + 1
    large = fill(tmp_path / "large", images("a", "b", many=6))
    for path in large.glob("*/*"):
        os.truncate(path, 20_000_000)  # zeros behind an image do it no harm
    assert read_ahead(large) == 5  # four are over 64 MB


FULL = """
import resource
from triptych.errors import ImagesError
from triptych.images.source import open_images
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    open_images(sys.argv[1], size=(64, 64))
except ImagesError as error:
    print(error)
"""


def test_a_full_disk_is_one_clear_line(folder: Path) -> None:
    out, err = child(FULL, folder).communicate(timeout=60)
    assert err == ""
    assert "cannot keep decoded images in" in out
    assert "set TRIPTYCH_CACHE" in out
    assert out.count("\n") == 1
    assert [
        path for path in (cache_folder() / "images").iterdir() if path.is_dir()
    ] == []


def test_more_than_the_disk_holds(folder: Path) -> None:
    with pytest.raises(ImagesError, match="too little space is left"):
        open_images(folder, size=(900_000, 900_000))


def test_a_cache_that_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(folder / "train/a/0.png"))
    with pytest.raises(
        ImagesError, match=r"cannot keep decoded images in .*Not a directory"
    ):
        open_images(folder, size=(6, 6))


def test_listing_and_clearing(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (list_stores(), clear()) == ([], (0, 0))
    one = open_images(folder, size=(6, 6))
    two = open_images("digits", size=(8, 9), fit="pad")
    listed = {facts.key: facts for facts in list_stores()}
    assert set(listed) == {one.key, two.key}
    facts = listed[two.key]
    assert (facts.source, facts.images) == ("digits", 1797)
    assert (facts.size, facts.fit) == ((8, 9), "pad")
    assert facts.bytes > 1797 * 8 * 9 * 3
    made = time.mktime(time.strptime(facts.made[:10], "%Y-%m-%d"))
    assert abs(time.time() - made) < 3 * 86_400
    (one.path / "store.json").unlink()
    assert {facts.source for facts in list_stores()} == {"damaged", "digits"}
    total = sum(facts.bytes for facts in list_stores())
    assert clear() == (2, total)
    assert list_stores() == []
    monkeypatch.delenv("TRIPTYCH_CACHE")
    assert cache_folder().name == "triptych"
    assert cache_folder(cache) == cache


def test_clearing_leaves_alone_what_is_being_made(tmp_path: Path) -> None:
    root = fill(tmp_path / "set", images("a", "b", many=150))
    process = child(OPEN, root, 256)
    assert process.stdout is not None
    process.stdout.readline()
    assert clear() == (0, 0)
    out, err = process.communicate(timeout=60)
    assert (out.splitlines()[-1], err) == ("rows 300", "")
    assert clear()[0] == 1
