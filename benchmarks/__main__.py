"""Measure Triptych and write the page of figures.

Usage: python -m benchmarks [--quick] [--only PART,...] [--images FOLDER] [--out
docs/benchmarks.md]

Figures are stored beside the page (benchmarks.json), one object a part, and the page is
made from all that is stored: with `--only`, the others stay as they are. About an
hour on two cores. `--quick` only shows that everything works: tiny settings, no
figure means anything, nothing is written to docs/, and it fails if anything did.

FOLDER has train/<class>/ and test/<class>/; without it, the built-in sports are drawn
and kept as JPEG files of 224 px.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks import (
    accuracy,
    anew,
    ejected,
    epochs,
    growth,
    limits,
    overhead,
    pages,
    startup,
    steps,
)
from benchmarks import images as images_part
from benchmarks.folders import draw_sports, files_of
from benchmarks.measuring import (
    ROOT,
    Images,
    Part,
    Settings,
    Values,
    attempt,
    say,
    versions,
)
from triptych.errors import did_you_mean
from triptych.files import write_atomic
from triptych.images.split import TEST, TRAIN
from triptych.running.machine import machine

TABLE_WIDTH = 140
"""Characters: in a log, too, each figure stands on a line of its own."""

PARTS: dict[str, Part] = {
    module.PART.name: module.PART
    for module in (
        limits,
        steps,
        epochs,
        accuracy,
        overhead,
        ejected,
        anew,
        startup,
        growth,
        images_part,
    )
}
"""In the order of the page."""
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> None:
    """Read the command line, measure, store, render."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--quick", action="store_true", help="only show that everything works"
    )
    options.add_argument("--only", metavar="PART,...", help=f"of {', '.join(PARTS)}")
    options.add_argument(
        "--images", type=Path, metavar="FOLDER", help="the drawn sports otherwise"
    )
    options.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the page; docs/benchmarks.md otherwise",
    )
    asked = options.parse_args()
    chosen = (
        [name.strip() for name in asked.only.split(",")] if asked.only else list(PARTS)
    )
    for name in chosen:
        if name not in PARTS:
            options.error(f"there is no part {name!r}: {did_you_mean(name, PARTS)}")
    if asked.images and not all(
        (asked.images / part).is_dir() for part in ("train", "test")
    ):
        options.error(f"{asked.images}: needs train/<class>/ and test/<class>/")
    page = asked.out or (
        Path(tempfile.mkdtemp(prefix="triptych-bench-")) / PAGE.name
        if asked.quick
        else PAGE
    )

    stored = pages.read(page.with_suffix(".json"))
    with tempfile.TemporaryDirectory(
        prefix="triptych-bench-", ignore_cleanup_errors=True
    ) as scratch:
        here = Path(scratch)
        images = functools.cache(lambda: find(asked.images, asked.quick, here))
        settings = Settings(asked.quick, here, images)
        for name in chosen:
            stored[name] = measured(PARTS[name], settings)
            pages.write(page.with_suffix(".json"), stored)
            write_page(page, stored)
    measured_now = {name: stored[name] for name in chosen}
    Console(width=TABLE_WIDTH).print(pages.table(PARTS, measured_now))
    print(page)
    if asked.quick and (reasons := pages.failures(measured_now)):
        sys.exit("\n".join(["these failed:", *reasons]))


def find(folder: Path | None, quick: bool, scratch: Path) -> Images:
    """The images that were asked for, or the built-in ones as files."""
    if folder is not None:
        return Images(folder.resolve(), drawn=False)
    say("  drawing the sports")
    return Images(draw_sports(scratch / "sports", quick), drawn=True)


def measured(part: Part, settings: Settings) -> Values:
    """What is stored of a part: its raw values, and what one needs to repeat them."""
    say(f"{part.name} (up to {part.budget:.0f} s)")
    used: list[Images] = []

    def images() -> Images:
        used[:] = [settings.images()]
        return used[0]

    folder = settings.scratch / part.name
    folder.mkdir()
    started = time.monotonic()
    values = attempt(part.measure, Settings(settings.quick, folder, images))
    return {
        "command": command(part.name, settings.quick, used),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
        "quick": settings.quick,
        "images": describe(used[0]) if used else None,
        "versions": versions(),
        "machine": msgspec.to_builtins(machine()),
        "values": without_paths(
            values,
            {settings.scratch: "SCRATCH", **{one.folder: "FOLDER" for one in used}},
        ),
    }


def command(name: str, quick: bool, used: list[Images]) -> str:
    """What repeats it; a folder's path says nothing to others."""
    options = ["--quick"] * quick + [f"--only {name}"]
    options += ["--images FOLDER" for one in used if not one.drawn]
    return " ".join(["python -m benchmarks", *options])


def describe(images: Images) -> str:
    """What was measured with, in words."""
    train, test = (len(files_of(images.folder, part)) for part in (TRAIN, TEST))
    what = (
        "the built-in sports, drawn, as JPEG files"
        if images.drawn
        else "a folder of one's own"
    )
    return f"{what}: {train:,} to train, {test:,} to test"


def without_paths(values: Values, names: Mapping[Path, str]) -> Values:
    """The same with words for the paths of this machine, which messages may hold."""
    text = json.dumps(values)
    for path, name in {**names, ROOT: "."}.items():
        text = text.replace(json.dumps(str(path))[1:-1], name)
    found: Values = json.loads(text)
    return found


def write_page(page: Path, stored: dict[str, Values]) -> None:
    """The page, and the plot beside it once there is something to plot."""
    write_atomic(page, pages.render(PARTS, stored))
    if "growth" in stored and "over" in stored["growth"]["values"]:
        write_atomic(
            page.with_name("growth.svg"), growth.plot(stored["growth"]["values"])
        )


if __name__ == "__main__":
    main()
