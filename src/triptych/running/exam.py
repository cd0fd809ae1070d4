"""The child's side of a proof: put a framework through everything that the contract gives, and write it down.

An exam is a folder. Each case is a network with weights and batches, all given, so that nothing is left to
the framework but to compute; every framework's answers go by the same names::

    exam/<case>.json                   what is asked
    exam/<case>.safetensors            weights and batches
    exam/<framework>/<case>.safetensors    the answers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from triptych.frameworks.contract import Framework, Optimizer
from triptych.network.architecture import Architecture, from_toml
from triptych.network.conventions import Precision
from triptych.network.decisions import decisions
from triptych.network.weights import Array, Weights, load_tensors, save_tensors
from triptych.pictures.batches import Batch
from triptych.running.folder import write_json

Answers = dict[str, Array]
"""Arrays by names of the form quantity/batch/where, or run/step/tensor."""

NUDGED = "~"
"""What stands between a case's name and a number where the case is the same with its weights nudged."""

LOGITS = "logits"
"""Where `predict` is asked, besides the layers: its way to the logits need not be that of `trace`."""


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
    """Whether the network's decisions before each of these steps are written down, too."""


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

    def write(self, exam: Path) -> None:
        """Put it into the exam's folder."""
        tensors: Weights = {f"weights/{name}": tensor for name, tensor in self.weights.items()}
        for number, batch in enumerate(self.batches):
            tensors |= {f"{number}/images": batch.images, f"{number}/labels": batch.labels}
            tensors |= {f"{number}/masks/{name}": mask for name, mask in batch.masks.items()}
        save_tensors(exam / f"{self.name}.safetensors", tensors)
        asked = _Asked(self.architecture.to_toml(), self.precision, len(self.batches), self.looked_at,
                       self.trainings)  # fmt: skip
        write_json(exam / f"{self.name}.json", asked)

    @classmethod
    def read(cls, exam: Path, name: str) -> Case:
        """The case of that name in an exam's folder."""
        asked = msgspec.json.decode((exam / f"{name}.json").read_bytes(), type=_Asked)
        tensors = load_tensors(exam / f"{name}.safetensors")
        batches = []
        for number in range(asked.batches):
            images, labels = tensors[f"{number}/images"], tensors[f"{number}/labels"]
            masks = {n: mask.astype(np.bool_) for n, mask in under(tensors, f"{number}/masks").items()}
            batches.append(Batch(images.astype(np.uint8), labels.astype(np.int64), masks))
        return cls(name, from_toml(asked.network), under(tensors, "weights"), tuple(batches),
                   asked.precision, asked.looked_at, asked.trainings)  # fmt: skip


@dataclass(frozen=True)
class _Asked:
    """What of a case goes into its JSON."""

    network: str
    precision: Precision
    batches: int
    looked_at: tuple[int, ...] = ()
    trainings: tuple[Training, ...] = field(default=())


def under(answers: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """What stands under `prefix`/, by the rest of its name."""
    head = f"{prefix}/"
    return {name.removeprefix(head): array for name, array in answers.items() if name.startswith(head)}


def answer(framework: Framework, case: Case, precision: Precision, truth: Mapping[str, Array]) -> Answers:
    """Everything that is asked of a framework in a case.

    `truth` holds the reference's answers, with which layers are fed again; without it they are not.
    """
    said: Answers = {}
    if case.looked_at:
        state = framework.build(case.architecture, case.weights, precision)
        for number in case.looked_at:
            batch = case.batches[number]
            seen = framework.trace(state, batch.images, False, {})
            said |= _named(f"forward/{number}", seen)
            said[f"forward/{number}/{LOGITS}"] = framework.predict(state, batch.images)
            seen = framework.trace(state, batch.images, True, batch.masks)
            said |= _named(f"forward_training/{number}", seen)
            if fed := under(truth, f"forward_training/{number}"):
                seen = framework.trace(state, batch.images, True, batch.masks, fed)
                said |= _named(f"refed/{number}", seen)
            loss, gradients = framework.gradients(state, batch.images, batch.labels, batch.masks)
            said[f"loss/{number}/loss"] = np.array(loss)
            for name, gradient in gradients.items():
                kind = "gradient" if name in case.architecture.parameters else "activation_gradient"
                said[f"{kind}/{number}/{name}"] = gradient
    for training in case.trainings:
        said |= _named(training.name, train(framework, case, training, precision))
    return said


def train(framework: Framework, case: Case, training: Training, precision: Precision) -> Answers:
    """The loss of every step, and all tensors after each that is kept."""
    state = framework.build(case.architecture, case.weights, precision)
    step = framework.make_step(state, training.optimizer)
    losses = []
    said: Answers = {}
    for number, rate in enumerate(training.rates, 1):
        batch = case.batches[(number - 1) % len(case.batches)]
        if number in training.kept and training.watched:
            seen = framework.trace(state, batch.images, True, batch.masks)
            said |= _named(f"{number}/decisions", decisions(case.architecture, seen))
        state, loss, correct = step(state, batch.images, batch.labels, batch.masks, rate)
        losses.append(float(loss))
        if number in training.kept:
            said |= _named(f"{number}", framework.dump_weights(state))
            said[f"{number}/correct"] = np.array(int(correct))
    return said | {"losses": np.array(losses)}


def answer_all(
    framework: Framework, name: str, exam: Path, cases: Sequence[str], precision: Precision | None = None
) -> None:
    """Answer the cases of an exam's folder, and write the answers there under `name`."""
    for case_name in cases:
        case = Case.read(exam, case_name)
        known = exam / "reference" / f"{case_name.partition(NUDGED)[0]}.safetensors"
        truth = load_tensors(known) if known.exists() else {}
        said = answer(framework, case, precision or case.precision, truth)
        save_tensors(exam / name / f"{case_name}.safetensors", said)


def _named(prefix: str, arrays: Mapping[str, Array]) -> Answers:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
