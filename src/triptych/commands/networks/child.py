"""What of showing a network runs inside a worker: writing its source."""

from __future__ import annotations

from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.network.architecture import from_toml
from triptych.running.protocol import Emit, Write, Written
from triptych.running.worker import Conversation


def write(job: Write, framework: Framework, entry: Entry, emit: Emit) -> Conversation:
    """The source text of a network, and where it keeps the canonical tensors."""
    architecture = from_toml(job.network)
    yield Written(framework.write_network(architecture), dict(framework.layouts(architecture)))
