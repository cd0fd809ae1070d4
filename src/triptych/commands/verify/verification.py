"""A proof from what the user asked to the certificate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from triptych.commands.verify.cases import cases_of
from triptych.equality import questions
from triptych.equality.asking import ask_reference, gathered
from triptych.equality.certificate import (
    MOST_IMAGES,
    MOST_SEED,
    MOST_STEPS,
    Certificate,
    ProofSettings,
    Subject,
    device_of,
    read_certificate,
    subject_of,
)
from triptych.equality.certify import batches_hash, certify
from triptych.equality.judgement import Answered
from triptych.errors import (
    NotEqual,
    RunFolderError,
    UsageError,
    WorkerFailed,
    check_least,
    check_names,
    check_timeout,
    did_you_mean,
    listed,
    quote,
)
from triptych.frameworks import registry
from triptych.frameworks.contract import Facts
from triptych.images.source import ImageSource, located
from triptych.network.architecture import MOST_PIXELS, Architecture, from_toml
from triptych.network.conventions import PRECISIONS, OptimizerName, Precision
from triptych.network.pretrained import IMAGENET
from triptych.network.weights import weights_hash
from triptych.network.zoo import find_network
from triptych.running.exam import REFERENCE, Case
from triptych.running.folder import RunFolder, make_folder, new_folder
from triptych.running.launch import ask_all
from triptych.running.pretrained import load_weights
from triptych.running.protocol import Answer, Callback, ExamDone, ProofPlanned, silence
from triptych.running.recipe import LEARNING_RATES, make_optimizer
from triptych.running.result import Verdict
from triptych.running.schedule import Schedule
from triptych.running.transport import TIMEOUT


@dataclass(frozen=True)
class Verification:
    """A certificate, and the folder with it and its page, if they are kept."""

    certificate: Certificate
    folder: Path | None

    @property
    def verdict(self) -> Verdict:
        """Whether the frameworks compute the same network."""
        return self.certificate.verdict

    def _repr_html_(self) -> str:
        from triptych.commands.verify.terminal import verification_parts
        from triptych.terminal import to_html

        return to_html(*verification_parts(self))


def verify(
    network: str | Path | Architecture | None = None,
    *,
    frameworks: Sequence[str] | str | None = None,
    precision: str = "float64",
    steps: int = 50,
    optimizers: Sequence[str] | str | None = None,
    images: ImageSource | None = None,
    image_size: int | None = None,
    weights: str | Path | None = None,
    batch_size: int = 8,
    seed: int = 0,
    probes: bool = True,
    certificate: Path | str | None = None,
    out: Path | str | None = None,
    timeout: float = TIMEOUT,
    callback: Callback = silence,
) -> Verification:
    """Prove that `frameworks` compute the same network, each against the NumPy
    reference and the others.

    `network` is a name from the zoo (sports-cnn), an architecture or its file, or a
    run, whose trained weights, images, seed and optimizer are then used. It is checked
    layer by layer and trained for `steps` steps with each of `optimizers` (AdamW by
    default), in batches of `batch_size`, on `images` or, without any, on seeded noise,
    from `weights` of others ("imagenet", a file or a run) or, without any, seeded ones.
    Small probe networks check what the given one may not show: all layers at uneven
    sizes, all optimizers; with `probes` false they are left out.

    A stored `certificate` already says what to check, so all of these arguments are
    left out: its checks are repeated on this machine, with the installed versions.

    Returns the certificate, which is also in the folder `out`, as certificate.json with
    a page of plots; its verdict is "equal", "different" or "inconclusive". Raises
    TriptychError if the checks cannot be made, NotEqual if a stored certificate
    contradicts its own figures.
    """
    timeout = check_timeout(timeout)
    if certificate is not None:
        others = (network, frameworks, optimizers, images, image_size, weights)
        if any(given is not None for given in others):
            raise UsageError(
                "a certificate already says what to check; leave out the rest"
            )
        stored = _stored(Path(certificate))
        assert stored.asked is not None
        return _carry_out(
            stored.asked, Path(out) if out else None, timeout, callback, stored
        )
    asked, run = _plan(
        "sports-cnn" if network is None else network,
        frameworks,
        precision,
        steps,
        optimizers,
        images,
        image_size,
        weights,
        batch_size,
        seed,
    )
    asked.probes = probes
    if out is None:
        out = (
            run / "proof"
            if run
            else new_folder(f"verify-{from_toml(asked.network).name}")
        )
    return _carry_out(asked, Path(out), timeout, callback)


def _stored(path: Path) -> Certificate:
    """A certificate that can be asked again; raises NotEqual if it contradicts itself,
    UsageError if not.
    """
    stored = read_certificate(path)
    if contradictions := stored.contradictions():
        raise NotEqual(f"{path}: contradicts its own figures: {contradictions[0]}")
    if stored.asked is None:
        raise UsageError(
            f"{path}: is the short certificate of a comparison, "
            "which cannot be repeated; for one that can: triptych verify RUN"
        )
    return stored


def _plan(
    network: str | Path | Architecture,
    frameworks: Sequence[str] | str | None,
    precision: str,
    steps: int,
    optimizers: Sequence[str] | str | None,
    images: ImageSource | None,
    image_size: int | None,
    weights: str | Path | None,
    batch_size: int,
    seed: int,
) -> tuple[ProofSettings, Path | None]:
    """What is asked, every default filled in, and the run folder if it is of a run."""
    steps = check_least("--steps", steps, 1, most=MOST_STEPS)
    batch_size = check_least("--batch-size", batch_size, 2, most=MOST_IMAGES)
    seed = check_least("--seed", seed, 0, most=MOST_SEED)
    if precision not in PRECISIONS:
        known = did_you_mean(precision, PRECISIONS)
        raise UsageError(f"unknown precision {quote(precision)}: {known}")
    named = listed(registry.DEFAULT if frameworks is None else frameworks)
    solvers = listed("adamw" if optimizers is None else optimizers)
    _check_names(named, solvers)
    may_be_run = network != "" and not isinstance(network, Architecture)
    run = RunFolder.find(str(network)) if may_be_run else None
    architecture = run.architecture() if run else find_network(network)
    if run and images is None:
        images = run.recipe().images
    if image_size is not None and run:
        raise UsageError("--image-size: a run's network has the size of its images")
    if image_size is not None:
        side = check_least("--image-size", image_size, 1, most=MOST_PIXELS)
        architecture = architecture.adapted((side, side))
    if weights is not None and run:
        raise UsageError("--weights: a run's network has the weights that it learned")
    if run:
        weights = _trained(run).resolve()
    elif weights is not None:
        architecture = load_weights(weights, architecture, seed=seed).architecture
        weights = weights if str(weights) == IMAGENET else Path(weights).resolve()
    chosen = [make_optimizer({"name": name}) for name in solvers]
    schedules = [Schedule(learning_rate=LEARNING_RATES[one.name]) for one in chosen]
    if run and optimizers is None:
        chosen, schedules = [run.recipe().optimizer], [run.recipe().schedule]
    asked = ProofSettings(
        network=architecture.to_toml(),
        frameworks=list(named),
        precision=precision,
        steps=steps,
        optimizers=chosen,
        schedules=schedules,
        seed=run.recipe().seed if run else seed,
        batch_size=batch_size,
        fit=run.recipe().fit if run else "squash",
        resize=run.recipe().resize if run else "bilinear",
        full=run.recipe().full if run else False,
        images=None if images is None else located(images),
        weights=None if weights is None else str(weights),
    )
    return asked, run.path if run else None


def _check_names(frameworks: Sequence[str], optimizers: Sequence[str]) -> None:
    """Raise UsageError for a name that there is not, for who is named twice or is the
    reference, and if there is none.
    """
    for optimizer in optimizers:
        if optimizer not in (known := get_args(OptimizerName)):
            hint = did_you_mean(optimizer, known)
            raise UsageError(f"unknown optimizer {quote(optimizer)}: {hint}")
    for name in frameworks:
        registry.find(name)
    check_names("--frameworks", frameworks)
    check_names("--optimizer", optimizers)
    if REFERENCE in frameworks:
        raise UsageError(
            "--frameworks: every framework is checked against the reference already; "
            "leave it out"
        )


def _trained(run: RunFolder) -> Path:
    """The weights of the first of a run's frameworks that has any."""
    for name in run.recipe().frameworks:
        weights = run.panel(registry.find(name)).weights
        if weights.exists():
            return weights
    raise RunFolderError(
        f"{run.path}: no framework has weights yet; "
        f"resume it with: triptych resume {run.path}"
    )


def _carry_out(
    asked: ProofSettings,
    out: Path | None,
    timeout: float,
    callback: Callback,
    stored: Certificate | None = None,
) -> Verification:
    """Ask the reference, then the frameworks, judge, and leave certificate and page in
    the folder `out`.

    With a `stored` certificate, first see that weights and batches are those it is
    about.
    """
    from triptych.report.certificate import write_page  # only now: it loads Matplotlib

    cases, origin = cases_of(asked, callback)
    if stored is not None:
        _check_same(cases, stored)
    entries = [registry.find(name) for name in asked.frameworks]
    there = [entry for entry in entries if entry.missing() is None]
    callback("plan", ProofPlanned((REFERENCE, *(entry.name for entry in there))))
    if out is not None:
        make_folder(out)
    with tempfile.TemporaryDirectory(
        prefix="triptych-exam-", ignore_cleanup_errors=True
    ) as temporary:
        exam = Path(temporary)
        try:
            log = exam / "reference.log"
            ask_reference(
                exam, cases, log, timeout, lambda event: callback(REFERENCE, event)
            )
        except WorkerFailed as error:
            raise UsageError(f"could not tell: {error}") from None
        outcomes = _ask(exam, there, cases, asked.precision, timeout, callback)
        subjects = {
            entry.name: _subject(entry, outcomes.get(entry.name)) for entry in entries
        }
        facts = {
            name: one.facts
            for name, one in outcomes.items()
            if isinstance(one, ExamDone)
        }
        answered = [_answered(exam, case, facts) for case in cases]
        versions = {name: one.versions for name, one in facts.items()}
        certificate = certify(answered, subjects, versions, asked, origin)
    if out is not None:
        write_page(out, certificate)
    return Verification(certificate, out)


def _check_same(cases: Sequence[Case], stored: Certificate) -> None:
    """Raise UsageError if a stored certificate is about other weights or images."""
    now = {"weights": weights_hash(cases[0].weights), "batches": batches_hash(cases)}
    for what, value in now.items():
        if getattr(stored, f"{what}_sha256") != value:
            raise UsageError(
                f"the certificate's {what} have changed, "
                "so its checks cannot be repeated"
            )


def _ask(
    exam: Path,
    entries: Sequence[registry.Entry],
    cases: Sequence[Case],
    precision: Precision,
    timeout: float,
    callback: Callback,
) -> dict[str, ExamDone | WorkerFailed]:
    """The frameworks' last words by name; the answers are in the exam's folder."""
    own = [one for case in cases for one in questions.nudged_kernel(case)]
    for case in own:
        case.write(exam)
    names = [case.name for case in (*cases, *own)]
    return ask_all(
        sorted(entries, key=lambda entry: -entry.seconds),
        Answer(str(exam), names, precision),
        lambda entry: exam / f"{entry.folder}.log",
        lambda entry, event: callback(entry.name, event),
        timeout,
    )


def _answered(exam: Path, case: Case, facts: dict[str, Facts]) -> Answered:
    """The answers to a case of those who said something of themselves."""
    folders = {name: exam / registry.find(name).folder for name in facts}
    return gathered(
        exam, case, folders, {name: device_of(one) for name, one in facts.items()}
    )


def _subject(entry: registry.Entry, outcome: ExamDone | WorkerFailed | None) -> Subject:
    if outcome is None:
        return Subject(title=entry.title, status="missing", error=entry.missing())
    if isinstance(outcome, WorkerFailed):
        return Subject(title=entry.title, status="failed", error=str(outcome))
    return subject_of(outcome.facts)
