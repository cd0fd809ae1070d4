"""Asking the reference, and gathering what everybody answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from triptych.equality.bounds import Device
from triptych.equality.judgement import Answered
from triptych.equality.questions import nudged_kernel, nudged_reference
from triptych.frameworks import registry
from triptych.network.weights import StoredTensors
from triptych.running.exam import REFERENCE, Case
from triptych.running.launch import Task, run_task
from triptych.running.protocol import Answer
from triptych.running.transport import Hear, ignore


def ask_reference(
    exam: Path, cases: Iterable[Case], log: Path, timeout: float, hear: Hear = ignore
) -> None:
    """Let the reference answer these cases, and the same with nudged weights; raises
    WorkerFailed.
    """
    names = []
    for case in cases:
        for one in (case, *nudged_reference(case)):
            one.write(exam)
            names.append(one.name)
    run_task(
        Task(registry.find(REFERENCE), Answer(str(exam), names, "float64"), log, hear),
        timeout,
    )


def gathered(
    exam: Path, case: Case, folders: Mapping[str, Path], devices: Mapping[str, Device]
) -> Answered:
    """What is known of a case: the reference's answers in the exam's folder, and each
    framework's in its own.

    Tensors are read when they are needed. Raises RunFolderError if answers are missing
    or damaged.
    """

    def stored(folder: Path, *cases: Case) -> tuple[StoredTensors, ...]:
        return tuple(StoredTensors(folder / f"{one.name}.safetensors") for one in cases)

    return Answered(
        case,
        stored(exam / REFERENCE, case)[0],
        stored(exam / REFERENCE, *nudged_reference(case)),
        {name: stored(folder, case)[0] for name, folder in folders.items()},
        {
            name: stored(folder, *nudged_kernel(case))
            for name, folder in folders.items()
        },
        devices,
    )
