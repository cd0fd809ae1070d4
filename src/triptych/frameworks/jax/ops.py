"""What emitted JAX quotes: operations of a network, and a training step."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from triptych.frameworks.contract import Images
from triptych.network.conventions import PIXEL_SCALE

XLA_OPTIONS = (
    {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
    if jax.__version_info__[:2] == (0, 10)
    else {}
)
"""How XLA is to compile for a CPU.

JAX 0.10 hands convolutions to a library that computes them in one thread. Left to XLA
itself, they use all. The sums of batch norm stay with the library: it is faster there.
"""

Tensors = dict[str, jax.Array]
Network = Callable[..., tuple[jax.Array, Tensors]]


def conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, int],
    padding: str | tuple[tuple[int, int], ...],
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> jax.Array:
    """2-D convolution in the kernel's type."""
    y = lax.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel,
        strides,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
        precision="highest",  # float32 by default is TF32 on some GPUs
    )
    return y.astype(x.dtype)


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x @ kernel in its type; float32 by default would be TF32 on some GPUs."""
    y = jnp.matmul(x.astype(kernel.dtype), kernel, precision="highest")
    return y.astype(x.dtype)


def batch_norm(
    x: jax.Array,
    weights: Tensors,
    averages: Tensors,
    name: str,
    training: bool,
    epsilon: float,
    momentum: float,
) -> tuple[jax.Array, Tensors]:
    """Normalize each channel, in training by the batch; also gives the new averages."""
    if training:
        axes, n = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
        mean = x.mean(axes)
        variance = jnp.square(x - mean).mean(axes)
        unbiased = variance * (n / max(n - 1, 1))
        averages = averages | {
            f"{name}.mean": momentum * averages[f"{name}.mean"] + (1 - momentum) * mean,
            f"{name}.variance": momentum * averages[f"{name}.variance"]
            + (1 - momentum) * unbiased,
        }
    else:
        mean, variance = averages[f"{name}.mean"], averages[f"{name}.variance"]
    factor = weights[f"{name}.scale"] / jnp.sqrt(variance + epsilon)
    return (x - mean) * factor + weights[f"{name}.offset"], averages


def layer_norm(x: jax.Array, weights: Tensors, name: str, epsilon: float) -> jax.Array:
    """Normalize the channels of each place by themselves."""
    centered = x - x.mean(-1, keepdims=True)
    variance = jnp.square(centered).mean(-1, keepdims=True)
    normal = centered / jnp.sqrt(variance + epsilon)
    return normal * weights[f"{name}.scale"] + weights[f"{name}.offset"]


def group_norm(
    x: jax.Array, weights: Tensors, name: str, groups: int, epsilon: float
) -> jax.Array:
    """Normalize each group of an image's channels, over all its pixels."""
    parted = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    centered = parted - parted.mean((1, 3), keepdims=True)
    variance = jnp.square(centered).mean((1, 3), keepdims=True)
    normal = (centered / jnp.sqrt(variance + epsilon)).reshape(x.shape)
    return normal * weights[f"{name}.scale"] + weights[f"{name}.offset"]


def leaky_relu(x: jax.Array, slope: float) -> jax.Array:
    """x above 0, slope x elsewhere; that of `jax.nn` has slope 1 at 0."""
    return jnp.where(x > 0, x, slope * x)


def hard_sigmoid(x: jax.Array) -> jax.Array:
    """min(max(x / 6 + 1/2, 0), 1); `jax.nn` rounds x + 3, onto an edge maybe."""
    return jnp.where(jnp.abs(x) < 3, x / 6 + 0.5, (x > 0).astype(x.dtype))


def windows(
    x: jax.Array,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: str | tuple[tuple[int, int], ...],
    filler: float,
) -> list[jax.Array]:
    """For each place in a window, the pixels that stand there."""
    pads = (
        lax.padtype_to_pads(x.shape[1:3], size, strides, padding)
        if isinstance(padding, str)
        else padding
    )
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)), constant_values=filler)
    height, width = (
        (x.shape[1 + axis] - size[axis]) // strides[axis] + 1 for axis in (0, 1)
    )
    return [
        x[:, i :: strides[0], j :: strides[1]][:, :height, :width]
        for i in range(size[0])
        for j in range(size[1])
    ]


def depthwise_conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, int],
    padding: str | tuple[tuple[int, int], ...],
) -> jax.Array:
    """A filter for each channel, in the kernel's type, added up in float32 at least.

    In slices, because XLA's grouped convolution takes 4 to 20 times as long on a CPU.
    """
    sums = jnp.promote_types(kernel.dtype, jnp.float32)
    height, width, _, channels = kernel.shape
    taps = kernel.reshape(height * width, channels).astype(sums)
    shown = windows(x.astype(kernel.dtype), (height, width), strides, padding, 0)
    y = reduce(
        jnp.add, (one.astype(sums) * tap for one, tap in zip(shown, taps, strict=True))
    )
    return y.astype(kernel.dtype).astype(x.dtype)


def max_pool(
    x: jax.Array,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: str | tuple[tuple[int, int], ...],
) -> jax.Array:
    """Largest pixel of each window; the first of equals gets the gradient.

    In slices, because the gradient of `lax.reduce_window` is slow on a CPU.
    """
    return reduce(
        lambda a, b: jnp.where(a >= b, a, b),
        windows(x, size, strides, padding, -jnp.inf),
    )


def average_pool(
    x: jax.Array,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: str | tuple[tuple[int, int], ...],
) -> jax.Array:
    """Mean of each window in which padding does not count."""
    inside = jnp.ones_like(x[:1, :, :, :1])
    total, count = (
        reduce(jnp.add, windows(y, size, strides, padding, 0)) for y in (x, inside)
    )
    return total / count


def class_token(x: jax.Array, token: jax.Array) -> jax.Array:
    """One more token, the same for every image and trained, before all others."""
    first = jnp.broadcast_to(token, (x.shape[0], *token.shape[1:]))
    return jnp.concatenate([first, x], axis=1)


def attention(
    x: jax.Array,
    weights: Tensors,
    name: str,
    heads: int,
    rate: float = 0.0,
    masks: Tensors | None = None,
) -> jax.Array:
    """Self-attention of several heads (Vaswani et al., 2017)."""
    together = dense(x, weights[f"{name}.kernel"]) + weights[f"{name}.bias"]
    split = together.reshape(*x.shape[:2], 3, heads, -1)
    q, k, v = split.transpose(2, 0, 3, 1, 4)
    scores = jnp.matmul(q, k.swapaxes(-1, -2), precision="highest")
    shares = jax.nn.softmax(scores / q.shape[-1] ** 0.5)
    shares = dropout(shares, rate, masks, name)
    mixed = jnp.matmul(shares, v, precision="highest").swapaxes(1, 2).reshape(x.shape)
    return (
        dense(mixed, weights[f"{name}.output_kernel"]) + weights[f"{name}.output_bias"]
    )


def lstm(
    x: jax.Array, weights: Tensors, name: str, sequence: bool = False
) -> jax.Array:
    """Long short-term memory over axis 1, gates i, f, g, o; its last or every state."""

    def step(
        carried: tuple[jax.Array, jax.Array], from_x: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        h, c = carried
        i, f, g, o = jnp.split(
            from_x + dense(h, weights[f"{name}.recurrent_kernel"]), 4, axis=-1
        )
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    from_x = dense(x, weights[f"{name}.kernel"]) + weights[f"{name}.bias"]
    zeros = jnp.zeros((x.shape[0], from_x.shape[-1] // 4), x.dtype)
    (h, _), states = lax.scan(step, (zeros, zeros), from_x.swapaxes(0, 1))
    return states.swapaxes(0, 1) if sequence else h


def gru(x: jax.Array, weights: Tensors, name: str, sequence: bool = False) -> jax.Array:
    """Gated recurrent unit over axis 1, gates r, z, n; its last or every state.

    The reset gate acts after the recurrent product: one product serves all gates.
    """

    def step(h: jax.Array, from_x: jax.Array) -> tuple[jax.Array, jax.Array]:
        from_h = (
            dense(h, weights[f"{name}.recurrent_kernel"])
            + weights[f"{name}.recurrent_bias"]
        )
        (r, z, n), (r_h, z_h, n_h) = (
            jnp.split(part, 3, axis=-1) for part in (from_x, from_h)
        )
        n = jnp.tanh(n + jax.nn.sigmoid(r + r_h) * n_h)
        z = jax.nn.sigmoid(z + z_h)
        h = (1 - z) * n + z * h
        return h, h

    from_x = dense(x, weights[f"{name}.kernel"]) + weights[f"{name}.bias"]
    zeros = jnp.zeros((x.shape[0], from_x.shape[-1] // 3), x.dtype)
    h, states = lax.scan(step, zeros, from_x.swapaxes(0, 1))
    return states.swapaxes(0, 1) if sequence else h


def dropout(x: jax.Array, rate: float, masks: Tensors | None, name: str) -> jax.Array:
    """Inverted dropout: `masks` say which units to keep; without any, all are kept."""
    return x if masks is None else jnp.where(masks[name], x / (1 - rate), 0)


def stochastic_depth(
    x: jax.Array, rate: float, masks: Tensors | None, name: str
) -> jax.Array:
    """Dropout of whole images, for each of which the mask has one number."""
    return dropout(x, rate, masks, name)


def with_kernels_in(kernel_type: jax.typing.DTypeLike, weights: Tensors) -> Tensors:
    """The weights with kernels of that type, in which their layers then compute."""
    return {
        n: w.astype(kernel_type) if w.ndim in (2, 4) else w for n, w in weights.items()
    }


def training_loss(
    weights: Tensors,
    averages: Tensors,
    images: jax.Array,
    labels: jax.Array,
    masks: Tensors | None,
    network: Network,
    kernel_type: jax.typing.DTypeLike,
    label_smoothing: float = 0.0,
) -> tuple[jax.Array, tuple[Tensors, jax.Array]]:
    """Mean softmax cross-entropy; also the new averages and how many were right."""
    weights = with_kernels_in(kernel_type, weights)
    logits, averages = network(weights, averages, images, masks, training=True)
    targets = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    targets = optax.smooth_labels(targets, label_smoothing)
    loss = optax.softmax_cross_entropy(logits, targets).mean()
    return loss, (averages, (logits.argmax(axis=1) == labels).sum())


def scale_by_adam(
    beta1: float, beta2: float, epsilon: float
) -> optax.GradientTransformation:
    """Optax's, corrected to the last digit: in float32 its 1 - 0.999**1 is 1e-5 off."""
    moments = optax.scale_by_adam(beta1, beta2)

    def update(slopes: Tensors, state: Any, params: Any = None) -> tuple[Tensors, Any]:
        _, state = moments.update(slopes, state)
        logarithms = (math.log(beta) if beta else -math.inf for beta in (beta1, beta2))
        first, second = (
            -jnp.expm1(state.count * logarithm) for logarithm in logarithms
        )

        def change(m: jax.Array, v: jax.Array) -> jax.Array:
            return m / first / (jnp.sqrt(v / second) + epsilon)

        return jax.tree.map(change, state.mu, state.nu), state

    return optax.GradientTransformation(moments.init, update)


@partial(
    jax.jit,
    static_argnames=(
        "network",
        "optimizer",
        "weight_decay",
        "label_smoothing",
        "kernel_type",
    ),
    donate_argnames=("weights", "averages", "moments"),
    compiler_options=XLA_OPTIONS,
)
def train_step(
    network: Network,
    optimizer: optax.GradientTransformation,
    weights: Tensors,
    averages: Tensors,
    moments: optax.OptState,
    images: jax.Array,
    labels: jax.Array,
    masks: Tensors | None,
    learning_rate: jax.Array,
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    kernel_type: jax.typing.DTypeLike = jnp.float32,
) -> tuple[Tensors, Tensors, optax.OptState, jax.Array, jax.Array]:
    """One step on a batch; what it changed, the loss before it, how many were right."""
    differentiated = jax.value_and_grad(training_loss, has_aux=True)
    (loss, (averages, correct)), slopes = differentiated(
        weights, averages, images, labels, masks, network, kernel_type, label_smoothing
    )
    updates, moments = optimizer.update(slopes, moments)
    if weight_decay:  # decoupled from the gradient, on kernels only
        keep = 1 - learning_rate * weight_decay
        weights = {n: w * keep if w.ndim in (2, 4) else w for n, w in weights.items()}
    weights = jax.tree.map(
        lambda w, update: w - learning_rate * update, weights, updates
    )
    return weights, averages, moments, loss, correct


@partial(
    jax.jit, static_argnames=("network", "kernel_type"), compiler_options=XLA_OPTIONS
)
def evaluate(
    network: Network,
    weights: Tensors,
    averages: Tensors,
    images: jax.Array,
    kernel_type: jax.typing.DTypeLike = jnp.float32,
) -> jax.Array:
    """Logits in evaluation mode."""
    return network(with_kernels_in(kernel_type, weights), averages, images)[0]


def filled_up(images: Images, count: int) -> Images:
    """`count` images, black ones at the end."""
    filler = np.zeros((count - len(images), *images.shape[1:]), images.dtype)
    return np.concatenate([images, filler])


@partial(jax.jit, static_argnames=("mean", "std", "dtype"))
def prepare(
    images: jax.Array,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    dtype: jax.typing.DTypeLike = np.float32,
) -> jax.Array:
    """Images as the network sees them: (pixel / 255 - mean) / std."""
    pixels = images.astype(dtype) / PIXEL_SCALE
    return (pixels - np.array(mean, dtype)) / np.array(std, dtype)
