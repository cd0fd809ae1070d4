"""Random small networks of the whole layer vocabulary: all four frameworks against the
reference.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.equality.asking import ProofSettings, prove

from triptych.equality.questions import moved_weights, noise
from triptych.errors import ArchitectureError
from triptych.network.architecture import Architecture, Node
from triptych.network.layers import (
    GELU,
    GRU,
    LSTM,
    Add,
    Attention,
    AveragePool,
    BatchNorm,
    Bias,
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
    PositionEmbedding,
    ReLU,
    ReLU6,
    Rows,
    Scale,
    Sigmoid,
    SiLU,
    StochasticDepth,
    Tanh,
    TokenPool,
    Tokens,
)
from triptych.running.exam import Case

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDINGS = st.sampled_from(["same", "valid", 0, 1, (0, 2), (2, 1)])
POOLED = st.sampled_from(["same", "valid", 0])
WINDOWS: list[st.SearchStrategy[Layer]] = [
    st.builds(Conv, filters=st.integers(1, 5), kernel=PAIRS, stride=PAIRS,
              padding=PADDINGS, bias=st.booleans()),
    st.builds(DepthwiseConv, kernel=PAIRS, stride=PAIRS, padding=PADDINGS,
              bias=st.booleans()),
    st.builds(Conv, filters=st.sampled_from([2, 4]), kernel=PAIRS, dilation=PAIRS,
              padding=PADDINGS, groups=st.sampled_from([1, 2])),
    st.builds(DepthwiseConv, kernel=PAIRS, dilation=PAIRS, padding=PADDINGS),
    st.builds(MaxPool, size=PAIRS, stride=PAIRS, padding=POOLED),
    st.builds(AveragePool, size=PAIRS, stride=PAIRS, padding=POOLED),
    st.builds(MaxPool, size=st.just((2, 3)), stride=PAIRS, padding=st.just((1, 2))),
    st.builds(AveragePool, size=st.just(3), stride=PAIRS, padding=st.just((2, 1))),
    st.builds(GroupNorm, groups=st.sampled_from([1, 2])),
    st.builds(StochasticDepth, rate=st.just(0.5)),
]  # fmt: skip
ANYWHERE: list[st.SearchStrategy[Layer]] = [
    st.just(Bias()), st.just(Scale(0.5)), st.just(ReLU()), st.just(ReLU6()),
    st.just(Tanh()), st.just(Sigmoid()), st.just(GELU()), st.just(SiLU()),
    st.just(HardSigmoid()), st.just(HardSwish()),
    st.builds(LeakyReLU, slope=st.sampled_from([0.01, 0.3])),
    st.builds(LayerNorm, epsilon=st.sampled_from([1e-5, 0.1])),
    st.builds(Dropout, rate=st.sampled_from([0.25, 0.5])),
]  # fmt: skip
NORM = st.builds(BatchNorm, momentum=st.sampled_from([0.9, 1.0]))
STATES, LAST_STATE = (
    [
        st.builds(kind, units=st.integers(1, 5), sequence=st.just(sequence))
        for kind in (LSTM, GRU)
    ]
    for sequence in (True, False)
)
TOKENS: list[st.SearchStrategy[Layer]] = [
    st.sampled_from([ClassToken(), PositionEmbedding(), StochasticDepth(0.5)]),
    st.builds(Attention, heads=st.integers(1, 3), rate=st.sampled_from([0.0, 0.5])),
    st.builds(Dense, units=st.integers(2, 6)),
]
DENSE: st.SearchStrategy[Layer] = st.builds(
    Dense, units=st.integers(2, 6), bias=st.booleans()
)


@st.composite
def networks(draw: st.DrawFn) -> Architecture:
    """Some layers on images, perhaps a branch, perhaps on their rows, then flat ones,
    then the logits.
    """
    layers: list[tuple[Layer, tuple[str, ...]]] = []

    def follow(layer: Layer, *inputs: str) -> str:
        layers.append(
            (layer, inputs or (f"layer{len(layers) - 1}" if layers else "images",))
        )
        return f"layer{len(layers) - 1}"

    for layer in draw(
        st.lists(st.one_of(*WINDOWS, *ANYWHERE, NORM), min_size=1, max_size=3)
    ):
        last = follow(layer)
    if draw(st.booleans()):
        branch = follow(draw(st.one_of(*ANYWHERE, NORM)), last)
        follow(draw(st.sampled_from([Add(), Concat()])), last, branch)
    if draw(st.booleans()):
        last = follow(draw(st.sampled_from([Rows(), Tokens()])))
        kinds = st.one_of(*STATES, *TOKENS, *ANYWHERE)
        for layer in draw(st.lists(kinds, max_size=2)):
            last = follow(layer)
        if draw(st.booleans()):
            branch = follow(draw(st.one_of(*ANYWHERE)), last)
            follow(draw(st.sampled_from([Add(), Concat()])), last, branch)
        ends = st.sampled_from([Flatten(), TokenPool(), TokenPool("mean")])
        follow(draw(st.one_of(*LAST_STATE, ends)))
    else:
        follow(draw(st.sampled_from([Flatten(), GlobalAveragePool()])))
    for layer in draw(st.lists(st.one_of(DENSE, *ANYWHERE, NORM), max_size=2)):
        follow(layer)
    follow(Dense(units=draw(st.integers(2, 5))))
    nodes = tuple(
        Node(f"layer{n}", layer, inputs) for n, (layer, inputs) in enumerate(layers)
    )
    shape = (draw(st.integers(5, 9)), draw(st.integers(5, 9)), 3)
    try:
        return Architecture("drawn", shape, nodes)
    except ArchitectureError:  # a window larger than what is left of the image
        return draw(networks())


@settings(
    max_examples=20,
    phases=[
        Phase.generate
    ],  # a smaller example would cost minutes; the certificate names the layer
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(network=networks(), seed=st.integers(0, 1000))
def test_any_network_is_the_same_in_all(
    four: list[ProofSettings], network: Architecture, seed: int
) -> None:
    case = Case(
        "drawn",
        network,
        moved_weights(network, seed),
        noise(network, (4,), seed),
        "float64",
        (0,),
    )
    with tempfile.TemporaryDirectory() as folder:
        certificate = prove(Path(folder), case, four)
        said = f"{certificate.sentence()}\n{network.to_toml()}"
        assert certificate.verdict == "equal", said
