"""The sources of a network in several frameworks, each written in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from triptych.errors import FrameworkMissing, WorkerFailed
from triptych.frameworks import registry
from triptych.network.architecture import Architecture
from triptych.running.launch import run_workers


def written(architecture: Architecture, frameworks: Sequence[str] = registry.DEFAULT) -> dict[str, str]:
    """Each framework's source text; for one that is not installed, a comment that says how to install it.

    Raises FrameworkMissing if it is the only one asked for, and WorkerFailed.
    """
    entries = [registry.find(name) for name in frameworks]
    texts = {entry.name: f"# {missing}\n" for entry in entries if (missing := entry.missing())}
    if texts and len(entries) == 1:
        raise FrameworkMissing(entries[0].missing())
    there = [entry for entry in entries if entry.name not in texts]
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        job = {"job": "write", "run": scratch, "network": architecture.to_toml()}
        outcomes = run_workers(
            there, job, lambda entry: Path(scratch) / f"{entry.folder}.log", lambda entry, event: None
        )
    for name, outcome in outcomes.items():
        if isinstance(outcome, WorkerFailed):
            raise outcome
        texts[name] = outcome["text"]
    return {entry.name: texts[entry.name] for entry in entries}
