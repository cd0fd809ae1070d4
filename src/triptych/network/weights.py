"""Canonical tensors: seeded initial values, safetensors files, hashes.

The canonical layout: convolution kernels (height, width, in, out), depthwise kernels
(height, width, channels, 1), dense kernels (in, out), flat features with channels
running fastest; recurrent kernels (in, gates * units) and (units, gates * units), the
gates in the order of the conventions. Names are "layer.tensor"; optimizer state is
"optimizer.slot.layer.tensor", and "optimizer.step" counts the steps.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from triptych.errors import RunFolderError
from triptych.files import check_file, write_atomic
from triptych.network.architecture import Architecture, Node
from triptych.network.conventions import LSTM_FORGET_BIAS, TOKEN_DEVIATION
from triptych.network.layers import (
    GELU,
    LSTM,
    Activation,
    Attention,
    Bias,
    BiasInitial,
    Convolution,
    Dense,
    HardSwish,
    Initial,
    LeakyReLU,
    Recurrent,
    ReLU,
    ReLU6,
    Scale,
    Shape,
    SiLU,
)
from triptych.network.layouts import Array
from triptych.network.rng import stream

Weights = dict[str, Array]

RECTIFIERS = (ReLU, ReLU6, LeakyReLU, SiLU, HardSwish, GELU)
"""Activations that let what is above 0 pass and little of what is below."""


@dataclass(frozen=True)
class Distribution:
    """How one tensor begins: `normal` with standard deviation `size`, `uniform` in
    +-size, or `constant`.

    Or `orthogonal` times size: square matrices side by side, each uniform over all
    rotations and reflections. A constant is multiplied by `parts`, one for each of as
    many equal parts of the last axis.
    """

    shape: Shape
    law: Literal["normal", "uniform", "constant", "orthogonal"]
    size: float
    parts: tuple[float, ...] = (1.0,)


def initial_weights(architecture: Architecture, seed: int) -> Weights:
    """Every parameter and running statistic before training, float32, each drawn from
    (seed, its name).
    """
    how = initial_distributions(architecture)
    return {
        name: sample(one, stream(seed, "initial", name)) for name, one in how.items()
    }


def sample(how: Distribution, generator: np.random.Generator) -> NDArray[np.float32]:
    """A tensor before training, float32."""
    if how.law == "constant":
        whole = np.full(how.shape, how.size, np.float32)
        return whole * np.repeat(
            np.array(how.parts, np.float32), how.shape[-1] // len(how.parts)
        )
    if how.law == "uniform":
        return generator.uniform(-how.size, how.size, how.shape).astype(np.float32)
    values = generator.standard_normal(how.shape)
    # The signs are LAPACK's choice otherwise (Mezzadri, 2007).
    if how.law == "orthogonal":
        pairs = [
            np.linalg.qr(part)
            for part in np.split(values, how.shape[1] // how.shape[0], axis=1)
        ]
        values = np.concatenate([q * np.sign(np.diagonal(r)) for q, r in pairs], axis=1)
    return (values * how.size).astype(np.float32)


def initial_distributions(architecture: Architecture) -> dict[str, Distribution]:
    """How each parameter and running statistic begins.

    Kernels: He normal where a rectifier follows, Glorot uniform elsewhere, and biases
    0, unless the layer names another law; offsets 0, scales 1, running means 0
    and variances 1. In recurrent layers each gate has a kernel of its own, Glorot
    uniform, and an orthogonal one for the state; LSTMs remember at first.
    """
    return {
        f"{node.name}.{tensor}": _distribution(architecture, node, tensor, shape)
        for node in architecture.nodes
        for tensor, shape in architecture.tensors_of(node).items()
    }


def _distribution(
    architecture: Architecture, node: Node, tensor: str, shape: Shape
) -> Distribution:
    layer = node.layer
    if isinstance(layer, Recurrent):
        return _recurrent(layer, tensor, shape)
    if isinstance(layer, Attention):
        fans = (shape[0], shape[0])  # q, k and v each have a kernel of their own
        law: Initial = "glorot_uniform" if tensor.endswith("kernel") else "zeros"
        return _law(law, shape, fans)
    if tensor in ("token", "position"):
        return Distribution(shape, "normal", TOKEN_DEVIATION)
    if tensor == "kernel":
        assert isinstance(layer, Convolution | Dense)
        law = layer.initial
        if law == "auto":
            rectified = _rectified(architecture, node)
            law = "he_normal" if rectified else "glorot_uniform"
        return _law(law, shape, _fans(shape))
    if tensor == "bias":
        assert isinstance(layer, Convolution | Dense | Bias)
        return _law(layer.bias_initial, shape, _fans(_kernel(architecture, node)))
    constant = 1.0 if tensor in ("scale", "variance") else 0.0
    if isinstance(layer, Scale):
        constant = layer.start
    return Distribution(shape, "constant", constant)


def _recurrent(layer: Recurrent, tensor: str, shape: Shape) -> Distribution:
    """How a recurrent layer's tensor begins, gate by gate.

    An orthogonal matrix (Saxe et al., 2014) neither shrinks nor swells a state that
    passes through it often.
    """
    match tensor:
        case "kernel":
            return _law("glorot_uniform", shape, (shape[0], layer.units))
        case "recurrent_kernel":
            return Distribution(shape, "orthogonal", 1.0)
        case "bias" if isinstance(layer, LSTM):
            return Distribution(
                shape,
                "constant",
                LSTM_FORGET_BIAS,
                tuple(float(g == "f") for g in layer.GATES),
            )
    return Distribution(shape, "constant", 0.0)


def _rectified(architecture: Architecture, node: Node) -> bool:
    """Whether the first activation that reads `node`, through layers of any other kind,
    is a rectifier.
    """
    frontier = {node.name}
    for later in architecture.nodes:
        if frontier.isdisjoint(later.inputs):
            continue
        if isinstance(later.layer, Activation):
            return isinstance(later.layer, RECTIFIERS)
        if isinstance(later.layer, Convolution | Dense | Recurrent | Attention):
            return False
        frontier.add(later.name)
    return False


def _kernel(architecture: Architecture, node: Node) -> Shape:
    """The shape of the kernel beside a bias, or of the nearest before it; (1, 1) if
    there is none.
    """
    before = {other.name: other for other in architecture.nodes}
    while f"{node.name}.kernel" not in architecture.parameters:
        if node.inputs[0] not in before:
            return 1, 1
        node = before[node.inputs[0]]
    return architecture.parameters[f"{node.name}.kernel"]


def _fans(kernel: Shape) -> tuple[int, int]:
    """How many numbers an output of a kernel reads, how many outputs read a number."""
    *window, fan_in, fan_out = kernel
    if len(window) == 2 and fan_out == 1:  # depthwise: each output reads one channel
        fan_in = 1
    return fan_in * math.prod(window), fan_out * math.prod(window)


def _law(
    law: Initial | BiasInitial, shape: Shape, fans: tuple[int, int]
) -> Distribution:
    """The distribution by a law that mostly has the name of its paper.

    He et al. (2015), Glorot and Bengio (2010), LeCun et al. (1998). `fan_in_uniform` is
    uniform between -1 / sqrt(fan_in) and 1 / sqrt(fan_in), which PyTorch draws kernels
    and biases from unasked (for kernels it says "Kaiming uniform with a = sqrt(5)");
    `normal` has variance 1 whatever the layer's size.
    """
    if law == "zeros":
        return Distribution(shape, "constant", 0.0)
    fan_in, fan_out = fans
    family, _, form = law.partition("_")
    variance = {
        "he": 2 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "lecun": 1 / fan_in,
        "fan": 1 / (3 * fan_in),
        "normal": 1.0,
    }[family]
    if form.endswith("uniform"):
        return Distribution(shape, "uniform", math.sqrt(3 * variance))
    return Distribution(shape, "normal", math.sqrt(variance))


def save_tensors(
    path: Path, tensors: Mapping[str, Array], about: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, with what is to say `about` it, whole or not at all."""
    contiguous = {
        name: np.asarray(tensor, order="C") for name, tensor in tensors.items()
    }
    write_atomic(path, save(contiguous, dict(about) if about else None))


def load_tensors(path: Path) -> Weights:
    """The tensors of a safetensors file; raises RunFolderError if it is missing or
    damaged.
    """
    return dict(StoredTensors(path))


class _Slice(Protocol):
    """A tensor of such a file that is not read yet."""

    def get_shape(self) -> list[int]: ...


class _Mapped(Protocol):
    """An open file of safetensors, which has no types of its own."""

    def keys(self) -> list[str]: ...
    def metadata(self) -> dict[str, str] | None: ...
    def get_tensor(self, name: str) -> Array: ...
    def get_slice(self, name: str) -> _Slice: ...


class StoredTensors(Mapping[str, Array]):
    """The tensors of a safetensors file, each read when it is asked for; raises as
    `load_tensors`.
    """

    def __init__(self, path: Path) -> None:
        try:
            check_file(path)
            # This maps the file into memory.
            opened: _Mapped = safe_open(path, framework="numpy")
        except FileNotFoundError:
            raise RunFolderError(f"{path}: there is no such file") from None
        except (SafetensorError, OSError) as reason:
            raise RunFolderError(
                f"{path}: cannot be read as safetensors ({reason})"
            ) from None
        self._path, self._file = path, opened
        self._names = dict[str, None].fromkeys(opened.keys())
        self.about: Mapping[str, str] = opened.metadata() or {}
        """What its writer said about it."""

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        try:
            return self._file.get_tensor(name)
        except (AttributeError, TypeError):
            raise RunFolderError(
                f"{self._path}: {name!r} is of a type that NumPy does not have"
            ) from None

    def shape(self, name: str) -> Shape:
        """The shape of a tensor, which is not read for that."""
        return tuple(self._file.get_slice(name).get_shape())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def own_weights(architecture: Architecture, weights: Mapping[str, Array]) -> Weights:
    """Those that a network has, or what is cut off one; raises KeyError if some are
    missing.
    """
    return {name: weights[name] for name in architecture.tensors}


def check_weights(architecture: Architecture, weights: Mapping[str, Array]) -> None:
    """Raise RunFolderError, naming the tensor, unless `weights` fit the network and are
    numbers.
    """
    for name, shape in architecture.tensors.items():
        if name not in weights:
            raise RunFolderError(
                f"the weights lack {name!r}, which {architecture.name} needs"
            )
        if weights[name].shape != shape:
            raise RunFolderError(
                f"the weights hold {name!r} in shape {weights[name].shape}, "
                f"but {architecture.name} needs {shape}"
            )
        if not np.isfinite(weights[name]).all():
            raise RunFolderError(
                f"the weights hold {name!r} with values that are no numbers: "
                "the training has diverged; train with a lower --learning-rate"
            )


def weights_hash(weights: Mapping[str, Array]) -> str:
    """SHA-256 over names, shapes, types and values: equal for equal weights, in any
    order.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = np.asarray(weights[name], order="C")
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
