"""The runs there are, in a line each."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from triptych.errors import TriptychError
from triptych.frameworks import registry
from triptych.images.reader import printable
from triptych.network.layers import pair
from triptych.running.folder import RUNS, RunFolder, list_runs
from triptych.running.result import read_result


class Summary(Struct, kw_only=True):
    """What there is to know of a run at a glance; what is null is not known, as in a
    damaged one.
    """

    folder: str
    started: str
    """ISO 8601 in UTC."""
    images: str
    network: str
    image_size: tuple[int, int] | None = None
    """Height and width of the images."""
    epochs: int | None = None
    verdict: str | None = None
    """Whether the frameworks compute the same; null until the run is finished."""
    states: dict[str, str]
    """By framework: done, failed, missing, or how many epochs it has."""
    test_accuracy: dict[str, float | None]


def summaries(root: Path = RUNS) -> list[Summary]:
    """The runs under `root`, newest first; a damaged one says so in its states."""
    return [_summary(run) for run in list_runs(root)]


def _summary(run: RunFolder) -> Summary:
    try:
        return _read(run)
    except TriptychError as error:
        return Summary(
            folder=printable(str(run.path)),
            started=run.started,
            images="?",
            network="?",
            states={"damaged": str(error)},
            test_accuracy={"damaged": None},
        )


def _read(run: RunFolder) -> Summary:
    recipe = run.recipe()
    result = read_result(run) if (run.path / "result.json").exists() else None
    finished = result.frameworks if result else {}
    summary = Summary(
        folder=printable(str(run.path)),
        started=run.started,
        images=printable(recipe.images),
        network=printable(recipe.network),
        image_size=pair(recipe.image_size),
        epochs=recipe.epochs,
        verdict=result.equivalence.verdict if result and result.equivalence else None,
        states={},
        test_accuracy={},
    )
    for name in recipe.frameworks:
        one = finished.get(name)
        epochs = len(run.panel(registry.find(name)).epochs())
        ended = one and one.status != "unfinished"
        summary.states[name] = (
            one.status if one and ended else f"{epochs} of {recipe.epochs} epochs"
        )
        summary.test_accuracy[name] = one.test_accuracy if one else None
    return summary
