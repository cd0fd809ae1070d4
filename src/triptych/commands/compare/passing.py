"""What a run proves in passing: the first training step of every framework, held
against the reference's.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from triptych.equality.asking import ask_reference, gathered
from triptych.equality.certificate import Subject, device_of, subject_of
from triptych.equality.certify import certify
from triptych.equality.judgement import Answered
from triptych.equality.questions import first_step_case
from triptych.errors import WorkerFailed
from triptych.frameworks import registry
from triptych.images.batches import Batch
from triptych.images.store import Store
from triptych.network.architecture import Architecture
from triptych.network.cut import cut
from triptych.network.weights import Weights, load_tensors, own_weights
from triptych.running.exam import REFERENCE, Case, batch_of
from triptych.running.folder import Panel, RunFolder, TrainingFacts
from triptych.running.result import Equivalence
from triptych.running.training import parts_of

IN_PASSING = 1e11
"""Operations of a first step that the reference answers beside a training; more take
minutes and 10 GB.
"""


@dataclass
class FirstSteps:
    """The first steps of a run's trainings, of which the reference is asked in a folder
    of its own.

    Where everything is trained, all frameworks take the same step, and the reference
    answers before any of them: beside it, a framework would be slower. Where only the
    head is, or the head first, each takes a step of its own, on its own features or
    from its own head; the reference is asked about each when it has been taken.
    """

    run: RunFolder
    timeout: float
    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(
            prefix="triptych-exam-", ignore_cleanup_errors=True
        )
    )
    case: Case | None = None
    """That of all frameworks."""
    unanswered: str | None = None
    """Why the reference could not answer."""
    steps: int = 0
    """Of the whole training."""
    batch: Batch | None = None
    """The first that is trained on, of images."""

    def __enter__(self) -> FirstSteps:
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()

    @property
    def exam(self) -> Path:
        """Where it is asked about all frameworks at once."""
        return Path(self.folder.name)

    def ask(self, store: Store) -> None:
        """Let the reference answer, if the step is the same for all."""
        recipe, architecture = self.run.recipe(), self.run.architecture()
        batches = parts_of(recipe, architecture, store).train
        self.steps = recipe.epochs * len(batches)
        if recipe.trained_layers is not None:
            return
        self.batch = batches.batch(0, 0)
        if not recipe.head_epochs:
            weights = self.run.starting_weights()
            self.case = self._case(architecture, weights, self.batch)
            self._ask(self.case, self.exam)

    def judge(self) -> tuple[float | str, Equivalence | None]:
        """The first step's loss by the reference, or why there is none, and what the
        certificate says of those who have finished.

        The certificate and its page are left in the run folder.
        """
        # Only now: it loads Matplotlib.
        from triptych.report.certificate import write_page

        facts, subjects = self._finished()
        answered = self._answered(facts)
        if self.unanswered is not None:
            equivalence = Equivalence(verdict="inconclusive", reason=self.unanswered)
            return self.unanswered, equivalence
        if not answered:
            return "no framework took a first step", None
        key = f"{answered[0].case.trainings[0].name}/1/loss"
        loss = float(answered[0].reference[key].item())
        if not subjects:
            return loss, None
        versions = {name: known.versions for name, known in facts.items()}
        certificate = certify(answered, subjects, versions, origin=self.run.origin())
        write_page(self.run.path, certificate)
        reason = certificate.reason()
        return loss, Equivalence(verdict=certificate.verdict, reason=reason)

    def _finished(self) -> tuple[dict[str, TrainingFacts], dict[str, Subject]]:
        """Who has finished and left a first step, and what is to say of each who has
        finished.
        """
        facts: dict[str, TrainingFacts] = {}
        subjects: dict[str, Subject] = {}
        for name in self.run.recipe().frameworks:
            entry = registry.find(name)
            panel = self.run.panel(entry)
            if (known := panel.facts()) is None:
                continue
            if panel.first_step.exists():
                facts[name], subjects[name] = known, subject_of(known)
            else:
                error = (
                    f"{panel.first_step}: there is no such file, "
                    "so its first step is not known"
                )
                subjects[name] = Subject(
                    title=entry.title, status="failed", error=error
                )
        return facts, subjects

    def _answered(self, facts: dict[str, TrainingFacts]) -> list[Answered]:
        """The answers of all to the one case, or of each to its own."""
        if self.unanswered is not None:
            return []
        folders = {name: self.run.panel(registry.find(name)).path for name in facts}
        devices = {name: device_of(known) for name, known in facts.items()}
        if self.case is not None:
            return [gathered(self.exam, self.case, folders, devices)]
        answered = []
        for name, folder in folders.items():
            exam = self.exam / registry.find(name).folder
            case = self._own_case(self.run.panel(registry.find(name)))
            self._ask(case, exam)
            if self.unanswered is not None:
                return []
            own = {name: folder}, {name: devices[name]}
            answered.append(gathered(exam, case, *own))
        return answered

    def _own_case(self, panel: Panel) -> Case:
        """The first step of one framework: of the head on its features, or of all from
        the head that it has trained before.
        """
        architecture, trained = (
            self.run.architecture(),
            self.run.recipe().trained_layers,
        )
        if trained is None:
            assert self.batch is not None
            return self._case(
                architecture, load_tensors(panel.head.weights), self.batch
            )
        _, head = cut(architecture, trained)
        batch = batch_of(load_tensors(panel.first_batch))
        return self._case(head, self.run.starting_weights(), batch)

    def _case(self, architecture: Architecture, weights: Weights, batch: Batch) -> Case:
        """The first step of these layers from these weights on that batch."""
        recipe = self.run.recipe()
        return first_step_case(
            architecture,
            own_weights(architecture, weights),
            batch,
            recipe.precision,
            recipe.optimizer,
            recipe.schedule.at(0, self.steps),
        )

    def _ask(self, case: Case, exam: Path) -> None:
        """Let the reference answer a case."""
        work = case.architecture.training_flops * len(case.batches[0].labels)
        if work > IN_PASSING:
            self.unanswered = (
                f"a step of {work / 1e9:,.0f} billion operations is too much "
                "for the NumPy reference in passing; prove it on fewer images: "
                f"triptych verify {self.run.path} --batch-size 2"
            )
            return
        log = self.run.panel(registry.find(REFERENCE)).log
        try:
            exam.mkdir(parents=True, exist_ok=True)
            ask_reference(exam, [case], log, self.timeout)
        except (WorkerFailed, OSError) as error:
            self.unanswered = str(error)
