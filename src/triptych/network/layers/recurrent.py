"""Layers that go step by step: LSTM and GRU."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

from triptych.network import conventions
from triptych.network.layers.base import Layer, Shape, sequence_of


@dataclass(frozen=True)
class Recurrent(Layer, ABC):
    """What reads a sequence step by step and keeps a state of `units` numbers, which is
    0 at first.

    It gives the state after the last step, (units,), or with `sequence` those after
    every step, (steps, units). Its gates, in the order of `GATES`, stand side by side
    along the last axis of each tensor.
    """

    GATES: ClassVar[str]
    """A letter each."""
    units: int
    sequence: bool = False

    @property
    def gates(self) -> int:
        """How many."""
        return len(self.GATES)

    def output_shape(self, *inputs: Shape) -> Shape:
        steps, _ = sequence_of(inputs[0])
        return (steps, self.units) if self.sequence else (self.units,)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        width = self.gates * self.units
        return {
            "kernel": (sequence_of(inputs[0])[1], width),
            "recurrent_kernel": (self.units, width),
            "bias": (width,),
        }

    def _products(self, shape: Shape) -> int:
        """Operations of one step's matrix products and bias."""
        return self.gates * self.units * (2 * (shape[1] + self.units) + 1)


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with a forget gate
    (Gers et al., 2000).

    With s = x kernel + h recurrent_kernel + bias, cut into the gates i, f, g and o::

        c = sigmoid(f) c + sigmoid(i) tanh(g)
        h = sigmoid(o) tanh(c)
    """

    kind = "lstm"
    GATES = conventions.LSTM_GATES

    def flops(self, *inputs: Shape) -> int:
        # five functions, three products, one sum for each unit
        return inputs[0][0] * (self._products(inputs[0]) + 9 * self.units)


@dataclass(frozen=True)
class GRU(Recurrent):
    """A gated recurrent unit (Cho et al., 2014), with the reset gate after the product,
    as cuDNN has it.

    With a = x kernel + bias and b = h recurrent_kernel + recurrent_bias, each cut into
    the gates r, z, n::

        r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
        h = (1 - z) tanh(a_n + r b_n) + z h
    """

    kind = "gru"
    GATES = conventions.GRU_GATES

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {
            **super().parameters(*inputs),
            "recurrent_bias": (self.gates * self.units,),
        }

    def flops(self, *inputs: Shape) -> int:
        # a second bias, and for each unit: three functions, three products, 1 - z, one
        # sum
        return inputs[0][0] * (
            self._products(inputs[0]) + (self.gates + 8) * self.units
        )
