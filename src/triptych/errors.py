"""Everything Triptych raises on purpose, and nothing else.

::

    TriptychError              one clear line; the command line ends with `exit_code`
    ├── UsageError             a wrong option, value or combination
    ├── ImagesError            a folder or archive that no classifier can be trained on
    │   ├── UnreadableImage    one file that is not a usable image
    │   └── UnsafeArchive      an archive with a member that must not be unpacked
    ├── ArchitectureError      a network that does not fit together; names the layer
    ├── RecipeError            a recipe that cannot be carried out
    ├── RunFolderError         a run folder missing, damaged or of another version
    ├── FrameworkMissing       a framework that is not installed; says how to install it
    ├── FrameworkUnsupported   a version of one that cannot be held to the conventions
    ├── WorkerFailed           a framework's process that died, hung or raised
    └── NotEqual               frameworks that do not compute the same; names the first
                               difference

A message says what is wrong, where, and what to do next, in one line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

QUOTED = 80
"""The most characters of a user's word that a message repeats."""


class TriptychError(Exception):
    """Base of all errors; `exit_code` is the exit code of the command line."""

    exit_code = 2


class UsageError(TriptychError):
    """A wrong option, value or combination of them."""


class ImagesError(TriptychError):
    """A folder or archive that no classifier can be trained on."""


class UnreadableImage(ImagesError):
    """One file that is not a usable image.

    `kind` is one of the problem kinds of `triptych.images.folder`.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class UnsafeArchive(ImagesError):
    """An archive with a member that must not be unpacked; nothing was written."""


class ArchitectureError(TriptychError):
    """A network that does not fit together; the message names the layer."""


class RecipeError(TriptychError):
    """A recipe that cannot be carried out."""


class RunFolderError(TriptychError):
    """A run folder that is missing, damaged or of another version."""


class FrameworkMissing(TriptychError):
    """A framework that is not installed; the message says how to install it."""

    exit_code = 1


class FrameworkUnsupported(TriptychError):
    """A version of a framework that cannot be held to the conventions."""

    exit_code = 1


class WorkerFailed(TriptychError):
    """A framework's process that died, hung or raised; carries the end of its log."""

    exit_code = 1


class NotEqual(TriptychError):
    """Frameworks that do not compute the same, or where the result is inconclusive."""

    exit_code = 1


def quote(word: object) -> str:
    """What a user gave, for a message: as Python writes it, so in one line, and cut
    where it is long.
    """
    written = repr(word)
    return written if len(written) <= QUOTED else f"{written[:QUOTED]}..."


def check_least(
    name: str, number: int, least: int, error: type[TriptychError] = UsageError
) -> None:
    """Raise `error` if what is called `name` is a number below the least allowed."""
    if number < least:
        raise error(f"{name} is {number}, but must be {least} or more")


USUAL = {
    "arch": "network",
    "architecture": "network",
    "batch": "batch-size",
    "bs": "batch-size",
    "config": "recipe",
    "dtype": "precision",
    "epoch": "epochs",
    "img-size": "image-size",
    "imgsz": "image-size",
    "lr": "learning-rate",
    "lr-schedule": "schedule",
    "lr-scheduler": "schedule",
    "model": "network",
    "num-epochs": "epochs",
    "optim": "optimizer",
    "output": "out",
    "output-dir": "out",
    "random-seed": "seed",
    "random-state": "seed",
    "scheduler": "schedule",
    "patience": "timeout",
    "pictures": "images",
    "size": "image-size",
}
"""What other programs call the same thing, in the spelling of options."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was meant by `word`; None if that would be a guess.

    It has another spelling of the same words, or is what others call by that word, or
    differs as by a slip of the fingers, which seldom takes the first letter: lenet is
    no misspelt alexnet.
    """
    spelled = {_spelling(name): name for name in known}
    word = _spelling(word)
    for meant in (word, USUAL.get(word)):
        if meant in spelled:
            return spelled[meant]
    within = [
        name for name in spelled if word in name and max(8, len(name)) <= 2 * len(word)
    ]
    near = within or [
        name
        for cutoff, initials in ((0.7, word[:1]), (0.85, ""))
        for name in difflib.get_close_matches(word, spelled, n=3, cutoff=cutoff)
        if name.startswith(initials)
    ]
    return spelled[near[0]] if near else None


def _spelling(word: str) -> str:
    return word.casefold().lstrip("-").replace("_", "-")


def visible(text: str) -> str:
    """The text as a terminal shows it, whatever it holds: what it would obey is spelled
    out, as \\x1b.
    """
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


_OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Control characters, but for tabs and line ends, and those that turn the direction of
writing.
"""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A list of the `known` words for an error message, after the one that was meant if
    that is clear.
    """
    names = sorted(known)
    meant = nearest(word, names)
    choice = ", ".join(names)
    return f"did you mean {meant!r}? (known: {choice})" if meant else f"known: {choice}"
