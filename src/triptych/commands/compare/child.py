"""What of a comparison runs inside a worker: one training."""

from __future__ import annotations

from pathlib import Path

from triptych.files import write_atomic
from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.frameworks.source import count_lines
from triptych.images.store import Store
from triptych.running.folder import RunFolder, TrainingFacts
from triptych.running.machine import peak_memory_mib, process_age
from triptych.running.protocol import Emit, Train, TrainingDone
from triptych.running.records import write_json
from triptych.running.stages import Trainer
from triptych.running.worker import Conversation


def train(job: Train, framework: Framework, entry: Entry, emit: Emit) -> Conversation:
    """Train to the end, from a checkpoint if there is one."""
    run = RunFolder(Path(job.run))
    panel, architecture = run.panel(entry), run.architecture()
    imported = peak_memory_mib()
    text = entry.writer().write_network(architecture)
    write_atomic(panel.network, text)
    store = Store.open(Path(job.store))
    progress = Trainer(framework, entry, run, store, emit).train()
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
