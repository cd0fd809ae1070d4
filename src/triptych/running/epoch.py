"""The figures of an epoch: a line of events.jsonl, a part of result.json, an event
while training.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Epoch(Struct, kw_only=True):
    """One epoch of one framework."""

    epoch: Annotated[int, Meta(description="Counted from 1.")]
    loss: Annotated[
        float | None,
        Meta(description="Mean training loss, with dropout active; null if infinite."),
    ]
    accuracy: Annotated[
        float,
        Meta(description="Training accuracy, with dropout active."),
    ]
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    train_seconds: Annotated[
        float,
        Meta(description="Time of the training steps only, compilation included."),
    ]
    images_per_second: float
    step_losses: Annotated[
        list[float | None],
        Meta(description="The loss of every step; null where it is not finite."),
    ]
    validation_seconds: float | None = None
