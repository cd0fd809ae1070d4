"""The table of images that goes along with an exact program: file, class and part."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from triptych.commands.eject.program import Source
from triptych.errors import UsageError
from triptych.images.built_in import BUILT_IN
from triptych.images.split import PART_NAMES, split
from triptych.images.store import Store
from triptych.running.images import images_of


def table_of(source: Source) -> bytes:
    """As CSV, in the order in which the images are numbered here.

    Copies and what cannot be read are not in it. Raises ImagesError if there are no
    such images, UsageError if they are no longer those of the run.
    """
    recipe = source.recipe
    store = images_of(replace(recipe, strict=False), lambda *_: None)
    # Saved as files, what is built in is PNG.
    suffix = ".png" if recipe.images in BUILT_IN else ""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "class", "part"))
    for row, part in _parts(source, store):
        name = f"{store.name(row)}{suffix}"
        writer.writerow((name, store.classes[store.labels[row]], part))
    return text.getvalue().encode("utf-8", "surrogateescape")


def _parts(source: Source, store: Store) -> Iterator[tuple[int, str]]:
    """The images that are trained or tested on, by their rows, each with its part."""
    if source.trained is None:
        made = split(store.labels, store.parts, source.recipe.seed)
        rows = {int(r): part for part, held in vars(made).items() for r in held}
        yield from sorted(rows.items())
        return
    known = source.trained.parts
    digests = [digest.tobytes() for digest in np.asarray(store.digests)]
    if missing := len(known.keys() - set(digests)):
        raise UsageError(
            f"{source.recipe.images}: {missing:,} of the run's images are gone; "
            "its split needs them all (--style native goes without)"
        )
    for row, digest in enumerate(digests):
        if digest in known:
            yield row, PART_NAMES[known[digest]]
