"""From what a user gives, in a file or by name, to a recipe and its network."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import numpy as np

from triptych.errors import RecipeError, did_you_mean
from triptych.files import read_toml
from triptych.network.architecture import Architecture
from triptych.network.zoo import NOTEBOOKS, ZOO, find_network
from triptych.running.recipe import Recipe, make_recipe


class Options(TypedDict, total=False):
    """What of a recipe is given by name, in Python as on the command line; None means
    not given.
    """

    network: str | Path | Architecture | None
    """A name of the zoo, an architecture file, or an architecture."""
    weights: str | Path | None
    """What training begins with: "imagenet", a file, a run folder, or "random"."""
    train: str | None
    """What is trained: "all", "head" or "last:N"."""
    epochs: int | None
    image_size: int | tuple[int, int] | None
    """Side of the images in pixels, or (height, width)."""
    batch_size: int | None
    seed: int | None
    precision: str | None
    optimizer: str | None
    learning_rate: float | None
    """The top of the schedule."""
    schedule: str | None
    fit: str | None
    resize: str | None
    full: bool | None
    strict: bool | None


SHIPPED = Path(__file__).parent / "recipes"
"""Where Triptych's recipes lie: each of NOTEBOOKS has one beside its network."""


def make_plan(
    tables: Mapping[str, object], given: Mapping[str, object]
) -> tuple[Recipe, Architecture]:
    """The recipe of `tables`, with what was `given` by name on top, and its network,
    not adapted yet.

    The network may be given as an architecture. One of one's own knows its size: the
    recipe takes it if nobody says another.
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
        not shipped
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
    given["schedule"] = {"name": given.pop("schedule", None), "learning_rate": rate}
    return given


def _plain(value: object) -> object:
    """A number of NumPy's as one of Python's; a list is a tuple then."""
    if isinstance(value, tuple | list):
        return tuple(_plain(one) for one in value)
    return value.item() if isinstance(value, np.generic) else value


def read_recipe(recipe: Path | str | Mapping[str, object] | None) -> dict[str, object]:
    """A recipe's tables for `make_recipe`: of a file, of one of NOTEBOOKS, or as given.

    A relative network file is looked for beside it.
    """
    if not isinstance(recipe, str | Path):
        return dict(recipe or {})
    path = Path(recipe)
    if str(path) in NOTEBOOKS:
        path = SHIPPED / f"{path}.toml"
    elif not path.suffix and not os.path.exists(path):
        hint = did_you_mean(str(path), NOTEBOOKS)
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
