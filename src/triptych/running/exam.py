"""The child's side of a proof: put a framework through everything that the contract
gives, and write it down.

An exam is a folder. Each case is a network with weights and batches, all given, so that
nothing is left to the framework but to compute; every framework's answers go by the
same names::

    exam/<case>.json                   what is asked
    exam/<case>.safetensors            weights and batches
    exam/<framework>/<case>.safetensors    the answers
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import SupportsFloat, SupportsInt, TypeVar, cast

import msgspec
import numpy as np

from triptych.frameworks.contract import (
    Framework,
    Images,
    Labels,
    Masks,
    Optimizer,
    State,
    Step,
)
from triptych.frameworks.rounding import rounding_to
from triptych.images.batches import Batch
from triptych.network.activation_patterns import decisions
from triptych.network.architecture import Architecture, from_toml
from triptych.network.conventions import Precision
from triptych.network.layouts import Array
from triptych.network.weights import StoredTensors, Weights, load_tensors, save_tensors
from triptych.running.protocol import CaseAsked, Emit
from triptych.running.records import write_json

T = TypeVar("T")

Answers = Mapping[str, Array]
"""Arrays by names of the form quantity/batch/where, or run/step/tensor."""

REFERENCE = "reference"
"""Where the reference's answers are."""

TRAJECTORY = "trajectory"
"""How the names of a user's network's trainings begin; others are looked at after a few
steps only.
"""

NUDGED = "~"
"""What stands between a case's name and a number where the case is the same with its
weights nudged.
"""

LOGITS = "predict()"
"""Where `predict` is asked, besides the layers: its way to the logits need not be that
of `trace`.

No layer can have this name.
"""


def trajectory(optimizer: Optimizer) -> str:
    """The name of a training of a user's network."""
    return f"{TRAJECTORY} {optimizer.name}"


@dataclass(frozen=True)
class Training:
    """Some steps on a case's batches in turn, from the case's weights."""

    name: str
    optimizer: Optimizer
    rates: tuple[float, ...]
    """The learning rate of each step."""
    kept: tuple[int, ...]
    """The steps, from 1, after which all tensors are written down."""
    watched: bool = False
    """Whether the network's decisions before each of these steps are kept, too."""
    resumed: int = 0
    """After how many steps the state is put into a fresh network, as when a run is
    resumed; 0 for never.
    """


@dataclass(frozen=True)
class Case:
    """A network with all that is needed to ask a framework about it."""

    name: str
    architecture: Architecture
    weights: Weights
    batches: tuple[Batch, ...]
    precision: Precision
    looked_at: tuple[int, ...] = ()
    """The batches for which every activation and gradient is asked."""
    trainings: tuple[Training, ...] = ()
    rounding: Precision | None = None
    """Where the reference is to round at random what it computes."""

    def training(self, name: str | None) -> Training:
        """The training of that name; raises StopIteration if there is none."""
        return next(one for one in self.trainings if one.name == name)

    def rounded(self) -> AbstractContextManager[None]:
        """In it, the reference rounds as this case asks it to."""
        return rounding_to(self.rounding, self.name) if self.rounding else nullcontext()

    def write(self, exam: Path) -> None:
        """Put it into the exam's folder."""
        tensors = _named("weights", self.weights)
        for number, batch in enumerate(self.batches):
            tensors |= _named(f"{number}", batch_tensors(batch))
        save_tensors(exam / f"{self.name}.safetensors", tensors)
        asked = _Asked(
            self.architecture.to_toml(),
            self.precision,
            len(self.batches),
            self.looked_at,
            self.trainings,
            self.rounding,
        )
        write_json(exam / f"{self.name}.json", asked)

    @classmethod
    def read(cls, exam: Path, name: str) -> Case:
        """The case of that name in an exam's folder."""
        asked = msgspec.json.decode((exam / f"{name}.json").read_bytes(), type=_Asked)
        tensors = load_tensors(exam / f"{name}.safetensors")
        return cls(
            name,
            from_toml(asked.network),
            under(tensors, "weights"),
            tuple(batch_of(under(tensors, f"{k}")) for k in range(asked.batches)),
            asked.precision,
            asked.looked_at,
            asked.trainings,
            asked.rounding,
        )


def batch_tensors(batch: Batch) -> Weights:
    """A batch as tensors, for a file."""
    parts: Weights = {"images": batch.images, "labels": batch.labels}
    return parts | _named("masks", batch.masks)


def batch_of(tensors: Mapping[str, Array]) -> Batch:
    """A batch from its tensors."""
    masks, images = under(tensors, "masks").items(), tensors["images"]
    of_features = np.issubdtype(images.dtype, np.floating)
    return Batch(
        cast(Images, images) if of_features else images.astype(np.uint8),
        tensors["labels"].astype(np.int64),
        {name: mask.astype(np.bool_) for name, mask in masks},
    )


@dataclass(frozen=True)
class _Asked:
    """What of a case goes into its JSON."""

    network: str
    precision: Precision
    batches: int
    looked_at: tuple[int, ...] = ()
    trainings: tuple[Training, ...] = field(default=())
    rounding: Precision | None = None


def under(answers: Mapping[str, T], prefix: str) -> dict[str, T]:
    """What stands under `prefix`/, by the rest of its name."""
    head = f"{prefix}/"
    return {
        name.removeprefix(head): array
        for name, array in answers.items()
        if name.startswith(head)
    }


def answer_case(
    framework: Framework,
    exam: Path,
    name: str,
    answers: Path,
    precision: Precision,
    emit: Emit,
) -> None:
    """Answer one case of an exam's folder; the answers go to a file of its name in the
    folder `answers`.

    Layers are fed again with what the reference has answered, once it has.
    """
    case = Case.read(exam, name)
    known = exam / REFERENCE / f"{name}.safetensors"
    truth: Mapping[str, Array] = StoredTensors(known) if known.exists() else {}

    def tell(what: str) -> None:
        emit(CaseAsked(name, what))

    with case.rounded():
        said = answer(framework, case, precision, truth, tell)
    save_tensors(answers / f"{name}.safetensors", said)


def answer(
    framework: Framework,
    case: Case,
    precision: Precision,
    truth: Mapping[str, Array],
    tell: Callable[[str], None] = lambda what: None,
) -> Answers:
    """Everything that is asked of a framework in a case.

    `truth` holds the reference's answers, with which each layer is fed again; the
    reference itself, which has none, feeds itself. `tell` hears what is being done.
    """
    said: Weights = {}
    if case.looked_at:
        tell("layers")
        state = framework.build(case.architecture, case.weights, precision)
        for number in case.looked_at:
            said |= _look(framework, state, case, number, truth)
    for training in case.trainings:
        said |= _named(training.name, train(framework, case, training, precision, tell))
    return said


def _look(
    framework: Framework,
    state: State,
    case: Case,
    number: int,
    truth: Mapping[str, Array],
) -> Weights:
    """Every activation and gradient of one batch."""
    batch = case.batches[number]
    said = _named(f"forward/{number}", framework.trace(state, batch.images, False, {}))
    said[f"forward/{number}/{LOGITS}"] = framework.predict(state, batch.images)
    seen = framework.trace(state, batch.images, True, batch.masks)
    said |= _named(f"forward_training/{number}", seen)
    fed = under(truth, f"forward_training/{number}") or seen
    seen = framework.trace(state, batch.images, True, batch.masks, fed)
    said |= _named(f"teacher_forced/{number}", seen)
    loss, gradients = framework.gradients(
        state, batch.images, batch.labels, batch.masks
    )
    return (
        said
        | {f"loss/{number}/loss": np.array(loss)}
        | named_gradients(case, number, gradients)
    )


def named_gradients(case: Case, number: int, gradients: Mapping[str, Array]) -> Weights:
    """The gradients of a batch by the names of their answers."""
    kinds = {True: "gradient", False: "activation_gradient"}
    return {
        f"{kinds[name in case.architecture.parameters]}/{number}/{name}": gradient
        for name, gradient in gradients.items()
    }


def train(
    framework: Framework,
    case: Case,
    training: Training,
    precision: Precision,
    tell: Callable[[str], None] = lambda what: None,
) -> Answers:
    """The logits before the first step, the loss of every step, and all tensors after
    each that is kept.
    """
    state = framework.build(case.architecture, case.weights, precision)
    step = framework.make_step(state, training.optimizer)
    logits = [framework.predict(state, batch.images) for batch in case.batches]
    said: Weights = {f"0/{LOGITS}": np.concatenate(logits)}
    for number, rate in enumerate(training.rates, 1):
        tell(f"{training.name} {number}/{len(training.rates)}")
        batch = case.batches[(number - 1) % len(case.batches)]
        if number in training.kept and training.watched:
            seen = framework.trace(state, batch.images, True, batch.masks)
            said |= _named(f"{number}/decisions", decisions(case.architecture, seen))
        state, loss, correct = step(
            state, batch.images, batch.labels, batch.masks, rate
        )
        said[f"{number}/loss"] = np.array(float(loss))
        if number in training.kept:
            said |= _after(framework, state, number, correct)
        if number == training.resumed:
            taken = framework.dump_weights(state)
            state = framework.build(case.architecture, case.weights, precision)
            step = framework.make_step(state, training.optimizer)
            framework.load_weights(state, taken)
    return said


def recorded(
    framework: Framework, step: Step, optimizer: Optimizer, path: Path
) -> tuple[Step, list[float]]:
    """A step whose first call also writes down what `train` says of a training of one
    step.

    The list gets the seconds that the writing took, which are not the training's.
    """
    waiting = True
    aside: list[float] = []

    def first(
        state: State, images: Images, labels: Labels, masks: Masks, learning_rate: float
    ) -> tuple[State, SupportsFloat, SupportsInt]:
        nonlocal waiting
        if not waiting:
            return step(state, images, labels, masks, learning_rate)
        waiting = False
        clock = time.perf_counter()
        said: Weights = {f"0/{LOGITS}": framework.predict(state, images)}
        aside.append(time.perf_counter() - clock)
        state, loss, correct = step(state, images, labels, masks, learning_rate)
        clock = time.perf_counter()
        said |= {"1/loss": np.array(float(loss))} | _after(framework, state, 1, correct)
        save_tensors(path, _named(trajectory(optimizer), said))
        aside.append(time.perf_counter() - clock)
        return state, loss, correct

    return first, aside


def _after(
    framework: Framework, state: State, number: int, correct: SupportsInt
) -> Weights:
    """All tensors after a step, and how many images were right before it."""
    return _named(f"{number}", framework.dump_weights(state)) | {
        f"{number}/correct": np.array(int(correct))
    }


def _named(prefix: str, arrays: Mapping[str, Array]) -> Weights:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
