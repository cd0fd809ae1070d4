"""The child: one framework answers, changed or as it is.

python -m tests.mutants.asking mutants FRAMEWORK EXAM NUMBER...
python -m tests.mutants.asking honest|first-steps FRAMEWORK EXAM
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from tests.mutants.changes import applied
from tests.mutants.mutants import MUTANTS, Mutant

from triptych.equality.questions import NETWORK, nudged_kernel
from triptych.frameworks import registry
from triptych.network.conventions import Precision
from triptych.running.exam import Case, answer_case
from triptych.running.folder import FIRST_STEP

PRECISIONS: tuple[Precision, ...] = ("float32", "float64")
"""In this order: JAX, once it computes in 64 bits, never stops doing so."""


def case_name(case: str, training: str | None) -> str:
    """A probe that is asked for its layers only, or for one optimizer's steps only."""
    return f"{case}-{training or 'layers'}"


def answer_as_mutants(
    module: Any, name: str, folder: Path, numbers: Iterable[str]
) -> None:
    """Answers go to EXAM/<precision>/<number of the mutant>/<case>.safetensors."""
    for precision in PRECISIONS:
        for number in numbers:
            mutant = MUTANTS[int(number)]
            assert mutant.framework == name
            with applied(module, mutant.change):
                _answer_with_nudged(
                    module, folder / precision, mutant, number, precision
                )


def _answer_with_nudged(
    module: Any, exam: Path, mutant: Mutant, folder: str, precision: Precision
) -> None:
    name = case_name(mutant.case, mutant.training)
    _answer(module, exam, name, folder, precision)
    if mutant.case == NETWORK:
        # A mutant measures its own envelope, as any framework does.
        for one in nudged_kernel(Case.read(exam, name)):
            one.write(exam)
            _answer(module, exam, one.name, folder, precision)


def answer_as_it_is(module: Any, name: str, folder: Path) -> None:
    """The honest runs with as many threads: EXAM/honest-<number>/<framework>/."""
    from tests.mutants.honest import RUNS

    threads = int(os.environ["OMP_NUM_THREADS"])
    for number, run in sorted(
        enumerate(RUNS), key=lambda item: PRECISIONS.index(item[1].precision)
    ):
        if run.threads == threads:
            exam = folder / f"honest-{number}"
            case = run.case()
            for one in (case, *nudged_kernel(case)):
                one.write(exam)
                _answer(module, exam, one.name, name, run.precision)


def answer_first_steps(module: Any, name: str, folder: Path) -> None:
    """Whatever first steps lie there: EXAM/first-step-<number>/<framework>/."""
    for asked in sorted(folder.glob(f"first-step-*/{FIRST_STEP}.json")):
        case = Case.read(asked.parent, FIRST_STEP)
        _answer(module, asked.parent, case.name, name, case.precision)


def _answer(
    module: Any, exam: Path, case: str, folder: str, precision: Precision
) -> None:
    answer_case(module, exam, case, exam / folder, precision, lambda event: None)


def main() -> None:
    """Everything that one framework is asked."""
    _, what, name, folder, *numbers = sys.argv
    works: dict[str, Callable[[Any, str, Path], None]] = {
        "mutants": partial(answer_as_mutants, numbers=numbers),
        "honest": answer_as_it_is,
        "first-steps": answer_first_steps,
    }
    works[what](registry.find(name).load(), name, Path(folder))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # As in the package: some frameworks hang or crash while threads are torn down.
    os._exit(0)
