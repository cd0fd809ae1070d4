"""The trainings of a replay: each done once, kept in its folder, found again when the
replay goes on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from triptych.commands.replay.factors import Setup
from triptych.commands.replay.result import RecipeScores, trained
from triptych.errors import RunFolderError, WorkerFailed
from triptych.frameworks.registry import Entry
from triptych.images.found import ImagesFound
from triptych.images.store import Store
from triptych.network.architecture import Architecture
from triptych.network.layers import pair
from triptych.network.weights import load_tensors
from triptych.running.folder import Panel, RunFolder, TrainingFacts
from triptych.running.images import images_of
from triptych.running.launch import Task, run_tasks
from triptych.running.machine import cores
from triptych.running.protocol import (
    Callback,
    EpochDone,
    Event,
    Failed,
    Finished,
    ReplayPlanned,
    StoppedEarly,
    Train,
    TrainingDone,
)
from triptych.running.recipe import Recipe

AT_ONCE = 4
"""The most trainings at a time: a small network gains more from a core of its own than
from two shared.
"""


@dataclass
class Trainings:
    """What is trained in the folder `path`, with each of `seeds`, in one framework."""

    path: Path
    entry: Entry
    seeds: int
    timeout: float
    callback: Callback
    at_once: int = min(AT_ONCE, cores())
    stores: dict[str, Store] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    """What each training so far is about, in words, by its folder's name."""

    def run(self, subjects: Sequence[tuple[str, Setup]]) -> list[RecipeScores]:
        """Train what is not trained yet; gives each subject's figures, in order."""
        names = [
            [self._name(subject, seed) for seed in range(self.seeds)]
            for _, subject in subjects
        ]
        tasks = {}
        for (label, subject), own in zip(subjects, names, strict=True):
            for seed, name in enumerate(own):
                self.expected.setdefault(name, f"{label}, seed {seed}")
                if name not in tasks and not self._done(name):
                    tasks[name] = (subject, seed)
        done = len(self.expected) - len(tasks)
        self.callback("plan", ReplayPlanned(dict(self.expected), done))
        made = {name: self._task(name, *task) for name, task in tasks.items()}
        run_tasks(made, self.timeout, self.at_once, max(1, cores() // self.at_once))
        return [self._figures(own) for own in names]

    def store(self, recipe: Recipe) -> Store:
        """The images of a recipe, decoded once a replay."""
        way = f"{recipe.image_size} {recipe.fit} {recipe.resize}"
        if way not in self.stores:
            self.stores[way] = images_of(recipe, self.callback)
        return self.stores[way]

    def seconds(self) -> float:
        """What all trainings took, one after the other."""
        return sum(self._facts(name).total_seconds for name in self.expected)

    def facts(self) -> TrainingFacts:
        """What the framework said of itself in the first training."""
        return self._facts(next(iter(self.expected)))

    def _facts(self, name: str) -> TrainingFacts:
        facts = self._panel(name).facts()
        if facts is None:
            raise RunFolderError(
                f"{self._run(name).path}: has not finished; "
                "run replay on the folder again"
            )
        return facts

    def images(self) -> ImagesFound:
        """What was found in the images, by the first training."""
        return self._run(next(iter(self.expected))).images()

    def majority_class(self) -> float:
        """The share of the largest class in the test part: what always saying its name
        has.
        """
        tested = load_tensors(self._panel(next(iter(self.expected))).logits)
        labels = tested["labels"].astype(np.int64)
        return float(np.bincount(labels).max() / len(labels))

    def _asked(self, subject: Setup, seed: int) -> tuple[Recipe, Architecture]:
        recipe = dataclasses.replace(
            subject.recipe, seed=seed, frameworks=(self.entry.name,), network="replay"
        )
        store = self.store(recipe)
        return recipe, subject.network.adapted(
            pair(recipe.image_size), len(store.classes)
        )

    def _name(self, subject: Setup, seed: int) -> str:
        """Equal for equal trainings: of recipe, network and images."""
        recipe, network = self._asked(subject, seed)
        text = recipe.to_toml() + network.to_toml() + self.store(recipe).key
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def _run(self, name: str) -> RunFolder:
        return RunFolder(self.path / "trainings" / name)

    def _panel(self, name: str) -> Panel:
        return self._run(name).panel(self.entry)

    def _done(self, name: str) -> bool:
        begun = (self._run(name).path / "recipe.toml").is_file()
        return begun and self._panel(name).facts() is not None

    def _task(self, name: str, subject: Setup, seed: int) -> Task[TrainingDone]:
        recipe, network = self._asked(subject, seed)
        store, run = self.store(recipe), self._run(name)
        if not (run.path / "recipe.toml").is_file():
            # What a kill left of its making.
            shutil.rmtree(run.path, ignore_errors=True)
            RunFolder.create(run.path, recipe, network, store)
        panel = run.panel(self.entry)

        def hear(event: Event) -> None:
            if isinstance(event, Failed):
                raise WorkerFailed(f"{self.expected[name]}: {event.message}")
            self.callback(name, event)
            last = isinstance(event, EpochDone) and event.figures.epoch == recipe.epochs
            if last or isinstance(event, StoppedEarly):
                self.callback(name, Finished())

        return Task(self.entry, Train(str(run.path), str(store.path)), panel.log, hear)

    def _figures(self, names: list[str]) -> RecipeScores:
        test, train = [], []
        for name in names:
            panel = self._panel(name)
            tested = load_tensors(panel.logits)
            test.append(
                float((tested["logits"].argmax(axis=1) == tested["labels"]).mean())
            )
            train.append(panel.epochs()[-1].accuracy)
            for path in (panel.checkpoint, panel.first_step, panel.weights):
                # Of dozens of trainings the figures are enough.
                path.unlink(missing_ok=True)
        return trained(test, train, [f"trainings/{name}" for name in names])
