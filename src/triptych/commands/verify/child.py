"""What of a proof runs inside a worker: the answers of one framework."""

from __future__ import annotations

from pathlib import Path

from triptych.errors import UsageError
from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.running.exam import answer_case
from triptych.running.protocol import Answer, Emit, ExamDone, Finished
from triptych.running.worker import Conversation


def answer(job: Answer, framework: Framework, entry: Entry, emit: Emit) -> Conversation:
    """Answer the cases one after another; raises UsageError for a precision that does
    not work here.
    """
    facts, exam = framework.facts(), Path(job.exam)
    if job.precision not in facts.precisions:
        raise UsageError(f"{facts.title} cannot compute in {job.precision} here")
    for name in job.cases:
        answer_case(framework, exam, name, exam / entry.folder, job.precision, emit)
    emit(Finished())
    yield ExamDone(facts)
