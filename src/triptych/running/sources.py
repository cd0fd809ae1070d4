"""The sources of a network in several frameworks, each written in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from triptych.errors import FrameworkMissing
from triptych.frameworks import registry
from triptych.frameworks.registry import Entry
from triptych.network.architecture import Architecture
from triptych.network.layouts import Layout
from triptych.running.launch import run_worker


@dataclass(frozen=True)
class Written:
    """A network as one framework would run it."""

    text: str
    layouts: dict[str, Layout]
    """Where its tensors stand, by canonical name."""


def write(architecture: Architecture, entry: Entry) -> Written:
    """The network in that framework; raises FrameworkMissing."""
    if missing := entry.missing():
        raise FrameworkMissing(missing)
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        job = {"job": "write", "run": scratch, "network": architecture.to_toml()}
        done = run_worker(entry, job, Path(scratch) / "worker.log")
    return msgspec.convert({key: done[key] for key in ("text", "layouts")}, Written)


def written(architecture: Architecture, frameworks: Sequence[str] = registry.DEFAULT) -> dict[str, str]:
    """Each framework's source text; for one that is not installed, a comment that says how to install it.

    Raises FrameworkMissing if it is the only one asked for.
    """
    texts: dict[str, str] = {}
    for name in frameworks:
        try:
            texts[name] = write(architecture, registry.find(name)).text
        except FrameworkMissing as missing:
            if len(frameworks) == 1:
                raise
            texts[name] = f"# {missing}\n"
    return texts
