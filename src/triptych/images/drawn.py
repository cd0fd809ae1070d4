"""The built-in set `sports`, drawn into a store by as many processes as the machine has
processors.

The processes are plain Python children that import this file and nothing of the
caller's: no framework is loaded in them, and a caller's script needs no `if __name__ ==
"__main__"`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from triptych.children import child_command
from triptych.errors import WorkerFailed
from triptych.images import sports
from triptych.images.decode import pixel_digest, resize, way
from triptych.images.reader import Names
from triptych.images.split import PART_NAMES, TEST, TRAIN
from triptych.images.store import SCHEMA, Contents, DecodedImage

TRAIN_IMAGES, TEST_IMAGES = 1800, 450

LARGER = 2
"""How much larger an image is drawn that is to lose its other pixels: the talk's
photos came from there.
"""


@dataclass(frozen=True, eq=False)
class Plan:
    """Which images are to be drawn: `keys[row]` = (seed, part, class, index) and what
    the store says.
    """

    contents: Contents
    keys: list[tuple[int, int, int, int]]

    def images(self) -> Generator[DecodedImage]:
        """All of them, drawn in child processes. Raises WorkerFailed."""
        height, width = self.contents.size
        with ExitStack() as stack:
            count = max(1, min(os.cpu_count() or 1, len(self.keys)))
            size, method = self.contents.size, self.contents.resize
            shares = [self.keys[first::count] for first in range(count)]
            children = [
                stack.enter_context(_child(size, method, share)) for share in shares
            ]
            # In turns: the children stay level, and the pipes between hold little.
            for row in range(len(self.keys)):
                data = children[row % count](height * width * 3)
                pixels = np.frombuffer(data, np.uint8).reshape(height, width, 3)
                yield DecodedImage(row, pixels, pixel_digest(Image.fromarray(pixels)))


def plan(
    size: tuple[int, int], seed: int, full: bool, method: str = "bilinear"
) -> Plan:
    """The plan of the set at `size` = (height, width): 1,800 + 450 images, or the
    talk's 7,096 + 1,775.

    They are drawn at their size, antialiased, and for a `method` of "nearest" at twice
    of it first. Its key holds everything that the images depend on, the text of the
    drawing code included.
    """
    totals = (TRAIN_IMAGES, TEST_IMAGES)
    if full:
        totals = (sum(sports.TALK_TRAIN), sum(sports.TALK_TEST))
    counts = (
        sports.counts(totals[0], sports.TALK_TRAIN),
        sports.counts(totals[1], sports.TALK_TEST),
    )
    keys = _keys(seed, counts)
    facts = (
        f"sports {_version()} {SCHEMA} {size[0]}x{size[1]} {seed} "
        f"{counts}{way('', method)}"
    )
    return Plan(
        Contents(
            key=hashlib.blake2b(facts.encode(), digest_size=20).hexdigest(),
            source="sports",
            size=size,
            fit="squash",
            classes=sports.CLASSES,
            names=Names.of(
                f"{PART_NAMES[part]}/{sports.CLASSES[c]}/{i:04}"
                for _, part, c, i in keys
            ),
            labels=np.array([label for _, _, label, _ in keys], dtype=np.int32),
            parts=np.array([part for _, part, _, _ in keys], dtype=np.uint8),
            resize=method,
        ),
        keys,
    )


def _keys(
    seed: int, counts: tuple[tuple[int, ...], tuple[int, ...]]
) -> list[tuple[int, int, int, int]]:
    """What each image is drawn from: the seed, its part, its class, and its number."""
    return [
        (seed, part, label, index)
        for part, per_class in zip((TRAIN, TEST), counts, strict=True)
        for label, many in enumerate(per_class)
        for index in range(many)
    ]


def draw_for_parent() -> None:
    """What a child does: draw the images named on standard input, write their bytes
    to standard output.
    """
    order = json.load(sys.stdin)
    height, width = order["size"]
    side = max(height, width) * (LARGER if order["resize"] == "nearest" else 1)
    for key in order["keys"]:
        image = sports.draw(sports.CLASSES[key[2]], side, tuple(key))
        if image.shape[:2] != (height, width):
            image = resize(image, (height, width), method=order["resize"])
        sys.stdout.buffer.write(image.tobytes())
    sys.stdout.buffer.flush()


def _version() -> str:
    """Changes with every edit of the drawing code, so that no store outlives the code
    that drew it.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(sports.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _child(
    size: tuple[int, int], method: str, keys: list[tuple[int, int, int, int]]
) -> Iterator[_Draws]:
    """A process that draws `keys`; ended on the way out."""
    # The child finds the package where this process found it, installed or not.
    home = str(Path(sports.__file__).parents[3])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            child_command("triptych.images.drawn"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=os.environ | {"PYTHONPATH": path},
        )
        try:
            assert child.stdin is not None
            child.stdin.write(
                json.dumps({"size": size, "resize": method, "keys": keys}).encode()
            )
            child.stdin.close()
            yield _Draws(child, said)
        finally:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


@dataclass(frozen=True)
class _Draws:
    """Reads from a child, or says how it died."""

    child: subprocess.Popen[bytes]
    said: IO[bytes]

    def __call__(self, size: int) -> bytes:
        assert self.child.stdout is not None
        data = self.child.stdout.read(size)
        if len(data) < size:
            self.said.seek(0)
            last = self.said.read().decode(errors="replace").strip().splitlines()[-1:]
            why = "".join(last) or "no message"
            raise WorkerFailed(
                f"a process that draws the sports ended with {self.child.wait()}: {why}"
            )
        return data


if __name__ == "__main__":
    draw_for_parent()
