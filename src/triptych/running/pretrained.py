"""Weights to begin a training with: those of an earlier run, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path

from triptych.errors import RunFolderError, WeightsError
from triptych.frameworks import registry
from triptych.network import pretrained
from triptych.network.architecture import Architecture
from triptych.running.folder import RECIPE, RunFolder
from triptych.running.recipe import RANDOM, Recipe


def weights_of(recipe: Recipe, architecture: Architecture) -> pretrained.Loaded | None:
    """What a recipe begins with, in the network with its images' size and classes; None
    if it is drawn. Raises what `load_weights` raises.
    """
    if recipe.weights == RANDOM:
        return None
    return load_weights(recipe.weights, architecture, recipe.ignore, recipe.seed)


def load_weights(
    asked: str | Path,
    architecture: Architecture,
    ignore: Collection[str] = (),
    seed: int = 0,
) -> pretrained.Loaded:
    """The network with weights that come from somewhere.

    `asked` is what `triptych.network.pretrained.load` takes, or a run folder, or the
    folder of a framework in one. Of several frameworks' weights those are taken that
    were best on the validation part. Raises WeightsError, and RunFolderError for a run
    folder without weights.
    """
    path = Path(asked)
    if str(asked) == pretrained.IMAGENET or not path.is_dir():
        return pretrained.load(asked, architecture, ignore, seed)
    run, file = run_weights(path)
    network = _as_trained(run, architecture)
    loaded = pretrained.load(file, network, ignore, seed)
    origin = dataclasses.replace(
        loaded.origin,
        asked=str(asked),
        source="/".join(file.resolve().parts[-3:]),
        changed=tuple(pretrained.changes(architecture, loaded.architecture)),
    )
    return dataclasses.replace(loaded, origin=origin)


def _as_trained(run: RunFolder, architecture: Architecture) -> Architecture:
    """The network with the layers' fields that the run has: its weights may come from
    somewhere themselves, with another epsilon.

    It is the one that is asked for if the run's has other layers, or wider ones: then
    its weights do not fit.
    """
    found = run.architecture()
    if _layers(found) != _layers(architecture):
        return architecture
    size = architecture.input_shape[:2]
    found = found.adapted((size[0], size[1]), architecture.classes)
    shared = found.parameters.keys() & architecture.parameters.keys()
    if any(found.parameters[one] != architecture.parameters[one] for one in shared):
        return architecture
    return found


def _layers(architecture: Architecture) -> list[tuple[str, str]]:
    return [(node.name, node.layer.kind) for node in architecture.nodes]


def run_weights(path: Path) -> tuple[RunFolder, Path]:
    """The run, and the file of weights, of a run folder or a framework's folder in
    one.
    """
    if (path / RECIPE).is_file():
        run = RunFolder.open(path)
        names = run.recipe().frameworks
    elif (path.parent / RECIPE).is_file():
        run = RunFolder.open(path.parent)
        names = tuple(
            name for name in run.recipe().frameworks
            if run.panel(registry.find(name)).path.name == path.name
        )  # fmt: skip
    else:
        raise WeightsError(
            f"{path}: is no run folder; name one, or a file of weights in this folder"
        )
    panels = [run.panel(registry.find(name)) for name in names]
    found = {
        panel.weights: max(
            (epoch.validation_accuracy or 0.0 for epoch in panel.epochs()), default=0.0
        )
        for panel in panels
        if panel.weights.is_file()
    }
    if not found:
        raise RunFolderError(
            f"{path}: there are no weights yet; "
            f"resume it with: triptych resume {run.path}"
        )
    return run, max(found, key=lambda file: found[file])
