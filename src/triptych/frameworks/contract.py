"""The contract: what a framework must be able to do, with its full description.

Each framework is a folder with two modules, `write` and `run`, that have the functions
of `Writer` and of `Framework`, in this order, with these signatures. Arrays that cross
the boundary are NumPy and are never changed by the other side:

- images: uint8, (batch, height, width, channels), RGB, 0 to 255; of the head of a
  network that was cut in two: features, float32 (float64 in precision float64),
  (batch, *its input's shape)
- labels: int64, (batch,), 0 to classes - 1
- masks: by dropout layer, bool, (batch, *shape of its input), True where a unit is
  kept; one for every dropout layer, or none at all, which keeps every unit
- weights: canonical tensors by canonical name (see `triptych.network.weights`)
- activations: by layer, (batch, *shape of its output), channels last, and by `INPUT`
  the prepared images
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, SupportsFloat, SupportsInt

import numpy as np
from numpy.typing import NDArray

from triptych.network import conventions
from triptych.network.architecture import Architecture
from triptych.network.conventions import OptimizerName, Precision
from triptych.network.layouts import Array, Layouts
from triptych.network.weights import Weights

Images = NDArray[np.uint8] | NDArray[np.floating]
Labels = NDArray[np.int64]
Masks = Mapping[str, NDArray[np.bool_]]
Activations = Mapping[str, Array]
State = Any
"""Opaque to everyone but the framework's own file."""


@dataclass(frozen=True)
class Facts:
    """What a framework says of itself."""

    title: str
    version: str
    versions: dict[str, str]
    """Every package that computes, the framework included."""
    device: str
    threads: int
    precisions: tuple[Precision, ...]
    """Those that work here."""
    modes: dict[str, str] = field(default_factory=dict)
    """Its modes that may compute with less precision than asked, as they are set."""


@dataclass(frozen=True)
class Optimizer:
    """What a training step needs besides the batch and the learning rate.

    One meaning each, in every framework:

    - sgd:     v = momentum v + g;  w = w - lr v
    - nesterov: the same v;  w = w - lr (g + momentum v)
    - adam:    m, v = moments of g and g^2;  w = w - lr m' / (sqrt(v') + epsilon),
      ' bias-corrected
    - adamw:   adam, with a weight decay of its own by default
    - rmsprop: s = rho s + (1 - rho) g^2;  w = w - lr g / (sqrt(s) + epsilon)

    Before the step, kernels (recurrent ones, too) are multiplied by 1 - lr
    weight_decay; nothing else is. `label_smoothing` e makes the target (1 - e) one_hot
    + e / classes: it is part of the loss.
    """

    name: OptimizerName = "adamw"
    momentum: float = conventions.SGD_MOMENTUM
    beta1: float = conventions.ADAM_BETA1
    beta2: float = conventions.ADAM_BETA2
    rho: float = conventions.RMSPROP_RHO
    epsilon: float = conventions.ADAM_EPSILON
    weight_decay: float = 0.0
    label_smoothing: float = 0.0


class Step(Protocol):
    """One training step."""

    def __call__(
        self,
        state: State,
        images: Images,
        labels: Labels,
        masks: Masks,
        learning_rate: float,
    ) -> tuple[State, SupportsFloat, SupportsInt]:
        """Train on one batch; gives (state, loss, correct).

        The loss is the mean over the batch, before the update; `correct` counts the
        images whose largest logit is their label's. Both may still be under way on
        the device: `float(loss)` waits for them.
        """
        ...


class Writer(Protocol):
    """A module that writes the networks of `triptych.network`, with no framework."""

    def write_network(self, architecture: Architecture) -> str:
        """The network as idiomatic source text: a module that stands by itself and is
        what `build` runs.
        """
        ...

    def layouts(self, architecture: Architecture) -> Layouts:
        """Where each canonical tensor stands among the network's, by canonical name."""
        ...


class Framework(Protocol):
    """A module that trains and runs the networks of `triptych.network`."""

    def facts(self) -> Facts:
        """Versions, device, threads, and the precisions that work on this machine."""
        ...

    def build(
        self, architecture: Architecture, weights: Weights, precision: Precision
    ) -> State:
        """A network that holds `weights` and computes in `precision`.

        bfloat16 means: layers with a kernel in bfloat16; weights, batch norm's
        averages, loss and optimizer in float32. Raises UsageError for a precision that
        does not work here.
        """
        ...

    def load_weights(self, state: State, weights: Weights) -> None:
        """Set the canonical tensors that `weights` holds.

        That may be optimizer state too, once `make_step` has been called.
        """
        ...

    def dump_weights(self, state: State) -> Weights:
        """All canonical tensors, optimizer state included once there is one; copies."""
        ...

    def trace(
        self,
        state: State,
        images: Images,
        training: bool,
        masks: Masks,
        fed: Activations | None = None,
    ) -> dict[str, Array]:
        """Activations in the order of the architecture, the prepared images first.

        In training, batch norm uses the batch's own statistics, and dropout the given
        masks. With `fed`, all activations of another trace, each layer is computed from
        what stands there instead of from what was computed before it: so the fault of
        one layer is seen in that layer only. The state stays as it was.
        """
        ...

    def gradients(
        self, state: State, images: Images, labels: Labels, masks: Masks
    ) -> tuple[float, dict[str, Array]]:
        """The training loss, without label smoothing, and its gradient for every
        parameter and activation.

        The gradients go by the parameters' names, the layers' and `INPUT`. The state
        stays as it was.
        """
        ...

    def make_step(self, state: State, optimizer: Optimizer) -> Step:
        """A training step; gives `state` a fresh optimizer, its slots zero."""
        ...

    def predict(self, state: State, images: Images) -> Array:
        """Logits in evaluation mode, (batch, classes), as float32 (float64 in precision
        float64). Of the body of a network that was cut in two: features, (batch, *its
        output's shape), channels last.
        """
        ...

    def save_native(self, state: State, path: Path) -> Path:
        """Save in the framework's own format beside `path`'s name; gives the file or
        folder written.
        """
        ...
