"""The talk's raw TensorFlow notebook in today's TensorFlow: Pillow in the loop, a
`GradientTape`, eager.

Every image is decoded again in every epoch, in the main thread, and the loss is
evaluated in a second forward pass after each step. The notebook ran a session on a
graph; who writes that loop today, without a word about compilation, writes it eagerly.
`native_tensorflow.py` is the compiled one.

Initial values are N(0, 1) for weights and biases. Batch norm takes the moments of the
batch in training; in the test it takes the moving averages, which were never updated: 0
and 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from common import Asked, begin, class_names, decoded


def batches(
    asked: Asked, part: str, random: np.random.Generator
) -> Iterator[tuple[Any, Any]]:
    """Images in [0, 1] and labels, one pass over a part; training is shuffled."""
    for images, labels in decoded(asked, part, random, Image.Resampling.NEAREST):
        scaled = np.stack([image.astype("float32") / 255 for image in images])
        yield tf.constant(scaled), tf.constant(labels)


def normal(*shape: int) -> tf.Variable:
    return tf.Variable(tf.random.normal(shape))


class Network(tf.Module):
    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.kernels = [normal(3, 3, channels, 32) for channels in (3, 32, 32, 32)]
        self.scales = [tf.Variable(tf.ones(32)) for _ in range(4)]
        self.offsets = [tf.Variable(tf.zeros(32)) for _ in range(4)]
        self.biases = [normal(32) for _ in range(4)]
        self.hidden, self.hidden_bias = normal((size // 4) ** 2 * 32, 256), normal(256)
        self.out, self.out_bias = normal(256, classes), normal(classes)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        for i in range(4):
            x = tf.nn.conv2d(x, self.kernels[i], strides=1, padding="SAME")
            mean, variance = (
                tf.nn.moments(x, axes=[0, 1, 2]) if training else (0.0, 1.0)
            )
            x = tf.nn.batch_normalization(
                x, mean, variance, self.offsets[i], self.scales[i], 1e-3
            )
            x = tf.nn.relu(x + self.biases[i])
            if i % 2:
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.reshape(x, (len(x), -1))
        x = tf.nn.relu(x @ self.hidden + self.hidden_bias)
        if training:
            x = tf.nn.dropout(x, rate=0.5)
        return x @ self.out + self.out_bias


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


def main() -> None:
    asked, log = begin(__doc__, batch=10)
    tf.random.set_seed(asked.seed)
    random = np.random.default_rng(asked.seed)
    network = Network(asked.image_size, len(class_names(asked.folder)))
    optimizer = tf.keras.optimizers.Adam(1e-3)
    for _ in range(asked.epochs):
        log.epoch_begins()
        losses = []
        for images, labels in batches(asked, "train", random):
            with tf.GradientTape() as tape:
                loss = cross_entropy(labels, network(images, training=True))
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(
                zip(gradients, network.trainable_variables, strict=True)
            )
            losses.append(float(cross_entropy(labels, network(images, training=True))))
        log.training_ends()
        right = []
        for images, labels in batches(asked, "test", random):
            right += list(
                np.argmax(network(images, training=False), axis=1) == labels.numpy()
            )
        if log.epoch_ends(float(np.mean(losses)), float(np.mean(right))):
            break
    log.done("tensorflow", "keras", "numpy", "pillow")


if __name__ == "__main__":
    main()
