"""What networks and their layers may be called: checked here, before a name stands in a
source or a page.

No name is refused for what a framework calls its things: a writer finds other words for
those.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Collection

from triptych.errors import ArchitectureError, quote

INPUT = "images"
"""The name of the network's input in the graph."""

OPTIMIZER = "optimizer"
"""What the names of an optimizer's tensors begin with, instead of a layer's name."""

LONGEST = 80
"""The most characters of a name."""


def check_network_name(name: str) -> None:
    """Raise ArchitectureError unless a network can be called so: one printable line."""
    if not (name.strip() and name.isprintable() and len(name) <= LONGEST):
        raise ArchitectureError(
            f"the network's name is {quote(name)}, "
            f"but must be 1 to {LONGEST} printable characters"
        )


def check_layer_name(name: str) -> None:
    """Raise ArchitectureError unless a layer can be called so: by a Python name, or by
    several with dots between, those of the blocks that it stands in.
    """
    if len(name) > LONGEST:
        raise ArchitectureError(f"a name must have at most {LONGEST} characters")
    first, *_ = parts = name.split(".")
    for part in parts:
        _check_identifier(part)
    if first == OPTIMIZER:
        raise ArchitectureError(
            "this name is taken by the optimizer's tensors; "
            "choose another, such as 'optimizer1'"
        )


def check_argument_name(label: str, name: str, taken: Collection[str] = ()) -> None:
    """Raise ArchitectureError unless a block, or an argument of one, can be called
    so.
    """
    if name in taken or len(name) > LONGEST:
        raise ArchitectureError(
            f"{label}: {quote(name)} is taken or too long; choose another name"
        )
    try:
        _check_identifier(name)
    except ArchitectureError as reason:
        raise ArchitectureError(f"{label}: {reason}") from None


def _check_identifier(name: str) -> None:
    # Python takes several ways of spelling a character for one name.
    spelled = unicodedata.normalize("NFKC", name) == name and name.isidentifier()
    if keyword.iskeyword(name):
        raise ArchitectureError(
            f"{name!r} is a reserved word of Python; choose another, such as '{name}1'"
        )
    if not spelled or name.startswith("_"):
        raise ArchitectureError(
            "a name must be a Python identifier starting with a letter, such as 'conv1'"
        )
