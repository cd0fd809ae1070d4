"""Shapes, tensors and work of each layer, against counting by hand or brute force."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import ArchitectureError
from triptych.network import layers
from triptych.network.conventions import Padding
from triptych.network.layers import (
    GELU,
    GRU,
    LSTM,
    VOCABULARY,
    Add,
    Attention,
    AveragePool,
    BatchNorm,
    ClassToken,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool,
    Multiply,
    PositionEmbedding,
    ReLU,
    ReLU6,
    Rows,
    Scale,
    Shape,
    Sigmoid,
    SiLU,
    StochasticDepth,
    Tanh,
    TokenPool,
    Tokens,
)

ACTIVATIONS = (
    *(ReLU(), ReLU6(), LeakyReLU(), Tanh(), Sigmoid(), HardSigmoid()),
    *(SiLU(), HardSwish(), GELU()),
)
TAKES: tuple[Literal["first", "mean"], ...] = ("first", "mean")
SIDES = st.integers(1, 40)
PAIRS = st.tuples(st.integers(1, 9), st.integers(1, 9))


def stops(size: int, window: int, stride: int) -> int:
    """How often a window fits into an axis, by trying."""
    return sum(start + window <= size for start in range(0, size, stride))


def padded_stops(size: int, window: int, stride: int) -> tuple[int, int]:
    """The least padding with which ceil(size / stride) windows fit, and how many do."""
    wanted = math.ceil(size / stride)
    return next(
        (total, wanted)
        for total in count()
        if stops(size + total, window, stride) >= wanted
    )


@given(height=SIDES, width=SIDES, window=PAIRS, stride=PAIRS)
def test_same_padding_by_brute_force(
    height: int, width: int, window: tuple[int, int], stride: tuple[int, int]
) -> None:
    conv = Conv(filters=7, kernel=window, stride=stride, padding="same")
    totals, wanted = zip(
        *map(padded_stops, (height, width), window, stride), strict=True
    )
    assert conv.output_shape((height, width, 3)) == (*wanted, 7)
    for (before, after), total in zip(
        conv.pads((height, width, 3)), totals, strict=True
    ):
        assert before + after == total
        assert after - before in (0, 1)  # the odd pixel goes to the end


@given(height=SIDES, width=SIDES, window=PAIRS, stride=PAIRS)
def test_valid_padding_by_brute_force(
    height: int, width: int, window: tuple[int, int], stride: tuple[int, int]
) -> None:
    conv = DepthwiseConv(kernel=window, stride=stride, padding="valid")
    assert conv.pads((height, width, 3)) == ((0, 0), (0, 0))
    if window[0] > height or window[1] > width:
        with pytest.raises(ArchitectureError, match="is larger than its input"):
            conv.output_shape((height, width, 3))
    else:
        wanted = tuple(map(stops, (height, width), window, stride))
        assert conv.output_shape((height, width, 3)) == (*wanted, 3)


@pytest.mark.parametrize(
    ("layer", "shape", "wanted"),
    [
        (Conv(filters=4), (224, 224, 3), (224, 224, 4)),
        (Conv(filters=4, stride=2), (225, 224, 3), (113, 112, 4)),
        (Conv(filters=4, kernel=5, padding="valid"), (32, 31, 3), (28, 27, 4)),
        (
            Conv(filters=4, kernel=(1, 3), stride=(2, 1), padding="valid"),
            (7, 9, 3),
            (4, 7, 4),
        ),
        (DepthwiseConv(stride=2), (7, 7, 5), (4, 4, 5)),
        (MaxPool(), (13, 10, 8), (6, 5, 8)),
        (Conv(filters=4, padding=(2, 0)), (5, 6, 7), (7, 4, 4)),
        (
            Conv(filters=6, kernel=7, stride=2, padding=3, groups=3),
            (32, 33, 9),
            (16, 17, 6),
        ),
        (Conv(filters=4, dilation=(2, 3)), (5, 6, 7), (5, 6, 4)),
        (Conv(filters=4, dilation=(2, 1), padding="valid"), (5, 6, 7), (1, 4, 4)),
        (DepthwiseConv(dilation=2, padding=1), (5, 6, 7), (3, 4, 7)),
        (MaxPool(size=3, stride=2, padding=1), (13, 10, 8), (7, 5, 8)),
        (AveragePool(size=3, stride=1, padding=(2, 1)), (5, 6, 2), (7, 6, 2)),
        (MaxPool(padding="same"), (13, 10, 8), (7, 5, 8)),
        (MaxPool(size=3, stride=2), (13, 10, 8), (6, 4, 8)),
        (AveragePool(size=(1, 2)), (5, 5, 2), (5, 2, 2)),
        (AveragePool(size=3, stride=1, padding="same"), (5, 6, 2), (5, 6, 2)),
        (GlobalAveragePool(), (5, 6, 7), (7,)),
        (Flatten(), (5, 6, 7), (210,)),
        (Flatten(), (210,), (210,)),
        (Flatten(), (5, 6), (30,)),
        (Dense(3), (8,), (3,)),
        (Rows(), (5, 6, 7), (5, 42)),
        *((layer(4), (5, 42), (4,)) for layer in (LSTM, GRU)),
        *((layer(4, sequence=True), (5, 42), (5, 4)) for layer in (LSTM, GRU)),
        *((layer, (5, 42), (5, 42)) for layer in (*ACTIVATIONS, Dropout())),
        *((layer, (5, 6, 7), (5, 6, 7)) for layer in (BatchNorm(), *ACTIVATIONS)),
        *((layer, (9,), (9,)) for layer in (BatchNorm(), GELU(), Dropout())),
        *((LayerNorm(), shape, shape) for shape in ((5, 6, 7), (5, 42), (9,))),
        *((Scale(0.1), shape, shape) for shape in ((5, 6, 7), (5, 42), (9,))),
        (Dense(3), (5, 42), (5, 3)),
        (Tokens(), (5, 6, 7), (30, 7)),
        (ClassToken(), (30, 7), (31, 7)),
        (PositionEmbedding(), (30, 7), (30, 7)),
        (Attention(heads=3, rate=0.1), (30, 6), (30, 6)),
        *((TokenPool(take), (30, 7), (7,)) for take in TAKES),
        (StochasticDepth(), (30, 7), (30, 7)),
        *((GroupNorm(groups=groups), (5, 6, 8), (5, 6, 8)) for groups in (1, 4, 8)),
        (StochasticDepth(), (5, 6, 7), (5, 6, 7)),
    ],
)
def test_shapes_by_hand(layer: Layer, shape: Shape, wanted: Shape) -> None:
    assert layer.output_shape(shape) == wanted


def test_shapes_of_what_merges() -> None:
    assert Add().output_shape((5, 6, 7), (5, 6, 7), (5, 6, 7)) == (5, 6, 7)
    assert Concat().output_shape((5, 6, 7), (5, 6, 1), (5, 6, 2)) == (5, 6, 10)
    assert Concat().output_shape((7,), (1,)) == (8,)
    assert Add().output_shape((5, 7), (5, 7)) == (5, 7)
    assert Concat().output_shape((5, 7), (5, 1)) == (5, 8)
    assert Multiply().output_shape((5, 6, 7), (7,)) == (5, 6, 7)
    assert Multiply().output_shape((5, 6, 7), (5, 6, 7)) == (5, 6, 7)
    assert Multiply().output_shape((7,), (7,)) == (7,)
    merging = {kind for kind, layer in VOCABULARY.items() if layer.merges}
    assert merging == {"add", "multiply", "concat"}


@pytest.mark.parametrize(
    ("layer", "shapes", "parameters", "statistics", "flops"),
    [
        # 3 * 4 * 4 outputs of 2 * 18 operations and a bias
        (Conv(filters=4, padding="valid"), [(5, 6, 2)], 3 * 3 * 2 * 4 + 4, 0, 48 * 37),
        (Conv(filters=4, groups=2), [(5, 6, 2)], 3 * 3 * 4 + 4, 0, 120 * 19),
        (Conv(filters=4, dilation=2), [(5, 6, 2)], 3 * 3 * 2 * 4 + 4, 0, 120 * 37),
        (GroupNorm(groups=2), [(5, 6, 2)], 4, 0, 7 * 60),
        (Scale(), [(5, 6, 2)], 2, 0, 60),
        (Multiply(), [(5, 6, 2), (2,)], 0, 0, 60),
        (Dense(3), [(5, 2)], 9, 0, 5 * 15),
        (Tokens(), [(5, 6, 2)], 0, 0, 0),
        (ClassToken(), [(5, 6)], 6, 0, 0),
        (PositionEmbedding(), [(5, 6)], 30, 0, 30),
        # q, k, v and the output; two products; scale, exp, sum and quotient of 2 x 25
        (Attention(2), [(5, 6)], 4 * 42, 0, 5 * 4 * 6 * 13 + 2 * 2 * 150 + 4 * 50),
        (TokenPool(), [(5, 6)], 0, 0, 0),
        (TokenPool("mean"), [(5, 6)], 0, 0, 30),
        (StochasticDepth(), [(5, 6, 2)], 0, 0, 0),
        (Conv(filters=4, padding="valid", bias=False), [(5, 6, 2)], 72, 0, 48 * 36),
        (
            Conv(filters=4, kernel=(1, 2), stride=2),
            [(5, 6, 2)],
            1 * 2 * 2 * 4 + 4,
            0,
            3 * 3 * 4 * 9,
        ),
        (DepthwiseConv(stride=2), [(7, 7, 5)], 3 * 3 * 5 + 5, 0, 4 * 4 * 5 * 19),
        (DepthwiseConv(kernel=(2, 1), bias=False), [(7, 7, 5)], 10, 0, 7 * 7 * 5 * 4),
        (Dense(3), [(10,)], 33, 0, 3 * 21),
        (Dense(3, bias=False), [(10,)], 30, 0, 60),
        (BatchNorm(), [(4, 4, 8)], 16, 16, 2 * 128),
        (BatchNorm(), [(9,)], 18, 18, 18),
        (LayerNorm(), [(4, 4, 8)], 16, 0, 7 * 128),
        (MaxPool(), [(6, 7, 3)], 0, 0, 27 * 4),
        (AveragePool(size=3, stride=1), [(6, 7, 3)], 0, 0, 4 * 5 * 3 * 9),
        (GlobalAveragePool(), [(6, 7, 3)], 0, 0, 126),
        *((layer, [(6, 7, 3)], 0, 0, 126) for layer in ACTIVATIONS),
        (Dropout(), [(6, 7, 3)], 0, 0, 0),
        (Flatten(), [(6, 7, 3)], 0, 0, 0),
        (Rows(), [(6, 7, 3)], 0, 0, 0),
        # 4 gates, each of 5 + 3 multiply-adds and a bias; 5 functions, 3 products, 1
        # sum
        (LSTM(3), [(6, 5)], 4 * 3 * (5 + 3 + 1), 0, 6 * 3 * (4 * 17 + 9)),
        (LSTM(3, sequence=True), [(6, 5)], 108, 0, 6 * 3 * 77),
        # 3 gates, each of 5 + 3 multiply-adds and two biases; 3 functions, 3 products,
        # 2 sums
        (GRU(3), [(6, 5)], 3 * 3 * (5 + 3 + 2), 0, 6 * 3 * (3 * 18 + 8)),
        (GRU(3, sequence=True), [(6, 5)], 90, 0, 6 * 3 * 62),
        (Add(), [(6, 7, 3)] * 3, 0, 0, 2 * 126),
        (Concat(), [(6, 7, 3)] * 3, 0, 0, 0),
    ],
)
def test_tensors_and_work_by_hand(
    layer: Layer, shapes: list[Shape], parameters: int, statistics: int, flops: int
) -> None:
    assert sum(map(math.prod, layer.parameters(*shapes).values())) == parameters
    assert sum(map(math.prod, layer.statistics(*shapes).values())) == statistics
    assert layer.flops(*shapes) == flops


def test_canonical_shapes() -> None:
    assert Conv(filters=4, kernel=(2, 3)).parameters((9, 9, 5)) == {
        "kernel": (2, 3, 5, 4),
        "bias": (4,),
    }
    assert DepthwiseConv(kernel=(2, 3)).parameters((9, 9, 5)) == {
        "kernel": (2, 3, 5, 1),
        "bias": (5,),
    }
    assert Dense(4).parameters((5,)) == {"kernel": (5, 4), "bias": (4,)}
    assert LSTM(3).parameters((9, 5)) == {
        "kernel": (5, 12),
        "recurrent_kernel": (3, 12),
        "bias": (12,),
    }
    assert GRU(3).parameters((9, 5)) == {
        "kernel": (5, 9),
        "recurrent_kernel": (3, 9),
        "bias": (9,),
        "recurrent_bias": (9,),
    }
    assert BatchNorm().parameters((9, 9, 5)) == {"scale": (5,), "offset": (5,)}
    assert BatchNorm().statistics((9, 9, 5)) == {"mean": (5,), "variance": (5,)}
    assert LayerNorm().parameters((9, 9, 5)) == {"scale": (5,), "offset": (5,)}
    assert LayerNorm().statistics((9, 9, 5)) == {}


@pytest.mark.parametrize("shape", [(5, 6, 1), (4, 1), (1,)])
def test_one_channel_cannot_be_normalized_by_itself(shape: Shape) -> None:
    with pytest.raises(ArchitectureError, match="needs two or more, but gets"):
        LayerNorm().output_shape(shape)


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (
            Conv(filters=4),
            [(8,)],
            r"needs an input of \(height, width, channels\), but gets \(8,\)",
        ),
        (DepthwiseConv(), [(8,)], "needs an input of"),
        (MaxPool(), [(8,)], "needs an input of"),
        (AveragePool(), [(8,)], "needs an input of"),
        (GlobalAveragePool(), [(8,)], "needs an input of"),
        (Dense(3), [(4, 4, 8)], "put a flatten or a global pool before it"),
        (
            MaxPool(),
            [(1, 8, 3)],
            r"its window of \(2, 2\) is larger than its input of \(1, 8, 3\)",
        ),
        (AveragePool(size=(1, 9)), [(1, 8, 3)], "is larger than its input"),
        (
            Add(),
            [(4, 4, 8), (4, 4, 9)],
            r"adds inputs of the same shape, but gets \(4, 4, 8\), \(4, 4, 9\)",
        ),
        *(
            (Multiply(), shapes, "multiplies two inputs of one shape, or an image by")
            for shapes in (
                *([(4, 4, 8), (4, 4, 9)], [(4, 4, 8), (9,)], [(8,), (4, 4, 8)]),
                *([(4, 8), (8,)], [(8,), (8,), (8,)]),
            )
        ),
        (
            Conv(filters=6, groups=3),
            [(4, 4, 8)],
            "gets 8 channels, which 3 groups cannot share",
        ),
        (
            GroupNorm(groups=3),
            [(4, 4, 8)],
            "gets 8 channels, which 3 groups cannot share",
        ),
        (GroupNorm(groups=8), [(1, 1, 8)], "each group gets one"),
        (GroupNorm(groups=2), [(8,)], "needs an input of"),
        (Attention(3), [(5, 8)], "gets 8 channels, which 3 heads cannot share"),
        *(
            (layer, [(4, 4, 8)], r"needs a sequence of \(steps, features\)")
            for layer in (ClassToken(), PositionEmbedding(), Attention(2), TokenPool())
        ),
        (Tokens(), [(5, 8)], "needs an input of"),
        (Rows(), [(8,)], "needs an input of"),
        (Rows(), [(4, 8)], "needs an input of"),
        (
            LSTM(3),
            [(4, 4, 8)],
            r"needs a sequence of \(steps, features\), but gets \(4, 4, 8\): "
            r"put a rows layer",
        ),
        (GRU(3), [(8,)], "set sequence = true in every recurrent layer but the last"),
        (
            BatchNorm(),
            [(4, 8)],
            r"normalizes images or flat features, but gets a sequence of \(4, 8\)",
        ),
        *(
            (layer, [(4, 8)], r"of \(height, width, channels\), but gets \(4, 8\)")
            for layer in (
                Conv(filters=4),
                DepthwiseConv(),
                MaxPool(),
                AveragePool(),
                GlobalAveragePool(),
            )
        ),
        (Add(), [(4, 8), (4, 9)], "adds inputs of the same shape"),
        (Concat(), [(4, 8), (5, 8)], "or number of steps"),
        (Concat(), [(4, 8), (8,)], "or number of steps"),
        (Concat(), [(4, 4, 8), (4, 5, 8)], "joins inputs of the same height and width"),
        (Concat(), [(4, 4, 8), (128,)], "joins inputs of the same height and width"),
    ],
)
def test_what_a_layer_cannot_take(
    layer: Layer, shapes: list[Shape], message: str
) -> None:
    with pytest.raises(ArchitectureError, match=message):
        layer.output_shape(*shapes)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("bad", [0, -1, (3, 0), (-2, 3)])
def test_windows_and_strides_are_1_or_more(bad: layers.Pair, padding: Padding) -> None:
    for make in (
        lambda: Conv(filters=2, kernel=bad, padding=padding),
        lambda: Conv(filters=2, stride=bad, padding=padding),
        lambda: DepthwiseConv(kernel=bad, padding=padding),
        lambda: MaxPool(size=bad, padding=padding),
        lambda: AveragePool(stride=bad, padding=padding),
    ):
        with pytest.raises(ArchitectureError, match="but must be 1 or more"):
            make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(filters=0), "filters is 0"),
        (lambda: Dense(-3), "units is -3"),
        (lambda: LSTM(0), "units is 0"),
        (lambda: GRU(-1), "units is -1"),
        (lambda: BatchNorm(epsilon=0.0), "epsilon is 0.0"),
        (lambda: BatchNorm(epsilon=math.nan), "epsilon is nan"),
        (lambda: BatchNorm(momentum=1.1), "momentum is 1.1"),
        (lambda: BatchNorm(momentum=-0.1), "momentum is -0.1"),
        (lambda: LayerNorm(epsilon=0.0), "epsilon is 0.0"),
        (lambda: Dropout(1.0), "rate is 1.0"),
        (lambda: Dropout(-0.1), "rate is -0.1"),
        (lambda: Dropout(math.nan), "rate is nan"),
    ],
)
def test_numbers_out_of_range(make: Callable[[], Layer], message: str) -> None:
    with pytest.raises(ArchitectureError, match=f"{message}, but must"):
        make()


MUCH = "but must be 1 or more, and at most 1,048,576"
ANY: dict[str, Any] = {name: getattr(layers, name) for name in layers.__all__}
"""The layers as Python knows them, which checks no types."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(2**20 + 1), f"units is 1048577, {MUCH}"),
        (lambda: LSTM(10**5000), f"units is a number of thousands of digits, {MUCH}"),
        (lambda: Conv(filters=2, stride=10**20), f"stride is {10**20}, {MUCH}"),
        (
            lambda: Conv(filters=2, kernel=(3, 10**20)),
            rf"kernel is \(3, {10**20}\), {MUCH}",
        ),
        (lambda: ANY["Conv"](filters="x"), "filters is 'x', but must be an integer"),
        (lambda: ANY["Conv"](filters=1.5), "filters is 1.5, but must be an integer"),
        (lambda: ANY["Conv"](filters=True), "filters is True, but must be an integer"),
        (lambda: ANY["MaxPool"](size=(2,)), "but must be an integer, or two"),
        (lambda: ANY["MaxPool"](padding="sam"), "unknown padding 'sam': did you mean"),
        (lambda: ANY["MaxPool"](padding=1.5), "must be 'same', 'valid', an integer"),
        (lambda: Conv(filters=2, padding=-1), "padding is -1, but must be 0 or more"),
        (lambda: MaxPool(padding=2), "padding is 2, but must be below 2, its size"),
        (lambda: AveragePool(size=(3, 1), padding=1), "would see padding only"),
        (lambda: Conv(filters=2, stride=2, dilation=2), "a stride and a dilation"),
        (lambda: Conv(filters=4, groups=3), "4 filters, which 3 groups cannot share"),
        (lambda: Attention(2, 1.0), r"rate is 1.0, but must be in \[0, 1\)"),
        (lambda: ANY["TokenPool"]("last"), "unknown take 'last': known: first, mean"),
        (lambda: LeakyReLU(1.0), "slope is 1.0, but must be above 0 and below 1"),
        (lambda: GroupNorm(groups=2, epsilon=0.0), "epsilon is 0.0, but must be above"),
        (lambda: Scale(float("inf")), "start is inf, but must be finite"),
        (lambda: ANY["Dropout"]("x"), "rate is 'x', but must be a number"),
        (lambda: ANY["BatchNorm"](epsilon=None), "epsilon is None, but must be a num"),
    ],
)
def test_what_is_no_number_of_a_layer(make: Callable[[], Layer], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        make()


def test_a_list_is_a_pair() -> None:
    assert ANY["Conv"](filters=2, kernel=[3, 5]) == Conv(filters=2, kernel=(3, 5))


def test_numbers_at_the_edge_of_their_range() -> None:
    assert BatchNorm(momentum=0).momentum == 0
    assert BatchNorm(momentum=1).momentum == 1
    assert Dropout(0).rate == 0
    assert Conv(filters=1, kernel=1).output_shape((1, 1, 1)) == (1, 1, 1)


def test_the_vocabulary_is_complete() -> None:
    def all_below(base: type[Any]) -> set[type[Any]]:
        return {base}.union(*map(all_below, base.__subclasses__()))

    concrete = {layer for layer in all_below(Layer) if "kind" in vars(layer)}
    assert set(VOCABULARY.values()) == concrete
    assert all(kind == layer.kind for kind, layer in VOCABULARY.items())
