"""What every layer is, and the shapes that it may be given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, Literal, get_origin, get_type_hints

import msgspec

from triptych.errors import ArchitectureError, quote
from triptych.files import check_word, words_of

Shape = tuple[int, ...]
Pair = int | tuple[int, int]
Initial = Literal[
    "auto",
    "he_normal",
    "he_uniform",
    "glorot_normal",
    "glorot_uniform",
    "lecun_normal",
    "fan_in_uniform",
    "normal",
    "zeros",
]
"""The law that a kernel is drawn by: see `triptych.network.weights`."""
BiasInitial = Literal["zeros", "fan_in_uniform", "normal"]
"""The law that a bias is drawn by; `fan_in_uniform` counts the inputs of the kernel
beside or before it.
"""


MOST_UNITS = 2**20
"""Units, filters, and sides of a window: with more, a number was mistyped, and
frameworks fail in ways of their own.
"""

WORDS = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    Pair: "an integer, or two",
    Pair | None: "an integer, or two",
}
"""What a field must be, by its type."""


def pair(value: Pair) -> tuple[int, int]:
    """(vertical, horizontal) of a number that may be given once for both."""
    return (value, value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Layer(ABC):
    """Base of all layers: one input, no tensors, the shape unchanged, unless a layer
    says otherwise.
    """

    kind: ClassVar[str]
    merges: ClassVar[bool] = False
    """Whether it takes two inputs or more."""
    least: ClassVar[Mapping[str, int]] = {}
    """The least value of a field of whole numbers, where that is not 1."""

    def __post_init__(self) -> None:
        for name, hint in _fields(type(self)).items():
            value = _typed(name, getattr(self, name), hint)
            object.__setattr__(self, name, value)
            numbers = value if isinstance(value, tuple) else (value,)
            least = self.least.get(name, 1)
            if any(
                type(one) is int and not least <= one <= MOST_UNITS for one in numbers
            ):
                raise ArchitectureError(
                    f"{name} is {quote(value)}, "
                    f"but must be {least} or more, and at most {MOST_UNITS:,}"
                )

    def output_shape(self, *inputs: Shape) -> Shape:
        """The shape it gives; raises ArchitectureError if it cannot take `inputs`."""
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        """Its trainable tensors and their canonical shapes."""
        return {}

    def statistics(self, *inputs: Shape) -> dict[str, Shape]:
        """Its running values: kept with the weights, never trained."""
        return {}

    def mask(self, *inputs: Shape) -> tuple[float, Shape] | None:
        """In training: the share of what is dropped at random, and the shape in which
        that is drawn for an image; None if nothing is.
        """
        return None

    @abstractmethod
    def flops(self, *inputs: Shape) -> int:
        """Floating-point operations of one image's forward pass; a multiply-add
        counts as two.
        """


@cache
def _fields(layer: type[Layer]) -> dict[str, object]:
    """The types of a layer's fields."""
    hints = get_type_hints(layer)
    return {field.name: hints[field.name] for field in fields(layer)}


def _typed(name: str, value: object, hint: object) -> object:
    """A value as a field's type has it, a list as a tuple; raises ArchitectureError if
    it is of another, as Python lets one be given.
    """
    check_word(name, value, hint, ArchitectureError)
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError:
        raise ArchitectureError(
            f"{name} is {quote(value)}, but must be {_must_be(hint)}"
        ) from None


def _must_be(hint: object) -> str:
    if words := words_of(hint):
        numbers = ", an integer, or two" if get_origin(hint) is not Literal else ""
        return ", ".join(map(quote, words)) + numbers
    return WORDS[hint]


def image_of(shape: Shape) -> Shape:
    """The shape of an image; raises ArchitectureError if it is another's."""
    if len(shape) != 3:
        raise ArchitectureError(
            f"needs an input of (height, width, channels), but gets {shape}"
        )
    return shape


def sequence_of(shape: Shape) -> Shape:
    """The shape of a sequence; raises ArchitectureError if it is another's."""
    if len(shape) != 2:
        raise ArchitectureError(
            f"needs a sequence of (steps, features), but gets {shape}: "
            "put a rows layer before it, "
            "and set sequence = true in every recurrent layer but the last"
        )
    return shape


def flat_of(shape: Shape) -> Shape:
    """The shape of features or of a sequence; raises ArchitectureError if it is an
    image's.
    """
    if len(shape) > 2:
        raise ArchitectureError(
            f"needs a flat input, but gets {shape}: "
            "put a flatten or a global pool before it"
        )
    return shape
