"""Whose weights answer, and in which framework: any computes with another's, too."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from triptych.errors import FrameworkMissing, RunFolderError
from triptych.frameworks import registry
from triptych.network.layouts import Array
from triptych.network.weights import (
    StoredTensors,
    check_weights,
    load_tensors,
    save_tensors,
)
from triptych.running.folder import RunFolder
from triptych.running.protocol import Open, Predict
from triptych.running.transport import LOCAL, TIMEOUT, Worker


class Model(Struct, kw_only=True, frozen=True):
    """A run's network with the weights that one framework has learned, computed in that
    one or another.
    """

    run: Annotated[str, Meta(description="The run folder.")]
    framework: Annotated[str, Meta(description="The framework that computes.")]
    weights: Annotated[str, Meta(description="The framework that learned the weights.")]
    epoch: Annotated[
        int | None,
        Meta(description="The epoch of the weights, counted from 1."),
    ]
    epochs: Annotated[int, Meta(description="The number of epochs in the recipe.")]
    trained: Annotated[
        int, Meta(description="How many epochs have been trained so far.")
    ]
    finished: Annotated[bool, Meta(description="Whether their training is finished.")]

    def sentences(self) -> list[str]:
        """What answered, and whether there is more to come."""
        title = registry.find(self.framework).title
        owner = (
            f"{registry.find(self.weights).title}'s "
            if self.weights != self.framework
            else ""
        )
        epoch = (
            "" if self.epoch is None else f" from epoch {self.epoch} of {self.epochs}"
        )
        said = [f"Computed by {title}, with {owner or 'the '}weights{epoch}."]
        if not self.finished:
            said.append(
                f"The run is not finished "
                f"({self.trained} of {self.epochs} epochs trained); "
                f"resume it with: triptych resume {shlex.quote(self.run)}"
            )
        return said


class Loaded:
    """A model in a worker of its own, which builds the network when it is first asked
    and stays until the `with` is over.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._held = ExitStack()
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        scratch = tempfile.TemporaryDirectory(prefix="triptych-")
        self._scratch = Path(self._held.enter_context(scratch))
        return self

    def __exit__(self, *_: object) -> None:
        self._worker = None
        self._held.close()

    def logits(
        self, images: Path, shape: tuple[int, ...], rows: NDArray[np.int64]
    ) -> Array:
        """Logits of the `rows` of a file of uint8 pixels of that shape, (rows,
        classes); raises WorkerFailed.
        """
        asked, answer = (self._scratch / f"{n}.safetensors" for n in ("rows", "logits"))
        save_tensors(asked, {"rows": rows})
        if self._worker is None:
            self._worker = self._open()
        self._worker.ask(Predict(str(images), shape, str(asked), str(answer)))
        return load_tensors(answer)["logits"]

    def _open(self) -> Worker:
        model, log = self.model, self._scratch / "worker.log"
        run = RunFolder(Path(model.run))
        weights = run.panel(registry.find(model.weights)).weights
        worker = LOCAL.open(registry.find(model.framework), log, TIMEOUT, None)
        self._held.enter_context(worker).ask(Open(model.run, str(weights)))
        return worker


def find_model(run: RunFolder, framework: str | None, weights: str | None) -> Model:
    """What a run answers with.

    `weights` names whose: otherwise those of `framework` if it has trained, else those
    that were best on the validation part. They are computed in `framework`: otherwise
    in the one that learned them, or where that is not installed in one that is. Raises
    RunFolderError if there are none, FrameworkMissing.
    """
    found = _learned(run)
    if not found or (weights is not None and weights not in found):
        raise _no_weights(run, weights, found)
    owner = weights or (
        framework if framework in found else max(found, key=lambda name: found[name])
    )
    panel, recipe = run.panel(registry.find(owner)), run.recipe()
    check_weights(run.architecture(), StoredTensors(panel.weights))
    computing = _computing(framework, owner)
    registry.find(computing).check_precision(recipe.precision)
    return Model(
        run=str(run.path),
        framework=computing,
        weights=owner,
        epoch=panel.epoch,
        epochs=recipe.epochs,
        trained=len(panel.epochs()),
        finished=panel.facts() is not None,
    )


def _no_weights(
    run: RunFolder, weights: str | None, found: Iterable[str]
) -> RunFolderError:
    whose = registry.find(weights).title if weights else "any framework"
    there = f"use those of {', '.join(found)}, or " if found else ""
    return RunFolderError(
        f"{run.path}: there are no weights of {whose} yet; "
        f"{there}resume it with: triptych resume {run.path}"
    )


def _learned(run: RunFolder) -> dict[str, float]:
    """The frameworks that have left weights, each with its best validation accuracy."""
    panels = {name: run.panel(registry.find(name)) for name in run.recipe().frameworks}
    return {
        name: max(
            (epoch.validation_accuracy or 0.0 for epoch in panel.epochs()), default=0.0
        )
        for name, panel in panels.items()
        if panel.weights.is_file()
    }


def _computing(framework: str | None, owner: str) -> str:
    """The framework asked for; else the weights' owner, or whoever is installed."""
    choice = [framework] if framework else [owner, *registry.DEFAULT]
    missing = [registry.find(name).missing() for name in choice]
    for name, message in zip(choice, missing, strict=True):
        if message is None:
            return name
    raise FrameworkMissing(missing[0])
