"""Which files of a source are its pictures, of which class and side. Nothing is decoded here.

Two layouts are known, in a folder or an archive, below any number of single wrapping folders:

- `train/<class>/...` with `test/<class>/...` and `val|valid|validation/<class>/...` where they exist;
- plain `<class>/...`.

Folders below a class belong to the class. Hidden files are passed over.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.errors import PicturesError, UnreadablePicture
from triptych.pictures.archive import open_archive
from triptych.pictures.decode import format_of
from triptych.pictures.reader import PROBLEM_KINDS, FolderReader, Names, Problem, Reader, printable
from triptych.pictures.split import TEST, TRAIN, UNDECIDED, VALIDATION

__all__ = ["PROBLEM_KINDS", "Listing", "Problem", "scan"]

SIDE_FOLDERS = {
    "train": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}
LAYOUTS = "one folder a class (cats/, dogs/), or train/<class>/ and test/<class>/"


@dataclass(frozen=True, eq=False)
class Listing:
    """The candidates of a source, sorted by path; `reader.read(members[i])` gives the bytes of number i."""

    source: str
    reader: Reader
    members: NDArray[np.int64]
    names: Names
    """Paths below the wrapping folders, printable."""
    labels: NDArray[np.int32]
    sides: NDArray[np.uint8]
    classes: tuple[str, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Layout:
    """How to read paths: `wrappers` parts that say nothing, then a side (if `sided`), then a class."""

    wrappers: int
    sided: bool

    def place(self, path: str) -> tuple[int, str] | None:
        """Side and class of the file at `path`, or None outside the class folders."""
        parts = path.split("/", self.wrappers + 2)[self.wrappers :]
        if len(parts) < 2 + self.sided:
            return None
        # macOS and the rest of the world spell é differently; to people it is one class.
        name = unicodedata.normalize("NFC", parts[self.sided])
        side = SIDE_FOLDERS.get(parts[0].casefold()) if self.sided else UNDECIDED
        return None if side is None else (side, name)


def scan(source: Path) -> Listing:
    """List the pictures of the folder or archive at `source`, by name only.

    The caller closes the listing's reader. Raises UnsafeArchive, or PicturesError when there are fewer than
    two classes or a class without anything to learn from.
    """
    reader: Reader = FolderReader(source) if source.is_dir() else open_archive(source)
    try:
        return _listing(source, reader)
    except BaseException:
        reader.close()
        raise


def _listing(source: Path, reader: Reader) -> Listing:
    layout = _layout(source, reader)
    numbers: dict[str, int] = {}
    members, found, sides, outside = array("q"), array("i"), array("B"), []
    for member, path in enumerate(reader.names):
        place = layout.place(path)
        if place is None:
            outside.append(member)
            continue
        members.append(member)
        sides.append(place[0])
        found.append(numbers.setdefault(place[1], len(numbers)))
    for folder in reader.empty_folders:
        if place := layout.place(folder + "/-"):
            numbers.setdefault(place[1], len(numbers))
    classes = sorted(numbers)
    place_of = {name: number for number, name in enumerate(classes)}
    new_number = np.array([place_of[name] for name in numbers], dtype=np.int32)
    listing = Listing(
        source=str(source),
        reader=reader,
        members=np.array(members, dtype=np.int64),
        names=Names.of(printable(_below(reader.names[i], layout.wrappers)) for i in members),
        labels=new_number[np.array(found, dtype=np.int64)],
        sides=np.array(sides, dtype=np.uint8),
        classes=tuple(printable(name) for name in classes),
        problems=(*reader.problems, *_misplaced(reader, outside, layout.wrappers)),
    )
    check_classes(listing.source, listing.classes, listing.labels, listing.sides)
    return listing


def _below(path: str, wrappers: int) -> str:
    return path.split("/", wrappers)[wrappers]


def _layout(source: Path, reader: Reader) -> _Layout:
    """Find the wrapping folders, then tell the two layouts apart. Raises PicturesError."""
    folders = [f"{folder}/-" for folder in reader.empty_folders]  # as if each held a file
    wrappers = 0
    while True:
        below = [
            path.split("/", wrappers + 2)[wrappers:]
            for path in _chain(reader.names, folders)
            if path.count("/") > wrappers
        ]
        tops = {parts[0] for parts in below}
        if len(tops) != 1 or tops & _side_names(tops) or not any(len(parts) > 2 for parts in below):
            break
        wrappers += 1
    named = _side_names(tops)
    # A plain class may be called "train"; a side has class folders in it.
    has_train = any(parts[0].casefold() == "train" and len(parts) > 2 for parts in below)
    if has_train or (tops and tops == named):
        if not has_train:
            raise PicturesError(f"{source} has no train/<class>/ folders; it needs {LAYOUTS}")
        return _Layout(wrappers, sided=True)
    if apart := sorted(named - {"train"}):
        raise PicturesError(
            f"{source} has {apart[0]!r} beside class folders, but no train/<class>/; it needs {LAYOUTS}"
        )
    return _Layout(wrappers, sided=False)


def _chain(names: Names, folders: list[str]) -> Iterable[str]:
    yield from names
    yield from folders


def _side_names(tops: set[str]) -> set[str]:
    return {top for top in tops if top.casefold() in SIDE_FOLDERS}


def _misplaced(reader: Reader, outside: list[int], wrappers: int) -> list[Problem]:
    """The pictures among the files `outside` the class folders; a README or a table is welcome there."""
    ranks = reader.ranks()
    problems = []
    for member in sorted(outside, key=lambda i: int(ranks[i])):
        path = printable(_below_or_all(reader.names[member], wrappers))
        try:
            if format_of(reader.read(member, 16)) is not None:
                problems.append(Problem("misplaced", path, "not in a class folder"))
        except UnreadablePicture as error:
            problems.append(Problem(error.kind, path, error.detail))
    return sorted(problems, key=lambda problem: problem.path)


def _below_or_all(path: str, wrappers: int) -> str:
    return _below(path, wrappers) if path.count("/") >= wrappers else path


def check_classes(
    source: str, classes: tuple[str, ...], labels: NDArray[np.int32], sides: NDArray[np.uint8], hint: str = ""
) -> None:
    """Raises PicturesError unless there are two classes, each with two pictures, one of them to learn from.

    `labels` and `sides` (pictures,) are those of the pictures at hand; `hint` ends the message.
    """
    if not classes or not len(labels):
        what = "no readable picture" if classes else "no class folder with pictures"
        raise PicturesError(f"{source} holds {what}{hint}; it needs {LAYOUTS}")
    if len(classes) == 1:
        raise PicturesError(f"{source} holds one class, {classes[0]!r}; add a second class folder{hint}")
    counts = np.bincount(labels, minlength=len(classes))
    to_learn = np.bincount(labels[(sides == TRAIN) | (sides == UNDECIDED)], minlength=len(classes))
    for name, count, learnable in zip(classes, counts, to_learn, strict=True):
        if count < 2:
            many = "one picture" if count else "no picture"
            raise PicturesError(
                f"{source}: class {name!r} has {many} that can be used{hint}; add some, or remove its folder"
            )
        if not learnable:
            raise PicturesError(
                f"{source}: class {name!r} has no picture in train that can be used{hint}; "
                "add some, or remove its folders"
            )
