"""Every numeric decision that frameworks take differently, named once.

Each framework file, and the reference, takes its numbers from here; none relies on a
default of its own. Where the frameworks' defaults differ, the comment says how.
"""

from __future__ import annotations

from typing import Literal

Padding = Literal["same", "valid"]
OptimizerName = Literal["sgd", "nesterov", "adam", "adamw", "rmsprop"]
Precision = Literal["float64", "float32", "bfloat16"]

PIXEL_SCALE = 255.0
"""Images are uint8; the network sees (pixel / 255 - mean) / std."""

BATCH_NORM_EPSILON = 1e-5
"""Added to the variance. Keras 1e-3; PyTorch and Flax 1e-5."""

BATCH_NORM_MOMENTUM = 0.9
"""The share of the running value that is *kept*; Keras and Flax keep 0.99, PyTorch
takes 0.1.

The batch variance is biased (divided by n) in the forward pass and unbiased (n - 1) in
the running value.
"""

LAYER_NORM_EPSILON = 1e-5
"""Added to the variance of each place's channels, which is biased. PyTorch 1e-5; Keras
1e-3, Flax 1e-6.
"""

GROUP_NORM_EPSILON = 1e-5
"""Added to the variance of each group, which is biased. PyTorch 1e-5; Keras 1e-3, Flax
1e-6.
"""

LEAKY_RELU_SLOPE = 0.01
"""Below 0, and at 0, where the slope jumps. PyTorch and JAX 0.01 (but JAX has slope 1
at 0), TensorFlow 0.2, Keras 0.3.
"""

HARD_SIGMOID_EDGE = 3.0
"""min(max(x / 6 + 1/2, 0), 1) is cut off at -3 and 3 (Howard et al., 2019), and on
these edges, too, its derivative is 0. Keras 2 had 0.2 x + 1/2, cut off at 2.5.
"""

TOKEN_DEVIATION = 0.02
"""Of the normal distribution that class tokens and position embeddings are drawn from
(Dosovitskiy et al., 2021); timm draws class tokens with 1e-6.
"""

LSTM_GATES = "ifgo"
"""Input, forget, candidate, output: the order of the gates along the last axis of an
LSTM's tensors.

As in PyTorch, Keras (which calls the candidate c) and Flax; TensorFlow 1 had i, c, f,
o. One bias each: PyTorch, as cuDNN, adds a second one to the same sum. Source:
Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins
(2000).
"""

LSTM_FORGET_BIAS = 1.0
"""Where the bias of the forget gate starts, so that a fresh network remembers
(Jozefowicz et al., 2015).

Keras 1; PyTorch near 0.
"""

GRU_GATES = "rzn"
"""Reset, update, candidate: the order of the gates along the last axis of a GRU's
tensors.

As in PyTorch; Keras has z, r, h. The reset gate acts on the product h recurrent_kernel
+ recurrent_bias, as in cuDNN, PyTorch and Keras' `reset_after`; Cho et al. (2014) let
it act on h before the product. h becomes (1 - z) n + z h, as there; Chung et al. (2014)
swap z and 1 - z.
"""

ADAM_BETA1 = 0.9
ADAM_BETA2 = 0.999
ADAM_EPSILON = 1e-8
"""Added after the bias-corrected root, as in the paper's Algorithm 1 (Kingma and Ba,
2015).

Keras adds 1e-7 to the root before its correction, which makes it 31.6 times larger at
the first step.
"""

RMSPROP_RHO = 0.9
"""With the epsilon of Adam, added outside the root.

Keras and Optax add it inside by default; PyTorch outside, with decay 0.99.
"""

SGD_MOMENTUM = 0.9
"""v = momentum v + g, w = w - lr v: a new learning rate acts at once. Keras folds lr
into v.

Nesterov's form looks ahead by the velocity that this very gradient has changed: w = w -
lr (g + momentum v), as PyTorch, Optax and TensorFlow have it (Sutskever et al., 2013).
"""

ADAMW_WEIGHT_DECAY = 0.01
"""Decoupled (Loshchilov and Hutter, 2019), times the learning rate, on kernels only,
before the step.

A kernel is a tensor that is multiplied by the input or by the state; never a bias, a
scale, an offset, a class token or an embedding. Kernels, and they alone, have two or
four axes; only Keras' GRU has biases of two.
"""

SLOTS: dict[OptimizerName, tuple[str, ...]] = {
    "sgd": ("velocity",),
    "nesterov": ("velocity",),
    "adam": ("first_moment", "second_moment"),
    "adamw": ("first_moment", "second_moment"),
    "rmsprop": ("mean_square",),
}
"""What an optimizer remembers for each parameter, by canonical name."""

PRECISIONS: tuple[Precision, ...] = ("float64", "float32", "bfloat16")
"""bfloat16: what has a kernel computes in it; weights, averages, loss and steps stay
float32.
"""

ULP: dict[Precision, float] = {
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "bfloat16": 2.0**-7,
}
"""One unit in the last place of a number of size 1."""


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels to add before and after one axis of `size` pixels so that ceil(size /
    stride) come out.

    TensorFlow's rule: an odd total puts its extra pixel at the end, and the total
    depends on the size. Source: the notes on padding in the documentation of tf.nn.
    """
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
