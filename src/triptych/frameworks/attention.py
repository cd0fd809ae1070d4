"""Operations of the reference that transformers are made of."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from triptych.frameworks.rounding import Values, rounded, summed
from triptych.frameworks.tensors import OVERFLOW, SHUT, Pieces, Tensor


def tokens(x: Tensor) -> Tensor:
    """The pixels of an image, row by row."""
    shape = x.values.shape
    return Tensor(
        x.values.reshape(shape[0], -1, shape[-1]),
        (x,),
        lambda gradient: (gradient.reshape(shape),),
    )


def class_token(x: Tensor, token: Tensor) -> Tensor:
    """One more token, before all others."""
    first = np.repeat(token.values, len(x.values), axis=0)

    def derivative(gradient: Values) -> tuple[Values, Values]:
        return gradient[:, 1:], summed(gradient[:, 0])[None, None]

    return Tensor(np.concatenate([first, x.values], axis=1), (x, token), derivative)


def position_embedding(x: Tensor, position: Tensor) -> Tensor:
    """A number for each place and channel, added."""

    def derivative(gradient: Values) -> tuple[Values, Values]:
        flat = gradient.reshape(len(gradient), -1)
        return gradient, summed(flat).reshape(position.values.shape)

    return Tensor(x.values + position.values, (x, position), derivative)


def attention(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor,
    output_kernel: Tensor,
    output_bias: Tensor,
    heads: int,
    rate: float = 0.0,
    mask: NDArray[np.bool_] | None = None,
) -> Tensor:
    """softmax(q k^T / sqrt(depth)) v of each head, and a dense layer of all heads."""
    q, k, v = (_heads(dense(x, kernel, bias), part, heads) for part in ("q", "k", "v"))
    weights = _softmax(_scores(q, k))
    if mask is not None:
        weights = _dropped(weights, mask / (1 - rate))
    return dense(_mixed(weights, v), output_kernel, output_bias)


def token_pool(x: Tensor, take: str) -> Tensor:
    """The first token, or the mean of all."""
    count = x.values.shape[1]

    def derivative(gradient: Values) -> tuple[Values]:
        if take == "mean":
            return (np.repeat(gradient[:, None], count, axis=1) / count,)
        to_x = np.zeros_like(x.values)
        to_x[:, 0] = gradient
        return (to_x,)

    values = x.values.mean(axis=1) if take == "mean" else x.values[:, 0]
    return Tensor(values, (x,), derivative)


def dense(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """x @ kernel + bias, of features or of each token."""

    def derivative(gradient: Values) -> tuple[Values, ...]:
        given, wanted = (
            values.reshape(-1, values.shape[-1]) for values in (x.values, gradient)
        )
        shares = (gradient @ kernel.values.T, given.T @ wanted)
        return shares if bias is None else (*shares, summed(gradient))

    if bias is None:
        return Tensor(x.values @ kernel.values, (x, kernel), derivative)
    return Tensor(x.values @ kernel.values + bias.values, (x, kernel, bias), derivative)


def _heads(x: Tensor, part: str, heads: int) -> Tensor:
    """q, k or v, which stand side by side, as (batch, heads, tokens, depth)."""
    batch, count, channels = x.values.shape
    place = "qkv".index(part) * channels // 3
    own = slice(place, place + channels // 3)

    def derivative(gradient: Values) -> tuple[Values]:
        to_x = np.zeros_like(x.values)
        to_x[..., own] = gradient.transpose(0, 2, 1, 3).reshape(batch, count, -1)
        return (to_x,)

    split = x.values[..., own].reshape(batch, count, heads, -1)
    return Tensor(split.transpose(0, 2, 1, 3), (x,), derivative)


def _scores(q: Tensor, k: Tensor) -> Tensor:
    """How well each token's q meets each token's k, over the root of their depth."""
    root = math.sqrt(q.values.shape[-1])

    def derivative(gradient: Values) -> tuple[Values, Values]:
        shares = gradient / root
        return shares @ k.values, shares.swapaxes(-1, -2) @ q.values

    return Tensor(q.values @ k.values.swapaxes(-1, -2) / root, (q, k), derivative)


def _softmax(x: Tensor) -> Tensor:
    """exp(x) / sum(exp(x)) over the last axis."""
    # The exp of a large number overflows.
    powers = rounded(np.exp(x.values - x.values.max(axis=-1, keepdims=True)))
    values = powers / powers.sum(axis=-1, keepdims=True)

    def derivative(gradient: Values) -> tuple[Values]:
        along = (gradient * values).sum(axis=-1, keepdims=True)
        return (values * (gradient - along),)

    def pieces() -> Pieces:
        largest = values.max(axis=-1, keepdims=True)
        return {
            "attention: one token has all the weight": largest > 1 - SHUT,
            "attention: several tokens share it": largest <= 1 - SHUT,
            "attention: exp overflows": np.abs(x.values) > OVERFLOW,
        }

    return Tensor(values, (x,), derivative, pieces)


def _dropped(weights: Tensor, factor: Values) -> Tensor:
    def pieces() -> Pieces:
        return {
            "attention: weight kept": factor > 0,
            "attention: weight dropped": factor == 0,
        }

    return Tensor(
        weights.values * factor,
        (weights,),
        lambda gradient: (gradient * factor,),
        pieces,
    )


def _mixed(weights: Tensor, v: Tensor) -> Tensor:
    """What each token takes of all tokens' v, the heads side by side again."""
    batch, heads, count, depth = v.values.shape
    values = (weights.values @ v.values).transpose(0, 2, 1, 3)

    def derivative(gradient: Values) -> tuple[Values, Values]:
        split = gradient.reshape(batch, count, heads, depth).transpose(0, 2, 1, 3)
        to_weights = split @ v.values.swapaxes(-1, -2)
        return to_weights, weights.values.swapaxes(-1, -2) @ split

    return Tensor(values.reshape(batch, count, -1), (weights, v), derivative)
