"""Images of a store as files again: built-in sets for programs that know folders."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from triptych.errors import UsageError
from triptych.files import writing
from triptych.images.store import Store


def save_images(store: Store, folder: Path) -> None:
    """Write every image to `folder` as a PNG, under its name in the store; `scan`
    gives the same store.

    Raises UsageError if the folder holds anything already, RunFolderError if it cannot
    be written.
    """
    with writing(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder}: already exists; choose another --save-to")
        for name, image in zip(store.names, store.images, strict=True):
            path = folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
