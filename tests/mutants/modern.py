"""Changes in what networks of today are made of: what frameworks really do differently,
or did.
"""

from __future__ import annotations

from tests.mutants.branches import Row
from tests.mutants.changes import written

ON_ZERO = ("relu6_1",)
"""What reads zeros and sixes, on the edge of a leaky ReLU."""
ON_EDGES = ("threefold",)
"""Whose numbers lie on both edges of the hard functions."""

PYTORCH: list[Row] = [
    ("leaky ReLU: slope of TensorFlow",
     written("F.leaky_relu(images, 0.01)", "F.leaky_relu(images, 0.2)"),
     "wide", ("leaky_relu1",)),
    ("leaky ReLU: slope 1 at 0",
     written("F.leaky_relu(", "(lambda x, slope: torch.where(x >= 0, x, slope * x))("),
     "wide", ON_ZERO),
    ("SiLU: of 1.702 x", written("F.silu(images)",
                                 "(images * torch.sigmoid(1.702 * images))"),
     "wide", ("silu1",)),
    ("hard sigmoid: 0.2 x + 1/2",
     written("F.hardsigmoid(images)", "(0.2 * images + 0.5).clamp(0, 1)"),
     "wide", ("hard_sigmoid1",)),
    ("hard sigmoid: a gradient on its edges",
     written("F.hardsigmoid(", "(lambda x: (x / 6 + 0.5).clamp(0, 1))("),
     "wide", ON_EDGES),
    ("hard swish: SiLU", written("F.hardswish(", "F.silu("),
     "wide", ("hard_swish1",)),
    ("hard swish: the inner slope on its edges",
     written("F.hardswish(", "(lambda x: x * (x / 6 + 0.5).clamp(0, 1))("),
     "wide", ON_EDGES),
]  # fmt: skip

TENSORFLOW: list[Row] = [
    ("leaky ReLU: that of tf.nn",
     written("leaky_relu(images, 0.01)", "tf.nn.leaky_relu(images, 0.01)"),
     "wide", ("leaky_relu1",)),
    ("SiLU: of 1.702 x",
     written("tf.nn.silu(images)", "images * tf.sigmoid(1.702 * images)"),
     "wide", ("silu1",)),
    ("hard sigmoid: 0.2 x + 1/2",
     written("tf.nn.relu6(x + 3) / 6", "tf.clip_by_value(0.2 * x + 0.5, 0, 1)"),
     "wide", ("hard_sigmoid1",)),
    ("hard sigmoid: a gradient on its edges",
     written("tf.nn.relu6(x + 3) / 6", "tf.clip_by_value(x / 6 + 0.5, 0, 1)"),
     "wide", ON_EDGES),
    ("hard swish: SiLU",
     written("images * hard_sigmoid(images)", "tf.nn.silu(images)"),
     "wide", ("hard_swish1",)),
]  # fmt: skip

JAX: list[Row] = [
    ("leaky ReLU: that of jax.nn",
     written("leaky_relu(relu6_1, 0.01)", "jax.nn.leaky_relu(relu6_1, 0.01)"),
     "wide", ON_ZERO),
    ("SiLU: of 1.702 x",
     written("jax.nn.silu(images)", "images * jax.nn.sigmoid(1.702 * images)"),
     "wide", ("silu1",)),
    ("hard sigmoid: 0.2 x + 1/2",
     written("jax.nn.hard_sigmoid(images)", "jnp.clip(0.2 * images + 0.5, 0, 1)"),
     "wide", ("hard_sigmoid1",)),
    ("hard sigmoid: half a gradient on its edges",
     written("jax.nn.hard_sigmoid(", "(lambda x: jnp.clip(x / 6 + 0.5, 0, 1))("),
     "wide", ON_EDGES),
    ("hard swish: SiLU", written("jax.nn.hard_swish(", "jax.nn.silu("),
     "wide", ("hard_swish1",)),
]  # fmt: skip

KERAS: list[Row] = [
    ("leaky ReLU: its own",
     written(" LeakyReLU(0.01,", " layers.LeakyReLU(0.01,"),
     "wide", ("leaky_relu1",)),
    ("SiLU: GELU",
     written('layers.Activation("silu"', 'layers.Activation("gelu"'),
     "wide", ("silu1",)),
    ("hard sigmoid: 0.2 x + 1/2",
     written('layers.Activation("hard_sigmoid"',
             "layers.Lambda(lambda x: ops.clip(0.2 * x + 0.5, 0, 1)"),
     "wide", ("hard_sigmoid1",)),
    ("hard sigmoid: a gradient on its edges",
     written('layers.Activation("hard_sigmoid"',
             "layers.Lambda(lambda x: ops.clip(x / 6 + 0.5, 0, 1)"),
     "wide", ON_EDGES),
    ("hard swish: SiLU",
     written('layers.Activation("hard_swish"', 'layers.Activation("silu"'),
     "wide", ("hard_swish1",)),
]  # fmt: skip
