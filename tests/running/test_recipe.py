"""Recipes: what is refused and how, what is filled in, and their file."""

from __future__ import annotations

import copy
import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import RecipeError
from triptych.files import read_toml
from triptych.frameworks.contract import Optimizer
from triptych.frameworks.registry import REGISTRY
from triptych.images.augment import Augmentation
from triptych.network.conventions import OptimizerName, Precision
from triptych.running import recipe
from triptych.running.plan import read_recipe
from triptych.running.recipe import (
    DEFAULTS,
    Balance,
    Fit,
    Recipe,
    make_optimizer,
    make_recipe,
)
from triptych.running.schedule import Schedule, ScheduleName

NAN, INF = math.nan, math.inf

BAD: list[tuple[dict[str, Any], str]] = [
    ({"epoks": 3}, r"unknown key 'epoks': did you mean 'epochs'\?"),
    ({"epochs": 0}, "epochs is 0, but must be 1 or more"),
    ({"epochs": 1.5}, "expected int, got float for epochs"),
    ({"epochs": "3"}, "expected int, got str for epochs"),
    ({"epochs": True}, "expected int, got bool for epochs"),
    ({"batch_size": 0}, "batch_size is 0, but must be 1 or more"),
    ({"batch_size": -8}, "batch_size is -8"),
    ({"seed": -1}, "seed is -1, but must be 0 or more"),
    ({"image_size": 3}, "a side of image_size is 3, but must be 4 to 1,024"),
    ({"image_size": 1025}, "image_size is 1025"),
    ({"image_size": [64, 2]}, "a side of image_size is 2, but must be 4 to 1,024"),
    ({"image_size": [64]}, "for image_size"),
    ({"image_size": [64, 64, 3]}, "for image_size"),
    ({"image_size": "64"}, "for image_size"),
    ({"fit": "squish"}, r"unknown fit 'squish': did you mean 'squash'\?"),
    (
        {"precision": "float16"},
        "unknown precision 'float16': known: bfloat16, ",
    ),
    ({"images": 3}, "for images"),
    ({"network": 3}, "for network"),
    ({"full": "yes"}, "for full"),
    ({"full": True, "images": "photos"}, "full is for the sports only"),
    ({"strict": 1}, "for strict"),
    ({"frameworks": []}, "frameworks: name one or more"),
    ({"frameworks": "keras"}, "for frameworks"),
    ({"frameworks": [1]}, "for frameworks"),
    ({"frameworks": ["keras", "keras"]}, "frameworks: name each only once"),
    (
        {"frameworks": ["keras", "pytorhc"]},
        r"framework.*'pytorhc': did you mean 'pytorch'\?",
    ),
    ({"optimizer": "adam"}, r"optimizer: must be a table, as in \[optimizer\]"),
    ({"optimizer": 5}, r"optimizer: must be a table, as in \[optimizer\]"),
    (
        {"optimizer": {"name": "adan"}},
        r"optimizer: unknown name 'adan': did you mean 'adam'\?",
    ),
    (
        {"optimizer": {"nam": "adam"}},
        r"optimizer: unknown key 'nam': did you mean 'name'\?",
    ),
    (
        {"optimizer": {"momentum": 1.0}},
        r"optimizer: momentum is 1.0, but must be in \[0, 1\)",
    ),
    ({"optimizer": {"momentum": -0.1}}, "optimizer: momentum is -0.1"),
    ({"optimizer": {"beta1": 1.0}}, "optimizer: beta1 is 1.0"),
    ({"optimizer": {"beta2": NAN}}, "optimizer: beta2 is nan"),
    ({"optimizer": {"rho": 1.0}}, "optimizer: rho is 1.0"),
    ({"optimizer": {"epsilon": -1e-8}}, "optimizer: epsilon is -1e-08"),
    ({"optimizer": {"epsilon": INF}}, "optimizer: epsilon is inf"),
    ({"optimizer": {"weight_decay": -0.1}}, "optimizer: weight_decay is -0.1"),
    ({"optimizer": {"weight_decay": NAN}}, "optimizer: weight_decay is nan"),
    ({"optimizer": {"label_smoothing": 1.0}}, "optimizer: label_smoothing is 1.0"),
    (
        {"optimizer": {"epsilon": "small"}},
        "optimizer: expected float, got str for epsilon",
    ),
    ({"schedule": "cosine"}, r"schedule: must be a table, as in \[schedule\]"),
    (
        {"schedule": {"name": "cosin"}},
        r"schedule: unknown name 'cosin': did you mean 'cosine'\?",
    ),
    ({"schedule": {"rate": 0.1}}, "schedule: unknown key 'rate'"),
    (
        {"schedule": {"learning_rate": -1.0}},
        "schedule: learning_rate is -1.0, but must be 0 or more and finite",
    ),
    (
        {"schedule": {"name": "inverse-time", "decay": INF}},
        "schedule: decay is inf, but must be 0 or more and finite",
    ),
    ({"schedule": {"learning_rate": NAN}}, "schedule: learning_rate is nan"),
    ({"schedule": {"learning_rate": INF}}, "schedule: learning_rate is inf"),
    (
        {"schedule": {"learning_rate": "fast"}},
        "schedule: expected float, got str for learning_rate",
    ),
    (
        {"augmentation": "none"},
        r"augmentation: must be a table, as in \[augmentation\]",
    ),
    (
        {"augmentation": {"shfit": 0.1}},
        r"augmentation: unknown key 'shfit': did you mean 'shift'\?",
    ),
    ({"augmentation": {"shift": 1.0}}, "augmentation: shift is 1.0"),
    ({"augmentation": {"shift": -0.1}}, "augmentation: shift is -0.1"),
    ({"augmentation": {"flip": 1}}, "augmentation: expected bool, got int for flip"),
]


@pytest.mark.parametrize(
    ("table", "message"), BAD, ids=[str(table) for table, _ in BAD]
)
def test_what_is_refused_in_one_line(table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        make_recipe(table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["optimizer", "schedule", "augmentation"])
def test_what_is_no_table_is_not_forgotten_below_another(key: str) -> None:
    for above in ({}, {"name": None}, {"learning_rate": 0.1}):
        with pytest.raises(RecipeError, match=f"{key}: must be a table"):
            make_recipe({key: "sgd"}, {key: above})


def test_who_computes_in_one_precision_only_is_not_begun_in_another() -> None:
    given = {"frameworks": ["reference"]}
    with pytest.raises(RecipeError, match="NumPy reference computes in float64 only"):
        make_recipe(given)
    assert make_recipe(given, {"precision": "float64"}).precision == "float64"


def test_the_edges_of_what_is_allowed() -> None:
    made = make_recipe(
        {
            "epochs": 1, "batch_size": 1, "seed": 0, "image_size": [4, 1024],
            "optimizer": {"name": "sgd", "momentum": 0, "label_smoothing": 0.99,
                          "weight_decay": 100},
            "schedule": {"learning_rate": 0}, "augmentation": {"shift": 0},
        }
    )  # fmt: skip
    assert made.image_size == (4, 1024)
    assert made.optimizer == Optimizer(
        "sgd", momentum=0.0, label_smoothing=0.99, weight_decay=100.0
    )


# ---- what is filled in ---------------------------------------------------------------


def test_a_folder_starts_from_the_classs_own_defaults() -> None:
    made = make_recipe({"images": "photos"})
    assert made == Recipe(images="photos")
    assert (made.network, made.image_size, made.epochs, made.batch_size) == (
        "sports-cnn",
        64,
        15,
        32,
    )
    assert made.frameworks == ("keras", "tensorflow", "pytorch", "jax")
    assert made.optimizer == Optimizer("adamw", weight_decay=0.01)
    assert made.schedule == Schedule("one-cycle", 3e-3)
    assert made.augmentation == Augmentation(True, 1 / 8)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_built_in_set_has_its_own(name: str) -> None:
    made = make_recipe({"images": name})
    for key, value in DEFAULTS[name].items():
        if key == "augmentation":
            assert isinstance(value, dict)
            assert made.augmentation == Augmentation(**value)
        elif key == "schedule":
            assert isinstance(value, dict)
            assert made.schedule == Schedule(**value)
        else:
            assert getattr(made, key) == value
    other = {
        "image_size": 100,
        "epochs": 99,
        "network": "mlp",
        "augmentation": {"flip": True},
    }
    assert make_recipe({"images": name}, other) == make_recipe(other, {"images": name})
    own = make_recipe({"images": name}, other)
    assert (own.image_size, own.epochs, own.network) == (100, 99, "mlp")
    assert own.augmentation is not None
    assert own.augmentation.flip


def test_sports_is_what_is_meant_when_nothing_is_said() -> None:
    assert make_recipe() == make_recipe({}) == make_recipe({"images": "sports"})
    assert make_recipe().images == "sports"


def test_digits_are_never_mirrored_unless_asked_for() -> None:
    assert make_recipe({"images": "digits"}).augmentation == Augmentation(flip=False)
    unmoved = make_recipe({"images": "digits", "augmentation": {"shift": 0.0}})
    assert unmoved.augmentation == Augmentation(flip=False, shift=0.0)
    as_they_are = make_recipe({"images": "digits", "augmentation": False})
    assert as_they_are.augmentation is None


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_every_optimizer_has_a_rate_and_a_decay(name: OptimizerName) -> None:
    made = make_recipe({"images": "photos", "optimizer": {"name": name}})
    assert made == make_recipe({"images": "photos"}, {"optimizer": {"name": name}})
    for built_in in DEFAULTS:  # a set's own rate is for the optimizer it comes with
        other = make_recipe({"images": built_in, "optimizer": {"name": name}})
        assert other.schedule == made.schedule
    assert made.schedule.learning_rate == recipe.LEARNING_RATES[name] > 0
    assert made.optimizer.weight_decay == (0.01 if name == "adamw" else 0)
    own = make_recipe(
        {
            "optimizer": {"name": name, "weight_decay": 0.5},
            "schedule": {"learning_rate": 0.125},
        }
    )
    assert (own.optimizer.weight_decay, own.schedule.learning_rate) == (0.5, 0.125)
    assert make_optimizer({"name": name}) == made.optimizer


def test_later_tables_lie_on_top() -> None:
    file = {
        "images": "digits",
        "epochs": 9,
        "optimizer": {"name": "sgd", "momentum": 0.5},
        "schedule": {"name": "cosine"},
    }
    options = {
        "epochs": 2, "batch_size": None,
        "optimizer": {"name": None, "weight_decay": 0.25},
        "schedule": {"name": None, "learning_rate": 0.1},
    }  # fmt: skip
    before = copy.deepcopy((file, options, DEFAULTS))
    made = make_recipe(file, options)
    assert (file, options, DEFAULTS) == before
    assert (made.images, made.network) == ("digits", "lenet")
    assert (made.epochs, made.batch_size) == (2, 32)
    assert made.optimizer == Optimizer("sgd", momentum=0.5, weight_decay=0.25)
    assert made.schedule == Schedule("cosine", 0.1)
    assert make_recipe(options, file).epochs == 9


def test_none_is_not_given() -> None:
    nothing = {"epochs": None, "optimizer": {"name": None}, "augmentation": None}
    assert make_recipe(nothing) == make_recipe()


# ---- the file ------------------------------------------------------------------------

SHARES = st.floats(0, 1, exclude_max=True)
RECIPES = st.builds(
    Recipe,
    images=st.sampled_from(
        ["sports", "digits", "/photos of größe", 'a "quoted" \\ folder']
    ),
    network=st.sampled_from(["mlp", "/some where/mine.toml"]),
    frameworks=st.lists(
        st.sampled_from(sorted(n for n, one in REGISTRY.items() if one.only is None)),
        min_size=1,
        unique=True,
    ).map(tuple),
    epochs=st.integers(1, 10**6),
    patience=st.integers(0, 10**6),
    balance=st.sampled_from(get_args(Balance)),
    minutes=st.floats(0, 1e6),
    batch_size=st.integers(1, 10**6),
    image_size=st.integers(4, 1024)
    | st.tuples(st.integers(4, 1024), st.integers(4, 1024)),
    fit=st.sampled_from(get_args(Fit)),
    strict=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
    precision=st.sampled_from(get_args(Precision)),
    optimizer=st.builds(
        Optimizer,
        name=st.sampled_from(get_args(OptimizerName)),
        momentum=SHARES,
        beta1=SHARES,
        beta2=SHARES,
        rho=SHARES,
        epsilon=st.floats(0, 1e300),
        weight_decay=st.floats(0, 1e300),
        label_smoothing=SHARES,
    ),
    schedule=st.builds(
        Schedule,
        name=st.sampled_from(get_args(ScheduleName)),
        learning_rate=st.floats(0, 1e300),
    ),
    augmentation=st.none() | st.builds(Augmentation, flip=st.booleans(), shift=SHARES),
)


@given(made=RECIPES, full=st.booleans())
def test_round_trip(made: Recipe, full: bool) -> None:
    if made.images == "sports":
        made = replace(made, full=full)
    text = made.to_toml()
    assert make_recipe(tomllib.loads(text)) == made
    assert make_recipe(tomllib.loads(text)).to_toml() == text


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        """
        images = "photos"
        network = "compact-cnn"
        epochs = 20
        image_size = [48, 64]
        frameworks = ["pytorch", "keras:jax"]
        augmentation = false

        [optimizer]
        name = "rmsprop"

        [schedule]
        name = "cosine"
        learning_rate = 1
        """
    )
    made = make_recipe(read_recipe(tmp_path / "recipe.toml"))
    assert made == Recipe(
        images="photos",
        network="compact-cnn",
        epochs=20,
        image_size=(48, 64),
        frameworks=("pytorch", "keras:jax"),
        optimizer=Optimizer("rmsprop"),
        schedule=Schedule("cosine", 1.0),
        augmentation=None,
    )


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("mine.toml", "{folder}/mine.toml"),
        ("nets/mine.toml", "{folder}/nets/mine.toml"),
        ("/else where/mine.toml", "/else where/mine.toml"),
        ("lenet", "lenet"),
    ],
)
def test_a_network_file_is_looked_for_beside_the_recipe(
    written: str, wanted: str, tmp_path: Path
) -> None:
    path = tmp_path / "my recipes" / "recipe.toml"
    path.parent.mkdir()
    path.write_text(f'network = "{written}"\n')
    assert read_recipe(path)["network"] == wanted.format(folder=path.parent)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: there is no such file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("epochs = \n")
    with pytest.raises(
        RecipeError, match=r"bad\.toml: is not valid TOML \(.*line 1"
    ) as caught:
        read_recipe(tmp_path / "bad.toml")
    assert "\n" not in str(caught.value)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path)


def test_what_a_run_writes_is_read_back(tmp_path: Path) -> None:
    made = make_recipe(
        {"images": "digits", "frameworks": ["pytorch"], "augmentation": False}
    )
    (tmp_path / "recipe.toml").write_text(made.to_toml(), "utf-8")
    assert make_recipe(read_toml(tmp_path / "recipe.toml")) == made
