"""Folders of images to measure with: the built-in sports as JPEG files, parts of a
folder, many files.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from triptych.images import drawn
from triptych.images.split import PART_NAMES, TEST, TRAIN

QUALITY = 90
QUICK = {TRAIN: 10, TEST: 5}
"""Images of each class when nothing is to be measured."""
SIZE, QUICK_SIZE = 224, 32
SUFFIXES = {".jpg", ".jpeg", ".png"}


def draw_sports(into: Path, quick: bool) -> Path:
    """The built-in sports as JPEG files at 224 px, 1,800 to train and 450 to test."""
    size = QUICK_SIZE if quick else SIZE
    plan = drawn.plan((size, size), 0, full=False)
    rows = [
        row
        for row, (_, part, _, index) in enumerate(plan.keys)
        if not quick or index < QUICK[part]
    ]
    some = dataclasses.replace(plan, keys=[plan.keys[row] for row in rows])
    for image in some.images():
        assert image.pixels is not None
        save(image.pixels, into / f"{plan.contents.names[rows[image.row]]}.jpg")
    return into


def save(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], path: Path) -> None:
    """Write a JPEG file as photographs are: quality 90, color at half resolution."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=QUALITY)


def files_of(folder: Path, part: int) -> list[Path]:
    """The image files of a part, in turn from each class, so that any beginning is
    balanced.
    """
    classes = [
        sorted(file for file in chosen.iterdir() if file.suffix.lower() in SUFFIXES)
        for chosen in sorted((folder / PART_NAMES[part]).iterdir())
        if chosen.is_dir()
    ]
    return [
        file for file in chain.from_iterable(zip_longest(*classes)) if file is not None
    ]


def link(into: Path, parts: Mapping[str, list[Path]]) -> Path:
    """A folder whose parts hold links to these files, each in its class."""
    for part, files in parts.items():
        for file in files:
            place = into / part / file.parent.name / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(file.resolve(), place)
    return into


def many(folder: Path, into: Path, count: int, size: int) -> Path:
    """`count` JPEG files in class folders, from the images of `folder`: all
    different.

    Where there are too few, an image comes again, moved sideways by a pixel more each
    time.
    """
    files = files_of(folder, TRAIN)[:count]
    for place, file in enumerate(files):
        with Image.open(file) as opened:
            pixels = np.asarray(opened.convert("RGB").resize((size, size)))
        for again, number in enumerate(range(place, count, len(files))):
            save(
                np.roll(pixels, again, axis=1),
                into / file.parent.name / f"{number}.jpg",
            )
    return into
