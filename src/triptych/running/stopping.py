"""When a training stops before its last epoch: a pure function of the epochs finished
so far, whichever sessions they are of, so that a run which stopped stays stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from triptych.running.epoch import Epoch
from triptych.running.recipe import Recipe


class Stopped(Struct, frozen=True, kw_only=True):
    """That a training ended before its last epoch, and why."""

    epoch: Annotated[int, Meta(description="The last epoch trained, from 1.")]
    entry: Annotated[
        Literal["patience", "minutes"],
        Meta(description="The entry of the recipe by which it stopped."),
    ]
    reason: Annotated[str, Meta(description="The same in words.")]


def stopped(recipe: Recipe, epochs: Sequence[Epoch]) -> Stopped | None:
    """Whether training ends with these epochs, in order from the first, though the
    recipe plans more; None if it goes on or all are done.

    With a `patience` it ends after that many epochs in a row none of which was more
    accurate on the validation part than the best before them (early stopping; Prechelt,
    1998); never where there is no validation part. With `minutes` it ends where the
    next epoch, were it as long as the last one, would end later than that. The first
    epoch is always trained, and no measure of the second: it may have compiled.
    """
    if not 0 < len(epochs) < recipe.epochs:
        return None
    last = epochs[-1].epoch
    if recipe.patience and _waited(epochs) >= recipe.patience:
        reason = f"no better validation accuracy for {recipe.patience} epoch(s)"
        return Stopped(epoch=last, entry="patience", reason=reason)
    further = _seconds(epochs[-1]) if len(epochs) > 1 else 0.0
    if recipe.minutes and sum(map(_seconds, epochs)) + further > 60 * recipe.minutes:
        reason = f"the budget of {recipe.minutes:g} minute(s) is spent"
        return Stopped(epoch=last, entry="minutes", reason=reason)
    return None


def _waited(epochs: Sequence[Epoch]) -> int:
    """How many of the last epochs were no better than the best before them."""
    best, waited = -1.0, 0
    for one in epochs:
        if one.validation_accuracy is None or one.validation_accuracy > best:
            best, waited = one.validation_accuracy or 0.0, 0
        else:
            waited += 1
    return waited


def _seconds(epoch: Epoch) -> float:
    return epoch.train_seconds + (epoch.validation_seconds or 0.0)
