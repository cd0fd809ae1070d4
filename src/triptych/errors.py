"""Everything Triptych raises on purpose, and nothing else.

::

    TriptychError                 one clear line; the command line ends with `exit_code`
    ├── UsageError                a wrong option, value or combination
    ├── PicturesError             a folder or archive that no classifier can be trained on
    │   ├── UnreadablePicture     one file that is no usable picture
    │   └── UnsafeArchive         an archive with a member that must not be unpacked
    ├── ArchitectureError         a network that does not fit together; names the layer
    ├── RecipeError               a recipe that cannot be carried out
    ├── RunFolderError            a run folder that is missing, damaged or of another make
    ├── FrameworkMissing          a framework that is not installed; says how to install it
    ├── WorkerFailed              a framework's process that died, hung or raised
    └── NotEqual                  frameworks that do not compute the same; names the first difference

A message says what is wrong, where, and what to do next, in one line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

QUOTED = 80
"""The most characters of a user's word that a message repeats."""


class TriptychError(Exception):
    """Base of all errors; `exit_code` is what the command line ends with."""

    exit_code = 2


class UsageError(TriptychError):
    """A wrong option, value or combination of them."""


class PicturesError(TriptychError):
    """A folder or archive that no classifier can be trained on."""


class UnreadablePicture(PicturesError):
    """One file that is no usable picture.

    `kind` is one of the problem kinds of `triptych.pictures.folder`.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class UnsafeArchive(PicturesError):
    """An archive with a member that must not be unpacked; nothing was written."""


class ArchitectureError(TriptychError):
    """A network that does not fit together; the message names the layer."""


class RecipeError(TriptychError):
    """A recipe that cannot be carried out."""


class RunFolderError(TriptychError):
    """A run folder that is missing, damaged or of another make."""


class FrameworkMissing(TriptychError):
    """A framework that is not installed; the message says how to install it."""

    exit_code = 1


class WorkerFailed(TriptychError):
    """A framework's process that died, hung or raised; carries the end of its log."""

    exit_code = 1


class NotEqual(TriptychError):
    """Frameworks that do not compute the same, or of which it could not be told."""

    exit_code = 1


def quote(word: object) -> str:
    """What a user gave, for a message: as Python writes it, so in one line, and cut where it is long."""
    written = repr(word)
    return written if len(written) <= QUOTED else f"{written[:QUOTED]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A list of the `known` words for an error message, the nearest to `word` first if one is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    choice = ", ".join(names)
    return f"did you mean {near[0]!r}? (known: {choice})" if near else f"known: {choice}"
