"""The parent: asks the reference, lets the mutants answer, and says what was found of each."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.asking import PRECISIONS, case_name
from tests.mutants.mutants import MUTANTS, Mutant

from triptych.equality.certificate import Certificate, Difference, Subject
from triptych.equality.certify import certify
from triptych.equality.judgement import Answered
from triptych.equality.questions import nudged_kernel, nudged_reference, probe_cases
from triptych.frameworks import reference, registry
from triptych.network.conventions import Precision
from triptych.network.weights import StoredTensors
from triptych.running.exam import REFERENCE, Case, answer_case
from triptych.running.launch import environment

FRAMEWORKS = tuple(dict.fromkeys(mutant.framework for mutant in MUTANTS))
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC")


@dataclass(frozen=True)
class Found:
    """What a proof says of a mutant: the first difference, or None if it passes for honest."""

    mutant: Mutant
    precision: Precision
    difference: Difference | None

    @property
    def located(self) -> bool:
        """Whether it is caught, and in the right place."""
        return self.difference is not None and self.difference.where in self.mutant.where


def cases(precision: Precision) -> dict[str, Case]:
    """What the mutants are asked, by name: the probes of every proof, in parts."""
    found = {}
    for case in probe_cases(precision, seed=0):
        parts: list[tuple[str | None, Case]] = [(None, dataclasses.replace(case, trainings=()))]
        parts += [
            (one.name, dataclasses.replace(case, looked_at=(), trainings=(one,))) for one in case.trainings
        ]
        for training, part in parts:
            name = case_name(case.name, training)
            found[name] = dataclasses.replace(part, name=name)
    return found


def ask(exam: Path, frameworks: Sequence[str]) -> None:
    """Let the reference and then every mutant of these frameworks answer; the answers stay in the folder."""
    for precision in PRECISIONS:
        for case in cases(precision).values():
            ask_reference(exam / precision, case)
    everyone(frameworks, lambda name: child("mutants", name, exam, threads=2))


def ask_reference(exam: Path, case: Case) -> None:
    """Write a case down, and the nudged ones that belong to it; the reference answers all."""
    for one in (case, *nudged_reference(case)):
        one.write(exam)
        answer_case(reference, exam, one.name, exam / REFERENCE, "float64", lambda event: None)


def everyone(frameworks: Sequence[str], work: Callable[[str], None]) -> None:
    """Do something for each framework, two at a time, the slowest first."""
    slowest = sorted(frameworks, key=lambda name: -registry.find(name).seconds)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, slowest))


def child(what: str, name: str, exam: Path, threads: int) -> None:
    """Run `asking` in a process of its own; raises AssertionError with its last words if it fails."""
    variables = environment(registry.find(name))
    variables |= {key: str(threads) for key, value in variables.items() if key in THREADS}
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants.asking", what, name, str(exam)],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{name}: {done.stderr[-3000:]}")


def find(exam: Path, number: int, precision: Precision) -> Found:
    """The verdict on one mutant."""
    mutant = MUTANTS[number]
    case = cases(precision)[case_name(mutant.case, mutant.training)]
    certificate = certificate_of(exam / precision, case, {mutant.framework: str(number)})
    return Found(mutant, precision, certificate.first_difference)


def certificate_of(exam: Path, case: Case, folders: Mapping[str, str]) -> Certificate:
    """What a proof about one case would say of the frameworks that answered in these folders."""

    def answers(folder: str, names: Iterable[str]) -> tuple[StoredTensors, ...]:
        return tuple(StoredTensors(exam / folder / f"{name}.safetensors") for name in names)

    answered = Answered(
        case,
        answers(REFERENCE, [case.name])[0],
        answers(REFERENCE, [one.name for one in nudged_reference(case)]),
        {name: answers(folder, [case.name])[0] for name, folder in folders.items()},
        {
            name: answers(folder, [one.name for one in nudged_kernel(case)])
            for name, folder in folders.items()
        },
        dict.fromkeys(folders, "cpu"),
    )
    subjects = {name: Subject(title=registry.find(name).title, status="answered") for name in folders}
    return certify([answered], subjects, {})
