"""Everything that decides a run: a frozen dataclass, TOML in and out.

A recipe file may hold any part of it; the command line's options come on top::

    images = "photos"
    network = "compact-cnn"
    epochs = 20

    [schedule]
    name = "cosine"
    learning_rate = 0.001
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict, TypeVar

import numpy as np

from triptych.errors import RecipeError, UsageError, check_least, did_you_mean
from triptych.files import from_table, merge, read_toml, to_toml
from triptych.frameworks import registry
from triptych.frameworks.contract import Optimizer
from triptych.images.augment import Augmentation
from triptych.network import conventions
from triptych.network.architecture import Architecture
from triptych.network.conventions import OptimizerName, Precision
from triptych.network.layers import pair
from triptych.network.zoo import NOTEBOOKS as NOTEBOOKS
from triptych.network.zoo import ZOO, find_network
from triptych.running.schedule import Schedule

Fit = Literal["squash", "crop", "pad"]
Resize = Literal["bilinear", "nearest"]
Keep = Literal["best", "last"]
T = TypeVar("T")

LEARNING_RATES: dict[OptimizerName, float] = {
    "sgd": 0.05,
    "nesterov": 0.05,
    "adam": 3e-3,
    "adamw": 3e-3,
    "rmsprop": 1e-3,
}
"""The top of the schedule when none is given: what trains the zoo well at batch 32."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run; two runs of equal recipes on equal images are
    equal runs.
    """

    images: str = "sports"
    network: str = "sports-cnn"
    """A name of the zoo or an architecture file."""
    frameworks: tuple[str, ...] = registry.DEFAULT
    epochs: int = 15
    batch_size: int = 32
    image_size: int | tuple[int, int] = 64
    """Side of the images in pixels, or [height, width]."""
    fit: Fit = "squash"
    resize: Resize = "bilinear"
    full: bool = False
    """The built-in sports set at the talk's size: 7,096 and 1,775 images instead of
    1,800 and 450.
    """
    strict: bool = False
    """Whether any problem with the images ends the run."""
    seed: int = 0
    precision: Precision = "float32"
    optimizer: Optimizer = field(default_factory=lambda: make_optimizer({}))
    schedule: Schedule = field(default_factory=Schedule)
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    keep: Keep = "best"
    """Whose weights are kept and tested: the epoch's that is best on the validation
    part, or the last's.
    """

    def __post_init__(self) -> None:
        for name, least in {"epochs": 1, "batch_size": 1, "seed": 0}.items():
            check_least(name, getattr(self, name), least, RecipeError)
        for side in pair(self.image_size):
            check_least("a side of image_size", side, 4, RecipeError, most=1024)
        if self.full and self.images != "sports":
            raise RecipeError("full is for the sports only; leave it out")
        if not self.frameworks:
            raise RecipeError("frameworks: name one or more")
        for name in self.frameworks:
            try:
                registry.find(name).check_precision(self.precision)
            except UsageError as reason:
                raise RecipeError(f"frameworks: {reason}") from None
        if len(set(self.frameworks)) < len(self.frameworks):
            raise RecipeError("frameworks: name each only once")
        _check_optimizer(self.optimizer)

    def summary(self) -> str:
        """What decides the run, in a line."""
        height, width = pair(self.image_size)
        optimizer, schedule, moved = self.optimizer, self.schedule, self.augmentation
        changed = (
            f"{'flips and ' * moved.flip}shifts of {moved.shift:.3g}"
            if moved
            else "no augmentation"
        )
        return (
            f"{self.network} on {self.images}{', full' * self.full}, "
            f"{width} x {height} pixels ({self.fit}), {self.epochs} epoch(s) "
            f"in batches of {self.batch_size}, {optimizer.name} with {schedule.name} "
            f"{schedule.learning_rate:g}, {changed}, {self.precision}, seed {self.seed}"
        )

    def to_toml(self) -> str:
        """The recipe file; `make_recipe(read_toml(...))` gives an equal recipe."""
        tables = dataclasses.asdict(self)
        if self.augmentation is None:
            tables["augmentation"] = False
        return to_toml(tables)


class Options(TypedDict, total=False):
    """What of a recipe is given by name, in Python as on the command line; None means
    not given.
    """

    network: str | Path | Architecture | None
    """A name of the zoo, an architecture file, or an architecture."""
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


DEFAULTS: dict[str, dict[str, object]] = {
    "sports": {
        "image_size": 48,
        "epochs": 7,
        "batch_size": 30,
        "schedule": {"learning_rate": 1e-3},
        "augmentation": {"shift": 1 / 16},
    },
    "digits": {
        "network": "lenet",
        "image_size": 32,
        "epochs": 5,
        "augmentation": {"flip": False},
    },
}
"""What a built-in set starts from: a first run of two minutes on two cores.

Batches of 30, which leave no shorter one at the end: frameworks that compile would
compile again for it.
"""


def make_recipe(*tables: Mapping[str, object]) -> Recipe:
    """A recipe from tables, later ones on top of earlier ones and of the defaults.

    A value of None counts as not given. Raises RecipeError, naming the key, for what is
    unknown or of a wrong type or value.
    """
    merged = _merged(tables)
    chosen = make_optimizer(_table(merged, "optimizer"))
    rate = LEARNING_RATES[chosen.name]
    schedule = {"learning_rate": rate, **_table(merged, "schedule")}
    moved = None
    if merged.get("augmentation") is False:
        merged.pop("augmentation")
    else:
        moved = _part(Augmentation, "augmentation", _table(merged, "augmentation"))
    return dataclasses.replace(
        from_table(Recipe, merged, RecipeError),
        optimizer=chosen,
        schedule=_part(Schedule, "schedule", schedule),
        augmentation=moved,
    )


def _merged(tables: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Tables on top of each other, and of the defaults of a built-in set."""
    given: dict[str, object] = {}
    for table in tables:
        _check_tables(table)
        merge(given, table)
    merged: dict[str, object] = {}
    defaults = dict(DEFAULTS.get(str(given.get("images", Recipe.images)), {}))
    optimizer = given.get("optimizer")
    if isinstance(optimizer, Mapping) and "name" in optimizer:
        defaults.pop("schedule", None)  # its learning rate is AdamW's
    merge(merged, defaults)
    merge(merged, given)
    return merged


def _check_tables(table: Mapping[str, object]) -> None:
    """Raise RecipeError where a table should be and is not: laid under another, it
    would be forgotten.
    """
    for key in ("optimizer", "schedule", "augmentation"):
        off = key == "augmentation" and table.get(key) is False
        if not (off or isinstance(table.get(key), Mapping | None)):
            raise RecipeError(f"{key}: must be a table, as in [{key}]")


def make_optimizer(table: Mapping[str, object]) -> Optimizer:
    """An optimizer, AdamW by default; AdamW comes with a weight decay, the others
    without.
    """
    name = table.get("name", "adamw")
    decay = conventions.ADAMW_WEIGHT_DECAY if name == "adamw" else 0.0
    return _part(Optimizer, "optimizer", {"name": name, "weight_decay": decay, **table})


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
    if isinstance(given.get("network"), Path):
        given["network"] = str(given["network"])
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


def _table(tables: dict[str, object], key: str) -> dict[str, object]:
    """Take the table `key` out of `tables`; empty if it is not there."""
    table = tables.pop(key, {})
    assert isinstance(table, dict)
    return table


def _part(cls: type[T], name: str, table: Mapping[str, object]) -> T:
    try:
        return from_table(cls, table, RecipeError)
    except RecipeError as reason:
        raise RecipeError(f"{name}: {str(reason).removeprefix(f'{name}: ')}") from None


def _check_optimizer(optimizer: Optimizer) -> None:
    ranges = {
        "momentum": (0, 1),
        "beta1": (0, 1),
        "beta2": (0, 1),
        "rho": (0, 1),
        "label_smoothing": (0, 1),
        "epsilon": (0, math.inf),
        "weight_decay": (0, math.inf),
    }
    for name, (least, below) in ranges.items():
        if not least <= getattr(optimizer, name) < below:
            value = getattr(optimizer, name)
            raise RecipeError(
                f"optimizer: {name} is {value}, but must be in [{least}, {below})"
            )
