"""The layer vocabulary: what a network can be made of.

A layer is a frozen dataclass of numbers. It knows the shape it gives, the tensors it
needs and the work it is; it computes nothing. Shapes are without the batch: (height,
width, channels) of an image, (steps, features) of a sequence, or (features,).
"""

from __future__ import annotations

from triptych.network.layers.arrangement import Add, Concat, Flatten, Rows
from triptych.network.layers.base import BiasInitial, Initial, Layer, Pair, Shape, pair
from triptych.network.layers.dense import Bias, Dense
from triptych.network.layers.elementwise import (
    GELU,
    Activation,
    Dropout,
    ReLU,
    ReLU6,
    Sigmoid,
    Tanh,
)
from triptych.network.layers.normalization import BatchNorm, LayerNorm
from triptych.network.layers.recurrent import GRU, LSTM, Recurrent
from triptych.network.layers.windows import (
    AveragePool,
    Conv,
    DepthwiseConv,
    GlobalAveragePool,
    MaxPool,
)

__all__ = [
    "GELU",
    "GRU",
    "LSTM",
    "VOCABULARY",
    "Activation",
    "Add",
    "AveragePool",
    "BatchNorm",
    "Bias",
    "BiasInitial",
    "Concat",
    "Conv",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "Initial",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "Pair",
    "ReLU",
    "ReLU6",
    "Recurrent",
    "Rows",
    "Shape",
    "Sigmoid",
    "Tanh",
    "pair",
]

VOCABULARY: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Conv,
        DepthwiseConv,
        BatchNorm,
        LayerNorm,
        Bias,
        Dense,
        MaxPool,
        AveragePool,
        GlobalAveragePool,
        ReLU,
        ReLU6,
        Tanh,
        Sigmoid,
        GELU,
        Dropout,
        Flatten,
        Rows,
        LSTM,
        GRU,
        Add,
        Concat,
    )
}
"""Every layer by the name that architecture files use."""
