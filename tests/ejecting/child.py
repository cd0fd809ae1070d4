"""Runs in a process of its own: `child.py library FRAMEWORK` or `child.py ejected`, jobs on standard input.

Prints the losses of every step of every job, as JSON. The second never imports the library.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any


def by_the_library(framework: str, jobs: list[dict[str, Any]]) -> list[list[float]]:
    from triptych.frameworks import registry
    from triptych.network.zoo import find_network
    from triptych.pictures.source import open_pictures
    from triptych.running.folder import RunFolder
    from triptych.running.recipe import make_recipe
    from triptych.running.training import parts_of, train

    entry = registry.find(framework)
    made = entry.load()
    losses = []
    for job in jobs:
        recipe = make_recipe(job["recipe"])
        store = open_pictures(
            recipe.pictures, size=(job["size"], job["size"]), fit=recipe.fit, resize=recipe.resize
        )
        architecture = find_network(recipe.network).adapted((job["size"],) * 2, len(store.classes))
        run = RunFolder.create(Path(job["out"]), recipe, architecture, {})
        panel = run.panel(entry)
        train(made, recipe, architecture, parts_of(run, store), panel, lambda event: None)
        losses.append([loss for epoch in panel.events() for loss in epoch["step_losses"]])
    return losses


def by_the_programs(jobs: list[dict[str, Any]]) -> list[list[float]]:
    losses = []
    for job in jobs:
        weights = Path(job["out"]).with_suffix(".safetensors")
        sys.argv = [job["script"], "train", job["recipe"]["pictures"], "--weights", str(weights)]
        runpy.run_path(job["script"], run_name="__main__")
        epochs = json.loads(weights.with_suffix(".json").read_text())["epochs"]
        losses.append([loss for epoch in epochs for loss in epoch["step_losses"]])
    assert not any(name.partition(".")[0] == "triptych" for name in sys.modules)
    return losses


if __name__ == "__main__":
    order = json.load(sys.stdin)
    found = by_the_library(sys.argv[2], order) if sys.argv[1] == "library" else by_the_programs(order)
    print("\n" + json.dumps(found))
