"""A comparison from what the user asked to the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

import msgspec

from triptych.commands.compare.page import REPORT, write_report
from triptych.commands.compare.passing import FirstSteps
from triptych.errors import (
    FrameworkMissing,
    RunFolderError,
    WorkerFailed,
    check_timeout,
)
from triptych.files import writing
from triptych.frameworks import registry
from triptych.images.source import ImageSource, located
from triptych.images.split import split
from triptych.images.store import Store
from triptych.interruption import continued_by
from triptych.network.cut import cut
from triptych.network.layers import pair
from triptych.network.weights import StoredTensors
from triptych.report import CERTIFICATE
from triptych.running.folder import RunFolder, locked
from triptych.running.images import images_of
from triptych.running.launch import Task, run_task
from triptych.running.plan import (
    Options,
    choose_balance,
    choose_network,
    make_plan,
    read_recipe,
    tables_of,
)
from triptych.running.pretrained import weights_of
from triptych.running.protocol import (
    Callback,
    Failed,
    Finished,
    Noted,
    RunOpened,
    StoppedEarly,
    Train,
    TrainingsPlanned,
    silence,
)
from triptych.running.recipe import Recipe
from triptych.running.result import Result, Verdict, collect, read_result
from triptych.running.stopping import stopped
from triptych.running.transport import TIMEOUT

NO_VALIDATION = (
    "patience has nothing to go by, since the images are too few for a validation "
    "split; all epochs are trained"
)
MADE_LAST = (REPORT, CERTIFICATE, "certificate.json")
"""What a run going on removes and its end makes anew: until then it would contradict
the newer figures.
"""


class Comparison(Result):
    """The figures of a comparison, with its report."""

    @property
    def verdict(self) -> Verdict | None:
        """Whether the frameworks compute the same; None if nothing was compared."""
        return self.equivalence.verdict if self.equivalence else None

    def report(self) -> Path:
        """Write the page report.html of the run folder again; returns its path."""
        return write_report(RunFolder(Path(self.folder)))

    def _repr_html_(self) -> str:
        from triptych.commands.compare.terminal import comparison_parts
        from triptych.terminal import to_html

        return to_html(*comparison_parts(self))


def compare(
    images: ImageSource | None = None,
    *,
    frameworks: Sequence[str] | None = None,
    recipe: Path | str | Mapping[str, object] | None = None,
    out: Path | str | None = None,
    timeout: float = TIMEOUT,
    callback: Callback = silence,
    **options: Unpack[Options],
) -> Comparison:
    """Train one network on the same images in several frameworks, one after another.

    `images` is a folder, an archive, a built-in set ("sports", "digits"), or arrays
    (images, labels): uint8 of shape (n, height, width, 3) or (n, height, width), and n
    whole numbers or names. `recipe` is a recipe file or its tables; keyword arguments
    such as `network`, `epochs`, `optimizer` and all others in `Options` override it.
    `frameworks` are names from the registry; if one is not installed or fails, the
    result says so and the others continue. `timeout` is how many seconds a framework
    may be silent before it counts as hung; `callback` receives the events of the run.

    Returns the figures, which are also in result.json in the run folder `out` (see
    docs/result.md). Raises TriptychError if the run cannot be carried out, and leaves
    nothing behind.
    """
    tables = read_recipe(recipe)
    given = {**tables_of(options), "images": images, "frameworks": frameworks}
    return _start(tables, given, out, timeout, callback)


def train(
    images: ImageSource | None = None,
    *,
    framework: str | None = None,
    recipe: Path | str | Mapping[str, object] | None = None,
    out: Path | str | None = None,
    timeout: float = TIMEOUT,
    callback: Callback = silence,
    **options: Unpack[Options],
) -> Comparison:
    """Train one network in one framework: PyTorch, unless `framework` or the recipe
    names another.

    Everything else is as in `compare`.
    """
    tables = {"frameworks": ["pytorch"], **read_recipe(recipe)}
    named = None if framework is None else [framework]
    given = {**tables_of(options), "images": images, "frameworks": named}
    return _start(tables, given, out, timeout, callback)


def load(run: Path | str) -> Comparison:
    """The figures of a finished run; raises RunFolderError if there are none."""
    return _comparison(read_result(RunFolder.open(run)))


def _comparison(result: Result) -> Comparison:
    # As it is read again.
    return msgspec.json.decode(msgspec.json.encode(result), type=Comparison)


def _start(
    tables: dict[str, object],
    given: dict[str, object],
    out: Path | str | None,
    timeout: float,
    callback: Callback,
) -> Comparison:
    """Open the images, make the run folder, and fill it."""
    timeout = check_timeout(timeout)
    for table in (tables, given):
        if isinstance(images := table.get("images"), str | Path | tuple | list):
            table["images"] = located(images)
    given, said = choose_network(tables, given)
    plan, architecture = make_plan(tables, given)
    architecture = architecture.adapted(pair(plan.image_size))
    weights_of(plan, architecture)  # raises now, not after the decoding
    callback("plan", TrainingsPlanned(plan.frameworks, plan.epochs))
    store = images_of(plan, callback)
    if said is not None:
        callback("plan", Noted(said))
    plan = _noted(*choose_balance(plan, tables, given, store), store, callback)
    architecture = architecture.adapted(classes=len(store.classes))
    if (carried := weights_of(plan, architecture)) is not None:
        architecture = carried.architecture
    if plan.trained_layers is not None:
        cut(architecture, plan.trained_layers)  # raises where it cannot
    run = RunFolder.create(
        Path(out) if out else None, plan, architecture, store, carried
    )
    with continued_by("resume", run.path):
        return _carry_out(run, store, timeout, callback)


def _noted(
    recipe: Recipe, said: str | None, store: Store, callback: Callback
) -> Recipe:
    """The recipe, after what the images mean for it was told."""
    if said is not None:
        callback("plan", Noted(said))
    if recipe.patience:
        parts = split(store.labels, store.parts, recipe.seed)
        if not len(parts.validation):
            callback("plan", Noted(NO_VALIDATION))
    return recipe


def resume(
    run: Path | str, *, timeout: float = TIMEOUT, callback: Callback = silence
) -> Comparison:
    """Resume a run that was interrupted or killed; finished parts are left as they are.

    The weights are the same, to the bit, as those of an uninterrupted run. Raises
    RunFolderError if the images have changed.
    """
    timeout, folder = check_timeout(timeout), RunFolder.open(run)
    plan = folder.recipe()
    callback("plan", TrainingsPlanned(plan.frameworks, plan.epochs))
    with continued_by("resume", folder.path):
        store = images_of(plan, callback)
        if store.key != folder.images().key:
            raise RunFolderError(
                f"{folder.path}: its images have changed since it started, "
                "so it cannot be resumed; start a new run"
            )
        return _carry_out(folder, store, timeout, callback)


def _carry_out(
    run: RunFolder, store: Store, timeout: float, callback: Callback
) -> Comparison:
    """Train what is not trained, gather the figures, write the report."""
    with locked(run.path, "run"):
        _check_panels(run)
        callback("run", RunOpened(str(run.path), run.recipe().summary()))
        with writing(run.path):
            for name in MADE_LAST:
                (run.path / name).unlink(missing_ok=True)
        errors: dict[str, str] = {}
        with FirstSteps(run, timeout) as first_steps:
            first_steps.ask(store)
            try:
                for entry in map(registry.find, run.recipe().frameworks):
                    _train_or_say(run, entry, store, timeout, callback, errors)
            except KeyboardInterrupt:
                collect(run, errors, "the run was interrupted", None)
                raise
            reference_loss, equivalence = first_steps.judge()
        comparison = _comparison(collect(run, errors, reference_loss, equivalence))
        comparison.report()
        return comparison


def _check_panels(run: RunFolder) -> None:
    """Raise RunFolderError, before anything is done to a run, for what could not be
    read later.
    """
    for name in run.recipe().frameworks:
        panel = run.panel(registry.find(name))
        panel.epochs()
        needed = [panel.weights, panel.logits]
        maybe = [panel.first_step]
        if panel.facts() is None:
            needed, maybe = [], [panel.checkpoint]
        try:
            for path in needed + [path for path in maybe if path.exists()]:
                StoredTensors(path)
        except RunFolderError as reason:
            raise RunFolderError(
                f"{reason}; to train {name} anew, remove {panel.path} and resume"
            ) from None


def _train_or_say(
    run: RunFolder,
    entry: registry.Entry,
    store: Store,
    timeout: float,
    callback: Callback,
    errors: dict[str, str],
) -> None:
    """Train in one framework unless that is done; what prevents it goes to `errors`."""
    panel = run.panel(entry)
    try:
        if missing := entry.missing():
            raise FrameworkMissing(missing)
        if panel.facts() is None:
            if not store.path.exists():  # the cache was cleared meanwhile
                store = images_of(run.recipe(), callback)
            job = Train(str(run.path), str(store.path))
            run_task(
                Task(entry, job, panel.log, lambda event: callback(entry.name, event)),
                timeout,
            )
        elif early := stopped(run.recipe(), panel.epochs()):
            callback(entry.name, StoppedEarly(early))
        callback(entry.name, Finished())
    except (FrameworkMissing, WorkerFailed) as error:
        errors[entry.name] = str(error)
        callback(entry.name, Failed(str(error)))
