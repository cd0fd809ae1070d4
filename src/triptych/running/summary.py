"""The runs there are, in a line each."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from triptych.errors import TriptychError
from triptych.frameworks import registry
from triptych.running.folder import RUNS, RunFolder, list_runs
from triptych.running.result import read_result


class Summary(Struct, kw_only=True):
    """What there is to know of a run at a glance."""

    folder: str
    pictures: str
    network: str
    states: dict[str, str]
    """By framework: done, failed, missing, or how many epochs it has."""
    test_accuracy: dict[str, float | None]


def summaries(root: Path = RUNS) -> list[Summary]:
    """The runs under `root`, newest first; a damaged one says so in its states."""
    return [_summary(run) for run in list_runs(root)]


def _summary(run: RunFolder) -> Summary:
    try:
        recipe = run.recipe()
        summary = Summary(
            folder=str(run.path),
            pictures=recipe.pictures,
            network=recipe.network,
            states={},
            test_accuracy={},
        )
        finished = read_result(run).frameworks if (run.path / "result.json").exists() else {}
        for name in recipe.frameworks:
            one = finished.get(name)
            epochs = len(run.panel(registry.find(name)).events())
            summary.states[name] = one.status if one else f"{epochs} of {recipe.epochs} epochs"
            summary.test_accuracy[name] = one.test_accuracy if one else None
    except TriptychError as error:
        return Summary(
            folder=str(run.path), pictures="?", network="?", states={"damaged": str(error)},
            test_accuracy={"damaged": None},
        )  # fmt: skip
    return summary
