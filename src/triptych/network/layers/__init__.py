"""The layer vocabulary: what a network can be made of.

A layer is a frozen dataclass of numbers. It knows the shape it gives, the tensors it
needs and the work it is; it computes nothing. Shapes are without the batch: (height,
width, channels) of an image, (steps, features) of a sequence, or (features,).
"""

from __future__ import annotations

from triptych.network.layers.arrangement import (
    Add,
    Concat,
    Flatten,
    Multiply,
    Rows,
)
from triptych.network.layers.base import BiasInitial, Initial, Layer, Pair, Shape, pair
from triptych.network.layers.dense import Bias, Dense, Scale
from triptych.network.layers.elementwise import (
    GELU,
    Activation,
    Dropout,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    StochasticDepth,
    Tanh,
)
from triptych.network.layers.normalization import BatchNorm, GroupNorm, LayerNorm
from triptych.network.layers.recurrent import GRU, LSTM, Recurrent
from triptych.network.layers.tokens import (
    Attention,
    ClassToken,
    PositionEmbedding,
    TokenPool,
    Tokens,
)
from triptych.network.layers.windows import (
    AveragePool,
    Conv,
    Convolution,
    DepthwiseConv,
    GlobalAveragePool,
    MaxPool,
    Pool,
    Window,
)

__all__ = [
    "GELU",
    "GRU",
    "LSTM",
    "VOCABULARY",
    "Activation",
    "Add",
    "Attention",
    "AveragePool",
    "BatchNorm",
    "Bias",
    "BiasInitial",
    "ClassToken",
    "Concat",
    "Conv",
    "Convolution",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "Initial",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "MaxPool",
    "Multiply",
    "Pair",
    "Pool",
    "PositionEmbedding",
    "ReLU",
    "ReLU6",
    "Recurrent",
    "Rows",
    "Scale",
    "Shape",
    "SiLU",
    "Sigmoid",
    "StochasticDepth",
    "Tanh",
    "TokenPool",
    "Tokens",
    "Window",
    "pair",
]

VOCABULARY: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Conv,
        DepthwiseConv,
        BatchNorm,
        LayerNorm,
        GroupNorm,
        Bias,
        Scale,
        Dense,
        MaxPool,
        AveragePool,
        GlobalAveragePool,
        ReLU,
        ReLU6,
        LeakyReLU,
        Tanh,
        Sigmoid,
        HardSigmoid,
        SiLU,
        HardSwish,
        GELU,
        Dropout,
        StochasticDepth,
        Flatten,
        Rows,
        LSTM,
        GRU,
        Tokens,
        ClassToken,
        PositionEmbedding,
        Attention,
        TokenPool,
        Add,
        Multiply,
        Concat,
    )
}
"""Every layer by the name that architecture files use."""
