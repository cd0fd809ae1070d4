"""Images and folders for the tests, made on the spot."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SOURCES = Path(__file__).parents[2] / "src"


def noise(seed: int, height: int = 12, width: int = 16) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )


def saved(
    image: Image.Image | NDArray[Any], form: str = "PNG", **options: Any
) -> bytes:
    """The bytes of an image file."""
    held = image if isinstance(image, Image.Image) else Image.fromarray(image)
    into = io.BytesIO()
    held.save(into, form, **options)
    return into.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data))
        + name
        + data
        + struct.pack(">I", zlib.crc32(name + data))
    )


def png_header(width: int, height: int, bits: int = 8, color: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    )


def png16(samples: NDArray[np.uint16]) -> bytes:
    """A 16-bit PNG of (height, width, 1 to 4) samples: Pillow writes only gray ones."""
    height, width, channels = samples.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return (
        png_header(width, height, 16, color)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def fill(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def images(*folders: str, many: int = 3) -> dict[str, bytes]:
    """`many` different images for each of `folders`, by path."""
    return {
        f"{folder}/{i}.png": saved(noise(1000 * place + i))
        for place, folder in enumerate(folders)
        for i in range(many)
    }


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that runs `code` with the package at hand."""
    start = f"import sys; sys.path.insert(0, {str(SOURCES)!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
