"""What a fluent user of Keras writes today: `image_dataset_from_directory`,
preprocessing layers, `fit`.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from common import SHIFT, Asked, Log, begin, class_names


def load(asked: Asked, part: str) -> tf.data.Dataset:
    images = keras.utils.image_dataset_from_directory(
        asked.folder / part,
        class_names=class_names(asked.folder),
        image_size=(asked.image_size, asked.image_size),
        batch_size=asked.batch_size,
        shuffle=part == "train",
        seed=asked.seed,
    )
    return images.prefetch(tf.data.AUTOTUNE)


def build(asked: Asked) -> Any:
    model = keras.Sequential(
        [
            keras.Input((asked.image_size, asked.image_size, 3)),
            layers.Rescaling(1 / 255),
        ]
    )
    if asked.augment:
        model.add(layers.RandomFlip("horizontal"))
        model.add(layers.RandomTranslation(SHIFT, SHIFT))
    for _ in range(2):
        for _ in range(2):
            model.add(layers.Conv2D(32, 3, padding="same"))
            model.add(layers.BatchNormalization())
            model.add(layers.ReLU())
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(256, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(len(class_names(asked.folder))))
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


class Report(keras.callbacks.Callback):
    """Tells the log what happens in `fit`."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.log.epoch_begins()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self.model.trainable_variables[-1].numpy()  # waits for the last step
        self.log.training_ends()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.model.stop_training = self.log.epoch_ends(
            logs["loss"], logs["val_accuracy"]
        )


def main() -> None:
    asked, log = begin(__doc__, batch=32)
    keras.utils.set_random_seed(asked.seed)
    model = build(asked)
    train, test = load(asked, "train"), load(asked, "test")
    model.fit(
        train,
        validation_data=test,
        epochs=asked.epochs,
        callbacks=[Report(log)],
        verbose=0,
    )
    log.done("keras", "tensorflow")


if __name__ == "__main__":
    main()
