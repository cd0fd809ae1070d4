"""TOML tables to dataclasses, and files that are written whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import RecipeError, RunFolderError, UsageError
from triptych.files import LEVELS, from_table, merge, read_toml, to_toml, write_atomic

# ---- tables --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Inner:
    share: float = 0.5


@dataclasses.dataclass(frozen=True)
class Outer:
    count: int
    kind: Literal["cosine", "constant"] = "cosine"
    side: int | tuple[int, int] = 3
    inner: Inner = Inner()
    given: str | None = None


def test_a_table_becomes_its_class() -> None:
    table = {"count": 2, "side": [1, 2], "inner": {"share": 1}, "kind": "constant"}
    assert from_table(Outer, table) == Outer(2, "constant", (1, 2), Inner(1.0))
    assert from_table(Outer, {"count": 2}) == Outer(2)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"cuont": 2}, r"unknown key 'cuont': did you mean 'count'\?"),
        ({}, "missing required field count"),
        (
            {"count": 2, "kind": "cosin"},
            r"unknown kind 'cosin': did you mean 'cosine'\? \(known: constant, ",
        ),
        ({"count": 2, "kind": 3}, "unknown kind 3: known: constant, cosine"),
        ({"count": 2, "kind": ["cosine"]}, r"unknown kind \['cosine'\]"),
        ({"count": "2"}, "expected int, got str for count"),
        ({"count": True}, "expected int, got bool for count"),
        ({"count": 2, "side": [1]}, "for side"),
        ({"count": 2, "inner": 3}, "for inner"),
        (
            {"count": 2, "inner": {"share": "x"}},
            r"expected float, got str for inner.share",
        ),
    ],
)
def test_a_table_that_does_not_fit(table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        from_table(Outer, table, RecipeError)
    assert "\n" not in str(caught.value)
    assert "`" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def leaves(
    table: dict[str, Any], at: tuple[str, ...] = ()
) -> dict[tuple[str, ...], Any]:
    """Every value that is given, by its path."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= leaves(value, (*at, key))
        elif value is not None:
            found[*at, key] = value
    return found


@given(below=TABLES, above=TABLES)
def test_merge_by_paths(below: dict[str, Any], above: dict[str, Any]) -> None:
    """What is above wins; what is below stays unless something above replaces it."""
    into: dict[str, Any] = {}
    merge(into, below)
    kept = repr(above), repr(below)
    merge(into, above)
    assert (repr(above), repr(below)) == kept

    def hidden(path: tuple[str, ...]) -> bool:
        here: Any = above
        for number, key in enumerate(path):
            if not isinstance(here, dict) or here.get(key) is None:
                return False
            here = here[key]
            if isinstance(here, dict) == (number == len(path) - 1):
                return True
        return True

    wanted = {
        path: value for path, value in leaves(below).items() if not hidden(path)
    } | leaves(above)
    assert leaves(into) == wanted


def test_merge_takes_none_as_not_given() -> None:
    into = {"a": 1, "b": {"c": 2}}
    merge(into, {"a": None, "b": {"c": None, "d": 3}, "e": None})
    assert into == {"a": 1, "b": {"c": 2, "d": 3}}


def test_toml_leaves_out_what_is_none() -> None:
    text = to_toml(
        {"a": None, "b": {"c": None, "d": (1, 2)}, "e": [{"f": None, "g": "ü\n\"'"}]}
    )
    assert tomllib.loads(text) == {"b": {"d": [1, 2]}, "e": [{"g": "ü\n\"'"}]}


def test_tables_are_not_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("a." * LEVELS + "b = 1")
    assert read_toml(path)
    for text in ("a." * (LEVELS + 1) + "b = 1", "a." * 3000 + "b = 1"):
        path.write_text(text)
        with pytest.raises(UsageError, match="holds tables nested more than"):
            read_toml(path)


def test_reading_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"no\.toml: there is no such file$"):
        read_toml(tmp_path / "no.toml", RunFolderError)
    with pytest.raises(UsageError, match="cannot be read"):
        read_toml(tmp_path)
    endless, long = b"a = " + b"[" * 100_000, b"a = " + b"1" * 5000
    for content in (b"a = ", b"a = 1\na = 2", b"\xff\xfe", b"\0", endless, long):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(
            UsageError, match=r"bad\.toml: is not valid TOML \("
        ) as caught:
            read_toml(tmp_path / "bad.toml")
        assert "\n" not in str(caught.value)


# ---- whole or not at all -------------------------------------------------------------


@pytest.mark.parametrize("content", ["grün\n", b"\x00\xff", "", b""])
def test_written(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "new folder" / "below" / "file.txt"
    for _ in range(2):  # new, then over the old
        write_atomic(path, content)
        assert path.read_bytes() == (
            content.encode() if isinstance(content, str) else content
        )
        assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
        path.write_text("old")


def test_a_file_that_is_open_keeps_its_content(tmp_path: Path) -> None:
    write_atomic(tmp_path / "f", "old")
    with (tmp_path / "f").open() as reader:
        write_atomic(tmp_path / "f", "new")
        assert reader.read() == "old"
    assert (tmp_path / "f").read_text() == "new"


def test_what_stands_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomic(tmp_path / "folder", "content")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match="file"):
        write_atomic(tmp_path / "file" / "below", "content")
    assert (tmp_path / "file").read_text() == "old"


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    code = """
import resource, sys
from pathlib import Path
from triptych.files import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_atomic(Path(sys.argv[1]), b"." * 999)
print("fits", flush=True)
write_atomic(Path(sys.argv[1]), b"x" * 100_000)
"""
    process = child(code, path)
    out, err = process.communicate(timeout=60)
    assert out == "fits\n"
    assert "File too large" in err
    assert path.read_bytes() == b"." * 999
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


KILL_AT_LINE = """
import os, signal, sys, threading
from pathlib import Path
from triptych.files import write_atomic

def naive(path, content):
    file = path.open("wb", buffering=0)
    file.write(content[: len(content) // 2])
    file.write(content[len(content) // 2 :])
    file.close()

write = {"write_atomic": write_atomic, "naive": naive}[sys.argv[2]]
left = int(sys.argv[3])

def tracer(frame, event, argument):
    global left
    if frame.f_code is not write.__code__:
        return None
    if event == "line":
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
    return tracer

sys.settrace(tracer)
write(Path(sys.argv[1]), b"B" * 5000)
"""
"""Writes over a file, and is killed before the line with that number."""


def contents_after_a_kill(tmp_path: Path, write: str) -> list[bytes]:
    """What the file holds after a SIGKILL before each line of `write`, in turn."""
    found: list[bytes] = []
    for line in range(100):
        path = tmp_path / f"{write} {line}" / "file"
        path.parent.mkdir()
        path.write_bytes(b"A" * 3000)
        process = child(KILL_AT_LINE, path, write, line)
        _, err = process.communicate(timeout=60)
        found.append(path.read_bytes())
        assert {
            entry.name
            for entry in path.parent.iterdir()
            if not entry.name.startswith(".")
        } == {"file"}
        if process.returncode == 0:
            return found
        assert process.returncode == -signal.SIGKILL, err
    raise AssertionError("it never came to its end")


def test_a_kill_at_any_line_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    found = contents_after_a_kill(tmp_path, "write_atomic")
    assert len(found) > 5
    assert found[0] == b"A" * 3000
    assert found[-1] == b"B" * 5000
    assert set(found) == {b"A" * 3000, b"B" * 5000}


def test_a_kill_would_show_a_half(tmp_path: Path) -> None:
    assert b"B" * 2500 in contents_after_a_kill(tmp_path, "naive")


def test_a_kill_at_any_time_leaves_a_whole_file(tmp_path: Path) -> None:
    """Killed from outside, in the middle of the system's own work."""
    code = """
import sys
from pathlib import Path
from triptych.files import write_atomic
for letter in 1000 * b"AB":
    write_atomic(Path(sys.argv[1]), bytes([letter]) * 4_000_000)
    print(letter, flush=True)
"""
    chance = random.Random(0)
    for turn in range(6):
        path = tmp_path / str(turn) / "file"
        process = child(code, path)
        assert process.stdout is not None
        process.stdout.readline()  # the first is written
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        content = path.read_bytes()
        assert content in (b"A" * 4_000_000, b"B" * 4_000_000)


def test_two_processes_may_write_one_file(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from triptych.files import write_atomic
for _ in range(100):
    write_atomic(Path(sys.argv[1]), sys.argv[2] * 10_000)
"""
    path = tmp_path / "file"
    write_atomic(path, "A" * 10_000)
    processes = [child(code, path, letter) for letter in "AB"]
    whole: Callable[[], bool] = lambda: path.read_text() in ("A" * 10_000, "B" * 10_000)  # noqa: E731
    while any(process.poll() is None for process in processes):
        assert whole()
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert whole()
    assert os.listdir(tmp_path) == ["file"]
