"""The talk's Keras notebook in today's Keras: a generator that decodes and resizes with
Pillow, and `fit`.

Every image is decoded again in every epoch. Nothing is compiled by hand; what Keras
does unasked it does here, too: it compiles its step, with XLA, and draws from the
generator ahead, in one thread of its own.

The notebook's are optimizer, batch size, initial values, the resize to the nearest
pixel, and the batch norms, one after each convolution and one more after the first
pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import keras
import numpy as np
from keras import layers
from PIL import Image

from common import Asked, begin, class_names, decoded, listing


def batches(
    asked: Asked, part: str, random: np.random.Generator
) -> Iterator[tuple[Any, Any]]:
    """Images in [0, 1] and labels, one pass over a part; training is shuffled."""
    for images, labels in decoded(asked, part, random, Image.Resampling.NEAREST):
        yield (
            np.stack([image.astype("float32") / 255 for image in images]),
            np.array(labels),
        )


def build(size: int, classes: int) -> Any:
    model = keras.Sequential([keras.Input((size, size, 3))])
    for block in range(2):
        for _ in range(2):
            model.add(layers.Conv2D(32, 3, padding="same"))
            model.add(layers.BatchNormalization())
            model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D())
        if block == 0:
            model.add(layers.BatchNormalization())
    model.add(layers.Flatten())
    model.add(layers.Dense(256, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(classes, activation="softmax"))
    # What was `decay=1e-6`: the rate of step t is 1e-4 / (1 + 1e-6 t).
    rate = keras.optimizers.schedules.InverseTimeDecay(
        1e-4, decay_steps=1, decay_rate=1e-6
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def main() -> None:
    asked, log = begin(__doc__, batch=20)
    keras.utils.set_random_seed(asked.seed)
    random = np.random.default_rng(asked.seed)
    model = build(asked.image_size, len(class_names(asked.folder)))
    steps = {
        part: ceil(len(listing(asked.folder, part)[0]) / asked.batch_size)
        for part in ("train", "test")
    }
    for _ in range(asked.epochs):
        log.epoch_begins()
        history = model.fit(
            batches(asked, "train", random), steps_per_epoch=steps["train"], verbose=0
        )
        log.training_ends()
        _, accuracy = model.evaluate(
            batches(asked, "test", random), steps=steps["test"], verbose=0
        )
        if log.epoch_ends(history.history["loss"][-1], accuracy):
            break
    log.done("keras", "tensorflow", "numpy", "pillow")


if __name__ == "__main__":
    main()
