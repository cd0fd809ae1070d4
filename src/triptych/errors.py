"""Everything Triptych raises on purpose, and nothing else.

::

    TriptychError              one clear line; the command line ends with `exit_code`
    ├── UsageError             a wrong option, value or combination
    ├── ImagesError            a folder or archive that no classifier can be trained on
    │   ├── UnreadableImage    one file that is not a usable image
    │   └── UnsafeArchive      an archive with a member that must not be unpacked
    ├── ArchitectureError      a network that does not fit together; names the layer
    ├── RecipeError            a recipe that cannot be carried out
    ├── WeightsError           weights to begin with that do not fit the network
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
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

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


class WeightsError(TriptychError):
    """Weights to begin with that are missing, damaged, or of another network."""


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
    try:
        written = repr(word).replace("\n", " ")
    except ValueError:
        return "a number of thousands of digits"  # Python does not write it
    return written if len(written) <= QUOTED else f"{written[:QUOTED]}..."


def check_least(
    name: str,
    number: object,
    least: int,
    error: type[TriptychError] = UsageError,
    most: int | None = None,
) -> int:
    """What is called `name` as an integer. Raise `error` unless it is one, NumPy's
    included, and within the bounds.
    """
    allowed = f"{least} or more" if most is None else f"{least} to {most:,}"
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise error(f"{name} is {quote(number)}, but must be an integer, {allowed}")
    whole = int(number)
    if whole < least or (most is not None and whole > most):
        raise error(f"{name} is {quote(whole)}, but must be {allowed}")
    return whole


def check_seconds(name: str, seconds: object, most: int) -> float:
    """What is called `name` as a number of seconds; raises UsageError if it is none,
    or none that can be waited for.
    """
    number = isinstance(seconds, Real) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= most:  # type: ignore[operator]
        raise UsageError(
            f"{name} is {quote(seconds)}, "
            f"but must be a number above 0 and at most {most:,}"
        )
    return float(seconds)  # type: ignore[arg-type]


def check_timeout(seconds: object) -> float:
    """A timeout in seconds; with many more, operating systems cannot wait."""
    return check_seconds("--timeout", seconds, 1_000_000)


def listed(given: object) -> tuple[Any, ...]:
    """What is given as several, or as the only one: a word is not its letters."""
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes | Path)
    return tuple(given) if several else (given,)  # type: ignore[arg-type]


def check_names(option: str, names: Collection[object]) -> None:
    """Raise UsageError unless there is a name, and none twice."""
    if not names:
        raise UsageError(f"{option}: name one or more")
    if len(set(map(str, names))) < len(names):
        raise UsageError(f"{option}: name each only once")


USUAL = {
    "arch": "network",
    "architecture": "network",
    "batch": "batch-size",
    "bs": "batch-size",
    "config": "recipe",
    "dtype": "precision",
    "early-stopping": "patience",
    "early-stopping-patience": "patience",
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
    "warmup": "warm-up",
    "warmup-ratio": "warm-up",
    "pictures": "images",
    "size": "image-size",
}
"""What other programs call the same thing, in the spelling of options."""

FOREIGN = {"float16"}
"""What is called much like something of ours, and is something else."""


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The one of `known` that was meant by `word`; None if that would be a guess.

    It has another spelling of the same words, or is what others call by that word, or
    differs as by a slip of the fingers, which seldom takes the first letter: lenet is
    no misspelt alexnet.
    """
    if not isinstance(word, str) or word in FOREIGN:
        return None
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
    return next((spelled[name] for name in near if _end_alike(word, name)), None)


def _end_alike(word: str, name: str) -> bool:
    """Whether both end in much the same: keras:mxnet is no misspelt keras:jax."""
    theirs, ours = word.rpartition(":")[2], name.rpartition(":")[2]
    alike: float = difflib.SequenceMatcher(None, theirs, ours).ratio()
    return alike >= 0.5


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


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A list of the `known` words for an error message, after the one that was meant if
    that is clear.
    """
    names = sorted(known)
    meant = nearest(word, names)
    choice = ", ".join(names)
    return f"did you mean {meant!r}? (known: {choice})" if meant else f"known: {choice}"
