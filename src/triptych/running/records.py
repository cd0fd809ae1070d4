"""Records as JSON files: written whole, read back typed."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from triptych.errors import RunFolderError
from triptych.files import read_file, write_atomic

T = TypeVar("T")


def write_json(path: Path, value: object) -> Path:
    """Write a value as indented JSON."""
    write_atomic(
        path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    )
    return path


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON table; raises RunFolderError if it is missing or damaged."""
    value = read_record(path, object)
    if not isinstance(value, dict):
        raise RunFolderError(f"{path}: does not hold a JSON object")
    return value


def read_record(path: Path, kind: type[T]) -> T:
    """Read a record of that kind from JSON; raises RunFolderError if it is missing,
    damaged or another.
    """
    try:
        return decode_json(path, read_file(path), kind)
    except FileNotFoundError:
        raise RunFolderError(f"{path}: there is no such file") from None
    except OSError as reason:
        raise RunFolderError(f"{path}: cannot be read ({reason})") from None


def decode_json(path: Path, text: bytes, kind: type[T]) -> T:
    """A record of that kind from a JSON text that stands in the file `path`; raises
    RunFolderError.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as reason:
        raise RunFolderError(
            f"{path}: is in the format of another version ({reason})"
        ) from None
    except (msgspec.DecodeError, RecursionError) as reason:
        raise RunFolderError(f"{path}: cannot be read ({reason})") from None
