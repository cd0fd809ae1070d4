"""What the page shows, gathered from a run folder."""

from __future__ import annotations

import math
import shlex
import textwrap
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from triptych.commands.compare import confusions
from triptych.commands.compare.predictions import Answers, find_store, groups
from triptych.frameworks import registry
from triptych.images.reader import PROBLEM_KINDS
from triptych.network.zoo import ZOO
from triptych.report import CERTIFICATE, words
from triptych.report.plots import Curve, accuracy_plot, loss_plot, pens
from triptych.running.folder import RunFolder
from triptych.running.result import FrameworkResult, Result, read_result

PROBLEMS_SHOWN = 10


@dataclass(frozen=True)
class FrameworkView:
    """One framework in the page: what the registry and the run know of it."""

    entry: registry.Entry
    one: FrameworkResult
    source: str | None
    """Its network.py, if it got that far."""

    @property
    def name(self) -> str:
        """Its name where HTML and CSS want an identifier."""
        return self.entry.folder

    @property
    def message(self) -> str:
        """Why it did not finish, without the log."""
        return (self.one.error or "").partition("\n")[0]

    @property
    def log(self) -> str:
        """The end of its log, if it failed."""
        return textwrap.dedent((self.one.error or "").partition("\n")[2])

    @property
    def done(self) -> bool:
        """Whether it finished."""
        return self.one.status == "done"


def gather(run: RunFolder) -> dict[str, object]:
    """Every name that the template knows."""
    result = read_result(run)
    views = [_view(run, name, one) for name, one in result.frameworks.items()]
    return {
        "run_name": run.path.resolve().name,
        "begun": f"{datetime.fromisoformat(result.started):%Y-%m-%d %H:%M} UTC",
        "headline": words.headline(result),
        "verdict": words.verdict(result),
        "reason": words.reason(result),
        "certificate": (run.path / CERTIFICATE).exists(),
        "result": result,
        "views": views,
        "colors": {view.name: view.entry.color for view in views},
        "done": [view for view in views if view.done],
        "scale": _scale(views),
        "version": version("triptych"),
        **_curves(views),
        **_confusion(result, views),
        **_predictions(run, result, views),
        **_problems(result),
        **_commands(run),
    }


def _view(run: RunFolder, name: str, one: FrameworkResult) -> FrameworkView:
    entry = registry.find(name)
    source = run.panel(entry).network
    return FrameworkView(
        entry, one, source.read_text("utf-8", "replace") if source.is_file() else None
    )


def _scale(views: list[FrameworkView]) -> tuple[float, float] | None:
    """Where the drawn intervals begin and end: at whole 5 % around them all."""
    intervals = [
        view.one.test_accuracy_interval
        for view in views
        if view.one.test_accuracy_interval
    ]
    if not intervals:
        return None
    low, high = min(low for low, _ in intervals), max(high for _, high in intervals)
    return math.floor(20 * low) / 20, math.ceil(20 * high) / 20


def _drawable(loss: float | None) -> float:
    """A loss that was no finite number leaves a hole in its curve."""
    return math.nan if loss is None else loss


def _curves(views: list[FrameworkView]) -> dict[str, object]:
    """How the loss fell and the accuracy rose."""
    started = [view for view in views if view.one.epochs]
    drawn = pens([(view.name, view.entry.title, view.entry.color) for view in started])
    losses, accuracies = [], []
    for pen, view in zip(drawn, started, strict=True):
        steps = [loss for epoch in view.one.epochs for loss in epoch.step_losses]
        losses.append(Curve(pen, [_drawable(loss) for loss in steps]))
        scores = [epoch.validation_accuracy for epoch in view.one.epochs]
        if known := [score for score in scores if score is not None]:
            accuracies.append(Curve(pen, known))
    return {
        "pens": drawn,
        "loss_plot": loss_plot(losses) if losses else None,
        "accuracy_plot": accuracy_plot(accuracies) if accuracies else None,
    }


def _confusion(result: Result, views: list[FrameworkView]) -> dict[str, object]:
    """Confusion tables, in full if the classes are few."""
    matrices = {
        view.name: view.one.confusion
        for view in views
        if view.one.confusion is not None
    }
    classes = result.images.classes
    few = len(classes) <= confusions.MOST_CLASSES
    shown = matrices if few else {}
    return {
        "matrices": {name: confusions.matrix(one) for name, one in shown.items()},
        "same_matrices": len(matrices) > 1
        and len({str(one) for one in matrices.values()}) == 1,
        "slim": few and confusions.slim(classes),
        "largest": confusions.largest(matrices, classes) if matrices else None,
    }


def _predictions(
    run: RunFolder, result: Result, views: list[FrameworkView]
) -> dict[str, object]:
    answers = Answers.read(run, [view.entry for view in views if view.done])
    store = find_store(result.images.key)
    shown = None
    if answers and store:
        shown = groups(answers, store, result.images.classes)
    return {"answers": answers is not None, "groups": shown}


def _problems(result: Result) -> dict[str, object]:
    problems = result.images.problems
    counts = Counter(problem.kind for problem in problems)
    return {
        "problem_kinds": [
            (kind, many, PROBLEM_KINDS.get(kind, ""))
            for kind, many in counts.most_common()
        ],
        "problems": problems[:PROBLEMS_SHOWN],
    }


def _commands(run: RunFolder) -> dict[str, object]:
    """What was asked, as text, and how to ask it again."""
    again = f"triptych compare --recipe {shlex.quote(str(run.path / 'recipe.toml'))}"
    if run.recipe().network not in ZOO:
        again += f" --network {shlex.quote(str(run.path / 'network.toml'))}"
    return {
        "recipe": (run.path / "recipe.toml").read_text("utf-8"),
        "network": (run.path / "network.toml").read_text("utf-8"),
        "again": again,
        "resume": f"triptych resume {shlex.quote(str(run.path))}",
    }
