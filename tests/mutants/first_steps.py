"""Honest first steps, drawn by chance: none of them may raise an alarm.

Photographs, drawn sports and digits; every network of the zoo, every optimizer, sizes
of 32 to 224 pixels, batches of 1 to 64. A number gives one of them, so that an alarm
can be looked into by itself.

python -m tests.mutants.first_steps COUNT [FIRST]    every framework takes COUNT of them
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images
from tests.mutants.judging import FRAMEWORKS, certificate_of, child, everyone

from triptych.equality.asking import ask_reference
from triptych.equality.certificate import Certificate
from triptych.equality.questions import first_step_case
from triptych.frameworks.contract import Optimizer
from triptych.images.batches import Batches
from triptych.images.digits import images as digits
from triptych.images.sports import CLASSES, draw
from triptych.network.conventions import OptimizerName, Precision
from triptych.network.rng import stream
from triptych.network.weights import initial_weights
from triptych.network.zoo import FROM_SCRATCH
from triptych.running.exam import Case
from triptych.running.recipe import LEARNING_RATES
from triptych.running.schedule import Schedule, ScheduleName

T = TypeVar("T")

PRECISIONS: tuple[Precision, ...] = ("float32", "float32", "float32", "bfloat16")

OPERATIONS = 1.5e9
"""Of one step, at most: the reference takes about a second for each billion."""

LOOKED_AT = 2**14
"""Pixels of a batch, at most, of which each activation and gradient is asked, too."""


@dataclass(frozen=True)
class FirstStep:
    """What a comparison asks in passing, and `verify RUN` of a small batch."""

    network: str
    image_size: int
    batch_size: int
    seed: int
    optimizer: OptimizerName
    schedule: ScheduleName
    images: str
    precision: Precision

    def __str__(self) -> str:
        return (
            f"{self.network} with {self.optimizer} in {self.precision} on "
            f"{self.batch_size} {self.images} of {self.image_size} px, seed {self.seed}"
        )

    def case(self) -> Case:
        """What is asked."""
        made = FROM_SCRATCH[self.network](self.image_size, len(CLASSES))
        images = IMAGES[self.images](self.image_size, self.batch_size, self.seed)
        labels = stream(self.seed, "labels").integers(0, made.classes, self.batch_size)
        rows = np.arange(self.batch_size)
        batches = Batches(
            images, labels, rows, self.batch_size, self.seed, dropouts=made.dropouts
        )
        optimizer = Optimizer(self.optimizer, weight_decay=0.01)
        rate = Schedule(self.schedule, LEARNING_RATES[self.optimizer]).at(0, 100)
        weights = initial_weights(made, self.seed)
        case = first_step_case(
            made, weights, batches.batch(0, 0), self.precision, optimizer, rate
        )
        looked_at = (0,) if self.image_size**2 * self.batch_size <= LOOKED_AT else ()
        return dataclasses.replace(case, looked_at=looked_at)


def photographs(size: int, count: int, seed: int) -> NDArray[np.uint8]:
    """Patches of scikit-learn's two photographs; shape (count, size, size, 3)."""
    generator = stream(seed, "patches")
    return np.stack([_patch(generator, size) for _ in range(count)])


def _patch(generator: np.random.Generator, size: int) -> NDArray[np.uint8]:
    whole = _sample_images()[generator.integers(2)]
    side = int(generator.integers(min(size, 200), min(whole.shape[:2]) + 1))
    top, left = (
        int(generator.integers(0, length - side + 1)) for length in whole.shape[:2]
    )
    patch = Image.fromarray(whole[top : top + side, left : left + side])
    return np.asarray(patch.resize((size, size), Image.Resampling.BILINEAR))


@cache
def _sample_images() -> list[NDArray[np.uint8]]:
    found: list[NDArray[np.uint8]] = load_sample_images().images
    return found


def drawn(size: int, count: int, seed: int) -> NDArray[np.uint8]:
    """The built-in sports."""
    return np.stack(
        [draw(CLASSES[n % len(CLASSES)], size, (seed, n)) for n in range(count)]
    )


def handwritten(size: int, count: int, seed: int) -> NDArray[np.uint8]:
    """The built-in digits: black at the edges, so that much of what is computed is
    exactly zero.
    """
    chosen = stream(seed, "digits").integers(0, 1797, count)
    found = [
        image.pixels
        for image in digits((size, size), "squash")
        if image.pixels is not None
    ]
    return np.stack([found[row] for row in chosen])


IMAGES = {"photographs": photographs, "drawn sports": drawn, "digits": handwritten}


def first_step(number: int) -> FirstStep:
    """The first step of this number. Networks and optimizers come in turn, all else by
    chance.
    """
    generator = stream(number, "first step")
    network = list(FROM_SCRATCH)[number % len(FROM_SCRATCH)]
    optimizers = get_args(OptimizerName)
    size = int(2 ** generator.uniform(5, np.log2(224)))
    most = OPERATIONS / FROM_SCRATCH[network](size, len(CLASSES)).training_flops
    return FirstStep(
        network=network,
        image_size=size,
        batch_size=int(2 ** generator.uniform(0, np.log2(min(64, max(1, most))))),
        seed=number,
        optimizer=optimizers[number // len(FROM_SCRATCH) % len(optimizers)],
        schedule=_one_of(generator, get_args(ScheduleName)),
        images=_one_of(
            generator, ("photographs", "photographs", "drawn sports", "digits")
        ),
        precision=_one_of(generator, PRECISIONS),
    )


def _one_of(generator: np.random.Generator, words: Sequence[T]) -> T:
    return words[int(generator.integers(len(words)))]


def prove(
    exam: Path, numbers: Sequence[int], frameworks: Sequence[str] = FRAMEWORKS
) -> list[tuple[FirstStep, Certificate]]:
    """The certificate of these frameworks for each of these first steps."""
    for number in numbers:
        folder = _folder(exam, number)
        ask_reference(
            folder, [first_step(number).case()], folder / "reference.log", 600
        )
    everyone(frameworks, lambda name: child("first-steps", name, exam, threads=2))
    folders = {name: name for name in frameworks}
    return [
        (one, certificate_of(_folder(exam, number), one.case(), folders))
        for number in numbers
        for one in [first_step(number)]
    ]


def _folder(exam: Path, number: int) -> Path:
    return exam / f"first-step-{number}"


def main(count: int, first: int = 0) -> int:
    """0 if none raised an alarm."""
    with tempfile.TemporaryDirectory() as exam:
        proofs = prove(Path(exam), range(first, first + count))
    alarms = [(one, found) for one, found in proofs if found.verdict != "equal"]
    asked = len(proofs) * len(FRAMEWORKS)
    print(f"{len(alarms)} false alarms in {asked} honest first steps")
    for one, found in alarms:
        print(f"  {one}: {found.sentence()}")
    return int(bool(alarms))


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
