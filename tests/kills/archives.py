"""Hostile archives: paths that lead out, links, devices, bombs, damage, lies."""

from __future__ import annotations

import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.kills.images import NAMES, image_file
from tests.kills.watching import Tally, Watched, gone, tree

Members = dict[str, bytes]


def good(rng: random.Random) -> Members:
    return {
        f"{kind}/{number}.png": image_file(rng)
        for kind in ("cats", "dogs")
        for number in range(6)
    }


def zipped(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return into.getvalue()


def tarred(members: Members, form: str = "", *more: tarfile.TarInfo) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode=f"w:{form}") as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            facts = tarfile.TarInfo(name)
            facts.size = len(data)
            archive.addfile(facts, io.BytesIO(data))
        for facts in more:
            archive.addfile(facts)
    return into.getvalue()


def packed(rng: random.Random, members: Members) -> bytes:
    return (
        zipped(members)
        if rng.random() < 0.5
        else tarred(members, rng.choice(("", "gz", "bz2", "xz")))
    )


def leading_out(rng: random.Random) -> bytes:
    name = rng.choice(("../../CANARY", "/tmp/CANARY-of-triptych",
                       "cats/../../../CANARY", "..\\..\\CANARY", "C:\\CANARY",
                       "cats/./../../CANARY", "\\\\server\\share\\CANARY"))  # fmt: skip
    return packed(rng, {**good(rng), name: image_file(rng)})


def linking(rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        facts = zipfile.ZipInfo("cats/link.png")
        facts.external_attr = (stat.S_IFLNK | 0o777) << 16
        facts.create_system = 3
        into = io.BytesIO(zipped(good(rng)))
        with zipfile.ZipFile(into, "a") as archive:
            archive.writestr(facts, "/etc/passwd")
        return into.getvalue()
    link = tarfile.TarInfo("cats/link.png")
    link.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE))
    link.linkname = rng.choice(
        ("/etc/passwd", "../../CANARY", "cats/link.png", "cats/0.png")
    )
    return tarred(good(rng), "", link)


def special(rng: random.Random) -> bytes:
    device = tarfile.TarInfo("cats/device.png")
    device.type = rng.choice(
        (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, b"Z")
    )
    device.devmajor, device.devminor = 1, 5
    return tarred(good(rng), rng.choice(("", "gz")), device)


def bomb(rng: random.Random) -> bytes:
    zeros = bytes(50_000_000)
    return rng.choice((
        lambda: zipped({**good(rng), "cats/bomb.png": zeros}),
        lambda: tarred({**good(rng), "cats/bomb.png": zeros}, "gz"),
        lambda: tarred({**good(rng), "cats/bomb.png": zeros}, "xz"),
        lambda: gzip.compress(gzip.compress(zeros)),
        lambda: zipped({f"cats/{n}.png": b"" for n in range(20_000)} | good(rng)),
        lambda: zipped({**good(rng), "cats/inner.zip": zipped({"a/b": zeros})}),
    ))()  # fmt: skip


def damaged(rng: random.Random) -> bytes:
    data = bytearray(packed(rng, good(rng)))
    if rng.random() < 0.5:
        return bytes(data[: rng.randrange(len(data))])
    for _ in range(rng.choice((1, 5, 50))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def lying(rng: random.Random) -> bytes:
    """A zip whose list of members says untrue sizes, offsets or methods."""
    data = bytearray(
        zipped(good(rng), rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
    )
    spots = [n for n in range(len(data)) if data.startswith(b"PK\1\2", n)]
    spot = rng.choice(spots)
    field, form, values = rng.choice((
        (8, "<H", (1, 0xFFFF)), (10, "<H", (99, 12, 14, 95)),
        (20, "<I", (0, 2**32 - 1)), (24, "<I", (0, 2**32 - 1, 400_000_000)),
        (42, "<I", (0, 2**31, 2**32 - 1)), (28, "<H", (0, 0xFFFF)),
    ))  # fmt: skip
    struct.pack_into(form, data, spot + field, rng.choice(values))
    return bytes(data)


def doubled(rng: random.Random) -> bytes:
    members = good(rng)
    if rng.random() < 0.5:
        return zipped(members)[:-22] + zipped(members)
    return tarred(members, "", tarfile.TarInfo("cats/0.png"))


def badly_named(rng: random.Random) -> bytes:
    names = [name for name in NAMES if name.isascii() and "\\" not in name]
    return packed(
        rng,
        {
            **good(rng),
            **{f"cats/{name}": image_file(rng) for name in rng.sample(names, 5)},
        },
    )


def strange(rng: random.Random) -> bytes:
    return rng.choice((
        lambda: b"", lambda: b"PK\5\6" + bytes(18), lambda: bytes(10_240),
        lambda: b"\x1f\x8b\x08\0" + bytes(20), lambda: b"BZh9" + rng.randbytes(50),
        lambda: b"\xfd7zXZ\0" + rng.randbytes(50), lambda: b"Rar!\x1a\7\0",
        lambda: b"7z\xbc\xaf\x27\x1c" + rng.randbytes(40), lambda: zipped({}),
        lambda: tarred({}), lambda: zipped({"cats/": b"", "dogs/": b""}),
        lambda: zipped({"a" * 60_000: b"x"}),
        lambda: zipped({"/".join(["d"] * 2000) + "/x.png": image_file(rng)}),
    ))()  # fmt: skip


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    leading_out, linking, special, bomb, damaged, lying, doubled, badly_named, strange,
    damaged,
)  # fmt: skip


def campaign(seed: int, trials: int, watched: Watched) -> Tally:
    """Each is used or refused in a line; only the contact sheet appears outside it."""
    tally = Tally("archives")
    for number in range(trials):
        rng = random.Random(f"{seed} archives {number}")
        make = KINDS[number % len(KINDS)]
        at = watched.home / f"archives {number}" / "below" / "this"
        at.mkdir(parents=True)
        (at / "photos").write_bytes(make(rng))
        before = tree(at.parents[1])
        said = watched.run(at, "images", "photos", "--image-size", 8)
        what = f"archive {number} ({make.__name__})"
        if watched.judge(tally, what, said):
            tally.count("used" if said.code == 0 else "refused")
        after = tree(at.parents[1])
        for name in gone(before, after):
            if not name.endswith("this"):  # the contact sheet is new in it
                tally.fault("lost", f"{what}: {name!r} was changed")
        for name in after.keys() - before.keys() - {"below/this/contact-sheet.png"}:
            tally.fault("executed", f"{what}: wrote {name!r}")
        if Path("/tmp/CANARY-of-triptych").exists():
            tally.fault("executed", f"{what}: wrote an absolute path")
    return tally
