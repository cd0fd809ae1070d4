"""Runs in a process of its own, jobs on standard input: `child.py library FRAMEWORK`,
`child.py ejected`.

Prints the losses of every step of every job, as JSON. The second never imports the
library. `child.py predictions FRAMEWORK` sets both side by side on batches of several
sizes.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any


def by_the_library(framework: str, jobs: list[dict[str, Any]]) -> list[list[float]]:
    from triptych.frameworks import registry
    from triptych.images.source import open_images
    from triptych.network.zoo import find_network
    from triptych.running.folder import RunFolder
    from triptych.running.recipe import make_recipe
    from triptych.running.training import parts_of, train

    entry = registry.find(framework)
    made = entry.load()
    losses = []
    for job in jobs:
        recipe = make_recipe(job["recipe"])
        store = open_images(
            recipe.images,
            size=(job["size"], job["size"]),
            fit=recipe.fit,
            resize=recipe.resize,
        )
        architecture = find_network(recipe.network).adapted(
            (job["size"],) * 2, len(store.classes)
        )
        run = RunFolder.create(Path(job["out"]), recipe, architecture, store)
        panel = run.panel(entry)
        parts = parts_of(recipe, architecture, store)
        begun = architecture, run.starting_weights(), parts
        train(made, recipe, *begun, panel, lambda event: None)
        losses.append(
            [float(loss or 0) for epoch in panel.epochs() for loss in epoch.step_losses]
        )
    return losses


def by_the_programs(jobs: list[dict[str, Any]]) -> list[list[float]]:
    losses = []
    for job in jobs:
        weights = Path(job["out"]).with_suffix(".safetensors")
        sys.argv = [
            job["script"],
            "train",
            job["recipe"]["images"],
            "--weights",
            str(weights),
        ]
        runpy.run_path(job["script"], run_name="__main__")
        epochs = json.loads(weights.with_suffix(".json").read_text())["epochs"]
        losses.append([loss for epoch in epochs for loss in epoch["step_losses"]])
    assert not any(name.partition(".")[0] == "triptych" for name in sys.modules)
    return losses


def predictions(framework: str, jobs: list[dict[str, Any]]) -> list[list[float]]:
    """For each size after the first: the largest gap between both, and how much was
    compiled for it.
    """
    import numpy as np

    from triptych.frameworks import registry
    from triptych.network.zoo import find_network

    compiled: list[str] = []
    if framework == "jax":
        import jax

        jax.monitoring.register_event_duration_secs_listener(
            lambda event, *_, **__: (
                compiled.append(event) if "compile" in event else None
            )
        )
    (job,) = jobs
    library, program = registry.find(framework).load(), runpy.run_path(job["script"])
    weights = {name: program["initial"](name) for name in program["TENSORS"]}
    architecture = find_network(job["network"]).adapted(
        (job["size"],) * 2, job["classes"]
    )
    state, model = (
        library.build(architecture, weights, "float32"),
        program["Model"](weights),
    )
    images = np.random.default_rng(0).integers(
        0, 256, (16, job["size"], job["size"], 3), np.uint8
    )
    found = []
    for size in (16, 13, 9):
        ours = library.predict(state, images[:size])
        compiled.clear()
        theirs = model.predict(images[:size])
        functions = len(getattr(model, "functions", {})) - 1  # Keras': one a size
        found.append(
            [float(np.abs(ours - theirs).max()), len(compiled) + max(functions, 0)]
        )
    return found[1:]


if __name__ == "__main__":
    order = json.load(sys.stdin)
    match sys.argv[1:]:
        case ["library", name]:
            found = by_the_library(name, order)
        case ["predictions", name]:
            found = predictions(name, order)
        case _:
            found = by_the_programs(order)
    print("\n" + json.dumps(found))
