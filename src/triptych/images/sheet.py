"""What is in a store, for people to look at: a contact sheet."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from triptych.errors import ImagesError
from triptych.images.store import Store

MAX_CLASSES = 40
"""Rows on a contact sheet; more would be no sheet any more."""

_THUMB, _GAP, _MARGIN, _LABEL = 96, 8, 32, 190  # pixels
_MARK = ("Software", "Triptych contact sheet")
"""What a sheet says of itself, so that nothing else is overwritten."""
_INK, _SOFT = (28, 32, 38), (122, 130, 140)


def contact_sheet(store: Store, path: Path, per_class: int = 8) -> None:
    """Write a PNG with a row of images for each class, its name and its count, to
    `path`.

    The images of a row are spread evenly over the class. Raises ImagesError when it
    cannot be written.
    """
    shown = store.classes[:MAX_CLASSES]
    width = 2 * _MARGIN + _LABEL + per_class * (_THUMB + _GAP) - _GAP
    top = _MARGIN + 44
    sheet = Image.new(
        "RGB",
        (width, top + len(shown) * (_THUMB + _GAP) - _GAP + _MARGIN + 22),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    height, wide = store.size
    draw.text(
        (_MARGIN, _MARGIN - 8),
        _short(Path(store.source).name or store.source, 60),
        _INK,
        _font(22),
    )
    facts = (
        f"{len(store):,} images   {len(store.classes):,} classes   "
        f"{wide} x {height} pixels   {store.fit}"
    )
    draw.text((width - _MARGIN, _MARGIN), facts, _SOFT, _font(13), anchor="ra")
    for label, name in enumerate(shown):
        rows = np.flatnonzero(store.labels == label)
        y = top + label * (_THUMB + _GAP)
        draw.text((_MARGIN, y + 26), _short(name, 20), _INK, _font(17))
        draw.text((_MARGIN, y + 50), f"{len(rows):,} images", _SOFT, _font(13))
        for place, row in enumerate(_spread(rows, per_class)):
            x = _MARGIN + _LABEL + place * (_THUMB + _GAP)
            _paste(sheet, store.images[row], x, y)
    found = f"{len(store.problems) or 'no'} problems found"
    more = (
        f"{len(store.classes) - len(shown):,} more classes   "
        if len(shown) < len(store.classes)
        else ""
    )
    draw.text((_MARGIN, sheet.height - _MARGIN - 4), more + found, _SOFT, _font(13))
    _write(sheet, path)


def _spread(rows: NDArray[np.int64], many: int) -> NDArray[np.int64]:
    """At most `many` of `rows`, evenly spaced, the first and the last included."""
    if len(rows) <= many:
        return rows
    places = np.linspace(0, len(rows) - 1, many).round().astype(np.int64)
    return np.take(rows, places)


def _paste(sheet: Image.Image, pixels: NDArray[np.uint8], x: int, y: int) -> None:
    image = Image.fromarray(np.asarray(pixels))
    scale = _THUMB / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Small images keep their pixels visible: what the network sees is what the sheet
    # shows.
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    sheet.paste(
        image.resize(size, method),
        (x + (_THUMB - size[0]) // 2, y + (_THUMB - size[1]) // 2),
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _write(sheet: Image.Image, path: Path) -> None:
    if not path.name or (os.path.lexists(path) and not _is_sheet(path)):
        raise ImagesError(
            f"cannot write {path}: it is there already, and no contact sheet; "
            "choose another --sheet"
        )
    partial = path.with_name(path.name + f".{os.getpid()}.partial")
    mark = PngInfo()
    mark.add_text(*_MARK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(partial, "PNG", optimize=True, pnginfo=mark)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise ImagesError(
            f"cannot write {path}: {error.strerror or error}; choose another --sheet"
        ) from error


def _is_sheet(path: Path) -> bool:
    """Whether a file is a sheet of ours, which a new one may replace."""
    if not path.is_file():
        return False
    try:
        with Image.open(path, formats=["PNG"]) as found:
            return found.info.get(_MARK[0]) == _MARK[1]
    except OSError:
        return False
