"""Bodies and heads: a network that was cut in two is the same network, in every
framework, and a head is proved as any network is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.equality.asking import ProofSettings, prove

from triptych.equality.questions import moved_weights, noise, probe_cases
from triptych.images.batches import Batch
from triptych.network.architecture import Architecture, sequence
from triptych.network.cut import cut
from triptych.network.layers import (
    Attention,
    BatchNorm,
    ClassToken,
    Conv,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    MaxPool,
    ReLU,
    TokenPool,
    Tokens,
)
from triptych.running.exam import Case

IMAGES = sequence(
    "images",
    (8, 6, 3),
    [
        Conv(filters=4),
        BatchNorm(),
        ReLU(),
        Conv(filters=6),
        BatchNorm(),
        MaxPool(size=2),
        Flatten(),
        Dense(units=7),
        ReLU(),
        Dropout(rate=0.5),
        Dense(units=4),
    ],
    mean=(0.4, 0.5, 0.6),
    std=(0.2, 0.3, 0.4),
)
TOKENS = sequence(
    "tokens",
    (8, 6, 3),
    [
        Conv(filters=6, kernel=2, stride=2),
        Tokens(),
        ClassToken(),
        LayerNorm(),
        Attention(heads=2),
        Attention(heads=3),
        LayerNorm(),
        TokenPool(take="first"),
        Dense(units=5),
        ReLU(),
        Dense(units=4),
    ],
)
TRAINING = next(
    one for one in probe_cases("float64", 0) if one.name == "even"
).trainings


def case(network: Architecture, batch: Batch) -> Case:
    weights = moved_weights(network, 1)
    name = f"{network.name}-{network.section}"
    return Case(name, network, weights, (batch,), "float64", (0,), TRAINING)


@pytest.mark.parametrize("network", [IMAGES, TOKENS], ids=lambda one: one.name)
def test_what_is_cut_in_two_is_the_same_network(
    tmp_path: Path, four: list[ProofSettings], network: Architecture
) -> None:
    (asked,) = [case(network, noise(network, (3,), 0)[0])]
    asked.write(tmp_path)
    for one in four:
        one.ask("sections", tmp_path, asked)


@pytest.mark.parametrize("trained", [1, 2, 3])
@pytest.mark.parametrize("network", [IMAGES, TOKENS], ids=lambda one: one.name)
def test_heads_are_proved_as_networks_are(
    tmp_path: Path, four: list[ProofSettings], network: Architecture, trained: int
) -> None:
    """On features of every shape: flat, of images, of tokens."""
    _, head = cut(network, trained)
    generator = np.random.default_rng(trained)
    (drawn,) = noise(network, (5,), 0)
    features = generator.standard_normal((5, *head.input_shape))
    masks = {
        name: generator.random((5, *shape)) >= rate
        for name, (rate, shape) in head.dropouts.items()
    }
    asked = case(head, Batch(features, drawn.labels, masks))
    prove(tmp_path, asked, four).check()
