"""The sources of a network in several frameworks, each written in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from triptych.errors import FrameworkMissing, WorkerFailed
from triptych.frameworks import registry
from triptych.frameworks.registry import Entry
from triptych.network.architecture import Architecture
from triptych.network.layouts import Layout
from triptych.running.launch import run_workers


@dataclass(frozen=True)
class Written:
    """A network as one framework would run it."""

    text: str
    layouts: dict[str, Layout]
    """Where its tensors stand, by canonical name."""


def write(architecture: Architecture, entry: Entry) -> Written:
    """The network in that framework; raises FrameworkMissing and WorkerFailed."""
    if missing := entry.missing():
        raise FrameworkMissing(missing)
    done = _write(architecture, [entry])[entry.name]
    return msgspec.convert({key: done[key] for key in ("text", "layouts")}, Written)


def written(architecture: Architecture, frameworks: Sequence[str] = registry.DEFAULT) -> dict[str, str]:
    """Each framework's source text; for one that is not installed, a comment that says how to install it.

    Raises FrameworkMissing if it is the only one asked for, and WorkerFailed.
    """
    entries = [registry.find(name) for name in frameworks]
    texts = {entry.name: f"# {missing}\n" for entry in entries if (missing := entry.missing())}
    if texts and len(entries) == 1:
        raise FrameworkMissing(entries[0].missing())
    done = _write(architecture, [entry for entry in entries if entry.name not in texts])
    texts |= {name: event["text"] for name, event in done.items()}
    return {entry.name: texts[entry.name] for entry in entries}


def _write(architecture: Architecture, entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """What the workers answer, by framework."""
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        job = {"job": "write", "run": scratch, "network": architecture.to_toml()}
        outcomes = run_workers(
            entries, job, lambda entry: Path(scratch) / f"{entry.folder}.log", lambda entry, event: None
        )
    done: dict[str, dict[str, Any]] = {}
    for name, outcome in outcomes.items():
        if isinstance(outcome, WorkerFailed):
            raise outcome
        done[name] = outcome
    return done
