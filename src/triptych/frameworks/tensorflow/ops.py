"""What emitted TensorFlow quotes: operations of a network, and a training step."""

from __future__ import annotations

import copy
from collections.abc import Callable

import tensorflow as tf

from triptych.frameworks.contract import Images
from triptych.network.conventions import PIXEL_SCALE


def he_normal(shape: tuple[int, ...], fan_in: int, dtype: tf.DType) -> tf.Variable:
    """A kernel drawn from a normal distribution of variance 2 / fan_in."""
    return tf.Variable(tf.random.normal(shape, stddev=(2 / fan_in) ** 0.5, dtype=dtype))


def glorot_uniform(inputs: int, units: int, gates: int, dtype: tf.DType) -> tf.Variable:
    """Kernels, one a gate, side by side; uniform of variance 2 / (inputs + units)."""
    limit = (6 / (inputs + units)) ** 0.5
    return tf.Variable(
        tf.random.uniform((inputs, gates * units), -limit, limit, dtype=dtype)
    )


def orthogonal(units: int, gates: int, dtype: tf.DType) -> tf.Variable:
    """An orthogonal kernel for each gate, side by side."""
    matrices, _ = tf.linalg.qr(tf.random.normal((gates, units, units), dtype=dtype))
    return tf.Variable(tf.concat(tf.unstack(matrices), axis=1))


def grouped_conv(
    x: tf.Tensor,
    kernel: tf.Variable,
    groups: int,
    padding: str,
    strides: int | tuple[int, int] = 1,
    dilations: int | tuple[int, int] = 1,
) -> tf.Tensor:
    """Each group of channels convolved for itself.

    On a CPU TensorFlow's own has no gradients in float64.
    """
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    options = {"strides": strides, "padding": padding, "dilations": dilations}
    return tf.concat([tf.nn.convolution(*part, **options) for part in parts], -1)


def average_pool(
    x: tf.Tensor,
    ksize: int | tuple[int, int],
    strides: int | tuple[int, int],
    pads: tuple[tuple[int, int], ...],
) -> tf.Tensor:
    """Mean of each window in which padding, of so many pixels, does not count."""
    total, inside = (
        tf.nn.avg_pool2d(tf.pad(y, pads), ksize, strides, "VALID")
        for y in (x, tf.ones_like(x[:1, :, :, :1]))
    )
    return total / inside


def batch_norm(
    x: tf.Tensor,
    scale: tf.Variable,
    offset: tf.Variable,
    mean: tf.Variable,
    variance: tf.Variable,
    epsilon: float,
    momentum: float,
    training: bool,
) -> tf.Tensor:
    """Normalize each channel, in training by the batch.

    Its mean and variance then enter the running ones: the unbiased variance, which is
    n / (n - 1) times that of the forward pass, as in the fused operation. That one
    knows images only, and no float64.
    """
    if x.shape.rank == 4 and mean.dtype == tf.float32:
        options = {
            "epsilon": epsilon,
            "exponential_avg_factor": 1 - momentum,
            "is_training": training,
        }
        x, new_mean, new_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=mean, variance=variance, **options
        )
        if training:
            mean.assign(new_mean)
            variance.assign(new_variance)
        return x
    values, kept, taken = tf.cast(x, mean.dtype), momentum, 1 - momentum
    center, spread = mean, variance
    if training:
        center, spread = tf.nn.moments(values, list(range(x.shape.rank - 1)))
        n = tf.cast(tf.size(x) // x.shape[-1], mean.dtype)
        mean.assign(kept * mean + taken * center)
        variance.assign(kept * variance + taken * spread * n / tf.maximum(n - 1, 1))
    normal = tf.nn.batch_normalization(values, center, spread, offset, scale, epsilon)
    return tf.cast(normal, x.dtype)


def layer_norm(
    x: tf.Tensor, scale: tf.Variable, offset: tf.Variable, epsilon: float
) -> tf.Tensor:
    """Normalize the channels of each place by themselves."""
    values = tf.cast(x, scale.dtype)
    mean, variance = tf.nn.moments(values, [-1], keepdims=True)
    normal = tf.nn.batch_normalization(values, mean, variance, offset, scale, epsilon)
    return tf.cast(normal, x.dtype)


def group_norm(
    x: tf.Tensor, scale: tf.Variable, offset: tf.Variable, groups: int, epsilon: float
) -> tf.Tensor:
    """Normalize each group of an image's channels, over all its pixels."""
    values = tf.cast(x, scale.dtype)
    _, height, width, channels = x.shape
    parted = tf.reshape(values, (-1, height * width, groups, channels // groups))
    mean, variance = tf.nn.moments(parted, [1, 3], keepdims=True)
    normal = tf.reshape((parted - mean) / tf.sqrt(variance + epsilon), tf.shape(x))
    return tf.cast(normal * scale + offset, x.dtype)


def leaky_relu(x: tf.Tensor, slope: float) -> tf.Tensor:
    """x above 0, slope x elsewhere; that of `tf.nn` rounds the slope to float32."""
    return tf.where(x > 0, x, slope * x)


def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """min(max(x / 6 + 1/2, 0), 1); a sum x + 3 is rounded, onto the edge maybe."""
    return tf.where(tf.abs(x) < 3, x / 6 + 0.5, tf.cast(x > 0, x.dtype))


def gelu(x: tf.Tensor) -> tf.Tensor:
    """x Phi(x); `tf.nn.gelu` rounds the root of 2 to float32, even in float64."""
    return 0.5 * x * (1 + tf.math.erf(x / 2**0.5))


def class_token(x: tf.Tensor, token: tf.Variable) -> tf.Tensor:
    """One more token, the same for every image and trained, before all others."""
    first = tf.repeat(tf.cast(token, x.dtype), tf.shape(x)[0], axis=0)
    return tf.concat([first, x], axis=1)


def attention(
    x: tf.Tensor,
    kernel: tf.Variable,
    bias: tf.Variable,
    output_kernel: tf.Variable,
    output_bias: tf.Variable,
    heads: int,
    rate: float = 0.0,
    masks: dict[str, tf.Tensor] | None = None,
    name: str = "",
) -> tf.Tensor:
    """Self-attention of several heads (Vaswani et al., 2017)."""
    _, tokens, channels = x.shape
    split = (-1, tokens, 3, heads, channels // heads)
    parts = tf.transpose(tf.reshape(x @ kernel + bias, split), (2, 0, 3, 1, 4))
    q, k, v = tf.unstack(parts)
    weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / split[-1] ** 0.5)
    weights = dropout(weights, rate, masks, name)
    mixed = tf.reshape(tf.transpose(weights @ v, (0, 2, 1, 3)), (-1, tokens, channels))
    return mixed @ output_kernel + output_bias


def lstm(
    x: tf.Tensor,
    kernel: tf.Variable,
    recurrent_kernel: tf.Variable,
    bias: tf.Variable,
    sequence: bool = False,
) -> tf.Tensor:
    """Long short-term memory over axis 1, gates i, f, g, o; its last or every state."""

    def step(
        state: tuple[tf.Tensor, tf.Tensor], from_x: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        h, c = state
        i, f, g, o = tf.split(from_x + h @ recurrent_kernel, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    from_x = tf.transpose(tf.tensordot(x, kernel, axes=1) + bias, (1, 0, 2))
    zeros = tf.zeros((tf.shape(x)[0], recurrent_kernel.shape[0]), x.dtype)
    states, _ = tf.scan(step, from_x, (zeros, zeros))
    return tf.transpose(states, (1, 0, 2)) if sequence else states[-1]


def gru(
    x: tf.Tensor,
    kernel: tf.Variable,
    recurrent_kernel: tf.Variable,
    bias: tf.Variable,
    recurrent_bias: tf.Variable,
    sequence: bool = False,
) -> tf.Tensor:
    """Gated recurrent unit over axis 1, gates r, z, n; its last or every state.

    The reset gate acts after the recurrent product: one product serves all gates.
    """

    def step(h: tf.Tensor, from_x: tf.Tensor) -> tf.Tensor:
        r, z, n = tf.split(from_x, 3, axis=1)
        r_h, z_h, n_h = tf.split(h @ recurrent_kernel + recurrent_bias, 3, axis=1)
        n = tf.tanh(n + tf.sigmoid(r + r_h) * n_h)
        z = tf.sigmoid(z + z_h)
        return (1 - z) * n + z * h

    from_x = tf.transpose(tf.tensordot(x, kernel, axes=1) + bias, (1, 0, 2))
    zeros = tf.zeros((tf.shape(x)[0], recurrent_kernel.shape[0]), x.dtype)
    states = tf.scan(step, from_x, zeros)
    return tf.transpose(states, (1, 0, 2)) if sequence else states[-1]


def dropout(
    x: tf.Tensor, rate: float, masks: dict[str, tf.Tensor] | None, name: str
) -> tf.Tensor:
    """Inverted dropout: `masks` say which units to keep; without any, all are kept."""
    return x if masks is None else x * tf.cast(masks[name], x.dtype) / (1 - rate)


def stochastic_depth(
    x: tf.Tensor, rate: float, masks: dict[str, tf.Tensor] | None, name: str
) -> tf.Tensor:
    """Dropout of whole images, for each of which the mask has one number."""
    return dropout(x, rate, masks, name)


def cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, smoothing: float = 0.0
) -> tf.Tensor:
    """Mean of it against (1 - smoothing) one_hot + smoothing / classes."""
    classes = logits.shape[-1]
    share = smoothing / classes
    target = tf.one_hot(
        labels,
        classes,
        on_value=1 - smoothing + share,
        off_value=share,
        dtype=logits.dtype,
    )
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))


def in_bfloat16(network: tf.Module) -> Callable[..., tf.Tensor]:
    """The network with kernels and biases in bfloat16; batch norm stays as it is."""

    def call(
        images: tf.Tensor, masks: dict[str, tf.Tensor] | None, training: bool
    ) -> tf.Tensor:
        half = copy.copy(network)
        for name, variable in vars(network).items():
            if name.endswith(("_kernel", "_bias")):
                vars(half)[name] = tf.cast(variable, tf.bfloat16)
        logits = half(tf.cast(images, tf.bfloat16), masks, training)
        return tf.cast(logits, images.dtype)

    return call


def slots_for(variables: list[tf.Variable]) -> list[tf.Variable]:
    """What an optimizer remembers for each variable: zero at first."""
    return [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]


class SGD:
    """Momentum: v = momentum v + g; w = w - learning_rate v.

    In Nesterov's form w = w - learning_rate (g + momentum v).
    """

    def __init__(
        self, variables: list[tf.Variable], momentum: float, nesterov: bool = False
    ) -> None:
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.velocity = slots_for(variables)
        self.momentum, self.nesterov = momentum, nesterov

    def apply(
        self, gradients: list[tf.Tensor], variables: list[tf.Variable], rate: tf.Tensor
    ) -> None:
        """Update `variables` in place."""
        self.step.assign_add(1)
        for w, v, g in zip(variables, self.velocity, gradients, strict=True):
            tf.raw_ops.ResourceApplyMomentum(
                var=w.handle,
                accum=v.handle,
                grad=g,
                lr=rate,
                momentum=tf.constant(self.momentum, g.dtype),
                use_nesterov=self.nesterov,
            )


class Adam:
    """m, v = moments of g, g^2; w = w - learning_rate m' / (sqrt(v') + epsilon).

    m' and v' are corrected for their bias.
    """

    def __init__(
        self, variables: list[tf.Variable], beta1: float, beta2: float, epsilon: float
    ) -> None:
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.first_moment = slots_for(variables)
        self.second_moment = slots_for(variables)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def apply(
        self, gradients: list[tf.Tensor], variables: list[tf.Variable], rate: tf.Tensor
    ) -> None:
        """Update `variables` in place.

        The fused operation adds epsilon to the uncorrected root, so both corrections go
        in beforehand. They are computed in float64, from the betas as rounded to the
        weights' type: in float32, 1 - 0.999 is off by 1e-5.
        """
        beta1 = tf.constant(self.beta1, rate.dtype)
        beta2 = tf.constant(self.beta2, rate.dtype)
        step = tf.cast(self.step.assign_add(1), tf.float64)
        correction = 1 - tf.cast(beta1, tf.float64) ** step
        root = tf.sqrt(1 - tf.cast(beta2, tf.float64) ** step)
        corrected = tf.cast(rate, tf.float64) * root / correction
        numbers = {
            "lr": tf.cast(corrected, rate.dtype),
            "beta1": beta1,
            "beta2": beta2,
            "epsilon": tf.cast(self.epsilon * root, rate.dtype),
            "beta1_power": tf.zeros_like(rate),
            "beta2_power": tf.zeros_like(rate),
        }
        moments = zip(self.first_moment, self.second_moment, strict=True)
        for w, (m, v), g in zip(variables, moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle, m=m.handle, v=v.handle, grad=g, **numbers
            )


class RMSprop:
    """s = rho s + (1 - rho) g^2; w = w - learning_rate g / (sqrt(s) + epsilon)."""

    def __init__(
        self, variables: list[tf.Variable], rho: float, epsilon: float
    ) -> None:
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.mean_square = slots_for(variables)
        self.rho, self.epsilon = rho, epsilon

    def apply(
        self, gradients: list[tf.Tensor], variables: list[tf.Variable], rate: tf.Tensor
    ) -> None:
        """Update `variables` in place; the fused operation has epsilon in the root."""
        self.step.assign_add(1)
        for w, s, g in zip(variables, self.mean_square, gradients, strict=True):
            s.assign(self.rho * s + (1 - self.rho) * tf.square(g))
            w.assign_sub(rate * g / (tf.sqrt(s) + self.epsilon))


def train_step(
    network: tf.Module,
    optimizer: SGD | Adam | RMSprop,
    images: tf.Tensor,
    labels: tf.Tensor,
    masks: dict[str, tf.Tensor] | None,
    learning_rate: tf.Tensor,
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    bfloat16: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """One step on a batch; gives the loss before it and how many were right."""
    with tf.GradientTape() as tape:
        forward = in_bfloat16(network) if bfloat16 else network
        logits = forward(images, masks, training=True)
        loss = cross_entropy(logits, labels, label_smoothing)
    gradients = tape.gradient(loss, network.trainable_variables)
    if weight_decay:  # decoupled from the gradient, on kernels only
        for variable in network.trainable_variables:
            if variable.shape.rank in (2, 4):
                variable.assign(variable * (1 - learning_rate * weight_decay))
    optimizer.apply(gradients, network.trainable_variables, learning_rate)
    return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == labels, tf.int32))


def prepare(
    images: Images | tf.Tensor,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    dtype: tf.DType,
) -> tf.Tensor:
    """Images as the network sees them: (pixel / 255 - mean) / std."""
    pixels = tf.cast(images, dtype) / PIXEL_SCALE
    if any(mean) or set(std) != {1.0}:
        pixels = (pixels - tf.constant(mean, dtype)) / tf.constant(std, dtype)
    return pixels
