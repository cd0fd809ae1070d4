"""The tensors of a file that PyTorch saved before version 1.6, without PyTorch.

Such a file is a chain of pickles: a magic number, a version, the sizes of types, the
dictionary of tensors, the keys of their storages; then the storages' bytes. The pickles
are not loaded: of their instructions, those that build numbers, texts, tuples and
dictionaries are followed, and two calls are known by name, neither of which is made.
Anything else is refused.

Source: `_legacy_save` in torch/serialization.py.
"""

from __future__ import annotations

import io
import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from triptych.errors import WeightsError
from triptych.network.layouts import Array

T = TypeVar("T")

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001

STORAGES: dict[str, np.dtype[np.generic]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
}
"""What a storage may hold, by the name of its class."""

DICTIONARY = "collections OrderedDict"
TENSOR = "torch._utils _rebuild_tensor_v2"
KNOWN = {*STORAGES, DICTIONARY, TENSOR}
"""All names that may stand in a pickle: "module name"."""


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names."""

    name: str


@dataclass(frozen=True)
class Storage:
    """So many numbers of one type, by the key under which they follow."""

    dtype: np.dtype[np.generic]
    key: str
    size: int


@dataclass(frozen=True)
class View:
    """A tensor: which part of a storage it is, offset and strides in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: Array) -> Array:
        """The tensor in its storage; a copy. Raises ValueError if it reaches beyond."""
        if len(self.shape) != len(self.strides) or min(
            0, self.offset, *self.shape, *self.strides
        ):
            raise ValueError("a tensor of impossible shape")
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        if math.prod(self.shape) and last >= numbers.size:
            raise ValueError("a tensor reaches beyond its storage")
        size = numbers.itemsize
        return np.array(
            np.lib.stride_tricks.as_strided(
                numbers[self.offset :],
                self.shape,
                tuple(stride * size for stride in self.strides),
            )
        )


class Mark:
    """Where a group of values begins on the stack."""


def tensors_of(content: bytes, name: str) -> dict[str, Array]:
    """The tensors of a file of PyTorch's old format, whose `name` messages begin with.

    Raises WeightsError for anything else.
    """
    try:
        return _tensors(io.BytesIO(content))
    except (ValueError, TypeError, LookupError, AttributeError, MemoryError) as reason:
        raise WeightsError(
            f"{name}: cannot be read as tensors of PyTorch ({reason})"
        ) from None


def _tensors(file: io.BytesIO) -> dict[str, Array]:
    if (_value(file), _value(file)) != (MAGIC, VERSION):
        raise ValueError("another format")
    sizes = _value(file)
    if not isinstance(sizes, dict) or sizes.get("little_endian") is not True:
        raise ValueError("numbers of another machine")
    views = _value(file)
    keys = _value(file)
    if not isinstance(views, dict) or not isinstance(keys, list):
        raise ValueError("no dictionary of tensors")
    named: dict[str, Storage] = {}
    for view in views.values():
        if not isinstance(view, View):
            raise ValueError("no dictionary of tensors")
        named[view.storage.key] = view.storage
    stored: dict[str, Array] = {}
    for key in keys:
        stored[key] = _numbers(file, named[key])
    return {
        str(name): view.of(stored[view.storage.key]) for name, view in views.items()
    }


def _numbers(file: io.BytesIO, storage: Storage) -> Array:
    """The next storage: how many numbers it has, then these."""
    size = int.from_bytes(file.read(8), "little", signed=True)
    data = file.read(size * storage.dtype.itemsize) if size == storage.size else b""
    if len(data) != storage.size * storage.dtype.itemsize:
        raise ValueError("a storage is cut short")
    return np.frombuffer(data, storage.dtype)


# ---- pickles -------------------------------------------------------------------------


def _value(file: io.BytesIO) -> object:
    """The value of the pickle that comes next; raises ValueError."""
    pickle = _Pickle()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            return pickle.stack.pop()
        pickle.follow(opcode.name, argument)
    raise ValueError("a pickle without an end")


class _Pickle:
    """What the instructions of a pickle have built so far."""

    def __init__(self) -> None:
        self.stack: list[object] = []
        self.memo: dict[object, object] = {}

    def follow(self, name: str, argument: object) -> None:
        """One instruction; raises ValueError for one that is not known."""
        stack = self.stack
        match name:
            case "PROTO":
                pass
            case "MARK":
                stack.append(Mark())
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL" if argument in KNOWN:
                stack.append(Name(str(argument)))
            case "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1":
                stack.append(argument)
            case _ if name in CONSTANTS:
                stack.append(CONSTANTS[name]())
            case "TUPLE":
                stack.append(tuple(self.since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND" | "APPENDS":
                values = [stack.pop()] if name == "APPEND" else self.since_mark()
                self.above(list).extend(values)
            case "SETITEM" | "SETITEMS":
                count = 2 if name == "SETITEM" else 0
                values = stack[-count:] if count else self.since_mark()
                del stack[len(stack) - count :]
                self.above(dict).update(zip(values[::2], values[1::2], strict=True))
            case "REDUCE" | "BINPERSID":
                arguments = stack.pop()
                called = stack.pop() if name == "REDUCE" else None
                stack.append(_called(called, arguments))
            case "BUILD":
                stack.pop()  # attributes of the dictionary, of which we want none
                self.above(dict)
            case _:
                raise ValueError(f"{name} {argument or ''} has no place in it".strip())

    def since_mark(self) -> list[object]:
        """What was put on the stack since the last mark, taken off with it."""
        place = max(i for i, value in enumerate(self.stack) if isinstance(value, Mark))
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def above(self, kind: type[T]) -> T:
        """What is on top of the stack, if it is of a kind."""
        found = self.stack[-1]
        if not isinstance(found, kind):
            raise ValueError(f"a {kind.__name__} is wanted")
        return found


CONSTANTS: dict[str, Callable[[], object]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}
"""Instructions that put the same value on the stack each time."""


def _called(called: object, arguments: object) -> object:
    """What a call would give; None stands for what finds a storage by its key."""
    match called, arguments:
        case Name(name), () if name == DICTIONARY:
            return {}
        case Name(name), (
            Storage() as storage, int(offset), tuple(shape), tuple(strides), *_
        ) if name == TENSOR:  # fmt: skip
            return View(storage, offset, _whole(shape), _whole(strides))
        case None, ("storage", Name(name), str(key), _, int(size), None) if (
            name in STORAGES
        ):
            return Storage(STORAGES[name], key, size)
    raise ValueError("a call that has no place in it")


def _whole(numbers: tuple[object, ...]) -> tuple[int, ...]:
    if not all(type(number) is int for number in numbers):
        raise ValueError("a tensor of impossible shape")
    return tuple(number for number in numbers if isinstance(number, int))
