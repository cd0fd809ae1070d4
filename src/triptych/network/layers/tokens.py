"""Layers of transformers: an image as a sequence of tokens, and what they do with it.

Sources: Vaswani et al. (2017) for attention, Dosovitskiy et al. (2021) for images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from triptych.errors import ArchitectureError
from triptych.network.layers.base import Layer, Shape, image_of, sequence_of


@dataclass(frozen=True)
class Tokens(Layer):
    """(height, width, channels) to (height * width, channels): an image as the sequence
    of its pixels, row by row.
    """

    kind = "tokens"

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = image_of(inputs[0])
        return (height * width, channels)

    def flops(self, *inputs: Shape) -> int:
        return 0


@dataclass(frozen=True)
class ClassToken(Layer):
    """One more token, the same for every image and trained, before all others. Token:
    (1, 1, channels).
    """

    kind = "class_token"

    def output_shape(self, *inputs: Shape) -> Shape:
        tokens, channels = sequence_of(inputs[0])
        return (tokens + 1, channels)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"token": (1, 1, sequence_of(inputs[0])[1])}

    def flops(self, *inputs: Shape) -> int:
        return 0


@dataclass(frozen=True)
class PositionEmbedding(Layer):
    """A trained number for each place and channel of a sequence, added to it. Position:
    (1, tokens, channels).
    """

    kind = "position_embedding"

    def output_shape(self, *inputs: Shape) -> Shape:
        return sequence_of(inputs[0])

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"position": (1, *sequence_of(inputs[0]))}

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])


@dataclass(frozen=True)
class Attention(Layer):
    """Self-attention of so many `heads`, each with its share of the channels.

    With q, k and v side by side in x kernel + bias, each cut into heads::

        weights = softmax(q k^T / sqrt(channels / heads))
        y = concatenated(weights v) output_kernel + output_bias

    In training a share `rate` of the weights is dropped, drawn for each head and pair
    of tokens.
    """

    kind = "attention"
    heads: int
    rate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rate < 1:
            raise ArchitectureError(f"rate is {self.rate}, but must be in [0, 1)")

    def output_shape(self, *inputs: Shape) -> Shape:
        tokens, channels = sequence_of(inputs[0])
        if channels % self.heads:
            raise ArchitectureError(
                f"gets {channels} channels, which {self.heads} heads cannot share"
            )
        return (tokens, channels)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        channels = sequence_of(inputs[0])[1]
        return {
            "kernel": (channels, 3 * channels),
            "bias": (3 * channels,),
            "output_kernel": (channels, channels),
            "output_bias": (channels,),
        }

    def mask(self, *inputs: Shape) -> tuple[float, Shape] | None:
        tokens, _ = sequence_of(inputs[0])
        return (self.rate, (self.heads, tokens, tokens)) if self.rate else None

    def flops(self, *inputs: Shape) -> int:
        tokens, channels = inputs[0]
        linear = 4 * channels * (2 * channels + 1)
        # two products; of each weight its scale, exp, sum and quotient
        pairs = tokens * (2 * 2 * channels + 4 * self.heads)
        return tokens * (linear + pairs)


@dataclass(frozen=True)
class TokenPool(Layer):
    """(tokens, channels) to (channels,): the first token, which is the class token if
    there is one, or the mean of all.
    """

    kind = "token_pool"
    take: Literal["first", "mean"] = "first"

    def output_shape(self, *inputs: Shape) -> Shape:
        return sequence_of(inputs[0])[1:]

    def flops(self, *inputs: Shape) -> int:
        return math.prod(inputs[0]) if self.take == "mean" else 0
