"""One change each: what frameworks, or people who port between them, take differently.

The rows are those of `triptych.network.conventions` and of what is known of the
frameworks' defaults. What cannot occur in a framework, since it is decided before one
sees an image, has no mutant: decoding, resizing, the split, the order of the images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tests.mutants import branches, modern
from tests.mutants.branches import DENSE, LOSS, SECOND, SQUARES, VELOCITY, Row
from tests.mutants.changes import (
    Change,
    both,
    optimizer,
    put,
    rewritten,
    wrapped,
    written,
)

from triptych.network.layouts import Layout


@dataclass(frozen=True)
class Mutant:
    """A change, where it must be found, and what must be asked to find it."""

    framework: str
    name: str
    change: Change
    case: str
    """The probe that shows it."""
    where: tuple[str, ...]
    """The layers or tensors that may be named: one, unless one place has several."""
    training: str | None = None
    """The optimizer whose steps show it; otherwise the layers do."""
    float32: str = ""
    """Why float32 cannot catch it; empty if it must."""

    @property
    def title(self) -> str:
        """What it is known by."""
        return f"{self.framework}: {self.name}"


ANYTHING = ("*",)
TENSORFLOW_1 = {"lstm": "igfo", "gru": "rzn"}
"""The order of an LSTM's gates in TensorFlow 1."""
KERAS_GATES = {"lstm": "ifgo", "gru": "zrn"}
"""The order of a GRU's gates in Keras."""


def rolled(position: int) -> Any:
    """Wraps a function: its argument at `position` belongs to the next image."""

    def wrap(honest: Any) -> Any:
        def function(*arguments: Any) -> Any:
            values = list(arguments)
            values[position] = np.roll(values[position], 1, axis=0)
            return honest(*values)

        return function

    return wrap


def other_masks(honest: Any) -> Any:
    """Dropout masks of the next image."""

    def masks(*arguments: Any) -> Any:
        *others, given = arguments
        rolled = {name: np.roll(mask, 1, axis=0) for name, mask in given.items()}
        return honest(*others, rolled)

    return masks


def reversed_channels(honest: Any) -> Any:
    """BGR instead of RGB."""
    return lambda state, images: honest(state, np.ascontiguousarray(images[..., ::-1]))


def first_rate(honest: Any) -> Any:
    """A step that never hears of a new learning rate."""

    def make_step(state: Any, made: Any) -> Any:
        step, rates = honest(state, made), []

        def once(
            state: Any, images: Any, labels: Any, masks: Any, learning_rate: float
        ) -> Any:
            rates.append(learning_rate)
            return step(state, images, labels, masks, rates[0])

        return once

    return make_step


def spoiled(honest: Any) -> Any:
    """A step after which nothing is a number."""

    def make_step(state: Any, made: Any) -> Any:
        step = honest(state, made)

        def once(*arguments: Any) -> Any:
            state, loss, correct = step(*arguments)
            with _torch_module().no_grad():
                for parameter in state.network.parameters():
                    parameter.fill_(float("nan"))
            return state, loss, correct

        return once

    return make_step


def own_masks(honest: Any) -> Any:
    """Dropout masks that the framework draws for itself, other ones every time."""

    def make_step(state: Any, made: Any) -> Any:
        step = honest(state, made)

        def once(
            state: Any, images: Any, labels: Any, masks: Any, learning_rate: float
        ) -> Any:
            drawn = {
                name: np.random.default_rng().random(mask.shape) < 0.5
                for name, mask in masks.items()
            }
            return step(state, images, labels, drawn, learning_rate)

        return once

    return make_step


def drifting(honest: Any) -> Any:
    """A bias in front of a batch norm that moves, though its gradient is 0."""

    def make_step(state: Any, made: Any) -> Any:
        step = honest(state, made)

        def once(*arguments: Any) -> Any:
            state, loss, correct = step(*arguments)
            with _torch_module().no_grad():
                state.network.conv1.bias += 1e-5
            return state, loss, correct

        return once

    return make_step


def miscounted(honest: Any) -> Any:
    """A state that has counted one step more than were taken."""

    def dump_weights(state: Any) -> Any:
        weights = honest(state)
        if "optimizer.step" in weights:
            weights["optimizer.step"] = weights["optimizer.step"] + 1
        return weights

    return dump_weights


def without_biases(honest: Any) -> Any:
    """Weights in which the biases are not taken over."""

    def load_weights(state: Any, weights: Any) -> None:
        honest(state, {n: w for n, w in weights.items() if not n.endswith(".bias")})

    return load_weights


def mirrored(honest: Any) -> Any:
    """A convolution as mathematics defines it: its kernel mirrored."""

    def to_native(array: Any, layout: Layout) -> Any:
        if layout.name == "conv1.weight":
            array = array[::-1, ::-1]
        return honest(array, layout)

    return to_native


def never_flattened(honest: Any) -> Any:
    """A map of weights that knows nothing of the order of flattened features."""
    return lambda architecture: {
        n: replace(one, flattened=()) for n, one in honest(architecture).items()
    }


def swapped_biases(honest: Any) -> Any:
    """A GRU's two biases, each in the place of the other."""

    def layouts(architecture: Any) -> Any:
        found = honest(architecture)
        for name in [name for name in found if name.endswith(".recurrent_bias")]:
            other = name.replace("recurrent_bias", "bias")
            found[name], found[other] = found[other], found[name]
        return found

    return layouts


def all_slots(honest: Any) -> Any:
    """A state whose optimizer has a slot also for what is no named weight."""

    def load_weights(state: Any, weights: Any) -> None:
        honest(state, weights)
        if state.optimizer is not None and "optimizer.step" in weights:
            for parameter in state.network.parameters():
                zeros = _torch_module().zeros_like(parameter)
                state.optimizer.state[parameter].setdefault("momentum_buffer", zeros)

    return load_weights


def clipped(honest: Any, parameters: Any, given: Any) -> Any:
    """An optimizer that clips the norm of all gradients, as PyTorch users do."""
    import torch

    parameters = list(parameters)
    made = honest(parameters, given)

    def clip(*_: Any) -> None:
        torch.nn.utils.clip_grad_norm_(parameters, 0.1)

    made.register_step_pre_hook(clip)
    return made


PYTORCH: list[Row] = [
    ("batch norm: epsilon of Keras",
     written("BatchNorm2d(8, eps=1e-05", "BatchNorm2d(8, eps=0.001"), "odd", ("bn1",)),
    ("batch norm: momentum of Keras", written("momentum=0.1", "momentum=0.01"),
     "even", ("bn1.mean",), "sgd"),
    ("batch norm: batch statistics in evaluation",
     written("self.bn1(x)",
             "F.batch_norm(x, None, None, self.bn1.weight, self.bn1.bias, True)"),
     "odd", ("bn1",)),
    ("padding same: the odd pixel at the beginning",
     written("(0, 1, 0, 1)))", "(1, 0, 1, 0)))"), "even", ("conv1",)),
    ("padding same: one pixel on every side",
     written("self.conv1(F.pad(x, (0, 1, 0, 1)))",
             "self.conv1(F.pad(x, (1, 1, 1, 1)))"), "even", ("conv1",)),
    ("layer norm: epsilon of Flax",
     written("LayerNorm2d(8, eps=1e-05", "LayerNorm2d(8, eps=1e-06"),
     "odd", ("layer_norm1",)),
    ("layer norm: over all of the image",
     written("return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)",
             "return F.group_norm(x, 1, self.weight, self.bias, self.eps)"),
     "odd", ("layer_norm1",)),
    ("average pool: padding counts",
     written("average_pool(x, 2, 1, pads=(0, 1, 0, 1))",
             "F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 1)"), "even", ("pool2",)),
    ("flatten: weights mapped as if channels ran slowest",
     wrapped("layouts", never_flattened), "even", ("dense1",)),
    ("kernel: mirrored", wrapped("to_native", mirrored), "even", ("conv1",)),
    ("dropout: mask says what to drop", written("x * masks[name]", "x * ~masks[name]"),
     "even", ("dropout1",)),
    ("dropout: kept units are not scaled up",
     written("masks[name] / (1 - rate)", "masks[name]"), "even", ("dropout1",)),
    ("GELU: tanh form", written("F.gelu(x)", 'F.gelu(x, approximate="tanh")'),
     "odd", ("gelu1",)),
    ("ReLU: leaky", written("F.relu(x)", "F.leaky_relu(x, 0.01)"), "odd", ("relu1",)),
    ("loss: softmax twice",
     rewritten(
         "gradients",
         ("F.cross_entropy(logits.to(state.dtype)",
          "F.cross_entropy(logits.to(state.dtype).softmax(1)")), "odd", LOSS),
    ("loss: divided by the usual batch, not the one at hand",
     rewritten("gradients", ("targets)\n", "targets, reduction='sum') / 4\n")),
     "even", LOSS),
    ("Adam: epsilon of Keras",
     optimizer("adam", lambda honest, parameters, o: _torch().Adam(
         parameters, lr=0.0, betas=(o.beta1, o.beta2), eps=1e-7, fused=True)),
     "scales", DENSE, "adam"),
    ("AdamW: decay of biases, too",
     rewritten("train_step", ("if parameter.ndim in (2, 4)", "if parameter.ndim > 0")),
     "scales", ("dense1.bias",), "adamw"),
    ("SGD: weight decay as L2, part of the gradient",
     both(rewritten("train_step", ("if weight_decay:", "if False:")),
          optimizer("sgd", lambda honest, parameters, o: _torch().SGD(
              parameters, lr=0.0, momentum=o.momentum, weight_decay=0.1))),
     "scales", VELOCITY, "sgd"),
    ("RMSprop: alpha of PyTorch",
     optimizer("rmsprop", lambda honest, parameters, o: _torch().RMSprop(
         parameters, lr=0.0, alpha=0.99, eps=o.epsilon)),
     "scales", SQUARES, "rmsprop"),
    ("Nesterov: no look ahead",
     optimizer("nesterov", lambda honest, parameters, o: _torch().SGD(
         parameters, lr=0.0, momentum=o.momentum)),
     "scales", DENSE, "nesterov"),
    ("gradients: clipped by their norm", optimizer("sgd", clipped),
     "scales", VELOCITY, "sgd"),
    ("input: BGR", wrapped("_prepare", reversed_channels), "odd", ("images",)),
    ("training: not a number from the second step on", wrapped("make_step", spoiled),
     "network", ANYTHING),
    ("training: dropout masks of its own", wrapped("make_step", own_masks),
     "network", ANYTHING),
    ("training: the first learning rate for ever", wrapped("make_step", first_rate),
     "network", ANYTHING),
    ("training: a bias drifts that batch norm takes away",
     wrapped("make_step", drifting),
     "network", ("conv1.bias",), None, "as far as rounding may drive it there"),
    ("resuming: one step too many counted", wrapped("dump_weights", miscounted),
     "network", ("optimizer.step",)),
    ("precision: a layer in float32",
     written("torch.tanh(x)", "torch.tanh(x.float()).to(x.dtype)"),
     "odd", ("tanh1",), None, "it is what float32 is"),
    ("rows: channels run slowest",
     written("permute(0, 2, 3, 1)", "permute(0, 2, 1, 3)"), "rows", ("rows1",)),
    ("LSTM: gates of TensorFlow 1", put("GATES", TENSORFLOW_1), "rows", ("lstm1",)),
    ("LSTM: the second bias as PyTorch draws it",
     written(".requires_grad_(False).zero_()", ""), "rows", ("lstm1",)),
    ("LSTM: the second bias trained, too",
     both(written(".requires_grad_(False).zero_()", ".data.zero_()"),
          wrapped("load_weights", all_slots)),
     "rows", ("optimizer.velocity.lstm1.kernel",), "sgd"),
    ("LSTM: the state after the first step",
     written("self.lstm2(concat1)[0][:, -1]", "self.lstm2(concat1)[0][:, 0]"),
     "rows", ("lstm2",)),
    ("GRU: gates of Keras", put("GATES", KERAS_GATES), "rows", ("gru1",)),
    ("GRU: its biases swapped", wrapped("layouts", swapped_biases), "rows", ("gru1",)),
]  # fmt: skip

TENSORFLOW: list[Row] = [
    ("batch norm: epsilon of Keras",
     written(" 1e-05,\n            0.9,", " 0.001,\n            0.9,"),
     "odd", ("bn1",)),
    ("batch norm: momentum of Keras",
     written(" 0.9,\n            training,", " 0.99,\n            training,"),
     "even", ("bn1.mean",), "sgd"),
    ("batch norm: running variance biased",
     written("spread * n / tf.maximum(n - 1, 1)", "spread"),
     "scales", ("bn1.variance",), "sgd"),
    ("batch norm: running averages never updated",
     written("mean.assign(kept * mean + taken * center)",
             "mean.assign(mean)"), "scales", ("bn1.mean",), "sgd"),
    ("padding same: as PyTorch's padding=1",
     written('self.conv1_kernel, strides=2, padding="SAME"',
             "self.conv1_kernel, strides=2, padding=((0, 0), (1, 1), (1, 1), (0, 0))"),
     "even", ("conv1",)),
    ("layer norm: over the batch",
     written("tf.nn.moments(values, [-1], keepdims=True)",
             "tf.nn.moments(values, [0], keepdims=True)"), "odd", ("layer_norm1",)),
    ("layer norm: epsilon outside the root",
     written("normal = tf.nn.batch_normalization("
             "values, mean, variance, offset, scale, epsilon)",
             "normal = (values - mean) / (tf.sqrt(variance) + epsilon)"
             " * scale + offset"), "odd", ("layer_norm1",)),
    ("average pool: padding counts",
     written(
         'tf.nn.avg_pool2d(x, ksize=2, strides=1, padding="SAME")',
         "tf.nn.avg_pool2d("
         'tf.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))), 2, 1, "VALID")'),
     "even", ("pool2",)),
    ("concat: the other way round",
     written("tf.concat([pool1, x]", "tf.concat([x, pool1]"), "odd", ("concat1",)),
    ("dropout: another rate", written("0.25, masks", "0.3, masks"),
     "even", ("dropout1",)),
    ("dropout: scaled down in evaluation",
     written("return x if masks", "return x * (1 - rate) if masks"),
     "even", ("dropout1",)),
    ("loss: summed over the batch",
     rewritten("cross_entropy", ("tf.reduce_mean(", "tf.reduce_sum(")), "odd", LOSS),
    ("loss: label smoothing forgotten",
     rewritten(
         "train_step",
         ("cross_entropy(logits, labels, label_smoothing)",
          "cross_entropy(logits, labels)")), "scales", VELOCITY, "sgd"),
    ("Adam: epsilon added before the correction",
     rewritten("Adam", ("self.epsilon * root", "self.epsilon")),
     "scales", DENSE, "adam"),
    ("Adam: no correction of the bias",
     rewritten(
         "Adam",
         ("tf.cast(rate, tf.float64) * root / correction",
          "tf.cast(rate, tf.float64)")), "scales", DENSE, "adam"),
    ("RMSprop: epsilon inside the root",
     rewritten("RMSprop", ("(tf.sqrt(s) + self.epsilon)", "tf.sqrt(s + self.epsilon)")),
     "scales", DENSE, "rmsprop"),
    ("RMSprop: 0.9 rounded to float32",
     rewritten(
         "RMSprop",
         ("s.assign(self.rho *",
          "s.assign(tf.cast(tf.constant(self.rho, tf.float32), s.dtype) *")),
     "scales", SQUARES, "rmsprop", "a float32 has no other 0.9"),
    ("SGD: the learning rate inside the velocity",
     rewritten(
         "SGD",
         ("tf.raw_ops.ResourceApplyMomentum(\n"
          "                var=w.handle,\n"
          "                accum=v.handle,\n"
          "                grad=g,\n"
          "                lr=rate,\n"
          "                momentum=tf.constant(self.momentum, g.dtype),\n"
          "                use_nesterov=self.nesterov,\n"
          "            )",
          "v.assign(self.momentum * v + rate * g)\n            w.assign_sub(v)")),
     "scales", VELOCITY, "sgd"),
    ("Nesterov: no look ahead",
     rewritten("SGD", ("use_nesterov=self.nesterov", "use_nesterov=False")),
     "scales", DENSE, "nesterov"),
    ("input: divided by 256", put("PIXEL_SCALE", 256.0), "odd", ("images",)),
    ("labels: of the next image", wrapped("gradients", rolled(2)), "odd", LOSS),
    ("LSTM: gates of TensorFlow 1",
     written("i, f, g, o = tf.split", "i, g, f, o = tf.split"), "rows", ("lstm1",)),
    ("LSTM: forget bias in the cell, as in TensorFlow 1",
     written("tf.sigmoid(f) * c", "tf.sigmoid(f + 1) * c"), "rows", ("lstm1",)),
    ("LSTM: memory handed out without tanh",
     written("tf.sigmoid(o) * tf.tanh(c)", "tf.sigmoid(o) * c"), "rows", ("lstm1",)),
    ("GRU: reset gate before the product",
     written(
         "n = tf.tanh(n + tf.sigmoid(r + r_h) * n_h)",
         "n_h = tf.split((h * tf.sigmoid(r + r_h)) @ recurrent_kernel"
         " + recurrent_bias, 3, axis=1)[2]\n"
         "        n = tf.tanh(n + n_h)"), "rows", ("gru1",)),
    ("GRU: update gate the other way round",
     written("(1 - z) * n + z * h", "z * n + (1 - z) * h"), "rows", ("gru1",)),
]  # fmt: skip

JAX: list[Row] = [
    ("batch norm: epsilon of Keras",
     written('"bn1", training, epsilon=1e-05', '"bn1", training, epsilon=1e-3'),
     "odd", ("bn1",)),
    ("batch norm: momentum of Flax", written("momentum=0.9\n", "momentum=0.99\n"),
     "even", ("bn1.mean",), "sgd"),
    ("batch norm: running variance biased",
     written("variance * (n / max(n - 1, 1))", "variance"),
     "even", ("bn1.variance",), "sgd"),
    ("layer norm: variance unbiased",
     written("jnp.square(centered).mean(-1, keepdims=True)",
             "x.var(-1, ddof=1, keepdims=True)"), "odd", ("layer_norm1",)),
    ("layer norm: no mean taken off, as in RMSNorm",
     written("centered = x - x.mean(-1, keepdims=True)", "centered = x"),
     "odd", ("layer_norm1",)),
    ("GELU: tanh form", written("approximate=False", "approximate=True"),
     "odd", ("gelu1",)),
    ("padding same: the odd pixel at the beginning",
     written('["conv1.kernel"], strides=(2, 2), padding="SAME")',
             '["conv1.kernel"], strides=(2, 2), padding="SAME_LOWER")'),
     "even", ("conv1",)),
    ("max pool: padding of 0", written("padding, -jnp.inf)", "padding, 0)"),
     "odd", ("pool1",)),
    ("average pool: padding counts",
     written("total / count", "total / (size[0] * size[1])"), "even", ("pool2",)),
    ("flatten: channels slowest",
     written("x.reshape(x.shape[0], -1)",
             "x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)"), "even", ("flatten1",)),
    ("dropout: masks of another batch", wrapped("_masks", other_masks),
     "odd", ("dropout1",)),
    ("Adam: epsilon inside the root",
     rewritten("scale_by_adam",
               ("jnp.sqrt(v / second) + epsilon", "jnp.sqrt(v / second + epsilon)")),
     "scales", DENSE, "adam"),
    ("Adam: another beta2",
     optimizer("adam", lambda honest, o: honest(replace(o, beta2=0.99))),
     "scales", SECOND, "adam"),
    ("RMSprop: epsilon inside the root",
     optimizer("rmsprop", lambda honest, o: _optax().scale_by_rms(o.rho, o.epsilon)),
     "scales", DENSE, "rmsprop"),
    ("SGD: Nesterov's momentum",
     optimizer("sgd", lambda honest, o: _optax().trace(o.momentum, nesterov=True)),
     "scales", DENSE, "sgd"),
    ("Nesterov: no look ahead",
     optimizer("nesterov", lambda honest, o: _optax().trace(o.momentum)),
     "scales", DENSE, "nesterov"),
    ("AdamW: no decay", rewritten("train_step", ("if weight_decay:", "if False:")),
     "scales", ("dense1.kernel",), "adamw"),
    ("schedule: the first learning rate for ever", wrapped("make_step", first_rate),
     "scales", DENSE, "sgd"),
    ("precision: a matrix product in bfloat16",
     written("jnp.matmul(x.astype(kernel.dtype), kernel,",
             "jnp.matmul(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16),"),
     "odd", ("dense1",)),
    ("rows: read from the bottom up",
     written("(zeros, zeros), from_x.swapaxes(0, 1))",
             "(zeros, zeros), from_x.swapaxes(0, 1), reverse=True)"),
     "rows", ("lstm1",)),
    ("GRU: gates of Keras",
     written("(r, z, n), (r_h, z_h, n_h)", "(z, r, n), (z_h, r_h, n_h)"),
     "rows", ("gru1",)),
    ("GRU: one bias only", written(' + weights[f"{name}.recurrent_bias"]', ""),
     "rows", ("gru1",)),
    ("decay: not of recurrent kernels",
     rewritten("train_step", ("if w.ndim in (2, 4)", 'if n.endswith(".kernel")')),
     "rows", ("lstm1.recurrent_kernel",), "sgd"),
]  # fmt: skip

KERAS: list[Row] = [
    ("batch norm: its own epsilon", written('epsilon=1e-05, name="bn1"', 'name="bn1"'),
     "odd", ("bn1",)),
    ("batch norm: its own momentum", written("momentum=0.9, ", ""),
     "even", ("bn1.mean",), "sgd"),
    ("batch norm: running variance biased",
     written("variance * (n / ops.maximum(n - 1, 1))", "variance"),
     "even", ("bn1.variance",), "sgd"),
    ("batch norm: running averages in training",
     written("if not training:\n            return super",
             "if True:\n            return super"), "odd", ("bn1",)),
    ("batch norm: a gradient that forgets the mean",
     written("(x * slope + (by_offset / n - mean * slope))",
             "(x * slope - mean * slope)"), "odd", ("dense1",)),
    ("layer norm: its own epsilon",
     written("layers.LayerNormalization(epsilon=1e-05, ",
             "layers.LayerNormalization("), "odd", ("layer_norm1",)),
    ("layer norm: over rows and columns, too",
     written("layers.LayerNormalization(epsilon=1e-05, ",
             "layers.GroupNormalization(1, epsilon=1e-05, "),
     "odd", ("layer_norm1",)),
    ("GELU: tanh form",
     written("0.5 * inputs * (1 + ops.erf(inputs / 2**0.5))",
             "ops.gelu(inputs, approximate=True)"), "odd", ("gelu1",)),
    ("ReLU: leaky",
     written('layers.ReLU(name="relu1")', 'layers.LeakyReLU(0.01, name="relu1")'),
     "odd", ("relu1",)),
    ("average pool: padding counts",
     written("mean(inputs) / mean(ops.ones_like(inputs))", "mean(inputs)"),
     "even", ("pool2",)),
    ("dropout: mask says what to drop",
     written("ops.cast(keep,", "ops.cast(ops.logical_not(keep),"),
     "even", ("dropout1",)),
    ("precision: a layer in float32",
     written('layers.Activation("tanh", name',
             'layers.Activation("tanh", dtype="float32", name'),
     "odd", ("tanh1",), None, "it is what float32 is"),
    ("initial values: biases of its own", wrapped("load_weights", without_biases),
     "odd", ("bias1",)),
    ("input: x / 127.5 - 1",
     wrapped(
         "_prepare",
         lambda honest: lambda state, images: images.astype(state.dtype) / 127.5 - 1),
     "odd", ("images",)),
    ("loss: logits taken for probabilities",
     rewritten("compile_network", ("from_logits=True", "from_logits=False")),
     "odd", LOSS),
    ("Adam: its own formula",
     optimizer("adam", lambda honest, o, **options: _keras(
         "Adam", first_moment="_momentums", second_moment="_velocities")(
         beta_1=o.beta1, beta_2=o.beta2, epsilon=o.epsilon, **options)),
     "scales", DENSE, "adam"),
    ("AdamW: decay of biases, too",
     rewritten("compile_network", ('not v.name.endswith("kernel")', "not v.name")),
     "scales", ("dense1.bias",), "adamw"),
    ("RMSprop: its own formula",
     optimizer("rmsprop", lambda honest, o, **options: _keras(
         "RMSprop", mean_square="_velocities")(
         rho=o.rho, epsilon=o.epsilon, **options)),
     "scales", DENSE, "rmsprop"),
    ("SGD: the learning rate inside the velocity",
     rewritten(
         "SGD",
         ("self.momentum * v + gradient",
          "self.momentum * v + learning_rate * gradient"),
         ("variable, learning_rate * change", "variable, change")),
     "scales", VELOCITY, "sgd"),
    ("Nesterov: its own formula",
     optimizer("nesterov", lambda honest, o, **options: _keras(
         "SGD", velocity="momentums")(momentum=o.momentum, nesterov=True, **options)),
     "scales", VELOCITY, "nesterov"),
    ("Nesterov: looks ahead twice",
     rewritten("SGD", ("change = gradient + self.momentum * v",
                       "change = gradient + self.momentum**2 * v")),
     "scales", DENSE, "nesterov"),
    ("LSTM: gates of TensorFlow 1", put("GATES", TENSORFLOW_1 | {"gru": "zrn"}),
     "rows", ("lstm1",)),
    ("LSTM: hard sigmoid, as Keras had it",
     written("layers.LSTM(7, ", 'layers.LSTM(7, recurrent_activation="hard_sigmoid", '),
     "rows", ("lstm1",)),
    ("GRU: gates of PyTorch", put("GATES", {"lstm": "ifgo", "gru": "rzn"}),
     "rows", ("gru1",)),
    ("GRU: its biases swapped", wrapped("layouts", swapped_biases), "rows", ("gru1",)),
    ("decay: of what is two-dimensional, a GRU's biases included",
     rewritten("compile_network",
               ('not v.name.endswith("kernel")', "len(v.shape) == 1")),
     "rows", ("gru1.bias",), "sgd"),
]  # fmt: skip


def _torch_module() -> Any:
    import torch

    return torch


def _torch() -> Any:
    return _torch_module().optim


def _optax() -> Any:
    import optax

    return optax


def _keras(name: str, **slots: str) -> Any:
    """An optimizer of Keras' own, its slots called as ours."""
    import keras

    class Own(getattr(keras.optimizers, name)):  # type: ignore[misc]
        def build(self, variables: Any) -> None:
            super().build(variables)
            for ours, theirs in slots.items():
                setattr(self, ours, getattr(self, theirs))

    return Own


MUTANTS = [
    Mutant(framework, *row)
    for framework, rows in (
        ("pytorch", PYTORCH + branches.PYTORCH + modern.PYTORCH),
        ("tensorflow", TENSORFLOW + branches.TENSORFLOW + modern.TENSORFLOW),
        ("jax", JAX + branches.JAX + modern.JAX),
        ("keras", KERAS + branches.KERAS + modern.KERAS),
    )
    for row in (*rows, *branches.EVERY)
]
"""All of them; a mutant is known by its framework and name."""
