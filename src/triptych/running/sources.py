"""The sources of a network in several frameworks, each written in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from triptych.errors import FrameworkMissing
from triptych.frameworks import registry
from triptych.network.architecture import Architecture
from triptych.running.launch import run_worker


def written(architecture: Architecture, frameworks: Sequence[str] = registry.DEFAULT) -> dict[str, str]:
    """Each framework's source text; for one that is not installed, a comment that says how to install it.

    Raises FrameworkMissing if it is the only one asked for.
    """
    texts: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        for name in frameworks:
            entry = registry.find(name)
            if missing := entry.missing():
                if len(frameworks) == 1:
                    raise FrameworkMissing(missing)
                texts[name] = f"# {missing}\n"
                continue
            job = {"job": "write", "run": scratch, "network": architecture.to_toml()}
            texts[name] = run_worker(entry, job, Path(scratch) / "worker.log")["text"]
    return texts
