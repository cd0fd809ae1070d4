"""Changes that show on one branch only.

At a cut, a tie, in a short batch, after resuming, off the default: each was invisible
as long as no probe reached its branch. `triptych.frameworks.tensors` tells which a
probe reaches; tests/equality/test_coverage.py sees to it that all are reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
from tests.mutants.changes import rewritten, wrapped, written

from triptych.frameworks.contract import Optimizer

Row = tuple[Any, ...]
"""A mutant's fields after its framework."""

LOSS = ("loss",)
FIRST_VELOCITY = ("optimizer.velocity.conv1.kernel",)
VELOCITY = ("optimizer.velocity.dense1.kernel", "optimizer.velocity.dense1.bias")
MOMENTS = ("optimizer.first_moment.dense1.kernel", "optimizer.first_moment.dense1.bias")
SECOND = (
    "optimizer.second_moment.dense1.kernel",
    "optimizer.second_moment.dense1.bias",
)
SQUARES = ("optimizer.mean_square.dense1.kernel", "optimizer.mean_square.dense1.bias")
DENSE = ("dense1.kernel", "dense1.bias")


def forgetting(name: str) -> Callable[[Any], Any]:
    """A step that takes no notice of one of its optimizer's numbers."""
    default = next(field.default for field in fields(Optimizer) if field.name == name)
    own = {name: default}

    def wrap(honest: Any) -> Any:
        return lambda state, optimizer: honest(state, replace(optimizer, **own))

    return wrap


def only_whole_batches(
    change: Callable[..., tuple[Any, ...]] | None,
) -> Callable[[Any], Any]:
    """A step that never sees a batch shorter than those before, or sees it changed."""

    def wrap(honest: Any) -> Any:
        def make_step(state: Any, optimizer: Optimizer) -> Any:
            step, largest = honest(state, optimizer), [0]

            def once(
                state: Any, images: Any, labels: Any, masks: Any, learning_rate: float
            ) -> Any:
                largest[0] = max(largest[0], len(images))
                if len(images) < largest[0]:
                    if change is None:
                        return state, 0.0, 0
                    images, labels, masks = change(images, labels, masks, largest[0])
                return step(state, images, labels, masks, learning_rate)

            return once

        return make_step

    return wrap


def filled_up(images: Any, labels: Any, masks: Any, size: int) -> tuple[Any, ...]:
    """A batch with blank images of the first class added until it has that many."""

    def fill(values: Any) -> Any:
        blank = np.zeros((size - len(values), *values.shape[1:]), values.dtype)
        return np.concatenate([values, blank])

    filled = {name: fill(mask) for name, mask in masks.items()}
    return fill(images), fill(labels), filled


def losing(is_lost: Callable[[str], bool]) -> Callable[[Any], Any]:
    """A state into which some of what was stored comes back as zeros."""

    def wrap(honest: Any) -> Any:
        def load_weights(state: Any, weights: Any) -> None:
            if "optimizer.step" in weights:
                weights = {
                    n: np.zeros_like(w) if is_lost(n) else w for n, w in weights.items()
                }
            honest(state, weights)

        return load_weights

    return wrap


EVERY: list[Row] = [
    ("SGD: momentum of its own", wrapped("make_step", forgetting("momentum")),
     "scales", VELOCITY, "sgd"),
    ("Nesterov: momentum of its own", wrapped("make_step", forgetting("momentum")),
     "scales", DENSE, "nesterov"),
    ("AdamW: beta1 of its own", wrapped("make_step", forgetting("beta1")),
     "scales", MOMENTS, "adamw"),
    ("AdamW: beta2 of its own", wrapped("make_step", forgetting("beta2")),
     "scales", SECOND, "adamw"),
    ("AdamW: epsilon of its own", wrapped("make_step", forgetting("epsilon")),
     "scales", DENSE, "adamw"),
    ("RMSprop: rho of its own", wrapped("make_step", forgetting("rho")),
     "scales", SQUARES, "rmsprop"),
    ("RMSprop: epsilon of its own", wrapped("make_step", forgetting("epsilon")),
     "scales", DENSE, "rmsprop"),
    ("SGD: weight decay forgotten", wrapped("make_step", forgetting("weight_decay")),
     "scales", ("dense1.kernel",), "sgd"),
    ("last batch: left out", wrapped("make_step", only_whole_batches(None)),
     "even", FIRST_VELOCITY, "sgd"),
    ("last batch: filled up with blank images",
     wrapped("make_step", only_whole_batches(filled_up)),
     "even", FIRST_VELOCITY, "sgd"),
    ("resuming: slots begin anew",
     wrapped("load_weights",
             losing(lambda n: n.startswith("optimizer.") and n != "optimizer.step")),
     "scales", VELOCITY, "sgd"),
    ("resuming: steps are counted anew",
     wrapped("load_weights", losing(lambda n: n == "optimizer.step")),
     "scales", ("optimizer.step",), "adam"),
    ("resuming: running averages begin anew",
     wrapped("load_weights", losing(lambda n: n.endswith((".mean", ".variance")))),
     "scales", ("bn1.mean", "bn1.variance"), "sgd"),
]  # fmt: skip
"""Changes in what every framework has by the same name."""

TIES = ("relu6_1",)
EQUALS = ("relu6_2", "tanh1")

PYTORCH: list[Row] = [
    ("ReLU6: ReLU", written("F.relu6(", "F.relu("), "wide", ("relu6_1",)),
    ("ReLU6: cut off at 7", written("F.relu6(", "(lambda x: x.clamp(0, 7))("),
     "wide", ("relu6_1",)),
    ("ReLU6: a gradient on its edges",
     written("F.relu6(", "(lambda x: x.clamp(0, 6))("), "wide", TIES),
    ("ReLU: a gradient at 0",
     written("F.relu(", "(lambda x: torch.where(x >= 0, x, 0))("), "wide", TIES),
    ("max pool: the last of equals",
     written("F.max_pool2d(x, 2, stride=1)",
             "F.max_pool2d(x.flip(2, 3), 2, stride=1).flip(2, 3)"), "wide", EQUALS),
    ("sigmoid: hard", written("torch.sigmoid(", "F.hardsigmoid("),
     "wide", ("sigmoid1",)),
    ("sigmoid: overflows",
     written("torch.sigmoid(", "(lambda x: x.exp() / (1 + x.exp()))("),
     "wide", ("sigmoid1",)),
    ("tanh: overflows",
     written("torch.tanh(",
             "(lambda x: (x.exp() - 1 / x.exp()) / (x.exp() + 1 / x.exp()))("),
     "wide", ("tanh1",)),
    ("loss: the logarithm of a softmax",
     rewritten(
         "gradients",
         ("F.cross_entropy(logits.to(state.dtype),",
          "F.nll_loss(logits.to(state.dtype).softmax(1).log(),")), "wide", LOSS),
    ("last batch: its loss divided by the size of the others",
     rewritten(
         "train_step",
         ("label_smoothing=label_smoothing)",
          "label_smoothing=label_smoothing, reduction='sum') / 4")),
     "even", FIRST_VELOCITY, "sgd"),
]  # fmt: skip

TENSORFLOW: list[Row] = [
    ("ReLU6: ReLU", written("tf.nn.relu6(", "tf.nn.relu("), "wide", ("relu6_1",)),
    ("ReLU6: cut off at 7",
     written("tf.nn.relu6(", "(lambda x: tf.clip_by_value(x, 0, 7))("),
     "wide", ("relu6_1",)),
    ("ReLU6: a gradient on its edges",
     written("tf.nn.relu6(", "(lambda x: tf.clip_by_value(x, 0, 6))("), "wide", TIES),
    ("ReLU: a gradient at 0",
     written("tf.nn.relu(", "(lambda x: tf.where(x >= 0, x, tf.zeros_like(x)))("),
     "wide", TIES),
    ("max pool: the last of equals",
     written(
         'tf.nn.max_pool2d(x, ksize=2, strides=1, padding="VALID")',
         "tf.reverse("
         'tf.nn.max_pool2d(tf.reverse(x, (1, 2)), 2, 1, padding="VALID"), (1, 2))'),
     "wide", EQUALS),
    ("sigmoid: overflows",
     written("tf.sigmoid(images)", "tf.exp(images) / (1 + tf.exp(images))"),
     "wide", ("sigmoid1",)),
    ("LSTM: memory cut off at 1",
     written(
         "c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)",
         "c = tf.clip_by_value(tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g), -1, 1)"),
     "wide", ("lstm1",)),
    ("loss: the logarithm of a softmax",
     rewritten(
         "cross_entropy",
         ("tf.nn.softmax_cross_entropy_with_logits(target, logits)",
          "-tf.reduce_sum(target * tf.math.log(tf.nn.softmax(logits)), axis=1)")),
     "wide", LOSS),
    ("last batch: its loss divided by the size of the others",
     rewritten("cross_entropy", ("tf.reduce_mean(", "0.25 * tf.reduce_sum(")),
     "even", FIRST_VELOCITY, "sgd"),
]  # fmt: skip

JAX: list[Row] = [
    ("ReLU6: ReLU", written("jax.nn.relu6(", "jax.nn.relu("), "wide", ("relu6_1",)),
    ("ReLU6: cut off at 7", written("jax.nn.relu6(", "(lambda x: jnp.clip(x, 0, 7))("),
     "wide", ("relu6_1",)),
    ("ReLU6: half a gradient on its edges",
     written("jax.nn.relu6(", "(lambda x: jnp.clip(x, 0, 6))("), "wide", TIES),
    ("ReLU: half a gradient at 0", written("jax.nn.relu(", "jnp.maximum(0, "),
     "wide", TIES),
    ("max pool: the last of equals",
     written("jnp.where(a >= b, a, b)", "jnp.where(a > b, a, b)"), "wide", EQUALS),
    ("max pool: equals share the gradient",
     written("lambda a, b: jnp.where(a >= b, a, b)", "jnp.maximum"), "wide", EQUALS),
    ("sigmoid: overflows",
     written("jax.nn.sigmoid(images)", "jnp.exp(images) / (1 + jnp.exp(images))"),
     "wide", ("sigmoid1",)),
    ("LSTM: memory cut off at 1",
     written(
         "c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)",
         "c = jnp.clip("
         "jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g), -1, 1)"),
     "wide", ("lstm1",)),
    ("prediction: a filled batch cut at the wrong end",
     rewritten("predict", ("[: len(images)]", "[-len(images) :]")),
     "even", ("predict()",), "sgd"),
    ("last batch: its loss divided by the size of the others",
     rewritten("training_loss", (".mean()", ".sum() / 4")),
     "even", FIRST_VELOCITY, "sgd"),
]  # fmt: skip

KERAS: list[Row] = [
    ("ReLU6: ReLU", written("layers.ReLU(max_value=6, ", "layers.ReLU("),
     "wide", ("relu6_1",)),
    ("ReLU6: cut off at 7",
     written("layers.ReLU(max_value=6, ", "layers.ReLU(max_value=7, "),
     "wide", ("relu6_1",)),
    ("ReLU6: a gradient on its edges",
     written("layers.ReLU(max_value=6, ",
             "layers.Lambda(lambda x: ops.clip(x, 0, 6), "), "wide", TIES),
    ("max pool: the last of equals",
     written(
         "layers.MaxPooling2D(2, strides=1, ",
         "layers.Lambda(lambda x: "
         "ops.flip(ops.max_pool(ops.flip(x, (1, 2)), 2, 1), (1, 2)), "),
     "wide", EQUALS),
    ("sigmoid: hard",
     written('layers.Activation("sigmoid"', 'layers.Activation("hard_sigmoid"'),
     "wide", ("sigmoid1",)),
    ("sigmoid: overflows",
     written('layers.Activation("sigmoid"',
             "layers.Lambda(lambda x: ops.exp(x) / (1 + ops.exp(x))"),
     "wide", ("sigmoid1",)),
    ("prediction: a filled batch cut at the wrong end",
     rewritten("predict", ("logits[: len(images)]", "logits[-len(images) :]")),
     "odd", ("predict()",)),
]  # fmt: skip
