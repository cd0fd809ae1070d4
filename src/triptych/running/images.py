"""The images of a recipe, opened while somebody hears how far it is."""

from __future__ import annotations

from collections.abc import Callable

from triptych.images.source import open_images
from triptych.images.store import Store
from triptych.network.layers import pair
from triptych.running.protocol import Callback, ImagesPrepared
from triptych.running.recipe import Recipe


def images_of(recipe: Recipe, callback: Callback) -> Store:
    """The images that a recipe names, as it wants them; raises as `open_images`."""
    return open_images(
        recipe.images,
        size=pair(recipe.image_size),
        fit=recipe.fit,
        resize=recipe.resize,
        full=recipe.full,
        strict=recipe.strict,
        progress=of_images(callback),
    )


def of_images(callback: Callback) -> Callable[[int, int], None]:
    """What opening images tells its progress to, so that `callback` hears of it."""
    return lambda done, total: callback("images", ImagesPrepared(done, total))
