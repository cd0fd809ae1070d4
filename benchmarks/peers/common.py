"""What the seven peers share: arguments, lines of JSON, a clock, peak memory, and a
listing of the folder.

None of them knows Triptych: they are the programs it is compared with.

Usage of each: python benchmarks/peers/NAME.py FOLDER [--image-size 224] [--epochs 3]
[--batch-size N] [--until 0.88] [--limit-seconds S] [--seed 0] [--augment]

FOLDER has train/<class>/ and test/<class>/ with JPEG or PNG images. Standard output
carries one JSON object a line and nothing else: `ready`, one `epoch` an epoch, `done`.
All times are in seconds:

- import_seconds:  from the start of the process until everything is imported
- train_seconds:   the pass over the training part, until the last step is computed
- test_seconds:    the pass over the test part
- seconds:         both
- elapsed:         from the start of the process until the end of the epoch

A program ends after the epoch in which it reaches the accuracy `--until`, and begins no
epoch once `--limit-seconds` have passed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png"}
SHIFT = 1 / 8
"""An augmented image moves by up to that share of its side, down or up and right or
left.
"""

MEMORY_INTERVAL = 0.2
"""Seconds between two looks at the memory of the children."""


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    folder: Path
    image_size: int
    epochs: int
    batch_size: int
    until: float
    limit_seconds: float
    seed: int
    augment: bool


class Memory:
    """The most memory that this process and its children held at one time, watched in a
    thread.

    Pages that a child shares with this process count once; without children, the peak
    is the kernel's own.
    """

    def __init__(self) -> None:
        self.seen = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def peak_mib(self) -> float:
        # getrusage counts the parent's peak from before the start, too.
        if sys.platform == "linux":
            status = Path("/proc/self/status").read_text()
            own = int(status.partition("VmHWM:")[2].split()[0]) * 1024
        else:
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
        return max(own, self.seen) / 2**20

    def _watch(self) -> None:
        this = psutil.Process()
        while True:
            total = this.memory_info().rss
            for child in this.children(recursive=True):
                try:
                    total += child.memory_full_info().uss
                except psutil.Error:  # it has just ended
                    continue
            self.seen = max(self.seen, total)
            time.sleep(MEMORY_INTERVAL)


@dataclass
class Log:
    """Writes the lines; knows when an epoch began, its training ended, when to stop."""

    asked: Asked
    out: TextIO
    epoch: int = 0
    began: float = 0.0
    trained: float = 0.0
    memory: Memory = field(default_factory=Memory)

    def epoch_begins(self) -> None:
        self.epoch += 1
        self.began = time.perf_counter()

    def training_ends(self) -> None:
        self.trained = time.perf_counter()

    def epoch_ends(self, loss: float, test_accuracy: float) -> bool:
        """Write the epoch down; True if it was the last, because the accuracy or the
        limit is reached.
        """
        ended, elapsed = time.perf_counter(), process_age()
        self.write(
            "epoch",
            epoch=self.epoch,
            seconds=ended - self.began,
            train_seconds=self.trained - self.began,
            test_seconds=ended - self.trained,
            loss=float(loss),
            test_accuracy=float(test_accuracy),
            elapsed=elapsed,
        )
        return test_accuracy >= self.asked.until or elapsed >= self.asked.limit_seconds

    def done(self, *distributions: str) -> None:
        """The last line, with the versions of what took part."""
        versions = {name: version(name) for name in distributions}
        self.write("done", peak_memory_mib=self.memory.peak_mib(), versions=versions)

    def write(self, event: str, **facts: object) -> None:
        facts = {
            name: round(fact, 6) if isinstance(fact, float) else fact
            for name, fact in facts.items()
        }
        print(json.dumps({"event": event, **facts}), file=self.out, flush=True)


def begin(description: str | None, batch: int) -> tuple[Asked, Log]:
    """Read the command line and write the first line; call it when everything is
    imported.

    From here on, what anything else prints to standard output goes to standard error.
    """
    imported = process_age()
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "folder", type=Path, help="with train/<class>/ and test/<class>/"
    )
    options.add_argument("--image-size", type=int, default=224, help="pixels a side")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--batch-size", type=int, default=batch)
    options.add_argument(
        "--until",
        type=float,
        default=2.0,
        help="stop at that test accuracy, such as 0.88",
    )
    options.add_argument("--limit-seconds", type=float, default=float("inf"))
    options.add_argument("--seed", type=int, default=0)
    options.add_argument(
        "--augment", action="store_true", help="flip and shift the training images"
    )
    asked = Asked(**vars(options.parse_args()))
    for part in ("train", "test"):
        if not listing(asked.folder, part)[0]:
            options.error(
                f"{asked.folder / part} has no images: "
                f"give a folder with {part}/<class>/*.jpg"
            )

    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    log = Log(asked, out)
    log.write("ready", import_seconds=imported)
    return asked, log


def process_age() -> float:
    """Seconds since this process was started, to a hundredth.

    On Linux psutil knows the start to the second only, since the kernel rounds the time
    of boot.
    """
    if sys.platform == "linux":
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf(
            "SC_CLK_TCK"
        )
    return time.time() - psutil.Process().create_time()


def class_names(folder: Path) -> list[str]:
    """The classes in order: what train/ has as sub-folders."""
    train = folder / "train"
    return (
        sorted(entry.name for entry in train.iterdir() if entry.is_dir())
        if train.is_dir()
        else []
    )


def listing(folder: Path, part: str) -> tuple[list[str], list[int]]:
    """Paths and labels of one part, class by class."""
    paths, labels = [], []
    for label, name in enumerate(class_names(folder)):
        entries = sorted((folder / part / name).glob("*"))
        images = [str(entry) for entry in entries if entry.suffix.lower() in SUFFIXES]
        paths += images
        labels += [label] * len(images)
    return paths, labels


def decoded(
    asked: Asked, part: str, random: np.random.Generator, resampling: Image.Resampling
) -> Iterator[tuple[list[NDArray[np.uint8]], list[int]]]:
    """A batch of images and labels at a time, one pass over a part; the training part
    is shuffled.

    As in the notebooks, Pillow decodes and resizes every image here and now, in the
    thread that asks.
    """
    paths, labels = listing(asked.folder, part)
    order = random.permutation(len(paths)) if part == "train" else np.arange(len(paths))
    for start in range(0, len(order), asked.batch_size):
        rows = order[start : start + asked.batch_size]
        images = []
        for row in rows:
            with Image.open(paths[row]) as image:
                pixels = np.asarray(
                    image.convert("RGB").resize(
                        (asked.image_size, asked.image_size), resampling
                    )
                )
            if asked.augment and part == "train":
                pixels = flip_and_shift(pixels, random)
            images.append(pixels)
        yield images, [labels[row] for row in rows]


def flip_and_shift(
    pixels: NDArray[np.uint8], random: np.random.Generator
) -> NDArray[np.uint8]:
    """An image (height, width, channels) perhaps mirrored, and moved; its reflection
    fills the gap.
    """
    if random.random() < 0.5:
        pixels = pixels[:, ::-1]
    height, width = pixels.shape[:2]
    reach = int(min(height, width) * SHIFT)
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    top, left = random.integers(0, 2 * reach, 2, endpoint=True)
    return padded[top : top + height, left : left + width]
