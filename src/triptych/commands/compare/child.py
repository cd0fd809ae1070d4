"""What of a comparison runs inside a worker: one training."""

from __future__ import annotations

from pathlib import Path

from triptych.files import write_atomic
from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.frameworks.source import count_lines
from triptych.images.store import Store
from triptych.network.cut import cut
from triptych.network.weights import save_tensors
from triptych.running import training
from triptych.running.exam import batch_tensors
from triptych.running.features import Body, features_of
from triptych.running.folder import RunFolder, TrainingFacts
from triptych.running.machine import peak_memory_mib, process_age
from triptych.running.protocol import Emit, Train, TrainingDone
from triptych.running.records import write_json
from triptych.running.worker import Conversation


def train(job: Train, framework: Framework, entry: Entry, emit: Emit) -> Conversation:
    """Train to the end, from a checkpoint if there is one."""
    run = RunFolder(Path(job.run))
    panel, architecture = run.panel(entry), run.architecture()
    imported = peak_memory_mib()
    text = entry.writer().write_network(architecture)
    write_atomic(panel.network, text)
    recipe, store = run.recipe(), Store.open(Path(job.store))
    weights, features = run.starting_weights(), None
    trained = architecture
    if recipe.trained_layers is not None:
        frozen, trained = cut(architecture, recipe.trained_layers)
        own = frozen.parameters | frozen.statistics
        held = {name: tensor for name, tensor in weights.items() if name in own}
        body = Body(framework, entry, frozen, held, recipe.precision)
        features = features_of(body, store, training.views_of(recipe, store), emit)
    parts = training.parts_of(recipe, trained, store, features)
    if features is not None:
        save_tensors(panel.first_batch, batch_tensors(parts.train.batch(0, 0)))
    given = trained, weights, parts, panel, emit
    progress = training.train(framework, recipe, *given)
    facts = TrainingFacts(
        **vars(framework.facts()),
        best_epoch=progress.best_epoch,
        network_lines=count_lines(text),
        import_memory_mib=imported,
        peak_memory_mib=peak_memory_mib(),
        total_seconds=process_age(),
    )
    # Last: it says that the training is done.
    write_json(panel.path / "facts.json", facts)
    yield TrainingDone()
