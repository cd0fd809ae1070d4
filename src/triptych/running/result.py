"""result.json: the figures of a run, typed and documented.

Other programs read this. It only ever grows: a field is never renamed, removed or given
another meaning without a new `schema`.
"""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct, field
from numpy.typing import NDArray

from triptych.frameworks import registry
from triptych.images.found import ImagesFound
from triptych.network.architecture import Architecture
from triptych.network.layouts import Array
from triptych.network.pretrained import Origin
from triptych.network.weights import load_tensors
from triptych.running.epoch import Epoch
from triptych.running.folder import RunFolder, TrainingFacts
from triptych.running.machine import Machine, machine
from triptych.running.recipe import Recipe
from triptych.running.records import read_record, write_json
from triptych.running.scores import confusion_matrix, interval
from triptych.running.stopping import Stopped, stopped

Verdict = Literal["equal", "different", "inconclusive"]


class Attempt(Struct, kw_only=True):
    """Who it was, on what, and how it ended: what everything that is told of one
    framework begins with.
    """

    status: str
    title: str
    error: Annotated[
        str | None,
        Meta(description="Why it is missing or has failed, and what to do next."),
    ] = None
    version: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    threads: int | None = None


class FrameworkResult(Attempt, kw_only=True):
    """What one framework did. Figures are null where it did not get that far."""

    status: Literal["done", "missing", "failed", "unfinished"]
    test_accuracy: Annotated[
        float | None, Meta(description="With the best epoch's weights, from 0 to 1.")
    ] = None
    test_accuracy_interval: Annotated[
        tuple[float, float] | None,
        Meta(description="Wilson's 95 % interval of the test accuracy."),
    ] = None
    validation_accuracy: Annotated[
        float | None, Meta(description="In the best epoch.")
    ] = None
    best_epoch: Annotated[
        int | None,
        Meta(
            description="Whose weights were kept, from 1: the first "
            "of the highest validation accuracy, or the last if the recipe keeps that."
        ),
    ] = None
    stopped: Annotated[
        Stopped | None,
        Meta(
            description="After which epoch it stopped before the last one, and why; "
            "null if it did not."
        ),
    ] = None
    first_step_loss: Annotated[
        float | None, Meta(description="Loss before any update.")
    ] = None
    train_seconds: Annotated[
        float | None,
        Meta(description="Time of all training steps, compilation included."),
    ] = None
    total_seconds: Annotated[
        float | None,
        Meta(description="Time of the process that finished training, import to test."),
    ] = None
    images_per_second: Annotated[
        float | None,
        Meta(
            description="Training speed: median over the epochs after the first, "
            "if there are any."
        ),
    ] = None
    images_per_second_range: Annotated[
        tuple[float, float] | None,
        Meta(
            description="Lowest and highest over these epochs; "
            "null if there is only one."
        ),
    ] = None
    peak_memory_mib: float | None = None
    import_memory_mib: Annotated[
        float | None,
        Meta(description="Peak memory right after the framework was imported."),
    ] = None
    parameters: int | None = None
    network_lines: Annotated[
        int | None,
        Meta(
            description="What a user would write of network.py: imports and the "
            "network, without the helpers before it, comments, docstrings and blank "
            "lines."
        ),
    ] = None
    epochs: list[Epoch] = field(default_factory=list)
    confusion: Annotated[
        list[list[int]] | None,
        Meta(description="Test images: rows are true classes, columns predicted."),
    ] = None


class Agreement(Struct, kw_only=True):
    """How far the finished frameworks agree. Null if fewer than two finished."""

    first_step_loss_gap: Annotated[
        float | None,
        Meta(
            description="Largest difference in first-step loss between two frameworks."
        ),
    ] = None
    test_logits_gap: Annotated[
        float | None,
        Meta(
            description="Largest difference in a test logit after training "
            "between two frameworks."
        ),
    ] = None
    same_predictions: Annotated[
        float | None,
        Meta(
            description="Share of test images with the same label from all frameworks."
        ),
    ] = None
    reference_first_step_loss: Annotated[
        float | None,
        Meta(
            description="Computed by the NumPy reference in float64, "
            "whatever the run's precision."
        ),
    ] = None
    reference_error: Annotated[
        str | None, Meta(description="Why there is no loss from the reference.")
    ] = None
    reference_gap: Annotated[
        float | None,
        Meta(
            description="Largest difference between a framework's first-step loss "
            "and the reference's."
        ),
    ] = None


class Equivalence(Struct, kw_only=True):
    """Whether the finished frameworks compute the same, judged by their first step: see
    certificate.json.
    """

    verdict: Annotated[
        Verdict,
        Meta(description="Verdict on each framework against the NumPy reference."),
    ]
    reason: Annotated[
        str, Meta(description="What it rests on: who agrees, or the first difference.")
    ]

    @property
    def sentence(self) -> str:
        """The verdict and its reason in one line."""
        return f"{self.verdict}: {self.reason}"


class NetworkFacts(Struct, kw_only=True):
    """A network at a glance."""

    name: str
    input: Annotated[tuple[int, ...], Meta(description="Height, width and channels.")]
    classes: int
    parameters: int
    flops: Annotated[
        int, Meta(description="Operations of one image in the forward pass.")
    ]
    training_flops: Annotated[
        int, Meta(description="Of one image in training, forward and backward.")
    ]

    @classmethod
    def of(cls, architecture: Architecture) -> NetworkFacts:
        """Those of an architecture."""
        return cls(
            name=architecture.name,
            input=architecture.input_shape,
            classes=architecture.classes,
            parameters=architecture.parameter_count,
            flops=architecture.flops,
            training_flops=architecture.training_flops,
        )


class Result(Struct, kw_only=True):
    """A run's figures: the content of result.json and of the --json output."""

    schema: Annotated[Literal[2], Meta(description="The version of this format.")] = 2
    folder: Annotated[str, Meta(description="The run folder.")]
    started: Annotated[
        str, Meta(description="When the run was first started, ISO 8601 in UTC.")
    ]
    recipe: Annotated[
        Recipe, Meta(description="As in recipe.toml, with all defaults filled in.")
    ]
    images: ImagesFound
    network: NetworkFacts
    origin: Annotated[
        Origin | None,
        Meta(description="Where the weights come from; null if they were drawn."),
    ] = None
    machine: Machine
    frameworks: dict[str, FrameworkResult]
    agreement: Agreement
    equivalence: Annotated[
        Equivalence | None, Meta(description="Null if nothing was compared.")
    ] = None
    ranking: Annotated[
        dict[str, list[str]] | None,
        Meta(
            description="By figure the frameworks, best first; "
            "null unless they are equal: accidents have no ranks. "
            "Accuracies are not ranked: equal networks differ by chance; "
            "nor are lines of code: fewer are not better."
        ),
    ] = None

    @property
    def failed(self) -> list[str]:
        """The frameworks that failed."""
        return [name for name, one in self.frameworks.items() if one.status == "failed"]


def json_schema() -> dict[str, object]:
    """The JSON Schema of result.json."""
    return msgspec.json.schema(Result)


def collect(
    run: RunFolder,
    errors: dict[str, str],
    reference_loss: float | str,
    equivalence: Equivalence | None,
) -> Result:
    """Gather the figures of a run from its folder and write result.json.

    `errors` says by name why a framework did not finish; `reference_loss` is the first
    step's loss by the reference, or why it could not say.
    """
    recipe, architecture = run.recipe(), run.architecture()
    logits: dict[str, Array] = {}
    frameworks: dict[str, FrameworkResult] = {}
    for name in recipe.frameworks:
        entry = registry.find(name)
        panel = run.panel(entry)
        one = frameworks[name] = _so_far(entry.title, panel.epochs())
        one.parameters = architecture.parameter_count
        if name in errors:
            one.status = "missing" if entry.missing() else "failed"
            one.error = errors[name]
        elif (facts := panel.facts()) is not None:
            tested = load_tensors(panel.logits)
            logits[name] = tested["logits"]
            _finish(one, facts, tested["logits"], tested["labels"].astype(np.int64))
            one.stopped = stopped(recipe, one.epochs)
    result = Result(
        folder=str(run.path),
        started=run.started,
        recipe=recipe,
        images=run.images(),
        network=NetworkFacts.of(architecture),
        origin=run.origin(),
        machine=machine(),
        frameworks=frameworks,
        agreement=_agreement(frameworks, logits, reference_loss),
        equivalence=equivalence,
        ranking=_ranking(frameworks, equivalence),
    )
    write_json(run.path / "result.json", result)
    return result


def read_result(run: RunFolder) -> Result:
    """The result of a finished run; raises RunFolderError if it is missing, damaged or
    of another make.
    """
    result = read_record(run.path / "result.json", Result)
    result.folder = str(run.path)  # where it is now: it may have been moved or copied
    return result


def _so_far(title: str, epochs: list[Epoch]) -> FrameworkResult:
    """What the finished epochs of a training tell."""
    one = FrameworkResult(status="unfinished", title=title, epochs=epochs)
    if epochs:
        one.first_step_loss = epochs[0].step_losses[0]
        one.train_seconds = sum(epoch.train_seconds for epoch in epochs)
        speeds = [epoch.images_per_second for epoch in epochs[1:] or epochs]
        one.images_per_second = float(np.median(speeds))
        one.images_per_second_range = (
            (min(speeds), max(speeds)) if len(speeds) > 1 else None
        )
    return one


def _finish(
    one: FrameworkResult,
    facts: TrainingFacts,
    logits: Array,
    labels: NDArray[np.int64],
) -> None:
    """Fill in what a finished training knows."""
    one.status = "done"
    for name in {*FrameworkResult.__struct_fields__, "title"} & set(vars(facts)):
        setattr(one, name, getattr(facts, name))
    assert one.best_epoch is not None
    one.validation_accuracy = one.epochs[one.best_epoch - 1].validation_accuracy
    if len(labels):
        predicted = logits.argmax(axis=1)
        one.confusion = confusion_matrix(labels, predicted, logits.shape[1])
        right = int((predicted == labels).sum())
        one.test_accuracy = right / len(labels)
        one.test_accuracy_interval = interval(right, len(labels))


BEST: dict[str, Literal["most", "least"]] = {
    "images_per_second": "most",
    "total_seconds": "least",
    "peak_memory_mib": "least",
}
"""What frameworks are ranked by, and which end is best."""


def _ranking(
    frameworks: dict[str, FrameworkResult], equivalence: Equivalence | None
) -> dict[str, list[str]] | None:
    done = [name for name, one in frameworks.items() if one.status == "done"]
    if equivalence is None or equivalence.verdict != "equal" or len(done) < 2:
        return None
    return {
        figure: sorted(
            done,
            key=lambda name: getattr(frameworks[name], figure),
            reverse=end == "most",
        )
        for figure, end in BEST.items()
    }


def _agreement(
    frameworks: dict[str, FrameworkResult],
    logits: dict[str, Array],
    reference_loss: float | str,
) -> Agreement:
    agreement = Agreement()
    if isinstance(reference_loss, str):
        agreement.reference_error = reference_loss
    else:
        agreement.reference_first_step_loss = reference_loss
    losses = [
        one.first_step_loss
        for one in frameworks.values()
        if one.status == "done" and one.first_step_loss is not None
    ]
    if len(losses) > 1:
        agreement.first_step_loss_gap = max(losses) - min(losses)
    if losses and (reference := agreement.reference_first_step_loss) is not None:
        agreement.reference_gap = max(abs(loss - reference) for loss in losses)
    if len(logits) > 1 and all(values.size for values in logits.values()):
        _compare_logits(list(logits.values()), agreement)
    return agreement


def _compare_logits(logits: list[Array], agreement: Agreement) -> None:
    agreement.test_logits_gap = max(
        float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
        for a, b in combinations(logits, 2)
    )
    said = np.stack([values.argmax(axis=1) for values in logits])
    agreement.same_predictions = float((said == said[0]).all(axis=0).mean())
