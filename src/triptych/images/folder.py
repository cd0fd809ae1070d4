"""Which files of a source are its images, of which class and part. Nothing is decoded
here.

Two layouts are known, in a folder or an archive, below any number of single wrapping
folders:

- `train/<class>/...` with `test/<class>/...` and `val|valid|validation/<class>/...`
  where they exist;
- plain `<class>/...`.

Folders below a class belong to the class. A folder in the place of a class that has no
image file, by content or by name, is none: `models/` with weights in it, say. Hidden
files are passed over.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ImagesError, UnreadableImage, quote
from triptych.images.archive import open_archive
from triptych.images.decode import format_of
from triptych.images.reader import (
    PROBLEM_KINDS,
    FolderReader,
    Names,
    Problem,
    Reader,
    is_named_like_an_image,
    printable,
)
from triptych.images.split import TEST, TRAIN, UNDECIDED, VALIDATION

__all__ = ["PROBLEM_KINDS", "Listing", "Problem", "scan"]

PART_FOLDERS = {
    "train": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}
LAYOUTS = "one folder per class (cats/, dogs/), or train/<class>/ and test/<class>/"


@dataclass(frozen=True, eq=False)
class Listing:
    """The candidates of a source, sorted by path; `reader.read(members[i])` gives the
    bytes of number i.
    """

    source: str
    reader: Reader
    members: NDArray[np.int64]
    names: Names
    """Paths below the wrapping folders, printable."""
    labels: NDArray[np.int32]
    parts: NDArray[np.uint8]
    classes: tuple[str, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Layout:
    """How to read paths: `wrappers` folders that say nothing, then a part if `parted`,
    then a class.
    """

    wrappers: int
    parted: bool

    def place(self, path: str) -> tuple[int, str] | None:
        """Part and class of the file at `path`, or None outside the class folders."""
        folders = path.split("/", self.wrappers + 2)[self.wrappers :]
        if len(folders) < 2 + self.parted:
            return None
        # macOS and the rest of the world spell é differently; to people it is one
        # class.
        name = unicodedata.normalize("NFC", folders[self.parted])
        part = PART_FOLDERS.get(folders[0].casefold()) if self.parted else UNDECIDED
        return None if part is None else (part, name)


def scan(source: Path) -> Listing:
    """List the images of the folder or archive at `source`, by name only.

    The caller closes the listing's reader. Raises UnsafeArchive, or ImagesError when
    there are fewer than two classes or a class without anything to learn from.
    """
    reader: Reader = FolderReader(source) if source.is_dir() else open_archive(source)
    try:
        return _listing(source, reader)
    except BaseException:
        reader.close()
        raise


def _listing(source: Path, reader: Reader) -> Listing:
    layout = _layout(source, reader)
    placed = _place(reader, layout)
    imaged = [
        _has_images(reader, placed, number) for number in range(len(placed.classes))
    ]
    classes = sorted(
        name for name, kept in zip(placed.classes, imaged, strict=True) if kept
    )
    numbers = _numbered(placed.classes, classes)
    labels = numbers[placed.numbers]
    members = placed.members[labels >= 0]
    listing = Listing(
        source=str(source),
        reader=reader,
        members=members,
        names=Names.of(
            printable(_below(reader.names[int(i)], layout.wrappers)) for i in members
        ),
        labels=labels[labels >= 0],
        parts=placed.parts[labels >= 0],
        classes=tuple(printable(name) for name in classes),
        problems=(
            *reader.problems,
            *_without_images(placed, imaged),
            *_misplaced(reader, placed.outside, layout.wrappers),
        ),
    )
    left_out = [(None, problem) for problem in listing.problems]
    check_classes(
        listing.source, listing.classes, listing.labels, listing.parts, left_out
    )
    return listing


def _numbered(names: list[str], classes: list[str]) -> NDArray[np.int32]:
    """The label of each class folder: -1 for one that is left out."""
    found = [classes.index(name) if name in classes else -1 for name in names]
    return np.array(found, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class _Placed:
    """The files in class folders, each with its part and the number of its class; and
    those outside.
    """

    members: NDArray[np.int64]
    parts: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    classes: list[str]
    """By number; there may be some without a file."""
    named: set[int]
    """The classes with a file that is named like an image."""
    outside: list[int]


def _place(reader: Reader, layout: _Layout) -> _Placed:
    numbers: dict[str, int] = {}
    members, parts, found, outside = array("q"), array("B"), array("q"), []
    named: set[int] = set()
    for member, path in enumerate(reader.names):
        place = layout.place(path)
        if place is None:
            outside.append(member)
            continue
        number = numbers.setdefault(place[1], len(numbers))
        members.append(member)
        parts.append(place[0])
        found.append(number)
        if number not in named and is_named_like_an_image(path):
            named.add(number)
    for folder in reader.empty_folders:
        if place := layout.place(folder + "/-"):
            numbers.setdefault(place[1], len(numbers))
    return _Placed(
        np.array(members, dtype=np.int64),
        np.array(parts, dtype=np.uint8),
        np.array(found, dtype=np.int64),
        list(numbers),
        named,
        outside,
    )


def _has_images(reader: Reader, placed: _Placed, number: int) -> bool:
    """Whether a class has a file that is an image by its content, or is meant to be
    one by its name.
    """
    if number in placed.named:
        return True
    members = placed.members[placed.numbers == number]
    return any(_begins_like_an_image(reader, int(member)) for member in members)


def _begins_like_an_image(reader: Reader, member: int) -> bool:
    try:
        return format_of(reader.read(member, 16)) is not None
    except UnreadableImage:
        return False


def _without_images(placed: _Placed, imaged: list[bool]) -> Iterator[Problem]:
    """The class folders that are left out."""
    counts = np.bincount(placed.numbers, minlength=len(imaged))
    for name, kept, files in sorted(zip(placed.classes, imaged, counts, strict=True)):
        if not kept:
            detail = f"no image among {files:,} file(s)" if files else "an empty folder"
            yield Problem("no images", printable(name), detail)


def _below(path: str, wrappers: int) -> str:
    return path.split("/", wrappers)[wrappers]


def _layout(source: Path, reader: Reader) -> _Layout:
    """Find the wrapping folders, then tell the layouts apart. Raises ImagesError."""
    wrappers, below = _unwrapped(reader)
    tops = {folders[0] for folders in below}
    named = _part_names(tops)
    # A plain class may be called "train"; a part has class folders in it.
    has_train = any(
        folders[0].casefold() == "train" and len(folders) > 2 for folders in below
    )
    if has_train or (tops and tops == named):
        if not has_train:
            raise ImagesError(
                f"{source} has no train/<class>/ folders; it needs {LAYOUTS}"
            )
        return _Layout(wrappers, parted=True)
    if apart := sorted(named - {"train"}):
        raise ImagesError(
            f"{source} has {apart[0]!r} beside class folders, but no train/<class>/; "
            f"it needs {LAYOUTS}"
        )
    return _Layout(wrappers, parted=False)


def _unwrapped(reader: Reader) -> tuple[int, list[list[str]]]:
    """How many folders are around everything else, and what is below them: the first
    two names of each path, and the rest.
    """
    # As if each held a file.
    empty = [f"{folder}/-" for folder in reader.empty_folders]
    wrappers = 0
    while True:
        below = [
            path.split("/", wrappers + 2)[wrappers:]
            for path in _chain(reader.names, empty)
            if path.count("/") > wrappers
        ]
        tops = {folders[0] for folders in below}
        deeper = any(len(folders) > 2 for folders in below)
        if len(tops) != 1 or tops & _part_names(tops) or not deeper:
            return wrappers, below
        wrappers += 1


def _chain(names: Names, others: list[str]) -> Iterable[str]:
    yield from names
    yield from others


def _part_names(tops: set[str]) -> set[str]:
    return {top for top in tops if top.casefold() in PART_FOLDERS}


def _misplaced(reader: Reader, outside: list[int], wrappers: int) -> list[Problem]:
    """The images among the files `outside` the class folders; a README or a table is
    welcome there.
    """
    ranks = reader.ranks()
    problems = []
    for member in sorted(outside, key=lambda i: int(ranks[i])):
        path = printable(_below_or_all(reader.names[member], wrappers))
        try:
            if format_of(reader.read(member, 16)) is not None:
                problems.append(Problem("misplaced", path, "not in a class folder"))
        except UnreadableImage as error:
            problems.append(Problem(error.kind, path, error.detail))
    return sorted(problems, key=lambda problem: problem.path)


def _below_or_all(path: str, wrappers: int) -> str:
    return _below(path, wrappers) if path.count("/") >= wrappers else path


def check_classes(
    source: str,
    classes: tuple[str, ...],
    labels: NDArray[np.int32],
    parts: NDArray[np.uint8],
    left_out: Sequence[tuple[int | None, Problem]],
) -> None:
    """Raises ImagesError unless there are two classes, each with two images, one of
    them to learn from.

    `labels` and `parts` (images,) are those of the images at hand; `left_out` says
    what is missing among them, each with its class if it has one, so that the message
    names the files of the class it is about.
    """

    if not classes:
        raise ImagesError(
            f"{source} holds no class folder with images{_hint(left_out)}; "
            f"it needs {LAYOUTS}"
        )
    if not len(labels):
        raise ImagesError(
            f"{source} holds no usable image{_hint(left_out)}; "
            "give each class images of its own"
        )
    if len(classes) == 1:
        raise ImagesError(
            f"{source} holds one class, {quote(classes[0])}{_hint(left_out)}; "
            "add a second class"
        )
    counts = np.bincount(labels, minlength=len(classes))
    to_learn = np.bincount(
        labels[(parts == TRAIN) | (parts == UNDECIDED)], minlength=len(classes)
    )
    for number, name in enumerate(classes):
        hint = _hint([(label, why) for label, why in left_out if label == number])
        _check_class(source, name, int(counts[number]), int(to_learn[number]), hint)


def _check_class(source: str, name: str, count: int, to_learn: int, hint: str) -> None:
    """Raise ImagesError for a class that cannot be learned."""
    if count < 2:
        many = "one usable image" if count else "no usable image"
        raise ImagesError(
            f"{source}: class {quote(name)} has {many}{hint}; "
            "add some, or leave the class out"
        )
    if not to_learn:
        raise ImagesError(
            f"{source}: class {quote(name)} has no usable image in train"
            f"{hint}; add some, or leave the class out"
        )


def _hint(left_out: Sequence[tuple[int | None, Problem]]) -> str:
    if not left_out:
        return ""
    _, first = left_out[0]
    return f" ({len(left_out):,} left out, first {first.path}: {first.kind})"
