"""Figures as they could have come out: a replay without a training, a proof of four
frameworks from one.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from triptych.commands.replay.factors import FACTORS
from triptych.commands.replay.replay import _subject
from triptych.commands.replay.result import (
    Ablation,
    Factorial,
    RecipeScores,
    Replay,
    ReplayedRecipe,
    change,
    trained,
)
from triptych.commands.replay.settings import ReplaySettings
from triptych.equality.certificate import Certificate
from triptych.frameworks import registry
from triptych.images.found import ImagesFound
from triptych.network.zoo import NOTEBOOKS
from triptych.running.machine import machine

SEEDS = 3


def _trained(accuracy: float) -> RecipeScores:
    """Three seeds around an accuracy."""
    return trained(
        [accuracy - 0.02, accuracy, accuracy + 0.015], [0.9] * SEEDS, ["a"] * SEEDS
    )


def made_up_replay(folder: Path) -> Replay:
    """The three notebooks, in the words of the real ones."""
    subjects = [
        _subject(name, ReplaySettings(epochs=2, image_size=16)) for name in NOTEBOOKS
    ]
    recipes = [
        ReplayedRecipe(
            name=name,
            factors={factor.name: factor.words(subject) for factor in FACTORS},
            trained=_trained(mean),
        )
        for name, subject, mean in zip(
            NOTEBOOKS, subjects, (0.72, 0.16, 0.61), strict=True
        )
    ]
    best, worst = recipes[0], recipes[1]
    names = list(best.factors)
    steps = [_trained(0.16 + 0.06 * number) for number in range(len(names) + 1)]
    pairs = zip(names, steps, steps[1:], strict=False)
    forwards = [
        change(name, worst.factors[name], best.factors[name], *pair)
        for name, *pair in pairs
    ]
    backwards = [
        change(one.factor, one.now, one.was, one.trained, steps[0])
        for one in reversed(forwards)
    ]
    return Replay(
        folder=str(folder), asked=ReplaySettings(seeds=SEEDS),
        images=ImagesFound(
            source="sports", key="0", size=(64, 64), fit="squash", resize="bilinear",
            train=1800, validation=200, test=450, classes=[], class_counts={},
            problem_counts={}, problems=[],
        ), framework="PyTorch", versions={"torch": "2.6.0", "numpy": "2.2.0"},
        machine=machine(), chance=1 / 6, majority=0.18, trainings=51, seconds=1234,
        recipes=recipes,
        forwards=Ablation(start=worst.name, end=best.name, changes=forwards),
        backwards=Ablation(start=best.name, end=worst.name, changes=backwards),
        cause=Factorial(
            recipe=worst.name, factors=(names[0], names[1]),
            was=("all N(0, 1)", "never updated"),
            now=("glorot uniform, biases 0", "0.99 kept"),
            cells=[steps[:2], steps[2:4]],
        ),
    )  # fmt: skip


def of_four(proof: Certificate) -> Certificate:
    """The proof of one framework as that of all four, which found the same."""
    (own,) = proof.frameworks
    again = msgspec.convert(msgspec.to_builtins(proof), Certificate)
    again.frameworks = {
        name: msgspec.structs.replace(
            proof.frameworks[own], title=registry.find(name).title
        )
        for name in registry.DEFAULT
    }
    again.versions = dict.fromkeys(registry.DEFAULT, proof.versions[own])
    for part in ("quantities", "drift"):
        found = getattr(proof, part)
        copies = [
            msgspec.structs.replace(one, framework=name)
            for name in registry.DEFAULT
            for one in found
        ]
        setattr(again, part, copies)
    return again
