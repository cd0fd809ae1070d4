"""A replay from what the user asked to the page."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from triptych.commands.replay import factors
from triptych.commands.replay.factors import (
    FACTORS,
    Factor,
    Setup,
    differences,
    differs,
)
from triptych.commands.replay.result import (
    FILE,
    Ablation,
    Factorial,
    RecipeScores,
    Replay,
    ReplayedRecipe,
    change,
)
from triptych.commands.replay.settings import ReplaySettings
from triptych.commands.replay.trainings import Trainings
from triptych.errors import (
    FrameworkMissing,
    RecipeError,
    RunFolderError,
    UsageError,
    check_timeout,
    listed,
    quote,
)
from triptych.files import from_table, read_toml, to_toml, write_atomic
from triptych.frameworks import registry
from triptych.images.source import ImageSource, located
from triptych.interruption import continued_by
from triptych.network.layers import pair
from triptych.network.zoo import NOTEBOOKS, find_network
from triptych.running.folder import locked, make_folder, new_folder
from triptych.running.machine import machine
from triptych.running.plan import read_recipe
from triptych.running.protocol import Callback, silence
from triptych.running.recipe import RANDOM, make_recipe
from triptych.running.records import write_json
from triptych.running.transport import TIMEOUT

ASKED = "replay.toml"
"""What was asked: it makes a folder a replay's."""


def replay(
    images: ImageSource = "sports",
    *,
    recipes: Sequence[str | Path] | str | Path = NOTEBOOKS,
    seeds: int = 3,
    framework: str = "pytorch",
    epochs: int | None = 12,
    image_size: int | None = 32,
    full: bool = False,
    worst: str | None = None,
    best: str | None = None,
    out: Path | str | None = None,
    timeout: float = TIMEOUT,
    callback: Callback = silence,
) -> Replay:
    """Train several recipes on the same images, then go from the worst to the best, one
    factor at a time.

    `recipes` are names of built-in recipes (the talk's three notebooks) or recipe
    files. The factors in which the worst and the best differ are found by comparing
    them. Forward, each step takes over one more factor from the best, starting from the
    worst; backward, one more from the worst, starting from the best, in the same order.
    Each step is trained with each seed, in one framework. `epochs` and `image_size`
    apply to all recipes; with None each keeps its own.

    `images` may also be the folder of an interrupted replay, which then resumes;
    nothing is trained twice. Returns the figures, which are also in replay.json in the
    folder `out`, next to replay.html. Raises TriptychError if the replay cannot be
    carried out.
    """
    timeout = check_timeout(timeout)
    named = located(images)
    if os.path.isfile(Path(named) / ASKED):
        folder = Path(named)
        asked = from_table(
            ReplaySettings, read_toml(folder / ASKED, RunFolderError), RunFolderError
        )
    else:
        names = tuple(_named(one) for one in listed(recipes))
        ends = [None if end is None else _named(end) for end in (worst, best)]
        asked = ReplaySettings(
            named, names, seeds, framework, epochs, image_size, full, *ends
        )
        folder = (
            Path(out) if out else new_folder(f"replay-{Path(named).name.split('.')[0]}")
        )
    entry = registry.find(asked.framework)
    if missing := entry.missing():
        raise FrameworkMissing(missing)
    subjects = {name: _subject(name, asked) for name in asked.recipes}
    trainings = Trainings(folder, entry, asked.seeds, timeout, callback)
    for subject in subjects.values():
        trainings.store(subject.recipe)  # what cannot be read leaves no folder behind
    _write_asked(folder, asked)
    with locked(folder, "replay"), continued_by("replay", folder):
        done = _carry_out(asked, subjects, trainings)
    # Only now: it loads Matplotlib.
    from triptych.commands.replay.page import write_page

    write_json(folder / FILE, done)
    write_page(folder, done)
    return done


def _named(recipe: str | Path) -> str:
    """A recipe that ships by its name, a file by its absolute path, so that it is found
    from anywhere.
    """
    return (
        str(recipe)
        if str(recipe) in NOTEBOOKS
        else str(Path(recipe).expanduser().resolve())
    )


def _subject(name: str, asked: ReplaySettings) -> Setup:
    """A recipe to be replayed, in parts; raises TriptychError if it cannot be."""
    given = {
        "epochs": asked.epochs,
        "image_size": asked.image_size,
        "images": asked.images,
        "full": asked.full,
    }
    recipe = make_recipe(read_recipe(name), given)
    if recipe.weights != RANDOM:
        raise RecipeError(
            f"{name}: weights is {quote(recipe.weights)}, but replay trains "
            "from random weights; leave it out"
        )
    return Setup.of(
        name, recipe, find_network(recipe.network).adapted(pair(recipe.image_size))
    )


def _write_asked(folder: Path, asked: ReplaySettings) -> None:
    """Make the folder a replay's; raises RunFolderError if it is another's."""
    text = to_toml(dataclasses.asdict(asked))
    make_folder(folder)
    if (folder / ASKED).is_file():
        table = read_toml(folder / ASKED, RunFolderError)
        if from_table(ReplaySettings, table, RunFolderError) != asked:
            raise RunFolderError(
                f"{folder}: holds another replay; choose another --out"
            )
    elif any(folder.iterdir()):
        raise RunFolderError(
            f"{folder}: already exists and is not a replay; choose another --out"
        )
    else:
        write_atomic(folder / ASKED, text)


def _carry_out(
    asked: ReplaySettings, subjects: dict[str, Setup], trainings: Trainings
) -> Replay:
    """Train the recipes, find out what to change, and train that."""
    figures = dict(zip(subjects, trainings.run(list(subjects.items())), strict=True))
    ranked = sorted(subjects, key=lambda name: -figures[name].mean)
    best = asked.best or next(name for name in ranked if name != asked.worst)
    worst = asked.worst or next(name for name in reversed(ranked) if name != best)
    changed = differences(subjects[worst], subjects[best])
    if not changed:
        raise UsageError(
            f"{worst} and {best} do not differ in anything that affects training"
        )
    forwards = _path(subjects[worst], subjects[best], changed)
    backwards = _path(subjects[best], subjects[worst], changed)
    suspects = _suspects(worst, ranked, subjects)
    crossed = _crossed(subjects[worst], suspects)
    wanted = [
        *_labeled(f"from {worst}", changed, forwards),
        *_labeled(f"from {best}", changed, backwards),
        *((f"{worst}, crossed", subject) for subject in crossed),
    ]
    found = trainings.run(wanted)
    steps = len(changed)
    facts, images = trainings.facts(), trainings.images()
    return Replay(
        folder=str(trainings.path),
        asked=asked,
        images=images,
        framework=trainings.entry.title,
        versions=facts.versions,
        machine=machine(),
        chance=1 / len(images.classes),
        majority=trainings.majority_class(),
        trainings=len(trainings.expected),
        seconds=trainings.seconds(),
        recipes=_known(ranked, subjects, figures),
        forwards=_ablation(
            worst, best, subjects, changed, figures[worst], found[:steps]
        ),
        backwards=_ablation(
            best, worst, subjects, changed, figures[best], found[steps : 2 * steps]
        ),
        cause=_factorial(worst, subjects[worst], suspects, found[2 * steps :]),
    )


def _known(
    ranked: Sequence[str], subjects: dict[str, Setup], figures: dict[str, RecipeScores]
) -> list[ReplayedRecipe]:
    return [
        ReplayedRecipe(
            name=name,
            factors=_in_words(subjects[name], subjects.values()),
            trained=figures[name],
        )
        for name in ranked
    ]


def _path(start: Setup, end: Setup, changed: Sequence[Factor]) -> list[Setup]:
    """From one subject to another, each with one factor more of the other's."""
    path = [start]
    for factor in changed:
        path.append(factor.take(path[-1], end))
    return path[1:]


def _labeled(
    head: str, changed: Sequence[Factor], path: Sequence[Setup]
) -> list[tuple[str, Setup]]:
    """Each step with what it is about."""
    return [
        (f"{head}, {factor.name} {factor.words(subject)}", subject)
        for factor, subject in zip(changed, path, strict=True)
    ]


def _ablation(
    start: str,
    end: str,
    subjects: dict[str, Setup],
    changed: Sequence[Factor],
    first: RecipeScores,
    found: Sequence[RecipeScores],
) -> Ablation:
    changes = []
    for factor, before, after in zip(changed, [first, *found], found, strict=False):
        was, now = factor.words(subjects[start]), factor.words(subjects[end])
        changes.append(change(factor.name, was, now, before, after))
    return Ablation(start=start, end=end, changes=changes)


def _suspects(
    worst: str, ranked: Sequence[str], subjects: dict[str, Setup]
) -> list[tuple[Factor, Setup]]:
    """The two suspects of the worst recipe, each with the best recipe that has it
    otherwise; or none.
    """
    found = []
    for factor in (factors.INITIAL_VALUES, factors.RUNNING_AVERAGES):
        others = [
            subjects[name]
            for name in ranked
            if differs(factor, subjects[worst], subjects[name])
        ]
        found += [(factor, others[0])] if others else []
    return found if len(found) == 2 else []


def _crossed(worst: Setup, suspects: Sequence[tuple[Factor, Setup]]) -> list[Setup]:
    """As it was, second changed, first changed, both changed."""
    if not suspects:
        return []
    (first, giver), (second, other) = suspects
    mended = first.take(worst, giver)
    return [worst, second.take(worst, other), mended, second.take(mended, other)]


def _factorial(
    worst: str,
    subject: Setup,
    suspects: Sequence[tuple[Factor, Setup]],
    found: Sequence[RecipeScores],
) -> Factorial | None:
    if not suspects:
        return None
    (first, giver), (second, other) = suspects
    return Factorial(
        recipe=worst,
        factors=(first.name, second.name),
        was=(first.words(subject), second.words(subject)),
        now=(first.words(giver), second.words(other)),
        cells=[list(found[:2]), list(found[2:])],
    )


def _in_words(subject: Setup, all_of_them: Iterable[Setup]) -> dict[str, str]:
    """What a recipe is like, in the factors in which the recipes are not all alike."""
    others = list(all_of_them)
    return {
        factor.name: factor.words(subject)
        for factor in FACTORS
        if len({factor.words(one) for one in others}) > 1
    }
