"""The networks that come with Triptych, each a function of the image's size and the
number of classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from triptych.errors import ArchitectureError, did_you_mean, quote
from triptych.network.architecture import Architecture, from_toml, sequence
from triptych.network.layers import (
    GRU,
    LSTM,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    ReLU,
    Rows,
    Shape,
    Tanh,
)
from triptych.network.pretrained import known_packages, missing


def mlp(size: int = 32, classes: int = 10) -> Architecture:
    """One hidden layer of 64: the talk's Keras slide, on pixels."""
    layers = [Flatten(), Dense(64), ReLU(), Dense(classes)]
    return sequence("mlp", (size, size, 3), layers)


def lenet(size: int = 32, classes: int = 10) -> Architecture:
    """LeNet-5 (LeCun et al., 1998) with plain average pools and dense layers
    throughout.
    """
    layers: list[Layer] = [
        Conv(filters=6, kernel=5, padding="valid"),
        Tanh(),
        AveragePool(),
        Conv(filters=16, kernel=5, padding="valid"),
        Tanh(),
        AveragePool(),
        Flatten(),
        Dense(120),
        Tanh(),
        Dense(84),
        Tanh(),
        Dense(classes),
    ]
    return sequence("lenet", (size, size, 3), layers)


def sports_cnn(size: int = 64, classes: int = 6) -> Architecture:
    """The talk's network: four convolutions of 32 filters with batch norm, two pools,
    256 hidden units.
    """
    block = [Conv(filters=32), BatchNorm(), ReLU()]
    layers = [*block, *block, MaxPool(), *block, *block, MaxPool()]
    layers += [Flatten(), Dense(256), ReLU(), Dropout(0.5), Dense(classes)]
    return sequence("sports-cnn", (size, size, 3), layers)


def compact_cnn(size: int = 64, classes: int = 6) -> Architecture:
    """Four stages of 32 to 256 filters without biases before batch norm, then a global
    average pool.
    """
    layers: list[Layer] = []
    for filters in (32, 64, 128, 256):
        layers += [Conv(filters=filters, bias=False), BatchNorm(), ReLU(), MaxPool()]
    layers[-1:] = [GlobalAveragePool(), Dense(classes)]
    return sequence("compact-cnn", (size, size, 3), layers)


def row_lstm(size: int = 32, classes: int = 10) -> Architecture:
    """An LSTM of 64 units that reads the image row by row, from top to bottom, and
    answers at the end.
    """
    return sequence("row-lstm", (size, size, 3), [Rows(), LSTM(64), Dense(classes)])


def row_gru(size: int = 32, classes: int = 10) -> Architecture:
    """A GRU of 64 units that reads the image row by row, with three gates and no
    memory but its state.
    """
    return sequence("row-gru", (size, size, 3), [Rows(), GRU(64), Dense(classes)])


FILES = Path(__file__).parent / "files"


@dataclass(frozen=True)
class Published:
    """A network that others have published, as a file of the folder FILES has it; made,
    as the others are, for an image's size and a number of classes.
    """

    name: str
    summary: str
    accuracy: float
    """The share of ImageNet's validation images that its authors' weights get right."""
    source: str
    """Who says so."""

    def __call__(self, size: int | None = None, classes: int = 1000) -> Architecture:
        made = from_toml(FILES / f"{self.name}.toml")
        return made.adapted((size, size) if size else None, classes)


PUBLISHED = (
    Published(
        "resnet-18",
        "Eight blocks of two convolutions, each added to its input (He et al., 2016).",
        0.69758,
        "torchvision, IMAGENET1K_V1",
    ),
    Published(
        "resnet-50",
        "Sixteen bottlenecks of three convolutions, added to their inputs "
        "(He et al., 2016).",
        0.76130,
        "torchvision, IMAGENET1K_V1",
    ),
    Published(
        "mobilenet-v2",
        "Inverted bottlenecks around depthwise convolutions (Sandler et al., 2018).",
        0.71878,
        "torchvision, IMAGENET1K_V1",
    ),
    Published(
        "mobilenet-v3-small",
        "The same with squeeze and excitation and a hard swish (Howard et al., 2019).",
        0.67668,
        "torchvision, IMAGENET1K_V1",
    ),
    Published(
        "efficientnet-lite0",
        "MobileNetV2's blocks in an order that a search found (Tan and Le, 2019).",
        0.751,
        "TensorFlow's TPU models, 2020",
    ),
    Published(
        "efficientnet-lite1",
        "EfficientNet-Lite0 a tenth deeper, for larger images.",
        0.767,
        "TensorFlow's TPU models, 2020",
    ),
    Published(
        "efficientnet-lite2",
        "EfficientNet-Lite0 a fifth deeper and a tenth wider, for larger images.",
        0.776,
        "TensorFlow's TPU models, 2020",
    ),
    Published(
        "convnext-tiny",
        "Depthwise convolutions of 7 x 7 pixels between dense ones, with layer norm "
        "(Liu et al., 2022).",
        0.82520,
        "torchvision, IMAGENET1K_V1",
    ),
    Published(
        "vit-tiny",
        "A transformer of 12 layers that reads 196 patches of an image "
        "(Dosovitskiy et al., 2021).",
        0.722,
        "Touvron et al., 2021 (DeiT-Ti)",
    ),
)
"""Those whose weights exist."""


FROM_SCRATCH: dict[str, Callable[..., Architecture]] = {
    "mlp": mlp,
    "lenet": lenet,
    "sports-cnn": sports_cnn,
    "compact-cnn": compact_cnn,
    "row-lstm": row_lstm,
    "row-gru": row_gru,
}
"""Those that are small enough to be trained from initial values within minutes."""

ZOO: dict[str, Callable[..., Architecture]] = {
    **FROM_SCRATCH,
    **{one.name: one for one in PUBLISHED},
}
"""Every built-in network by name."""


NOTEBOOKS = ("2017-keras", "2017-tensorflow", "2017-pytorch")
"""The talk's three notebooks, by name: what they trained are files of the folder FILES,
to be changed.
"""


def find_network(network: str | Path | Architecture) -> Architecture:
    """The network of that name, or of that TOML file, or that very one.

    Raises ArchitectureError with the known names.
    """
    if isinstance(network, Architecture):
        return network
    name = str(network)
    if name in ZOO:
        return ZOO[name]()
    if name in NOTEBOOKS:
        return from_toml(FILES / f"{name}.toml")
    if name.endswith(".toml") or os.path.isfile(name):
        return from_toml(Path(name))
    raise ArchitectureError(
        f"there is no network {quote(name)}: {did_you_mean(name, [*ZOO, *NOTEBOOKS])}; "
        "a network of your own is a .toml file"
    )


@dataclass(frozen=True)
class ZooEntry:
    """A built-in network at a glance, for images of its usual size."""

    name: str
    summary: str
    input_shape: Shape
    parameters: int
    flops: int
    accuracy: float | None = None
    """On ImageNet, with published weights."""
    source: str = ""
    """Who has published it."""
    weights: Literal["at hand", "not installed"] | None = None
    """Whether weights from ImageNet are there for `--weights imagenet`; None if no
    package has any.
    """


def list_zoo() -> list[ZooEntry]:
    """Every built-in network with its size and purpose."""
    entries = []
    for name, make in ZOO.items():
        made = make()
        size = made.input_shape, made.parameter_count, made.flops
        if isinstance(make, Published):
            about = make.accuracy, make.source, _weights(name)
            entries.append(ZooEntry(name, make.summary, *size, *about))
        else:
            summary = " ".join((make.__doc__ or "").split())
            entries.append(ZooEntry(name, summary, *size))
    return entries


def _weights(name: str) -> Literal["at hand", "not installed"] | None:
    if name not in known_packages():
        return None
    return "at hand" if missing(name) is None else "not installed"
