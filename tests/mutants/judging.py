"""The parent: asks the reference, lets mutants answer, says what was found of each."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.mutants.asking import PRECISIONS, case_name
from tests.mutants.mutants import ANYTHING, MUTANTS, Mutant

from triptych.equality.asking import ask_reference, gathered
from triptych.equality.certificate import Certificate, Difference, Subject
from triptych.equality.certify import certify
from triptych.equality.questions import moved_weights, network_case, noise, probe_cases
from triptych.frameworks import registry
from triptych.frameworks.contract import Optimizer
from triptych.network.conventions import Precision
from triptych.network.zoo import sports_cnn
from triptych.running.exam import Case
from triptych.running.recipe import LEARNING_RATES
from triptych.running.schedule import Schedule
from triptych.running.transport import environment

FRAMEWORKS = tuple(dict.fromkeys(mutant.framework for mutant in MUTANTS))
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC")


@dataclass(frozen=True)
class Found:
    """What a proof says of a mutant: the first difference, or None if it passes for
    honest.
    """

    mutant: Mutant
    precision: Precision
    difference: Difference | None

    @property
    def located(self) -> bool:
        """Whether it is caught, and in the right place."""
        allowed = self.mutant.where
        return self.difference is not None and (
            allowed == ANYTHING or self.difference.where in allowed
        )


@cache
def cases(precision: Precision) -> dict[str, Case]:
    """What the mutants are asked, by name: the probes of every proof, in parts."""
    found = {}
    for case in probe_cases(precision, seed=0):
        parts: list[tuple[str | None, Case]] = [
            (None, dataclasses.replace(case, trainings=()))
        ]
        parts += [
            (one.name, dataclasses.replace(case, looked_at=(), trainings=(one,)))
            for one in case.trainings
        ]
        for training, part in parts:
            name = case_name(case.name, training)
            found[name] = dataclasses.replace(part, name=name)
    found[case_name("network", None)] = _network(precision)
    return found


def _network(precision: Precision) -> Case:
    """What is asked about a user's network: with a trajectory, and in float32 with its
    envelopes.
    """
    made = sports_cnn(12, 5)
    way = (
        Optimizer("adamw", weight_decay=0.01),
        Schedule(learning_rate=LEARNING_RATES["adamw"]),
    )
    case = network_case(
        made, moved_weights(made, 0), noise(made, (4, 4), 0), precision, [way], 6
    )
    return dataclasses.replace(case, name=case_name(case.name, None))


def ask(exam: Path, numbers: Sequence[int]) -> None:
    """Let the reference and then the mutants of these numbers answer; the answers stay
    in the folder.
    """
    mutants = [MUTANTS[number] for number in numbers]
    asked = {case_name(one.case, one.training) for one in mutants}
    for precision in PRECISIONS:
        known = [case for name, case in cases(precision).items() if name in asked]
        ask_reference(exam / precision, known, exam / "reference.log", 120)
    own: dict[str, list[str]] = {}
    for number in numbers:
        own.setdefault(MUTANTS[number].framework, []).append(str(number))
    everyone(tuple(own), lambda name: child("mutants", name, exam, 2, *own[name]))


def everyone(frameworks: Sequence[str], work: Callable[[str], None]) -> None:
    """Do something for each framework, two at a time, the slowest first."""
    slowest = sorted(frameworks, key=lambda name: -registry.find(name).seconds)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, slowest))


def child(what: str, name: str, exam: Path, threads: int, *numbers: str) -> None:
    """Run `asking` in a process of its own; raises AssertionError with its last words
    if it fails.
    """
    variables = environment(registry.find(name))
    variables |= {
        key: str(threads) for key, value in variables.items() if key in THREADS
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants.asking", what, name, str(exam), *numbers],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{name}: {done.stderr[-3000:]}")


def find(exam: Path, number: int, precision: Precision) -> Found:
    """The verdict on one mutant."""
    mutant = MUTANTS[number]
    case = cases(precision)[case_name(mutant.case, mutant.training)]
    certificate = certificate_of(
        exam / precision, case, {mutant.framework: str(number)}
    )
    return Found(mutant, precision, certificate.first_difference)


def certificate_of(exam: Path, case: Case, folders: Mapping[str, str]) -> Certificate:
    """What a proof about one case would say of those who answered in these folders."""

    places = {name: exam / folder for name, folder in folders.items()}
    answered = gathered(exam, case, places, dict.fromkeys(folders, "cpu"))
    subjects = {
        name: Subject(title=registry.find(name).title, status="answered")
        for name in folders
    }
    return certify([answered], subjects, {})
