"""What every layer is, and the shapes that it may be given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, Literal, get_args, get_origin, get_type_hints

import msgspec

from triptych.errors import ArchitectureError, did_you_mean, quote

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

    def __post_init__(self) -> None:
        for name, hint in _fields(type(self)).items():
            value = _typed(name, getattr(self, name), hint)
            object.__setattr__(self, name, value)
            numbers = value if isinstance(value, tuple) else (value,)
            if any(type(one) is int and not 1 <= one <= MOST_UNITS for one in numbers):
                raise ArchitectureError(
                    f"{name} is {quote(value)}, "
                    f"but must be 1 or more, and at most {MOST_UNITS:,}"
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
    if get_origin(hint) is Literal and value not in get_args(hint):
        known = did_you_mean(value, get_args(hint))
        raise ArchitectureError(f"unknown {name} {quote(value)}: {known}")
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError:
        raise ArchitectureError(
            f"{name} is {quote(value)}, but must be {WORDS[hint]}"
        ) from None


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


def features_of(shape: Shape) -> int:
    """How many features a flat input has; raises ArchitectureError if it is none."""
    if len(shape) == 2:
        raise ArchitectureError(
            f"needs a flat input, but gets a sequence of {shape}: "
            "put a flatten before it, "
            "or have the recurrent layer before it output its last state only"
        )
    if len(shape) != 1:
        raise ArchitectureError(
            f"needs a flat input, but gets {shape}: "
            "put a flatten or a global pool before it"
        )
    return shape[0]
