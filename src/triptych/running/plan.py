"""From what a user gives, in a file or by name, to a recipe and its network."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from triptych.errors import RecipeError, did_you_mean
from triptych.files import read_toml
from triptych.images.split import split
from triptych.network import pretrained
from triptych.network.architecture import Architecture
from triptych.network.zoo import NOTEBOOKS, ZOO, find_network
from triptych.running.recipe import DEFAULTS, RANDOM, Recipe, make_recipe

if TYPE_CHECKING:  # loads Pillow
    from triptych.images.store import Store


class Options(TypedDict, total=False):
    """What of a recipe is given by name, in Python as on the command line; None means
    not given.
    """

    network: str | Path | Architecture | None
    """A name of the zoo, an architecture file, or an architecture."""
    weights: str | Path | None
    """What training begins with: "imagenet", a file, a run folder, or "random"."""
    ignore: tuple[str, ...] | None
    """Tensors of those that may be missing, misshapen or not expected: "head.*"."""
    train: str | None
    """What is trained: "all", "head" or "last:N"."""
    epochs: int | None
    patience: int | None
    """After how many epochs without a better validation accuracy training stops."""
    minutes: float | None
    """How long the epochs may take."""
    image_size: int | tuple[int, int] | None
    """Side of the images in pixels, or (height, width)."""
    batch_size: int | None
    seed: int | None
    precision: str | None
    optimizer: str | None
    learning_rate: float | None
    """The top of the schedule."""
    schedule: str | None
    warm_up: float | None
    """Share of the steps over which the learning rate rises."""
    fit: str | None
    resize: str | None
    full: bool | None
    strict: bool | None
    balance: str | None
    """"none" or "sampling"; None decides by the images."""


SHIPPED = Path(__file__).parent / "recipes"
"""Where Triptych's recipes lie: each of NOTEBOOKS has one beside its network."""
RECIPES = (*NOTEBOOKS, "fine-tune")
"""Their names."""


PHOTOS = "efficientnet-lite0"
"""The network for a folder of photos, if its weights are installed."""
DRAWN = "compact-cnn"
"""The one otherwise, from random weights."""
LEAST = 128
"""The side of an image in pixels from which on weights of photographs are of use."""


def choose_network(
    tables: Mapping[str, object], given: Mapping[str, object]
) -> tuple[dict[str, object], str | None]:
    """What was `given`, with a network and weights if the images are a folder of the
    user's and nobody has named any; and a line that says which, and why.
    """

    def said(key: str) -> object:
        return tables.get(key) if given.get(key) is None else given[key]

    images, weights = said("images"), said("weights")
    if said("network") is not None:
        return dict(given), None
    if weights not in (None, RANDOM):
        return {**given, "network": _network_of(str(weights))}, None
    of_the_user = isinstance(images, str | Path) and str(images) not in DEFAULTS
    if weights == RANDOM or not of_the_user:
        return dict(given), None
    size = said("image_size")
    if isinstance(size, int) and size < LEAST:
        why = f"for images of {size} pixels; --network names another"
        return {**given, "network": DRAWN}, f"{DRAWN} from random weights, {why}"
    if missing := pretrained.missing(PHOTOS):
        why = f"since no network was named; {missing}"
        return {**given, "network": DRAWN}, f"{DRAWN} from random weights, {why}"
    what = f"{PHOTOS} with {pretrained.IMAGENET} weights, of which the head is trained"
    if said("train") is not None:
        what = f"{PHOTOS} with {pretrained.IMAGENET} weights"
    why = "since no network was named and they are installed; --network names another"
    return (
        {**given, "network": PHOTOS, "weights": pretrained.IMAGENET},
        f"{what}, {why}",
    )


def _network_of(weights: str) -> str | None:
    """The network that weights are of, where they say so; None where they do not."""
    if weights == pretrained.IMAGENET:
        return PHOTOS
    for folder in (Path(weights), Path(weights).parent):
        if (folder / "network.toml").is_file():  # a run's, or a framework's in a run
            return str(folder / "network.toml")
    return None


UNEVEN = 3
"""From how many times the images of the smallest class on the largest is too large."""


def choose_balance(
    recipe: Recipe,
    tables: Mapping[str, object],
    given: Mapping[str, object],
    store: Store,
) -> tuple[Recipe, str | None]:
    """The recipe with classes balanced if nobody has said how they are to be drawn and
    the largest has more than UNEVEN times the training images of the smallest; and a
    line that says so.
    """
    if tables.get("balance") is not None or given.get("balance") is not None:
        return recipe, None
    train = split(store.labels, store.parts, recipe.seed).train
    counts = np.bincount(store.labels[train])
    least, most = int(counts[counts > 0].min()), int(counts.max())
    if most <= UNEVEN * least:
        return recipe, None
    return dataclasses.replace(recipe, balance="sampling"), (
        f"every class is drawn equally often, since the largest has {most:,} training "
        f"images and the smallest {least:,}; --balance none shows each image once"
    )


def make_plan(
    tables: Mapping[str, object], given: Mapping[str, object]
) -> tuple[Recipe, Architecture]:
    """The recipe of `tables`, with what was `given` by name on top, and its network,
    not adapted yet.

    The network may be given as an architecture. One of one's own knows its size, and so
    does one with weights of others: the recipe takes it if nobody says another.
    """
    network = given.get("network")
    if isinstance(network, Architecture):
        recipe, architecture, shipped = (
            make_recipe(tables, {**given, "network": network.name}),
            network,
            False,
        )
    else:
        recipe = make_recipe(tables, given)
        architecture, shipped = find_network(recipe.network), recipe.network in ZOO
    if (
        (not shipped or recipe.weights != RANDOM)
        and tables.get("image_size") is None
        and given.get("image_size") is None
    ):
        height, width, _ = architecture.input_shape
        recipe = dataclasses.replace(recipe, image_size=(height, width))
    return recipe, architecture


def tables_of(options: Options) -> dict[str, object]:
    """Options as they stand in a recipe file, but for a network that is given as an
    architecture.
    """
    given: dict[str, object] = {key: _plain(one) for key, one in options.items()}
    for key in ("network", "weights"):
        if isinstance(given.get(key), Path):
            given[key] = str(given[key])
    given["optimizer"] = {"name": given.pop("optimizer", None)}
    rate = given.pop("learning_rate", None)
    given["schedule"] = {
        "name": given.pop("schedule", None),
        "learning_rate": rate,
        "warm_up": given.pop("warm_up", None),
    }
    return given


def _plain(value: object) -> object:
    """A number of NumPy's as one of Python's; a list is a tuple then."""
    if isinstance(value, tuple | list):
        return tuple(_plain(one) for one in value)
    return value.item() if isinstance(value, np.generic) else value


def read_recipe(recipe: Path | str | Mapping[str, object] | None) -> dict[str, object]:
    """A recipe's tables for `make_recipe`: of a file, of one of RECIPES, or as given.

    A relative network file is looked for beside it.
    """
    if not isinstance(recipe, str | Path):
        return dict(recipe or {})
    path = Path(recipe)
    if str(path) in RECIPES:
        path = SHIPPED / f"{path}.toml"
    elif not path.suffix and not os.path.exists(path):
        hint = did_you_mean(str(path), RECIPES)
        raise RecipeError(
            f"there is no recipe {str(path)!r}: {hint}; "
            "a recipe of your own is a .toml file"
        )
    tables = read_toml(path, RecipeError)
    network = tables.get("network")
    if (
        isinstance(network, str)
        and network.endswith(".toml")
        and not Path(network).is_absolute()
    ):
        tables["network"] = str(path.parent / network)
    return tables
