"""Honest proofs that must not raise an alarm: other networks, sizes, seeds, batches,
thread counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.mutants.judging import FRAMEWORKS, certificate_of, child, everyone

from triptych.equality.asking import ask_reference
from triptych.equality.certificate import Certificate
from triptych.equality.questions import moved_weights, network_case, noise, probe
from triptych.frameworks.contract import Optimizer
from triptych.network.conventions import OptimizerName, Precision
from triptych.network.zoo import FROM_SCRATCH
from triptych.running.exam import Case
from triptych.running.recipe import LEARNING_RATES
from triptych.running.schedule import Schedule, ScheduleName

STEPS = 6


@dataclass(frozen=True)
class Honest:
    """One run of a proof, as a user could ask for it."""

    network: str
    size: int
    seed: int
    optimizer: OptimizerName
    schedule: ScheduleName
    batch: int
    precision: Precision
    threads: int

    def case(self) -> Case:
        """What is asked."""
        made = (
            FROM_SCRATCH[self.network](self.size, 5)
            if self.network in FROM_SCRATCH
            else probe(self.network)
        )
        optimizer = Optimizer(self.optimizer, weight_decay=0.01, label_smoothing=0.05)
        schedule = Schedule(self.schedule, LEARNING_RATES[self.optimizer])
        return network_case(
            made,
            moved_weights(made, self.seed),
            noise(made, (self.batch,) * 2, self.seed),
            self.precision,
            [(optimizer, schedule)],
            STEPS,
        )


RUNS = (
    Honest("sports-cnn", 12, 1, "adamw", "one-cycle", 4, "float64", 2),
    Honest("sports-cnn", 16, 2, "sgd", "cosine", 7, "float64", 1),
    Honest("sports-cnn", 20, 3, "adam", "constant", 5, "float64", 2),
    Honest("sports-cnn", 16, 4, "rmsprop", "one-cycle", 3, "float64", 1),
    Honest("compact-cnn", 16, 5, "adamw", "cosine", 6, "float64", 2),
    Honest("compact-cnn", 24, 6, "rmsprop", "constant", 2, "float64", 1),
    Honest("lenet", 20, 7, "sgd", "one-cycle", 9, "float64", 2),
    Honest("lenet", 28, 8, "adam", "cosine", 4, "float64", 1),
    Honest("mlp", 9, 9, "adamw", "constant", 16, "float64", 2),
    Honest("sports-cnn", 48, 10, "adamw", "one-cycle", 16, "float32", 2),
    Honest("row-lstm", 12, 21, "adamw", "cosine", 5, "float64", 2),
    Honest("row-gru", 14, 22, "rmsprop", "one-cycle", 6, "float64", 1),
    Honest("rows", 0, 23, "adam", "constant", 4, "float64", 2),
    Honest("odd", 0, 11, "adamw", "one-cycle", 6, "float64", 2),
    Honest("even", 0, 12, "rmsprop", "cosine", 5, "float64", 1),
    Honest("sports-cnn", 16, 13, "adamw", "one-cycle", 6, "float32", 2),
    Honest("sports-cnn", 12, 14, "sgd", "cosine", 4, "float32", 1),
    Honest("compact-cnn", 16, 15, "adam", "constant", 5, "float32", 2),
    Honest("compact-cnn", 20, 16, "rmsprop", "one-cycle", 4, "float32", 1),
    Honest("lenet", 24, 17, "adamw", "cosine", 8, "float32", 2),
    Honest("mlp", 12, 18, "rmsprop", "constant", 7, "float32", 1),
    Honest("odd", 0, 19, "adam", "cosine", 4, "float32", 2),
    Honest("even", 0, 20, "sgd", "one-cycle", 6, "float32", 1),
    Honest("row-lstm", 14, 24, "adam", "one-cycle", 6, "float32", 1),
    Honest("row-gru", 12, 25, "adamw", "cosine", 5, "float32", 2),
    Honest("rows", 0, 26, "sgd", "cosine", 4, "float32", 2),
    Honest("compact-cnn", 16, 27, "nesterov", "one-cycle", 5, "float64", 2),
    Honest("lenet", 20, 28, "nesterov", "cosine", 6, "float32", 1),
)


def prove(exam: Path) -> list[Certificate]:
    """A certificate of all four frameworks for each run."""
    for number, run in enumerate(RUNS):
        ask_reference(_folder(exam, number), [run.case()], exam / "reference.log", 120)

    def ask(name: str) -> None:
        for threads in (1, 2):
            child("honest", name, exam, threads)

    everyone(FRAMEWORKS, ask)
    folders = {name: name for name in FRAMEWORKS}
    return [
        certificate_of(_folder(exam, number), run.case(), folders)
        for number, run in enumerate(RUNS)
    ]


def _folder(exam: Path, number: int) -> Path:
    return exam / f"honest-{number}"
