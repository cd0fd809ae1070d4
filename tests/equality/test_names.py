"""A layer may have any Python name, and computes the same by it in every framework."""

from __future__ import annotations

import random
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import pytest
from tests.equality.asking import ProofSettings, prove

from triptych.equality.questions import moved_weights, noise
from triptych.frameworks.contract import Optimizer
from triptych.network.architecture import INPUT, Architecture, Node
from triptych.network.layers import (
    GRU,
    LSTM,
    Add,
    BatchNorm,
    Bias,
    Concat,
    Dense,
    Dropout,
    Flatten,
    Layer,
    ReLU,
    Rows,
)
from triptych.running.exam import Case, Training

KINDS: list[Layer] = [Dense(2), BatchNorm(), Dropout(0.5), Bias(), ReLU()]


def side_by_side(names: Sequence[str]) -> Architecture:
    """A network in which every name is that of a variable of its own: all layers are
    read at the end.
    """
    nodes = [Node("flat", Flatten(), (INPUT,)), Node("wide", Dense(2), ("flat",))]
    nodes += [
        Node(name, kind, ("wide",))
        for name, kind in zip(names, cycle(KINDS), strict=False)
    ]
    nodes += [
        Node("joined", Concat(), tuple(names)),
        Node("out", Dense(3), ("joined",)),
    ]
    return Architecture("named", (2, 2, 3), tuple(nodes))


def case_of(network: Architecture, *trainings: Training) -> Case:
    weights, batches = moved_weights(network, 0), noise(network, (3,), 0)
    return Case("named", network, weights, batches, "float64", (0,), trainings)


def holds(case: Case, four: list[ProofSettings], exam: Path) -> None:
    """All four agree with the reference on each layer, its gradient, and the steps, if
    there are any.
    """
    certificate = prove(exam, case, four)
    assert certificate.verdict == "equal", certificate.sentence()


WORDS = """
    self masks weights averages training tf torch F jax jnp keras layers x tap network
    dense dropout bias train forward parameters type to Dropout feed print match
""".split()  # noqa: SIM905


def test_a_layer_may_be_called_what_a_framework_calls_its_things(
    four: list[ProofSettings], tmp_path: Path
) -> None:
    holds(case_of(side_by_side(WORDS)), four, tmp_path)


def characters() -> Iterator[str]:
    """Characters that Python takes for a name as they are, of all scripts in turn."""
    found = [c for c in map(chr, range(128, sys.maxunicode)) if c.isidentifier()]
    random.Random(0).shuffle(found)
    return (c for c in found if unicodedata.normalize("NFKC", c) == c)


def test_names_of_all_scripts(four: list[ProofSettings], tmp_path: Path) -> None:
    drawn = characters()
    names = ["é", "e", "größe", "groe", "Ω", "layer", "Ω_1", "名前"]
    names += [
        "".join(next(drawn) for _ in range(1 + length % 4)) for length in range(12)
    ]
    holds(case_of(side_by_side(names)), four, tmp_path)


COLLIDING: dict[str, list[tuple[str, Layer, str]]] = {
    "attributes of TensorFlow's": [
        ("rows", Rows(), INPUT), ("a", LSTM(3, sequence=True), "rows"),
        ("b", GRU(3, sequence=True), "rows"),
        ("a_recurrent", LSTM(3, sequence=True), "a"),
        ("b_recurrent", GRU(3, sequence=True), "b"),
    ],
    "masks and zeros of Keras": [
        ("x", Dropout(0.5), INPUT), ("x_keep", Bias(), "x"),
        ("x_zero", Dropout(0.5), "x_keep"), ("x_keep_", ReLU(), "x_zero"),
        ("images_zero", Bias(), "x_keep"), ("x_zero_zero", Bias(), INPUT),
    ],
    "modules of PyTorch's": [
        ("train", Bias(), INPUT), ("train_", BatchNorm(), "train"),
        ("eval", Bias(), "train_"), ("requires_grad_", Bias(), "train"),
        ("requires_grad", Bias(), "eval"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("layers", COLLIDING.values(), ids=COLLIDING.keys())
def test_names_that_would_meet_in_a_source(
    layers: list[tuple[str, Layer, str]], four: list[ProofSettings], tmp_path: Path
) -> None:
    nodes = [Node(name, layer, (above,)) for name, layer, above in layers]
    ends = [name for name, layer, _ in layers if not isinstance(layer, Rows)]
    nodes += [Node("sum", Add(), tuple(ends)), Node("flat", Flatten(), ("sum",))]
    nodes.append(Node("out", Dense(2), ("flat",)))
    network = Architecture("colliding", (2, 3, 3), tuple(nodes))
    case = case_of(network, Training("trained", Optimizer(), (0.01, 0.01), (1, 2)))
    holds(case, four, tmp_path)
    for one in four:
        one.ask("roundtrip", tmp_path, case)
