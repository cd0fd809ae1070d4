"""replay.html: what each difference was worth, to look at."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from triptych.commands.replay.result import Ablation, Replay
from triptych.errors import RunFolderError
from triptych.files import write_atomic
from triptych.report.plots import AblationStep, ablation_plot
from triptych.report.template import render
from triptych.report.words import percent

TEMPLATE = Path(__file__).with_name("page.html.j2")

COLORS = {"forwards": "#0b57d0", "backwards": "#c2410c"}


def write_page(folder: Path, replay: Replay) -> Path:
    """Write replay.html into `folder`; gives its path."""
    page = folder / "replay.html"
    try:
        write_atomic(page, render(TEMPLATE, **_gather(folder, replay)))
    except OSError as reason:
        raise RunFolderError(
            f"{folder}: cannot be written ({reason.strerror})"
        ) from None
    return page


def _gather(folder: Path, replay: Replay) -> dict[str, object]:
    """Every name that the template knows."""
    known = {one.name: one.trained for one in replay.recipes}
    ablations = {"forwards": replay.forwards, "backwards": replay.backwards}
    return {
        "run_name": folder.resolve().name,
        "headline": headline(replay),
        "version": version("triptych"),
        "colors": COLORS,
        "replay": replay,
        "seeds": replay.asked.seeds,
        "factors": list(
            dict.fromkeys(factor for one in replay.recipes for factor in one.factors)
        ),
        "ablations": ablations,
        "known": known,
        "plots": [
            ablation_plot(name, COLORS[name], _steps(ablation, replay), replay.majority)
            for name, ablation in ablations.items()
        ],
        "machine": replay.machine,
    }


def _steps(ablation: Ablation, replay: Replay) -> list[AblationStep]:
    first = next(one.trained for one in replay.recipes if one.name == ablation.start)
    steps = [AblationStep(ablation.start, first.mean, first.interval, first.test)]
    for one in ablation.changes:
        trained = one.trained
        steps.append(
            AblationStep(
                f"{one.factor}: {one.now}", trained.mean, trained.interval, trained.test
            )
        )
    return steps


def headline(replay: Replay) -> str:
    """What came out, in one sentence."""
    ranked = ", ".join(
        f"{one.name} {percent(one.trained.mean)}" for one in replay.recipes
    )
    most = max(replay.forwards.changes, key=lambda one: one.effect)
    return (
        f"{ranked}. On the way from worst to best, "
        f"{most.factor} had the largest effect: {most.points()} points."
    )
