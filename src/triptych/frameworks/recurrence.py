"""Operations of the reference that go step by step: LSTM and GRU."""

from __future__ import annotations

import numpy as np

from triptych.frameworks.rounding import Values, rounded
from triptych.frameworks.tensors import Pieces, Tensor, gates


def logistic(x: Values) -> Values:
    """1 / (1 + exp(-x)), written with tanh, which does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def lstm(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor, sequence: bool
) -> Tensor:
    """Long short-term memory, step by step from a state of zeros; the gates are i, f,
    g, o.

    The derivative walks the steps back and hands on, from each to the one before, what
    the loss wants of the state h and of the memory c.
    """
    weights, units = recurrent_kernel.values, recurrent_kernel.values.shape[0]
    h = c = np.zeros((len(x.values), units))
    states, seen = [], []
    for step in range(x.values.shape[1]):
        i, f, g, o = np.split(
            x.values[:, step] @ kernel.values + h @ weights + bias.values, 4, axis=-1
        )
        i, f, g, o = logistic(i), logistic(f), np.tanh(g), logistic(o)
        seen.append((h, c, i, f, g, o))
        c = rounded(f * c + i * g)
        h = rounded(o * np.tanh(c))
        states.append(h)

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x, to_kernel = np.zeros_like(x.values), np.zeros_like(kernel.values)
        to_weights, to_bias = np.zeros_like(weights), np.zeros_like(bias.values)
        to_h = to_c = np.zeros((len(x.values), units))
        for step in reversed(range(len(seen))):
            h, c, i, f, g, o = seen[step]
            to_h = to_h + _of_step(gradient, step, len(seen), sequence)
            memory = np.tanh(f * c + i * g)
            to_c = to_c + to_h * o * (1 - memory**2)
            to_gates = np.concatenate(
                [
                    to_c * g * i * (1 - i),
                    to_c * c * f * (1 - f),
                    to_c * i * (1 - g**2),
                    to_h * memory * o * (1 - o),
                ],
                axis=-1,
            )
            to_x[:, step] = to_gates @ kernel.values.T
            to_kernel += x.values[:, step].T @ to_gates
            to_weights += h.T @ to_gates
            to_bias += to_gates.sum(axis=0)
            to_h, to_c = rounded(to_gates @ weights.T), rounded(to_c * f)
        return to_x, to_kernel, to_weights, to_bias

    def pieces() -> Pieces:
        _, c, i, f, g, o = (
            np.stack(part, axis=sequence) for part in zip(*seen, strict=True)
        )
        memory = f * c + i * g
        return {
            **gates("lstm", 0, i=i, f=f, o=o),
            **gates("lstm", -1, g=g),
            "lstm: memory below -1": memory < -1,
            "lstm: memory between": np.abs(memory) <= 1,
            "lstm: memory above 1": memory > 1,
        }

    values = np.stack(states, axis=1) if sequence else h
    return Tensor(values, (x, kernel, recurrent_kernel, bias), derivative, pieces)


def gru(
    x: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor,
    recurrent_bias: Tensor,
    sequence: bool,
) -> Tensor:
    """Gated recurrent unit, step by step from a state of zeros; the gates are r, z, n.

    The reset gate r takes its part of what the state gives to the candidate n after the
    product.
    """
    weights, units = recurrent_kernel.values, recurrent_kernel.values.shape[0]
    h = np.zeros((len(x.values), units))
    states, seen = [], []
    for step in range(x.values.shape[1]):
        r, z, n = np.split(x.values[:, step] @ kernel.values + bias.values, 3, axis=-1)
        r_state, z_state, n_state = np.split(
            h @ weights + recurrent_bias.values, 3, axis=-1
        )
        r, z = logistic(r + r_state), logistic(z + z_state)
        n = np.tanh(n + r * n_state)
        seen.append((h, r, z, n, n_state))
        h = rounded((1 - z) * n + z * h)
        states.append(h)

    def derivative(gradient: Values) -> tuple[Values, ...]:
        to_x, to_kernel = np.zeros_like(x.values), np.zeros_like(kernel.values)
        to_weights, to_bias = np.zeros_like(weights), np.zeros_like(bias.values)
        to_recurrent_bias, to_h = (
            np.zeros_like(recurrent_bias.values),
            np.zeros((len(x.values), units)),
        )
        for step in reversed(range(len(seen))):
            h, r, z, n, n_state = seen[step]
            to_h = to_h + _of_step(gradient, step, len(seen), sequence)
            to_n = to_h * (1 - z) * (1 - n**2)
            to_r, to_z = to_n * n_state * r * (1 - r), to_h * (h - n) * z * (1 - z)
            from_x = np.concatenate([to_r, to_z, to_n], axis=-1)
            from_state = np.concatenate([to_r, to_z, to_n * r], axis=-1)
            to_x[:, step] = from_x @ kernel.values.T
            to_kernel += x.values[:, step].T @ from_x
            to_weights += h.T @ from_state
            to_bias += from_x.sum(axis=0)
            to_recurrent_bias += from_state.sum(axis=0)
            to_h = rounded(from_state @ weights.T + to_h * z)
        return to_x, to_kernel, to_weights, to_bias, to_recurrent_bias

    def pieces() -> Pieces:
        _, r, z, n, _ = (
            np.stack(part, axis=sequence) for part in zip(*seen, strict=True)
        )
        return {**gates("gru", 0, r=r, z=z), **gates("gru", -1, n=n)}

    values = np.stack(states, axis=1) if sequence else h
    return Tensor(
        values, (x, kernel, recurrent_kernel, bias, recurrent_bias), derivative, pieces
    )


def _of_step(gradient: Values, step: int, steps: int, sequence: bool) -> Values | float:
    """What the loss wants of the state after a step; without `sequence` it sees the
    last one only.
    """
    if sequence:
        return np.asarray(gradient[:, step])
    return gradient if step == steps - 1 else 0.0
