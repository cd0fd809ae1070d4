"""Images and the cache on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from triptych.images.cache import StoreFacts
from triptych.images.found import ImagesFound
from triptych.terminal import table


def images_table(found: ImagesFound) -> Table:
    """Counts per class and part."""
    shown = table(title=f"{found.source}: {len(found.classes)} classes")
    shown.add_column("class")
    parts = ("train", "validation", "test")
    for part in parts:
        shown.add_column(part, justify="right")
    for number, name in enumerate(found.classes):
        shown.add_row(
            name, *(f"{found.class_counts[part][number]:,}" for part in parts)
        )
    shown.add_section()
    shown.add_row("all", *(f"{getattr(found, part):,}" for part in parts))
    return shown


def cache_parts(stores: Sequence[StoreFacts], folder: Path) -> list[RenderableType]:
    """What is kept, and where."""
    if not stores:
        return [f"The cache is empty: {folder}"]
    shown = table(title=str(folder))
    for heading in ("images", "source", "size", "MiB", "created"):
        shown.add_column(heading, justify="left" if heading == "source" else "right")
    for store in stores:
        height, width = store.size
        shown.add_row(
            f"{store.images:,}",
            store.source,
            f"{height} x {width}",
            f"{store.bytes / 2**20:,.1f}",
            store.made[:16].replace("T", " "),
        )
    return [shown, "Clear it with: triptych cache --clear"]
