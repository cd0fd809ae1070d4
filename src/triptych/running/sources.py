"""The sources of a network in several frameworks, each written in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from triptych.errors import FrameworkMissing, WorkerFailed
from triptych.frameworks import registry
from triptych.frameworks.registry import Entry
from triptych.network.architecture import Architecture
from triptych.running.launch import ask_all
from triptych.running.protocol import Write, Written


def write(architecture: Architecture, entry: Entry) -> Written:
    """The network in that framework; raises FrameworkMissing and WorkerFailed."""
    if missing := entry.missing():
        raise FrameworkMissing(missing)
    return _write(architecture, [entry])[entry.name]


def written(architecture: Architecture, frameworks: Sequence[str] = registry.DEFAULT) -> dict[str, str]:
    """Each framework's source text; for one that is not installed, a comment that says how to install it.

    Raises FrameworkMissing if it is the only one asked for, and WorkerFailed.
    """
    entries = [registry.find(name) for name in frameworks]
    texts = {entry.name: f"# {missing}\n" for entry in entries if (missing := entry.missing())}
    if texts and len(entries) == 1:
        raise FrameworkMissing(entries[0].missing())
    done = _write(architecture, [entry for entry in entries if entry.name not in texts])
    texts |= {name: one.text for name, one in done.items()}
    return {entry.name: texts[entry.name] for entry in entries}


def _write(architecture: Architecture, entries: Sequence[Entry]) -> dict[str, Written]:
    """What the workers write, by framework."""
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        outcomes = ask_all(
            entries, Write(architecture.to_toml()), lambda entry: Path(scratch) / f"{entry.folder}.log"
        )
    done: dict[str, Written] = {}
    for name, outcome in outcomes.items():
        if isinstance(outcome, WorkerFailed):
            raise outcome
        done[name] = outcome
    return done
