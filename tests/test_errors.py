"""Suggestions: of what was meant, and of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from triptych.errors import (
    USUAL,
    UsageError,
    check_least,
    check_timeout,
    did_you_mean,
    listed,
    nearest,
    quote,
)
from triptych.frameworks.registry import REGISTRY
from triptych.network.conventions import PRECISIONS, OptimizerName
from triptych.network.zoo import NOTEBOOKS, ZOO

NETWORKS = [*ZOO, *NOTEBOOKS]
OPTIONS = [
    "--network", "--epochs", "--image-size", "--batch-size", "--seed",
    "--learning-rate", "--schedule", "--out",
]  # fmt: skip
KEYS = [
    "network",
    "epochs",
    "batch_size",
    "image_size",
    "precision",
    "optimizer",
    "schedule",
]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("lenett", NETWORKS, "lenet"),
        ("LeNet", NETWORKS, "lenet"),
        ("lenet5", NETWORKS, "lenet"),
        ("sports_cnn", NETWORKS, "sports-cnn"),
        ("lstm", NETWORKS, "row-lstm"),
        ("resnet18", NETWORKS, "resnet-18"),
        ("resnet", NETWORKS, "resnet-18"),
        ("mobilenet", NETWORKS, "mobilenet-v2"),
        ("torch", REGISTRY, "pytorch"),
        ("keras:jxa", REGISTRY, "keras:jax"),
        ("keras-jax", REGISTRY, "keras:jax"),
        ("keras:pytorch", REGISTRY, "keras:torch"),
        ("PyTorch", REGISTRY, "pytorch"),
        ("oytorch", REGISTRY, "pytorch"),
        ("tensroflow", REGISTRY, "tensorflow"),
        ("adan", get_args(OptimizerName), "adam"),
        ("--lr", OPTIONS, "--learning-rate"),
        ("--bs", OPTIONS, "--batch-size"),
        ("--learning_rate", OPTIONS, "--learning-rate"),
        ("batch", KEYS, "batch_size"),
        ("size", KEYS, "image_size"),
        ("epoks", KEYS, "epochs"),
        ("lr", ["name", "learning_rate", "decay"], "learning_rate"),
    ],
)
def test_what_was_meant_is_suggested(word: str, known: list[str], meant: str) -> None:
    assert nearest(word, known) == meant
    assert did_you_mean(word, known).startswith(f"did you mean {meant!r}? (known: ")


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("alexnet", NETWORKS), ("vgg16", NETWORKS), ("2017", NETWORKS),
        ("", NETWORKS), ("x", NETWORKS), ("mxnet", REGISTRY), ("theano", REGISTRY),
        ("keras:mxnet", REGISTRY), ("keras:", REGISTRY), ("float16", PRECISIONS),
        ("lion", get_args(OptimizerName)), ("--workers", OPTIONS), ("--lr", ["--seed"]),
    ],
)  # fmt: skip
def test_a_wild_guess_is_not_suggested(word: str, known: list[str]) -> None:
    assert nearest(word, known) is None
    assert did_you_mean(word, known) == f"known: {', '.join(sorted(known))}"


def test_no_word_of_ours_is_taken_for_another() -> None:
    assert not USUAL.keys() & set(USUAL.values())


@pytest.mark.parametrize("word", [None, 3, 1.5, ["keras"], b"keras"])
def test_what_is_no_word_is_no_slip(word: object) -> None:
    assert did_you_mean(word, NETWORKS).startswith("known: ")


# ---- numbers and names ---------------------------------------------------------------


@pytest.mark.parametrize(
    "number", ["x", 1.5, True, None, [3], 10**5000, 0, 101], ids=quote
)
def test_a_number_out_of_bounds_is_one_line(number: object) -> None:
    with pytest.raises(
        UsageError, match=r"--steps is .*, but must be .*1 to 100"
    ) as no:
        check_least("--steps", number, 1, most=100)
    assert "\n" not in str(no.value)
    assert len(str(no.value)) < 200


def test_an_integer_of_numpy_is_one_of_ours() -> None:
    assert type(check_least("--steps", np.int64(3), 1)) is int


@pytest.mark.parametrize(
    "seconds", [0, -1, float("nan"), float("inf"), 1e300, "x", True, None]
)
def test_nobody_waits_so_long(seconds: object) -> None:
    with pytest.raises(
        UsageError, match=r"--timeout is .*, but must be a number above"
    ):
        check_timeout(seconds)


def test_a_word_is_not_its_letters() -> None:
    assert listed("jax") == ("jax",)
    assert listed(Path("a/b")) == (Path("a/b"),)
    assert listed(["jax", "keras"]) == ("jax", "keras")


def test_what_is_quoted_is_one_short_line() -> None:
    for given in ("x" * 10_000, np.zeros((9, 9)), 10**5000):
        assert "\n" not in quote(given)
        assert len(quote(given)) < 100
