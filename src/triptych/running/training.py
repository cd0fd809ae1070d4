"""The one training loop, for any framework."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.frameworks.contract import Framework, State, Step
from triptych.images.augment import Augmentation
from triptych.images.batches import Batches, Pixels
from triptych.images.split import split
from triptych.images.store import Store
from triptych.network.architecture import Architecture
from triptych.network.layers import Shape
from triptych.network.layouts import Array
from triptych.network.weights import (
    Weights,
    load_tensors,
    own_weights,
    save_tensors,
)
from triptych.running.epoch import Epoch
from triptych.running.exam import recorded
from triptych.running.features import Features, Views
from triptych.running.folder import Panel
from triptych.running.machine import release_memory
from triptych.running.protocol import Alive, Emit, EpochDone, StepDone, StoppedEarly
from triptych.running.recipe import Recipe
from triptych.running.stopping import stopped

TELL_EVERY = 0.25
"""Seconds between two signs of progress: enough for an eye, too few to slow a step."""


@dataclass(frozen=True)
class Parts:
    """The three parts of the images, ready to be asked for batches."""

    train: Batches
    validation: Batches
    test: Batches


def parts_of(
    recipe: Recipe,
    architecture: Architecture,
    store: Store,
    features: Features | None = None,
) -> Parts:
    """The batches of a run's three parts: of images, or for the head of a network that
    was cut in two, of the features that its body has made of them.
    """
    parts = split(store.labels, store.parts, recipe.seed)
    pixels: Pixels = store.images if features is None else features
    augmentation = recipe.augmentation
    views: tuple[NDArray[np.int64], ...] = ()
    if features is not None:
        augmentation, views = None, views_of(recipe, store).places(len(store))[1:]

    def part(
        rows: NDArray[np.int64],
        augmentation: Augmentation | None = None,
        dropouts: Mapping[str, tuple[float, Shape]] | None = None,
        views: Sequence[NDArray[np.int64]] = (),
        balanced: bool = False,
    ) -> Batches:
        labels = np.asarray(store.labels)[rows].astype(np.int64)
        drawn = recipe.seed, augmentation, dropouts, views, balanced
        return Batches(pixels, labels, rows, recipe.batch_size, *drawn)

    return Parts(
        part(
            parts.train,
            augmentation,
            architecture.dropouts,
            views,
            recipe.balance == "sampling",
        ),
        part(parts.validation),
        part(parts.test),
    )


def views_of(recipe: Recipe, store: Store) -> Views:
    """Which views of the images a frozen body is shown."""
    train = split(store.labels, store.parts, recipe.seed).train
    return Views(recipe.views, train, recipe.augmentation, recipe.seed)


@dataclass
class TrainingState:
    """How far a training has come: stored with each checkpoint, next to the weights."""

    epochs: int = 0
    """Epochs finished."""
    best_epoch: int = 0
    """Counted from 1; 0 before the first."""
    best_accuracy: float = -1.0

    def is_best(self, accuracy: float | None) -> bool:
        """Whether no epoch before was as accurate; without images to score, each is."""
        return accuracy is None or accuracy > self.best_accuracy

    def take(self, accuracy: float | None) -> None:
        """The epoch just finished is the best."""
        self.best_epoch = self.epochs
        self.best_accuracy = -1.0 if accuracy is None else accuracy

    def as_weights(self) -> Weights:
        """As tensors of a checkpoint."""
        return {
            f"progress.{name}": np.array(value) for name, value in vars(self).items()
        }

    @classmethod
    def from_weights(cls, weights: Weights) -> TrainingState:
        """From the tensors of a checkpoint."""
        return cls(**{name: weights[f"progress.{name}"].item() for name in vars(cls())})


def train(
    framework: Framework,
    recipe: Recipe,
    architecture: Architecture,
    weights: Weights,
    parts: Parts,
    panel: Panel,
    emit: Emit,
) -> TrainingState:
    """Train from these weights, or from the panel's checkpoint if it has one, and leave
    everything in the panel's folder.

    `architecture` may be the head of a network that was cut in two: `weights` hold the
    body's tensors, too, and these are kept with the head's, as they are.

    After each epoch: the figures go to events.jsonl, the weights to weights.safetensors
    if they are the best on the validation part so far or the recipe keeps the last,
    then everything to checkpoint.safetensors. Whenever it is killed, what follows the
    last checkpoint is done again and comes out the same to the bit. The test part is
    looked at once, at the end, with the weights that were kept. The end is the last
    epoch, or where `stopped` says so.
    """
    begun = own_weights(architecture, weights)
    frozen = {name: tensor for name, tensor in weights.items() if name not in begun}
    state = framework.build(architecture, begun, recipe.precision)
    step = framework.make_step(state, recipe.optimizer)
    progress = TrainingState()
    if panel.checkpoint.exists():
        stored = load_tensors(panel.checkpoint)
        progress = TrainingState.from_weights(stored)
        framework.load_weights(state, stored)
    aside: list[float] = []
    if not progress.epochs:
        step, aside = recorded(framework, step, recipe.optimizer, panel.first_step)
    epochs = [one for one in panel.epochs() if one.epoch <= progress.epochs]

    for epoch in range(progress.epochs, recipe.epochs):
        if stopped(recipe, epochs):
            break
        state, figures = _train_epoch(
            step, state, recipe, parts.train, epoch, emit, aside
        )
        release_memory()
        _validate(framework, state, parts.validation, figures, emit)
        held = framework.dump_weights(state)
        progress.epochs = epoch + 1
        if recipe.keep == "last" or progress.is_best(figures.validation_accuracy):
            progress.take(figures.validation_accuracy)
            about = {"epoch": str(progress.epochs)}
            save_tensors(panel.weights, frozen | _without_optimizer(held), about)
        epochs.append(figures)
        panel.write_epochs(epochs)
        save_tensors(panel.checkpoint, held | progress.as_weights())
        emit(EpochDone(figures, progress.best_epoch))

    if early := stopped(recipe, epochs):
        emit(StoppedEarly(early))
    kept = own_weights(architecture, load_tensors(panel.weights))
    framework.load_weights(state, kept)
    tested: Weights = {"labels": parts.test.labels, "rows": parts.test.rows}
    save_tensors(
        panel.logits,
        tested | {"logits": all_logits(framework, state, parts.test, emit)},
    )
    return progress


def _validate(
    framework: Framework, state: State, part: Batches, figures: Epoch, emit: Emit
) -> None:
    """Score the validation part, and write that into an epoch's figures."""
    started = time.perf_counter()
    logits = all_logits(framework, state, part, emit)
    figures.validation_accuracy, figures.validation_loss = _score(logits, part.labels)
    figures.validation_seconds = time.perf_counter() - started


def _train_epoch(
    step: Step,
    state: State,
    recipe: Recipe,
    batches: Batches,
    epoch: int,
    emit: Emit,
    aside: list[float],
) -> tuple[State, Epoch]:
    steps = recipe.epochs * len(batches)
    losses, right = [], []
    started = told = time.perf_counter()
    for k, batch in enumerate(batches.epoch(epoch)):
        rate = recipe.schedule.at(epoch * len(batches) + k, steps)
        state, loss, correct = step(
            state, batch.images, batch.labels, batch.masks, rate
        )
        losses.append(loss)
        right.append(correct)
        now = time.perf_counter()
        if now - told > TELL_EVERY or k == 0:
            told = now
            done = (k + 1) / len(batches)
            emit(
                StepDone(
                    epoch + 1,
                    done,
                    float(loss),
                    done * len(batches.rows) / (now - started),
                )
            )
    step_losses = [float(loss) for loss in losses]  # waits for the device
    seconds = time.perf_counter() - started - (sum(aside) if epoch == 0 else 0)
    sizes = batches.sizes()
    return state, Epoch(
        epoch=epoch + 1,
        loss=float(np.average(step_losses, weights=sizes)),
        accuracy=sum(int(correct) for correct in right) / sum(sizes),
        train_seconds=seconds,
        images_per_second=sum(sizes) / seconds,
        step_losses=list(step_losses),
    )


def all_logits(
    framework: Framework, state: State, batches: Batches, emit: Emit
) -> Array:
    """Logits for all images of a part, (images, classes)."""
    found = []
    for batch in batches.epoch():
        found.append(framework.predict(state, batch.images))
        emit(Alive())
    return np.concatenate(found) if found else np.zeros((0, 0), np.float32)


def _score(
    logits: Array, labels: NDArray[np.int64]
) -> tuple[float | None, float | None]:
    """Accuracy and mean cross-entropy; None each if there is nothing to score."""
    if not len(labels):
        return None, None
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -float(log_probability[np.arange(len(labels)), labels].mean())
    return float((logits.argmax(axis=1) == labels).mean()), loss


def _without_optimizer(weights: Weights) -> Weights:
    return {
        name: tensor
        for name, tensor in weights.items()
        if not name.startswith("optimizer.")
    }
