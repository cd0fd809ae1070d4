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
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from triptych.errors import (
    RecipeError,
    UsageError,
    check_least,
    quote,
)
from triptych.files import from_table, merge, to_toml
from triptych.frameworks import registry
from triptych.frameworks.contract import Optimizer
from triptych.images.augment import Augmentation
from triptych.network import conventions
from triptych.network.conventions import OptimizerName, Precision
from triptych.network.layers import pair
from triptych.network.zoo import NOTEBOOKS as NOTEBOOKS
from triptych.running.schedule import Schedule

Fit = Literal["squash", "crop", "pad"]
Resize = Literal["bilinear", "bicubic", "nearest"]
Keep = Literal["best", "last"]
Balance = Literal["none", "sampling"]
T = TypeVar("T")

RANDOM = "random"
"""Weights that are drawn from the seed."""

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
    weights: str = RANDOM
    """What training begins with: drawn from the seed, "imagenet", a file or a run."""
    ignore: tuple[str, ...] = ()
    """Tensors of those weights that may be missing, misshapen or not expected: names,
    or patterns such as "head.*".
    """
    train: str = "all"
    """What is trained: "all", the "head", or "last:N" layers with kernels; the rest
    stays as it is.
    """
    head_epochs: int = 0
    """Where all is trained: for how many epochs the head is, before that."""
    views: int = 1
    """How many views of each training image the part that stays as it is is shown: the
    image itself, then such as the augmentation makes.
    """
    frameworks: tuple[str, ...] = registry.DEFAULT
    epochs: int = 15
    patience: int = 0
    """After how many epochs without a better validation accuracy training stops; 0 for
    never.
    """
    minutes: float = 0.0
    """How long the epochs may take, training and validation; 0 for any time."""
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
    balance: Balance = "none"
    """Whether an epoch shows each training image once, or draws as many so that every
    class is equally likely.
    """
    keep: Keep = "best"
    """Whose weights are kept and tested: the epoch's that is best on the validation
    part, or the last's.
    """

    def __post_init__(self) -> None:
        for name, least in {
            "epochs": 1,
            "batch_size": 1,
            "seed": 0,
            "patience": 0,
        }.items():
            check_least(name, getattr(self, name), least, RecipeError)
        for side in pair(self.image_size):
            check_least("a side of image_size", side, 4, RecipeError, most=1024)
        if not 0 <= self.minutes < math.inf:
            raise RecipeError(
                f"minutes is {self.minutes}, but must be 0 or more and finite"
            )
        _check_trained(self)
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

    @property
    def trained_layers(self) -> int | None:
        """How many of the last layers with kernels are trained; None if all are."""
        if self.train == "all":
            return None
        return 1 if self.train == "head" else int(self.train.removeprefix("last:"))

    def of_the_head(self) -> Recipe:
        """The recipe of the first stage, if the head is trained first."""
        rate = LEARNING_RATES[self.optimizer.name]
        return dataclasses.replace(
            self,
            train="head",
            epochs=self.head_epochs,
            head_epochs=0,
            patience=0,
            minutes=0.0,
            augmentation=None,
            keep="best",
            schedule=Schedule(learning_rate=rate),
        )

    def summary(self) -> str:
        """What decides the run, in a line."""
        height, width = pair(self.image_size)
        optimizer, schedule, moved = self.optimizer, self.schedule, self.augmentation
        changed = moved.words if moved else "no augmentation"
        ends = f"{self.epochs} epoch(s)"
        if self.patience:
            ends += f" (patience {self.patience})"
        if self.minutes:
            ends += f" (at most {self.minutes:g} minutes)"
        warmed = f" after a warm-up of {schedule.warm_up:.3g}" * bool(schedule.warm_up)
        balanced = ", classes balanced" * (self.balance == "sampling")
        begun = "" if self.weights == RANDOM else f" from {self.weights} weights"
        trained = "" if self.train == "all" else f" ({self.train} trained)"
        return (
            f"{self.network}{begun}{trained} on {self.images}{', full' * self.full}, "
            f"{width} x {height} pixels ({self.fit}){balanced}, {ends} "
            f"in batches of {self.batch_size}, {optimizer.name} with {schedule.name} "
            f"{schedule.learning_rate:g}{warmed}, {changed}, {self.precision}, "
            f"seed {self.seed}"
        )

    def to_toml(self) -> str:
        """The recipe file; `make_recipe(read_toml(...))` gives an equal recipe."""
        tables = dataclasses.asdict(self)
        if self.augmentation is None:
            tables["augmentation"] = False
        return to_toml(tables)


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


PRETRAINED: dict[str, object] = {"train": "head", "fit": "crop"}
"""What training begins from where weights of others do: their last layer, on images as
such networks have been shown them.
"""
TRAINED_ON: dict[str, object] = {
    "fit": "crop",
    "epochs": 5,
    "schedule": {"learning_rate": 3e-4},
}
"""The same where all layers are trained: in small steps, not to lose what they know."""


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
    plain = _shows_images_once(merged) and "augmentation" not in merged
    if plain or merged.get("augmentation") is False:
        merged.pop("augmentation", None)
    else:
        moved = _part(Augmentation, "augmentation", _table(merged, "augmentation"))
    recipe = dataclasses.replace(
        from_table(Recipe, merged, RecipeError),
        optimizer=chosen,
        schedule=_part(Schedule, "schedule", schedule),
        augmentation=moved,
    )
    _check_views(recipe)
    return recipe


def _merged(tables: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Tables on top of each other, and of the defaults of a built-in set."""
    given: dict[str, object] = {}
    for table in tables:
        _check_tables(table)
        merge(given, table)
    merged: dict[str, object] = {}
    defaults = _defaults(given)
    optimizer = given.get("optimizer")
    if isinstance(optimizer, Mapping) and "name" in optimizer:
        defaults.pop("schedule", None)  # its learning rate is AdamW's
    merge(merged, defaults)
    if _shows_images_once(merged | given) and "augmentation" not in given:
        merged.pop("augmentation", None)
    merge(merged, given)
    _leave_shift_to_crops(merged, given)
    return merged


def _leave_shift_to_crops(
    merged: dict[str, object], given: Mapping[str, object]
) -> None:
    """Crops move images by themselves; they are shifted as well if somebody says so."""
    own, moved = given.get("augmentation"), merged.get("augmentation")
    if (
        isinstance(own, Mapping)
        and isinstance(moved, dict)
        and own.get("crop")
        and own.get("shift") is None
    ):
        moved["shift"] = 0.0


def _defaults(given: Mapping[str, object]) -> dict[str, object]:
    """What a built-in set starts from, or whatever begins with weights of others."""
    if given.get("weights", RANDOM) == RANDOM:
        return dict(DEFAULTS.get(str(given.get("images", Recipe.images)), {}))
    return dict(PRETRAINED if given.get("train", "head") != "all" else TRAINED_ON)


def _shows_images_once(tables: Mapping[str, object]) -> bool:
    """Whether a part stays as it is and is shown each image as it is, so that there is
    nothing to move.
    """
    return tables.get("train", "all") != "all" and tables.get("views", 1) == 1


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


def _check_trained(recipe: Recipe) -> None:
    if not re.fullmatch(r"all|head|last:[1-9]\d{0,3}", recipe.train):
        raise RecipeError(
            f"train is {quote(recipe.train)}, but must be all, head or last:N, "
            "with N the number of the last layers to train"
        )
    check_least("views", recipe.views, 1, RecipeError, most=1000)
    check_least("head_epochs", recipe.head_epochs, 0, RecipeError)
    if recipe.train != "all" and recipe.head_epochs:
        raise RecipeError(
            'head_epochs are for train = "all", before which the head is trained; '
            "leave them out"
        )
    if recipe.train == "all" and recipe.views > 1:
        raise RecipeError(
            "views are of what stays as it is, but all is trained; "
            'leave them out, or train = "head"'
        )


def _check_views(recipe: Recipe) -> None:
    """Whether what moves the images is seen by something."""
    if recipe.views > 1 and recipe.augmentation is None:
        raise RecipeError("views need an augmentation that tells them apart")
    if recipe.train != "all" and recipe.views == 1 and recipe.augmentation is not None:
        raise RecipeError(
            "augmentation: what stays as it is is shown each image once; "
            "set views, to 4 perhaps, for it to see moved ones"
        )


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
