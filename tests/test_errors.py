"""Suggestions: of what was meant, and of nothing else."""

from __future__ import annotations

from typing import get_args

import pytest

from triptych.errors import USUAL, did_you_mean, nearest
from triptych.frameworks.registry import REGISTRY
from triptych.network.conventions import OptimizerName
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
        ("torch", REGISTRY, "pytorch"),
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
        ("resnet18", NETWORKS), ("resnet", NETWORKS), ("alexnet", NETWORKS),
        ("vgg16", NETWORKS), ("mobilenet", NETWORKS), ("2017", NETWORKS),
        ("", NETWORKS), ("x", NETWORKS), ("mxnet", REGISTRY), ("theano", REGISTRY),
        ("lion", get_args(OptimizerName)), ("--workers", OPTIONS), ("--lr", ["--seed"]),
    ],
)  # fmt: skip
def test_a_wild_guess_is_not_suggested(word: str, known: list[str]) -> None:
    assert nearest(word, known) is None
    assert did_you_mean(word, known) == f"known: {', '.join(sorted(known))}"


def test_no_word_of_ours_is_taken_for_another() -> None:
    assert not USUAL.keys() & set(USUAL.values())
