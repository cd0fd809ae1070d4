"""From files to images, and how large a data set may be.

- First pass: `open_images(folder, size=(224, 224))` on JPEG files of 224 px with an
  empty cache: listing, hashing, decoding, finding duplicates, writing the store. Each
  pass is a fresh process; its imports do not count. The files have been read before, so
  the disk does not count.
- A store of 1,000,000 images at 64 px, whose pixels are a hole in a sparse file: how
  long a fresh process takes to open it, and how much its memory has grown per image:
  after opening it, and with the split and the order, flips and shifts of an epoch, as
  in training.

First pass: median of 3; opening: median of 5. Budget: 90 seconds.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.folders import files_of
from benchmarks.measuring import (
    Part,
    Row,
    Settings,
    Values,
    ask_child,
    at_least,
    at_most,
    attempt,
    rounds,
    say,
)
from triptych.images import store as stores
from triptych.images.augment import Augmentation
from triptych.images.batches import Batches
from triptych.images.reader import Names
from triptych.images.source import open_images
from triptych.images.split import PART_NAMES, TEST, TRAIN, split
from triptych.images.store import Contents, Store
from triptych.running.machine import peak_memory_mib

FEWEST = 1500
"""JPEG files of a first pass: fewer would measure how the pass begins."""
SIZE, QUICK_SIZE = 224, 16
MANY, QUICK_MANY = 1_000_000, 1_000
MANY_SIZE = 64
CLASSES = tuple(f"class-{number}" for number in range(10))
BATCH = 32


def first_pass(order: Values) -> Values:
    """In a fresh process: the first pass over `folder`, and its most memory."""
    before = peak_memory_mib()
    started = time.perf_counter()
    store = open_images(
        Path(order["folder"]), size=(order["size"],) * 2, cache=Path(order["cache"])
    )
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "images": len(store),
        "peak_mib": peak_memory_mib(),
        "import_mib": before,
    }


def passes(settings: Settings) -> Values:
    """Several first passes, each with an empty cache."""
    images = settings.images()
    of = sum(len(files_of(images.folder, part)) for part in (TRAIN, TEST))
    if of < FEWEST and not settings.quick:
        say(f"  only {of:,} images: {FEWEST:,} would be better")
    cache = settings.scratch / "first-pass"
    order = {
        "folder": str(images.folder),
        "size": QUICK_SIZE if settings.quick else SIZE,
        "cache": str(cache),
    }
    found = []
    for _ in rounds(settings, PART.budget * 2 / 3, most=3):
        shutil.rmtree(cache, ignore_errors=True)
        found.append(ask_child(first_pass, order, 300))
    return {"size": order["size"], "passes": found}


def write_many(folder: Path, count: int, size: int) -> None:
    """A store of `count` images that takes no room: images.bin is one hole."""
    folder.mkdir()
    numbers = np.arange(count)
    labels = (numbers % len(CLASSES)).astype(np.int32)
    parts = np.where(numbers % 5 == 4, TEST, TRAIN).astype(np.uint8)
    names = Names.of(
        f"{PART_NAMES[part]}/{CLASSES[label]}/{number:07}"
        for number, (part, label) in enumerate(
            zip(parts.tolist(), labels.tolist(), strict=True)
        )
    )
    contents = Contents(
        "0" * 40, "many", (size, size), "squash", CLASSES, names, labels, parts
    )
    with open(folder / "images.bin", "wb") as file:
        file.truncate(count * size * size * 3)
    stores._write_index(folder, contents, numbers, np.zeros((count, 16), np.uint8), [])


def open_many(order: Values) -> Values:
    """In a fresh process: how long opening takes, and how many bytes are held then."""
    process = psutil.Process()
    before = process.memory_info().rss
    started = time.perf_counter()
    store = Store.open(Path(order["store"]))
    seconds = time.perf_counter() - started
    opened = process.memory_info().rss
    parts = split(store.labels, store.parts, 0)
    labels = store.labels[parts.train].astype(np.int64)
    batches = Batches(store.images, labels, parts.train, BATCH, 0, Augmentation(), {})
    batches.batch(0, 0)
    ready = process.memory_info().rss
    return {
        "seconds": seconds, "images": len(store), "opened_bytes": opened - before,
        "ready_bytes": ready - before, "peak_bytes": peak_memory_mib() * 2**20 - before,
    }  # fmt: skip


def openings(settings: Settings) -> Values:
    """The large store, opened several times."""
    at = settings.scratch / "many"
    write_many(at, QUICK_MANY if settings.quick else MANY, MANY_SIZE)
    repeats = 1 if settings.quick else 5
    return {
        "openings": [
            ask_child(open_many, {"store": str(at)}, 120) for _ in range(repeats)
        ]
    }


def measure(settings: Settings) -> Values:
    """Both."""
    return {"first": attempt(passes, settings), "many": attempt(openings, settings)}


def rows(values: Values) -> list[Row]:
    """Images a second; seconds; bytes an image."""
    first, many = values["first"], values["many"]
    found, openings = first.get("passes", []), many.get("openings", [])
    of = (
        f"{found[0]['images']:,} JPEG files at {first['size']} px"
        if found
        else "JPEG files"
    )
    count = f"{openings[0]['images']:,}" if openings else "1,000,000"

    def row(what: str, key: str, bound: float | None) -> Row:
        each = [one[key] / one["images"] for one in openings]
        target = at_most(bound) if bound is not None else None
        return Row(
            f"memory an image, {what}",
            each,
            "bytes",
            target,
            many.get("failed"),
            headline=bound is not None,
        )

    return [
        Row(
            f"first pass over {of}",
            [one["images"] / one["seconds"] for one in found],
            "images/s",
            at_least(1200),
            first.get("failed"),
            headline=True,
        ),
        Row(
            "its most memory",
            [one["peak_mib"] for one in found],
            "MiB",
            failed=first.get("failed"),
        ),
        Row(
            f"opening a store of {count} images",
            [one["seconds"] for one in openings],
            "s",
            at_most(1),
            many.get("failed"),
            headline=True,
        ),
        row("opened", "opened_bytes", None),
        row("with an epoch's order", "ready_bytes", 100),
        row("at the most", "peak_bytes", None),
    ]


PART = Part("images", "Images", 90, measure, rows)
