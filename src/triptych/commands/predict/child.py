"""What of a prediction runs inside a worker: a network that is built once and asked as
often as one likes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.images.batches import Batches
from triptych.network.weights import load_tensors, save_tensors
from triptych.running import protocol
from triptych.running.folder import RunFolder
from triptych.running.protocol import Emit, Opened, Predicted
from triptych.running.training import all_logits
from triptych.running.worker import Conversation


def predict(
    job: protocol.Open, framework: Framework, entry: Entry, emit: Emit
) -> Conversation:
    """Build a run's network; then the logits of whatever images follow."""
    run = RunFolder(Path(job.run))
    recipe, architecture = run.recipe(), run.architecture()
    weights = load_tensors(Path(job.weights))
    state = framework.build(architecture, weights, recipe.precision)
    asked = yield Opened()
    while isinstance(asked, protocol.Predict):
        images = np.memmap(asked.images, np.uint8, mode="r", shape=asked.shape)
        rows = load_tensors(Path(asked.rows))["rows"].astype(np.int64)
        batches = Batches(
            images, np.zeros(len(rows), np.int64), rows, recipe.batch_size
        )
        save_tensors(
            Path(asked.logits), {"logits": all_logits(framework, state, batches, emit)}
        )
        asked = yield Predicted()
