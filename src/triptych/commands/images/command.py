"""`triptych images` and `cache` on the command line."""

from __future__ import annotations

from pathlib import Path

import click

from triptych.command_line import IMAGES, JSON, Command, print_json


@click.command(cls=Command)
@click.argument("source", metavar=IMAGES)
@click.option(
    "--image-size",
    type=int,
    default=96,
    show_default=True,
    metavar="PX",
    help="Height and width to which images are resized.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    default=Path("contact-sheet.png"),
    show_default=True,
    metavar="FILE",
    help="Where the contact sheet goes.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Random seed of the split.",
)
@click.option(
    "--save-to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also save the decoded images as PNG files in this folder.",
)
@click.option("--full", is_flag=True, help="The full sports set: 7,096 + 1,775 images.")
@click.option(
    "--strict", is_flag=True, help="Stop with exit code 2 if any image has a problem."
)
@JSON
def images(
    source: str,
    image_size: int,
    sheet: Path,
    seed: int,
    save_to: Path | None,
    full: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Inspect a folder or archive of images: problems, class counts, contact sheet."""
    import msgspec

    from triptych.commands.images.terminal import images_table
    from triptych.errors import UsageError, check_least
    from triptych.images.export import save_images
    from triptych.images.found import describe
    from triptych.images.sheet import contact_sheet
    from triptych.images.source import open_images
    from triptych.images.split import split
    from triptych.terminal import ImagesProgress, problem_lines, show

    check_least("--seed", seed, 0)
    check_least("--image-size", image_size, 4, most=1024)
    if full and source != "sports":
        raise UsageError("--full is for the sports only; leave it out")
    with ImagesProgress() as progress:
        store = open_images(
            source,
            size=(image_size, image_size),
            full=full,
            strict=strict,
            progress=progress.prepared,
        )
    if save_to is not None:
        save_images(store, save_to)
    contact_sheet(store, sheet)
    found = describe(store, split(store.labels, store.parts, seed))
    if as_json:
        print_json({**msgspec.to_builtins(found), "sheet": str(sheet)})
    else:
        show(*problem_lines(found), images_table(found), f"Contact sheet: {sheet}")


@click.command(cls=Command)
@click.option(
    "--clear",
    is_flag=True,
    help="Empty the cache; runs still work, and decode again when they must.",
)
@JSON
def cache(clear: bool, as_json: bool) -> None:
    """Show the cache of decoded images, or clear it."""
    from triptych.commands.images.terminal import cache_parts
    from triptych.files import cache_folder
    from triptych.images import cache
    from triptych.terminal import show

    if clear:
        stores, size = cache.clear()
        print_json({"stores": stores, "bytes": size}) if as_json else show(
            f"{stores} store(s) deleted, {size / 2**20:,.1f} MiB freed"
        )
    elif as_json:
        print_json(cache.list_stores())
    else:
        show(*cache_parts(cache.list_stores(), cache_folder()))
