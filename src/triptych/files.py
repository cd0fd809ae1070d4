"""TOML tables to typed dataclasses and back, and files written whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import platformdirs
import tomli_w

from triptych.errors import (
    RunFolderError,
    TriptychError,
    UsageError,
    did_you_mean,
    quote,
)

T = TypeVar("T")

LEVELS = 20
"""How deep tables may be nested: what walks them calls itself at each level."""


def cache_folder(cache: Path | None = None) -> Path:
    """`cache`, else the folder named by TRIPTYCH_CACHE, else the user's cache folder of
    the system.
    """
    named = os.environ.get("TRIPTYCH_CACHE")
    return cache or (Path(named) if named else platformdirs.user_cache_path("triptych"))


def read_file(path: Path) -> bytes:
    """All of a file; raises OSError, also for a pipe or device, which may not end."""
    check_file(path)
    return path.read_bytes()


def check_file(path: Path) -> None:
    """Raise OSError if there is no regular file at `path`."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def read_toml(path: Path, error: type[TriptychError] = UsageError) -> dict[str, object]:
    """The tables of a TOML file; raises `error` in one line if there is none or it
    cannot be parsed.
    """
    try:
        tables = tomllib.loads(read_file(path).decode())
    except FileNotFoundError:
        raise error(f"{path}: there is no such file") from None
    except OSError as reason:
        raise error(f"{path}: cannot be read ({reason.strerror})") from None
    except (ValueError, RecursionError) as reason:
        # A number of 5,000 digits is no TOMLDecodeError.
        raise error(f"{path}: is not valid TOML ({reason})") from None
    if _is_deeper(tables, LEVELS + 1):
        raise error(f"{path}: holds tables nested more than {LEVELS} deep")
    return tables


def _is_deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list) and (
        levels == 0 or any(_is_deeper(one, levels - 1) for one in value)
    )


def to_toml(tables: Mapping[str, object]) -> str:
    """TOML text; TOML has no null, so what is None is left out, at any depth."""

    def without_none(value: object) -> object:
        if isinstance(value, Mapping):
            return {
                key: without_none(item)
                for key, item in value.items()
                if item is not None
            }
        if isinstance(value, list | tuple):
            return [without_none(item) for item in value]
        return value

    text: str = tomli_w.dumps(without_none(tables))
    return text


def from_table(
    cls: type[T], table: Mapping[str, object], error: type[TriptychError] = UsageError
) -> T:
    """`table` as a `cls` (a dataclass), every key known and every value of its declared
    type.

    Raises `error`, naming the key and, for an unknown one, the nearest known.
    """
    known = [field.name for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise error(f"unknown key {quote(key)}: {did_you_mean(key, known)}")
    for key, hint in get_type_hints(cls).items():
        if key in table:
            check_word(key, table[key], hint, error)
    try:
        return msgspec.convert(dict(table), cls)
    except msgspec.ValidationError as reason:
        message = str(reason).replace("`", "").replace(" - at $.", " for ")
        raise error(message[0].lower() + message[1:]) from None


def check_word(
    key: str, value: object, hint: object, error: type[TriptychError]
) -> None:
    """Raise `error`, with the nearest known, if a value must be one of some words and
    is another.
    """
    words = words_of(hint)
    # A number may be what stands beside the words.
    if value in words or not (isinstance(value, str) or get_origin(hint) is Literal):
        return
    if words:
        known = did_you_mean(str(value), words)
        raise error(f"unknown {key} {quote(value)}: {known}")


def words_of(hint: object) -> tuple[str, ...]:
    """The words that a value of this type can be: those of a Literal, or of one that
    other types stand beside.
    """
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(word for one in get_args(hint) for word in words_of(one))


def merge(into: dict[str, object], table: Mapping[str, object]) -> None:
    """Lay `table` over `into`, at any depth; a value of None counts as not given."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            below = into.get(key)
            merged = dict(below) if isinstance(below, Mapping) else {}
            merge(merged, value)
            into[key] = merged
        elif value is not None:
            into[key] = value


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes to `path`: a failure becomes a RunFolderError that names it
    and says what to do.
    """
    try:
        yield
    except OSError as reason:
        raise RunFolderError(
            f"{path}: cannot be written ({reason.strerror}); choose another --out"
        ) from None


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write `path` whole or not at all: to a temporary name beside it, flushed to disk,
    then renamed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
