"""What a proof asks: the network at hand, its weights and images, then the probes."""

from __future__ import annotations

import numpy as np

from triptych.equality import questions
from triptych.equality.certificate import ProofSettings
from triptych.images.batches import Batch, Batches
from triptych.images.source import open_images
from triptych.images.split import split
from triptych.network.architecture import Architecture, from_toml
from triptych.network.pretrained import Origin
from triptych.running.exam import Case
from triptych.running.images import of_images
from triptych.running.pretrained import load_weights
from triptych.running.protocol import Callback

BATCHES = 4
"""How many batches a training goes through in turn."""


def cases_of(
    asked: ProofSettings, callback: Callback
) -> tuple[list[Case], Origin | None]:
    """The questions, the network's own first, and where its weights come from unless
    they are drawn.
    """
    architecture = from_toml(asked.network)
    if asked.images is None:
        batches = questions.noise(
            architecture, [asked.batch_size] * BATCHES, asked.seed
        )
    else:
        architecture, batches = _real(asked, architecture, callback)
    weights, origin = questions.moved_weights(architecture, asked.seed), None
    if asked.weights is not None:
        loaded = load_weights(asked.weights, architecture, seed=asked.seed)
        weights, origin = loaded.weights, loaded.origin
    ways = zip(asked.optimizers, asked.schedules, strict=True)
    case = questions.network_case(
        architecture, weights, batches, asked.precision, ways, asked.steps
    )
    probes = questions.probe_cases(asked.precision, asked.seed) if asked.probes else []
    return [case, *probes], origin


def _real(
    asked: ProofSettings, architecture: Architecture, callback: Callback
) -> tuple[Architecture, tuple[Batch, ...]]:
    """First training batches of real images, and the network for as many classes."""
    assert asked.images is not None
    height, width, _ = architecture.input_shape
    store = open_images(
        asked.images,
        size=(height, width),
        fit=asked.fit,
        resize=asked.resize,
        full=asked.full,
        progress=of_images(callback),
    )
    architecture = architecture.adapted(classes=len(store.classes))
    rows = split(store.labels, store.parts, asked.seed).train
    labels = np.asarray(store.labels)[rows].astype(np.int64)
    batches = Batches(
        store.images,
        labels,
        rows,
        asked.batch_size,
        asked.seed,
        dropouts=architecture.dropouts,
    )
    return architecture, tuple(
        batches.batch(0, k) for k in range(min(BATCHES, len(batches)))
    )
