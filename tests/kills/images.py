"""Hostile image files: damaged, enormous, odd, special, badly named, and programs."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import socket
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.kills.watching import Tally, Watched, gone, tree

A_FOLDER = 50
"""Hostile files in one folder, beside GOOD good ones of each class."""
GOOD = 6

FORMATS = [
    ("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
] + [
    ("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "P"), ("GIF", "L"),
    ("WEBP", "RGB"), ("WEBP", "RGBA"), ("BMP", "1"), ("BMP", "L"), ("BMP", "RGB"),
    ("TIFF", "1"), ("TIFF", "LAB"), ("TIFF", "CMYK"), ("TIFF", "YCbCr"),
    ("TIFF", "I;16"), ("TIFF", "I"), ("TIFF", "F"), ("TIFF", "RGBA"), ("PPM", "RGB"),
    ("TGA", "RGB"), ("ICO", "RGBA"), ("PCX", "RGB"), ("SGI", "RGB"), ("EPS", "RGB"),
    ("PDF", "RGB"), ("JPEG2000", "RGB"), ("DDS", "RGBA"),
]  # fmt: skip
"""Formats and modes that Pillow writes; not all are images to this project."""


def image_file(rng: random.Random, form: str = "PNG", mode: str = "RGB") -> bytes:
    """A good image file of that format and mode."""
    draw = np.random.default_rng(rng.randrange(2**32))
    width, height = rng.randint(1, 40), rng.randint(1, 40)
    plain = Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        drawn = Image.fromarray(draw.integers(0, 2**16, (height, width)).astype(kind))
    else:
        drawn = plain.convert("RGB" if mode == "LAB" else mode)
    into = io.BytesIO()
    drawn.save(into, form)
    return into.getvalue()


def of_any_format(rng: random.Random) -> bytes:
    return image_file(rng, *rng.choice(FORMATS))


def truncated(rng: random.Random, at: Path) -> None:
    data = of_any_format(rng)
    at.write_bytes(data[: rng.randrange(len(data))])


def flipped(rng: random.Random, at: Path) -> None:
    data = bytearray(of_any_format(rng))
    for _ in range(rng.choice((1, 3, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    at.write_bytes(data)


def odd_mode(rng: random.Random, at: Path) -> None:
    at.write_bytes(of_any_format(rng))


@cache
def _zeros() -> bytes:
    """100 MB, packed."""
    return zlib.compress(bytes(100_000_000))


def bomb(rng: random.Random, at: Path) -> None:
    """Small files that claim to be, or are, enormous images."""
    side = rng.choice((10_001, 65_535, 2**31 - 1))

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data))
            + name
            + data
            + struct.pack(">I", zlib.crc32(name + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    small = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 20))
    long_text = chunk(b"zTXt", b"Comment\0\0" + _zeros())
    profile = chunk(b"iCCP", b"p\0\0" + _zeros())
    png, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    at.write_bytes(rng.choice((
        png + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + end,
        png + small + long_text + pixels + end,
        png + small + profile + pixels + end,
        png + header + chunk(b"IDAT", _zeros()) + end,
        b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0)
        + b",\0\0\0\0\xff\xff\xff\xff\0\2\1\0\0;",
        b"BM" + struct.pack(
            "<IHHIIiiHHIIiiII",
            70, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 65_500, 65_500, 1)
        + b"\1\x11\0" + b"\xff\xd9",
        b"II*\0\x08\0\0\0\xff\xff" + bytes(range(256)) * 4,
    )))  # fmt: skip


def special(rng: random.Random, at: Path) -> None:
    """What is in a folder and is no file: pipes, sockets, links, folders."""
    kind = rng.randrange(9)
    if kind == 0:
        os.mkfifo(at)
    elif kind == 1:
        with socket.socket(socket.AF_UNIX) as heard:
            here = os.open(at.parent, os.O_RDONLY)
            heard.bind(
                f"/proc/self/fd/{here}/{at.name[:20]}"
                if os.path.exists("/proc/self/fd")
                else str(at)
            )
            os.close(here)
    elif kind == 2:
        at.symlink_to("/dev/zero")
    elif kind == 3:
        at.symlink_to(at.name)
    elif kind == 4:
        at.symlink_to("nowhere")
    elif kind == 5:
        at.symlink_to("/etc/passwd")
    elif kind == 6:
        at.symlink_to("..")
    elif kind == 7:
        at.mkdir()
    else:
        at.write_bytes(image_file(rng))
        at.chmod(0)


NAMES = (
    "a\nb.png", "\x1b[31mred\x1b[0m.png", "\x1b]0;title\x07.png", "[red]markup.png",
    "[bold]x[link=a].png", "<img src=x onerror=alert(1)>.png", "--help", "-rf.png",
    "$(touch CANARY).png", "`touch CANARY`.png", "; touch CANARY;.png", "%s%n%x.png",
    "{0}{evil}.png", "\u202egnp.exe", "e\u0301.png", "\u200b.png", "café 日本語 🙂.png",
    "nul", "CON.png", "con\\..\\..\\x.png", " .png", "...png", "'\"\"\"'.png",
    "x" * 251 + ".png", "\udcff\udcfe.png", "\udc80", "\t\r\x7f.png", "{{ 7*7 }}.png",
    "a&b=c;d|e>f.png",
)  # fmt: skip


def bad_name(rng: random.Random, at: Path) -> None:
    """A file, good or not, of a name that does harm if taken for more than a name."""
    name = rng.choice(NAMES)
    spot = at.with_name(name)
    if spot.exists() and len(name) < 200:
        spot = at.with_name(f"{rng.randrange(1000)}{name}")
    spot.write_bytes(image_file(rng) if rng.random() < 0.5 else b"no image")


def program(rng: random.Random, at: Path) -> None:
    """Programs that would make the canary if anything ran them."""
    canary = str(at.parents[2] / "CANARY")
    script = f"#!/bin/sh\ntouch '{canary}'\n".encode()
    pickled = pickle.dumps(_Payload(canary))
    at.write_bytes(rng.choice((
        script, pickled, b"\x89PNG\r\n\x1a\n" + script, b"\xff\xd8\xff" + pickled,
        f"import pathlib; pathlib.Path({canary!r}).touch()".encode(),
        (f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
         f"(%pipe%touch '{canary}') (r) file\n").encode(),
        (f"push graphic-context\nfill 'url(https://x/\"|touch {canary}\")'\n"
         f"pop graphic-context").encode(),
        (f"<svg xmlns='http://www.w3.org/2000/svg' "
         f"onload=\"fetch('file://{canary}')\"/>").encode(),
        b"MZ" + bytes(200), b"\x7fELF" + bytes(200), b"PK\3\4" + bytes(100),
        b"\x93NUMPY" + pickled,
    )))  # fmt: skip
    at.chmod(0o755)


class _Payload:
    def __init__(self, canary: str) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.canary),)


def garbage(rng: random.Random, at: Path) -> None:
    """Right beginnings of nothing, and nothing at all."""
    head = rng.choice((b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a",
                       b"RIFF....WEBP", b"BM", b"II*\0", b"MM\0*", b"II+\0",
                       b"MM\0+"))  # fmt: skip
    at.write_bytes(head + rng.randbytes(rng.choice((0, 1, 20, 2000))))


def marked(rng: random.Random, at: Path) -> None:
    """A good image with marks of a camera that make no sense."""
    drawn = Image.open(io.BytesIO(image_file(rng)))
    exif = Image.Exif()
    exif[0x0112] = rng.choice((0, 9, 65_535, 6, 3))
    exif[0x010F] = "\x1b[31m" * rng.choice((1, 1000))
    form, mark = rng.choice(("JPEG", "PNG", "TIFF", "WEBP")), exif.tobytes()
    if form != "TIFF":  # of which Pillow writes no other marks than right ones
        mark = mark[: rng.choice((7, 20, len(mark)))]
    drawn.save(at, form, exif=mark)


KINDS: tuple[Callable[[random.Random, Path], None], ...] = (
    truncated, flipped, odd_mode, bomb, special, bad_name, program, garbage, marked,
    flipped,
)  # fmt: skip


def make_folder(rng: random.Random, at: Path, hostile: int) -> set[str]:
    """A folder of two classes with good images and `hostile` other files; gives the
    good ones' paths.
    """
    good = set()
    for kind in ("cats", "dogs"):
        (at / kind).mkdir(parents=True)
        for number in range(GOOD):
            name = f"{kind}/good {number}.png"
            Image.fromarray(
                np.random.default_rng(rng.randrange(2**32)).integers(
                    0, 256, (9, 9, 3), dtype=np.uint8
                )
            ).save(at / name)
            good.add(name)
    for number in range(hostile):
        KINDS[number % len(KINDS)](
            rng, at / rng.choice(("cats", "dogs")) / f"{number}.png"
        )
    return good


def campaign(seed: int, trials: int, watched: Watched) -> Tally:
    """Folders with good and hostile files: the good are all kept, the others counted or
    decoded.
    """
    tally = Tally("image files")
    for number in range(-(-trials // A_FOLDER)):
        rng = random.Random(f"{seed} images {number}")
        at = watched.home / f"images {number}" / "photos"
        hostile = min(A_FOLDER, trials - number * A_FOLDER)
        good = make_folder(rng, at, hostile)
        before = tree(at)
        said = watched.run(at.parent, "images", "photos", "--image-size", 8, "--json")
        what = f"folder {number}"
        if watched.judge(tally, what, said, codes=(0,)):
            _account(
                tally,
                what,
                json.loads(said.out) if said.code == 0 else {},
                good,
                hostile,
            )
        watched.judge(
            tally,
            what,
            watched.run(at.parent, "images", "photos", "--image-size", 8),
            codes=(0,),
        )
        for name in gone(before, tree(at)):
            tally.fault("lost", f"{what}: {name!r} was changed")
    return tally


def _account(
    tally: Tally, what: str, found: dict[str, Any], good: set[str], hostile: int
) -> None:
    """Count what became of the hostile files, and see that every good one is used."""
    problems = {
        problem["path"]: problem["kind"] for problem in found.get("problems", ())
    }
    for name in good & problems.keys():
        tally.fault("lost", f"{what}: {name} is left out: {problems[name]}")
    used = sum(found.get(part, 0) for part in ("train", "validation", "test"))
    if used < len(good):
        tally.fault("lost", f"{what}: {used} of {len(good)} good images are used")
    for kind in problems.values():
        tally.count(kind)
    for _ in range(hostile - len(problems)):
        tally.count("decoded or passed over")
