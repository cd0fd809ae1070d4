"""What a fluent user of JAX writes today: `tf.data`, parameters in dictionaries,
`jax.jit`, Optax.

(Grain would be the loader of the JAX world; `tf.data` is what its tutorials use where
TensorFlow is at hand.)
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
import tensorflow as tf

from common import SHIFT, Asked, begin, class_names, listing

Tree = Any  # arrays in dictionaries and lists
AUTOTUNE = tf.data.AUTOTUNE
OPTIMIZER = optax.adamw(1e-3)


def load(asked: Asked, part: str) -> tf.data.Dataset:
    """Batches of images in [0, 1] with their labels; in training shuffled, and all of
    the same size.
    """
    size, reach = asked.image_size, int(asked.image_size * SHIFT)

    def decode(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(
            tf.io.read_file(path), channels=3, expand_animations=False
        )
        return tf.image.resize(image, (size, size)) / 255, label

    def augment(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.image.random_flip_left_right(image)
        image = tf.pad(image, [[reach, reach], [reach, reach], [0, 0]], "REFLECT")
        return tf.image.random_crop(image, (size, size, 3)), label

    paths, labels = listing(asked.folder, part)
    training = part == "train"
    images = tf.data.Dataset.from_tensor_slices((paths, labels))
    if training:
        images = images.shuffle(len(paths))
    images = images.map(decode, num_parallel_calls=AUTOTUNE)
    if training and asked.augment:
        images = images.map(augment, num_parallel_calls=AUTOTUNE)
    # jit compiles anew for every size.
    whole_batches = training and len(paths) >= asked.batch_size
    return images.batch(asked.batch_size, drop_remainder=whole_batches).prefetch(
        AUTOTUNE
    )


def initialize(key: jax.Array, size: int, classes: int) -> tuple[Tree, Tree]:
    """Parameters, and the running mean and variance of each batch norm."""
    normal = jax.nn.initializers.lecun_normal()
    keys = jax.random.split(key, 6)
    convs = [
        {
            "kernel": normal(keys[i], (3, 3, channels, 32)),
            "bias": jnp.zeros(32),
            "scale": jnp.ones(32),
            "offset": jnp.zeros(32),
        }
        for i, channels in enumerate((3, 32, 32, 32))
    ]
    hidden = {
        "kernel": normal(keys[4], ((size // 4) ** 2 * 32, 256)),
        "bias": jnp.zeros(256),
    }
    out = {"kernel": normal(keys[5], (256, classes)), "bias": jnp.zeros(classes)}
    running = [{"mean": jnp.zeros(32), "variance": jnp.ones(32)} for _ in convs]
    return {"convs": convs, "hidden": hidden, "out": out}, running


def forward(
    params: Tree, running: Tree, x: jax.Array, key: jax.Array | None = None
) -> tuple[jax.Array, Tree]:
    """Logits and new running values; training if there is a key."""
    new = []
    for i, (layer, seen) in enumerate(zip(params["convs"], running, strict=True)):
        x = jax.lax.conv_general_dilated(
            x,
            layer["kernel"],
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        x = x + layer["bias"]
        mean, variance = seen["mean"], seen["variance"]
        if key is not None:
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        slope = layer["scale"] * jax.lax.rsqrt(variance + 1e-5)
        x = (x - mean) * slope + layer["offset"]
        x = jax.nn.relu(x)
        new.append(
            {
                "mean": 0.9 * seen["mean"] + 0.1 * mean,
                "variance": 0.9 * seen["variance"] + 0.1 * variance,
            }
        )
        if i % 2:
            x = jax.lax.reduce_window(
                x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
            )
    x = x.reshape(len(x), -1)
    x = jax.nn.relu(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x / 0.5, 0)
    return x @ params["out"]["kernel"] + params["out"]["bias"], new


@partial(jax.jit, donate_argnums=0)
def train_step(
    state: Tree, images: jax.Array, labels: jax.Array
) -> tuple[Tree, jax.Array]:
    params, running, slots, key = state
    key, drop = jax.random.split(key)

    def loss_of(params: Tree) -> tuple[jax.Array, Tree]:
        logits, new = forward(params, running, images, drop)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), new

    (loss, running), gradients = jax.value_and_grad(loss_of, has_aux=True)(params)
    updates, slots = OPTIMIZER.update(gradients, slots, params)
    return (optax.apply_updates(params, updates), running, slots, key), loss


@jax.jit
def count_right(
    params: Tree, running: Tree, images: jax.Array, labels: jax.Array
) -> jax.Array:
    logits, _ = forward(params, running, images)
    return (logits.argmax(1) == labels).sum()


def main() -> None:
    asked, log = begin(__doc__, batch=32)
    tf.config.set_visible_devices([], "GPU")  # it belongs to JAX
    tf.random.set_seed(asked.seed)
    key, start = jax.random.split(jax.random.key(asked.seed))
    params, running = initialize(
        start, asked.image_size, len(class_names(asked.folder))
    )
    state = (params, running, OPTIMIZER.init(params), key)
    train, test = load(asked, "train"), load(asked, "test")
    for _ in range(asked.epochs):
        log.epoch_begins()
        losses = []
        for images, labels in train.as_numpy_iterator():
            state, loss = train_step(state, images, labels)
            losses.append(loss)
        jax.block_until_ready(state)
        log.training_ends()
        right = [
            count_right(state[0], state[1], *batch)
            for batch in test.as_numpy_iterator()
        ]
        accuracy = int(jnp.stack(right).sum()) / len(listing(asked.folder, "test")[0])
        if log.epoch_ends(float(jnp.stack(losses).mean()), accuracy):
            break
    log.done("jax", "optax", "tensorflow")


if __name__ == "__main__":
    main()
