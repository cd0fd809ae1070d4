"""The pictures of a recipe, opened while somebody hears how far it is."""

from __future__ import annotations

from collections.abc import Callable

from triptych.images.source import open_pictures
from triptych.images.store import Store
from triptych.network.layers import pair
from triptych.running.protocol import Callback, ImagesPrepared
from triptych.running.recipe import Recipe


def pictures_of(recipe: Recipe, callback: Callback) -> Store:
    """The pictures that a recipe names, as it wants them; raises as `open_pictures`."""
    return open_pictures(
        recipe.pictures,
        size=pair(recipe.size),
        fit=recipe.fit,
        resize=recipe.resize,
        full=recipe.full,
        strict=recipe.strict,
        progress=of_pictures(callback),
    )


def of_pictures(callback: Callback) -> Callable[[int, int], None]:
    """What opening pictures tells its progress to, so that `callback` hears of it."""
    return lambda done, total: callback("images", ImagesPrepared(done, total))
