"""The graph of layers: what fits, what does not and how that is said, and its file."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import ArchitectureError
from triptych.network.architecture import INPUT, Architecture, Node, from_toml, sequence
from triptych.network.layers import (
    GELU,
    GRU,
    LSTM,
    VOCABULARY,
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
    Multiply,
    PositionEmbedding,
    Recurrent,
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
from triptych.network.layouts import channels_first
from triptych.network.names import LONGEST
from triptych.network.zoo import FROM_SCRATCH, lenet, sports_cnn

HEAD = '[[layers]]\nkind = "flatten"\n[[layers]]\nkind = "dense"\nunits = 3\n'


# ---- reading -------------------------------------------------------------------------


def test_names_inputs_and_defaults_are_filled_in() -> None:
    network = from_toml(
        """
        name = "mine"
        input = [8, 9, 3]
        [[layers]]
        kind = "conv"
        filters = 4
        [[layers]]
        kind = "relu6"
        [[layers]]
        name = "shortcut"
        kind = "conv"
        filters = 4
        kernel = [1, 1]
        inputs = ["images"]
        [[layers]]
        kind = "add"
        inputs = ["relu6_1", "shortcut"]
        [[layers]]
        kind = "max_pool"
        [[layers]]
        kind = "average_pool"
        [[layers]]
        kind = "flatten"
        [[layers]]
        kind = "dense"
        units = 5
        """
    )
    assert network == Architecture(
        "mine",
        (8, 9, 3),
        (
            Node("conv1", Conv(filters=4), ("images",)),
            Node("relu6_1", ReLU6(), ("conv1",)),
            Node("shortcut", Conv(filters=4, kernel=(1, 1)), ("images",)),
            Node("add1", Add(), ("relu6_1", "shortcut")),
            Node("pool1", MaxPool(), ("add1",)),
            Node("pool2", AveragePool(), ("pool1",)),
            Node("flatten1", Flatten(), ("pool2",)),
            Node("dense1", Dense(5), ("flatten1",)),
        ),
    )
    assert network.mean == (0.0, 0.0, 0.0)
    assert network.std == (1.0, 1.0, 1.0)


def test_images_of_one_channel() -> None:
    network = from_toml(f"input = [8, 8, 1]\n{HEAD}")
    assert (network.mean, network.std) == ((0.0,), (1.0,))
    assert network.shapes["flatten1"] == (64,)


def test_what_an_architecture_knows_of_itself() -> None:
    network = sequence(
        "n", (6, 7, 3), [Conv(filters=4), BatchNorm(), ReLU(), Flatten(), Dense(5)]
    )
    assert network.shapes == {
        INPUT: (6, 7, 3), "conv1": (6, 7, 4), "bn1": (6, 7, 4), "relu1": (6, 7, 4),
        "flatten1": (168,), "dense1": (5,),
    }  # fmt: skip
    assert network.parameters == {
        "conv1.kernel": (3, 3, 3, 4), "conv1.bias": (4,), "bn1.scale": (4,),
        "bn1.offset": (4,), "dense1.kernel": (168, 5), "dense1.bias": (5,),
    }  # fmt: skip
    assert network.statistics == {"bn1.mean": (4,), "bn1.variance": (4,)}
    assert network.classes == 5
    assert network.parameter_count == 108 + 4 + 8 + 840 + 5
    assert network.flops == 168 * (2 * 27 + 1) + 2 * 168 + 168 + 5 * (2 * 168 + 1)
    assert [node.name for node in network.nodes_of(Dense)] == ["dense1"]


# ---- misfits -------------------------------------------------------------------------


def layer(text: str) -> str:
    return f"[[layers]]\n{text}\n"


MISFITS = {
    "too small an image": (
        "input = [3, 9, 3]\n"
        + layer('kind="conv"\nfilters=2\nkernel=5\npadding="valid"')
        + HEAD,
        (
            r"network: layer 'conv1' \(conv\): its window of \(5, 5\) "
            r"is larger than its input of \(3, 9, 3\)"
        ),
    ),
    "one pool too many": (
        "input = [4, 4, 3]\n" + 3 * layer('kind="max_pool"') + HEAD,
        (
            r"layer 'pool3' \(max_pool\): its window of \(2, 2\) "
            r"is larger than its input of \(1, 1, 3\)"
        ),
    ),
    "dense on an image": (
        layer('kind="dense"\nunits=3'),
        (
            r"layer 'dense1' \(dense\): needs a flat input, but gets \(64, 64, 3\): "
            r"put a flatten"
        ),
    ),
    "convolution on features": (
        HEAD + layer('kind="conv"\nfilters=3'),
        (
            r"layer 'conv1' \(conv\): needs an input of \(height, width, channels\), "
            r"but gets \(3,\)"
        ),
    ),
    "recurrent layer on an image": (
        layer('kind="lstm"\nunits=3'),
        (
            r"layer 'lstm1' \(lstm\): needs a sequence of \(steps, features\), "
            r"but gets \(64, 64, 3\): put"
        ),
    ),
    "a state is no sequence": (
        layer('kind="rows"') + 2 * layer('kind="gru"\nunits=3'),
        (
            r"layer 'gru2' \(gru\): needs a sequence of .*, but gets \(3,\): .* "
            r"sequence = true"
        ),
    ),
    "dense on a sequence": (
        layer('kind="rows"')
        + layer('kind="lstm"\nunits=3\nsequence=true')
        + layer('kind="dense"\nunits=3'),
        (
            r"layer 'dense1': the last layer must output one number per class; have "
            r"the last recurrent layer output its last state only, or put a flatten"
        ),
    ),
    "batch norm of a sequence": (
        layer('kind="rows"') + layer('kind="batch_norm"') + HEAD,
        (
            r"layer 'bn1' \(batch_norm\): normalizes images or flat features, but "
            r"gets a sequence"
        ),
    ),
    "ends with a sequence": (
        layer('kind="rows"'),
        "layer 'rows1': the last layer must output one number",
    ),
    "add of two shapes": (
        layer('kind="max_pool"')
        + layer('name="sum"\nkind="add"\ninputs=["pool1", "images"]')
        + HEAD,
        (
            r"layer 'sum' \(add\): adds inputs of the same shape, but gets "
            r"\(32, 32, 3\), \(64, 64, 3\)"
        ),
    ),
    "concat of two heights": (
        layer('kind="max_pool"')
        + layer('kind="concat"\ninputs=["pool1", "images"]')
        + HEAD,
        r"layer 'concat1' \(concat\): joins inputs of the same height and width",
    ),
    "add of one": (
        layer('kind="add"') + HEAD,
        r"layer 'add1' \(add\): needs two or more inputs",
    ),
    "two for one": (
        layer('kind="relu"\ninputs=["images", "images"]') + HEAD,
        r"layer 'relu1' \(relu\): takes one input, but gets 2",
    ),
    "unknown kind": (
        layer('name="first"\nkind="convv"') + HEAD,
        r"layer 'first': unknown kind 'convv': did you mean 'conv'\?",
    ),
    "no kind": (layer("units=3"), "layer number 1: unknown kind None: known: add, "),
    "kind of another type": (HEAD + layer("kind=3"), "layer number 3: unknown kind 3"),
    "unknown key of a layer": (
        layer('kind="conv"\nfliters=3') + HEAD,
        r"layer number 1 \(conv\): unknown key 'fliters': did you mean 'filters'\?",
    ),
    "unknown key of a layer without any": (
        layer('name="r"\nkind="relu"\nslope=3') + HEAD,
        r"layer 'r' \(relu\): unknown key 'slope'",
    ),
    "unknown key of the network": (
        f"nmae = 'n'\n{HEAD}",
        r"network: unknown key 'nmae': did you mean 'name'\?",
    ),
    "missing key": (
        layer('kind="flatten"') + layer('kind="dense"'),
        r"number 2 \(dense\): .* field units",
    ),
    "text for a number": (
        layer('kind="conv"\nfilters="many"') + HEAD,
        r"number 1 \(conv\): expected int, got str for filters",
    ),
    "truth for a number": (
        layer('kind="conv"\nfilters=true') + HEAD,
        r"\(conv\): expected int, got bool for filters",
    ),
    "fraction": (
        layer('kind="conv"\nfilters=1.5') + HEAD,
        r"\(conv\): expected int, got float for filters",
    ),
    "number for a truth": (
        layer('kind="conv"\nfilters=1\nbias=1') + HEAD,
        r"\(conv\): expected bool, got int for bias",
    ),
    "three sides": (
        layer('kind="conv"\nfilters=1\nkernel=[1,2,3]') + HEAD,
        r"\(conv\): .* length 2, got 3 for kernel",
    ),
    "no filters": (
        layer('kind="conv"\nfilters=0') + HEAD,
        r"\(conv\): filters is 0, but must be 1 or more",
    ),
    "kernel of 0": (
        layer('kind="max_pool"\nsize=[2,0]') + HEAD,
        r"\(max_pool\): size is \(2, 0\), but must",
    ),
    "unknown padding": (
        layer('kind="conv"\nfilters=1\npadding="sames"') + HEAD,
        r"\(conv\): unknown padding 'sames': did you mean 'same'\?",
    ),
    "unknown initial": (
        layer('kind="dense"\nunits=1\ninitial="he"'),
        r"\(dense\): unknown initial 'he': .*glorot_normal",
    ),
    "all dropped": (
        layer('kind="dropout"\nrate=1') + HEAD,
        r"\(dropout\): rate is 1.0, but must be in",
    ),
    "duplicate name": (
        2 * layer('name="a"\nkind="relu"') + HEAD,
        "layer 'a': another layer has this name",
    ),
    "the input's name": (
        layer('name="images"\nkind="relu"') + HEAD,
        "layer 'images': another layer has",
    ),
    "unknown input": (
        layer('name="stem"\nkind="relu"')
        + layer('name="b"\nkind="relu"\ninputs=["stm"]')
        + HEAD,
        r"layer 'b': reads 'stm', which is not a layer above it: did you mean 'stem'\?",
    ),
    "input from below": (
        layer('name="a"\nkind="relu"\ninputs=["flatten1"]') + HEAD,
        "layer 'a': reads 'flatten1', which is",
    ),
    "input from itself": (
        layer('name="a"\nkind="add"\ninputs=["a", "images"]') + HEAD,
        "layer 'a': reads 'a', which is no",
    ),
    "inputs as a text": (
        layer('kind="relu"\ninputs="images"') + HEAD,
        "layer number 1: inputs must be a list of layer names",
    ),
    "unused output": (
        layer('name="lost"\nkind="relu"')
        + HEAD.replace('"flatten"', '"flatten"\ninputs = ["images"]'),
        "nothing reads the output of lost",
    ),
    "unused input": (
        'input=[1,1,1]\n[[layers]]\nkind="flatten"\ninputs=["nothing"]',
        r"reads 'nothing'.*known: images",
    ),
    "keyword": (
        layer('name="class"\nkind="relu"') + HEAD,
        "layer 'class': 'class' is a reserved word of Python",
    ),
    "no Python name": (
        layer('name="1st"\nkind="relu"') + HEAD,
        "layer '1st': a name must be a Python identifier",
    ),
    "dot": (
        layer('name="a..b"\nkind="relu"') + HEAD,
        "layer 'a..b': a name must be a Python identifier",
    ),
    "underscore": (
        layer('name="_a"\nkind="relu"') + HEAD,
        "layer '_a': a name must be a Python identifier",
    ),
    "number as a name": (
        layer('name=1\nkind="relu"') + HEAD,
        "layer 1: its name must be a string",
    ),
    "no layers": ("layers = []", "network: has no layers"),
    "no list of layers": (
        "name = 'n'",
        r"n: needs its layers as \[\[layers\]\] tables",
    ),
    "one table of layers": (
        '[layers]\nkind = "relu"',
        r"needs its layers as \[\[layers\]\] tables",
    ),
    "ends with an image": (
        layer('kind="relu"'),
        "layer 'relu1': the last layer must output one number",
    ),
    "input of two sides": (
        f"input = [8, 8]\n{HEAD}",
        r"input must be \[height, width, channels\]",
    ),
    "input of too many channels": (
        f"input = [8, 8, {2**62}]\n{HEAD}",
        "expected int <= 65536",
    ),
    "more than a machine holds": (
        layer('kind="flatten"')
        + layer(f'kind="dense"\nunits={10**6}')
        + layer('kind="dense"\nunits=3'),
        (
            "network: holds 12,292,000,003 numbers at once, but the limit is "
            "10,000,000,000"
        ),
    ),
    "an output that no machine holds": (
        f"input = [65536, 65536, 3]\n{HEAD}",
        "numbers at once",
    ),
    "nested without end": (f"a = {'[' * 100_000}", "is not valid TOML"),
    "a number of 5,000 digits": (f"a = {'1' * 5000}", "is not valid TOML"),
    "empty input": (
        f"input = [8, 0, 3]\n{HEAD}",
        r"input must be \[height, width, channels\], each 1 or",
    ),
    "input of another type": (
        f"input = '8x8'\n{HEAD}",
        "expected array, got str for input",
    ),
    "mean of another length": (
        f"mean = [0.5]\n{HEAD}",
        "mean and std need one number per channel",
    ),
    "std of 0": (f"std = [1.0, 0.0, 1.0]\n{HEAD}", "std must be above 0"),
    "std that is no number": (f"std = [1.0, nan, 1.0]\n{HEAD}", "std must be"),
    "std without end": (f"std = [1.0, inf, 1.0]\n{HEAD}", "std must be"),
    "mean that is no number": (f"mean = [0.0, nan, 0.0]\n{HEAD}", "mean"),
    "features in two orders": (
        layer('kind="flatten"')
        + layer('kind="dense"\nunits=12288')
        + layer('kind="add"\ninputs=["flatten1", "dense1"]')
        + layer('kind="dense"\nunits=3'),
        "layer 'add1' adds flattened features to others; put a dense layer between",
    ),
    "broken TOML": ("name = ", "TOML"),
}


@pytest.mark.parametrize(("text", "message"), MISFITS.values(), ids=MISFITS.keys())
def test_a_misfit_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message) as caught:
        from_toml(text)
    assert "\n" not in str(caught.value)


# ---- names ---------------------------------------------------------------------------


def network_with(name: str) -> Architecture:
    return Architecture(
        "n",
        (4, 4, 3),
        (Node(name, Flatten(), (INPUT,)), Node("out", Dense(2), (name,))),
    )


@pytest.mark.parametrize(
    "name",
    [
        "stem",
        "conv_a",
        "größe",
        "X",
        "match",
        "train",
        "forward",
        "self",
        "tf",
        "conv",
        "a" * LONGEST,
    ],
)
def test_a_layer_has_any_python_name(name: str) -> None:
    assert network_with(name).nodes[0].name == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("optimizer", "this name is taken by the optimizer's tensors"),
        ("images", "another layer has this name"),
        ("a" * (LONGEST + 1), f"must have at most {LONGEST} characters"),
        ("ﬁ", "must be a Python identifier"),  # Python reads it as "fi"
        ("None", "'None' is a reserved word of Python; choose another"),
        ("conv\n1", "must be a Python identifier"),
        ('a"]', "must be a Python identifier"),
    ],
)
def test_what_no_layer_can_be_called(name: str, said: str) -> None:
    with pytest.raises(ArchitectureError, match=said) as caught:
        network_with(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["n", "my net, the 2nd", "größe 名前", '"""', "a\\", "[bold]<b>", "n" * LONGEST],
)
def test_a_network_has_any_printable_name(name: str) -> None:
    quoted = tomli_w.dumps({"n": name})[4:]
    assert from_toml(lenet().to_toml().replace('"lenet"', quoted)).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "n" * (LONGEST + 1),
        "n" * 5000,
        "a\nb",
        "a\rb",
        "a\0b",
        "a\x1b[31mb",
        "a\x85b",
        "\u202eb",
    ],
)
def test_any_other_name_of_a_network_is_refused_in_one_short_line(
    name: str, tmp_path: Path
) -> None:
    text = lenet().to_toml().replace('"lenet"', json.dumps(name))
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    for source in (text, tmp_path / "mine.toml", f"lyers = 3\n{text}"):
        with pytest.raises(
            ArchitectureError, match=r"the network's name is '.*, but must be 1 to"
        ) as caught:
            from_toml(source)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200


def test_a_network_goes_by_its_file_if_that_is_a_name(tmp_path: Path) -> None:
    for name in ("mine", "a\nb"):
        (tmp_path / f"{name}.toml").write_text(HEAD, "utf-8")
    assert from_toml(tmp_path / "mine.toml").name == "mine"
    with pytest.raises(ArchitectureError, match=r"the network's name is 'a\\nb'"):
        from_toml(tmp_path / "a\nb.toml")


@pytest.mark.parametrize(
    "text",
    [f"name = 3\n{HEAD}", f"{'k' * 5000} = 3\n{HEAD}", layer(f'kind = "{"k" * 5000}"')],
)
def test_what_is_wrong_is_quoted_at_a_bounded_length(text: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        from_toml(text)
    assert len(str(caught.value)) < 500


# ---- to TOML and back ----------------------------------------------------------------

NAMES = st.sampled_from(
    ["stem", "mid_1", "größe", "A", "conv_x", "tail", "b2", "Ω", "left", "right"]
)
SIDE_OR_PAIR = st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDING = st.sampled_from(["same", "valid"])
INITIAL = st.sampled_from(["auto", "he_uniform", "lecun_normal", "normal", "zeros"])
BIAS_INITIAL = st.sampled_from(["zeros", "fan_in_uniform", "normal"])
ANYWHERE: st.SearchStrategy[Layer] = st.one_of(
    st.sampled_from([ReLU(), ReLU6(), Tanh(), Sigmoid(), GELU(), SiLU()]),
    st.sampled_from([HardSigmoid(), HardSwish(), LeakyReLU(), LeakyReLU(0.25)]),
    st.builds(
        BatchNorm,
        epsilon=st.floats(1e-9, 1, exclude_min=True),
        momentum=st.floats(0, 1),
    ),
    st.builds(Dropout, rate=st.floats(0, 1, exclude_max=True)),
    st.builds(Bias, bias_initial=BIAS_INITIAL),
    st.builds(Scale, start=st.floats(-2, 2)),
)
LAYER_NORM: st.SearchStrategy[Layer] = st.builds(
    LayerNorm, epsilon=st.floats(1e-9, 1, exclude_min=True)
)
ON_IMAGES: st.SearchStrategy[Layer] = st.one_of(
    st.builds(
        Conv,
        filters=st.integers(1, 4),
        kernel=SIDE_OR_PAIR,
        stride=SIDE_OR_PAIR,
        padding=PADDING,
        bias=st.booleans(),
        initial=INITIAL,
        bias_initial=BIAS_INITIAL,
    ),
    st.builds(
        Conv,
        filters=st.integers(1, 4),
        kernel=SIDE_OR_PAIR,
        dilation=SIDE_OR_PAIR,
        padding=PADDING,
    ),
    st.builds(
        DepthwiseConv,
        kernel=SIDE_OR_PAIR,
        stride=SIDE_OR_PAIR,
        padding=PADDING,
        bias=st.booleans(),
    ),
    st.builds(
        MaxPool, size=SIDE_OR_PAIR, stride=st.none() | SIDE_OR_PAIR, padding=PADDING
    ),
    st.builds(
        AveragePool, size=SIDE_OR_PAIR, stride=st.none() | SIDE_OR_PAIR, padding=PADDING
    ),
)
ON_IMAGES |= st.sampled_from([GroupNorm(groups=1), StochasticDepth(0.2)])
ON_FEATURES: st.SearchStrategy[Layer] = st.builds(
    Dense,
    units=st.integers(1, 9),
    bias=st.booleans(),
    initial=INITIAL,
    bias_initial=BIAS_INITIAL,
)

ON_SEQUENCES: st.SearchStrategy[Layer] = st.one_of(
    *(
        st.builds(kind, units=st.integers(1, 4), sequence=st.just(value=True))
        for kind in (LSTM, GRU)
    ),
    st.builds(Attention, heads=st.integers(1, 2), rate=st.sampled_from([0.0, 0.25])),
    st.builds(Dense, units=st.integers(1, 4)),
    st.sampled_from([ClassToken(), PositionEmbedding(), StochasticDepth()]),
)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """A small network of any layers of the vocabulary; its branches join again."""
    sides = (
        draw(st.integers(1, 12)),
        draw(st.integers(1, 12)),
        draw(st.integers(1, 4)),
    )
    floats = st.floats(-2, 2, allow_nan=False)
    mean = draw(st.just((0.0,) * sides[2]) | st.tuples(*[floats] * sides[2]))
    std = draw(st.just((1.0,) * sides[2]) | st.tuples(*[st.floats(0.01, 4)] * sides[2]))
    nodes: list[Node] = []

    def put(layer: Layer, *inputs: str) -> str:
        free = NAMES.filter(lambda name: all(node.name != name for node in nodes))
        name = draw(st.just(f"n{len(nodes)}") | free)
        nodes.append(Node(name, layer, inputs))
        return name

    def chain(
        start: str, shape: tuple[int, ...], kinds: st.SearchStrategy[Layer]
    ) -> tuple[str, tuple[int, ...]]:
        at = start
        for layer in draw(st.lists(kinds, max_size=3)):
            try:
                shape = layer.output_shape(shape)
            except ArchitectureError:  # too small by now
                continue
            at = put(layer, at)
        return at, shape

    at, shape = chain(INPUT, sides, ANYWHERE | LAYER_NORM | ON_IMAGES)
    if draw(st.booleans()):
        left = put(draw(ANYWHERE), at)
        right = put(Conv(filters=shape[2], kernel=draw(SIDE_OR_PAIR)), at)
        merge = draw(st.sampled_from([Add(), Concat()]))
        at, shape = put(merge, left, right), merge.output_shape(shape, shape)
    if draw(st.booleans()):
        weighed = put(Dense(shape[2]), put(GlobalAveragePool(), at))
        at = put(Multiply(), at, weighed)
    end = draw(
        st.sampled_from(
            [
                *(Flatten(), GlobalAveragePool(), LSTM(3), GRU(2)),
                *(TokenPool(), TokenPool("mean")),
            ]
        )
    )
    if isinstance(end, Recurrent | TokenPool):
        read = draw(st.sampled_from([Rows(), Tokens()]))
        at, shape = chain(
            put(read, at),
            read.output_shape(shape),
            ANYWHERE | LAYER_NORM | ON_SEQUENCES,
        )
    at, shape = chain(
        put(end, at), end.output_shape(shape), ANYWHERE | LAYER_NORM | ON_FEATURES
    )
    if draw(st.booleans()):
        at = put(Concat(), at, put(Dense(2), at))
    put(Dense(draw(st.integers(1, 5))), at)
    name = draw(
        st.text(max_size=8).filter(lambda text: text.strip() and text.isprintable())
    )
    return Architecture(name, sides, tuple(nodes), mean, std)


@given(network=architectures())
def test_toml_round_trip(network: Architecture) -> None:
    text = network.to_toml()
    again = from_toml(text)
    assert again == network
    assert again.to_toml() == text
    assert list(again.parameters.items()) == list(network.parameters.items())


@given(network=architectures())
def test_every_layer_gives_its_shape(network: Architecture) -> None:
    """What the graph says of itself is what its layers say: whole numbers from 1."""
    for node in network.nodes:
        inputs = [network.shapes[name] for name in node.inputs]
        assert network.shapes[node.name] == node.layer.output_shape(*inputs)
        assert min(network.shapes[node.name]) >= 1
    assert network.parameter_count == sum(
        math.prod(shape) for shape in network.parameters.values()
    )
    assert network.flops == sum(
        node.layer.flops(*network.input_shapes(node)) for node in network.nodes
    )


def test_the_drawn_networks_hold_every_kind() -> None:
    seen: set[str] = set()

    @settings(max_examples=300)
    @given(network=architectures())
    def look(network: Architecture) -> None:
        seen.update(node.layer.kind for node in network.nodes)

    look()
    assert seen == set(VOCABULARY)


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_a_file_says_no_more_than_it_must(name: str) -> None:
    network = FROM_SCRATCH[name]()
    table = tomllib.loads(network.to_toml())
    assert set(table) == {"name", "input", "layers"}
    assert all("inputs" not in layer for layer in table["layers"])
    assert from_toml(network.to_toml()) == network


def test_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "größe 1.toml"
    path.write_text(lenet().to_toml(), "utf-8")
    assert from_toml(path) == lenet()


# ---- adapted -------------------------------------------------------------------------


def test_adapted_to_size_and_classes() -> None:
    assert sports_cnn(64, 6).adapted((32, 32), 3) == sports_cnn(32, 3)
    odd = lenet().adapted((33, 40))
    assert odd.input_shape == (33, 40, 3)
    assert odd.classes == 10
    assert lenet().adapted() == lenet().adapted((32, 32), 10) == lenet()


def test_adapting_keeps_all_else() -> None:
    network = dataclasses.replace(lenet(), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    last = dataclasses.replace(
        network.nodes[-1], layer=Dense(10, bias=False, initial="zeros")
    )
    network = dataclasses.replace(network, nodes=(*network.nodes[:-1], last))
    adapted = network.adapted(classes=4)
    assert adapted.nodes[-1].layer == Dense(4, bias=False, initial="zeros")
    assert adapted.nodes[:-1] == network.nodes[:-1]
    assert (adapted.mean, adapted.std, adapted.name) == (
        network.mean,
        network.std,
        network.name,
    )


def test_what_cannot_be_adapted() -> None:
    with pytest.raises(
        ArchitectureError, match=r"lenet: layer 'conv2' \(conv\): its window"
    ):
        lenet().adapted((12, 6))
    pooled = sequence("p", (8, 8, 3), [Conv(filters=4), GlobalAveragePool()])
    assert pooled.adapted((9, 9), 4).classes == 4
    with pytest.raises(
        ArchitectureError,
        match=r"layer 'pool1' \(global_average_pool\) outputs 4 numbers, but",
    ):
        pooled.adapted(classes=5)


# ---- the order of flat features ------------------------------------------------------


def brute_orders(network: Architecture) -> dict[str, list[int]]:
    """Follow each number through both kinds of flattening by its name (place, row,
    column, channel).
    """
    ours: dict[str, list[object]] = {}
    theirs: dict[str, list[object]] = {}
    orders: dict[str, list[int]] = {}
    for node in network.nodes:
        shape = network.shapes[node.inputs[0]]
        if isinstance(node.layer, Flatten) and len(shape) == 3:
            height, width, channels = map(range, shape)
            ours[node.name] = [
                (node.name, i, j, c) for i in height for j in width for c in channels
            ]
            theirs[node.name] = [
                (node.name, i, j, c) for c in channels for i in height for j in width
            ]
        elif isinstance(node.layer, Dense | GlobalAveragePool):
            ours[node.name] = theirs[node.name] = [
                (node.name, j) for j in range(network.shapes[node.name][0])
            ]
            continue
        elif len(shape) == 1:
            ours[node.name] = [
                (place, it)
                for place, name in enumerate(node.inputs)
                for it in ours[name]
            ]
            theirs[node.name] = [
                (place, it)
                for place, name in enumerate(node.inputs)
                for it in theirs[name]
            ]
        else:
            continue
        where = {it: place for place, it in enumerate(ours[node.name])}
        orders[node.name] = [where[it] for it in theirs[node.name]]
    return orders


SMALL = st.integers(1, 4)
AFTER = st.lists(
    st.sampled_from([ReLU(), BatchNorm(), Dropout(), Flatten()]), max_size=3
)


@given(
    sides=st.tuples(SMALL, SMALL, SMALL), filters=SMALL, after=AFTER, last=AFTER,
    parts=st.permutations(["flat_images", "flat_conv", "means", "hidden"]),
    many=st.integers(2, 4),
)  # fmt: skip
def test_feature_orders_by_brute_force(
    sides: tuple[int, int, int],
    filters: int,
    after: list[Layer],
    last: list[Layer],
    parts: list[str],
    many: int,
) -> None:
    nodes = [
        Node("flat_images", Flatten(), (INPUT,)),
        Node("c", Conv(filters=filters), (INPUT,)),
        Node("flat_conv", Flatten(), ("c",)),
        Node("means", GlobalAveragePool(), ("c",)),
        Node("hidden", Dense(3), ("means",)),
    ]
    at = "flat_conv"
    for number, layer in enumerate(after):
        nodes.append(Node(f"after{number}", layer, (at,)))
        at = f"after{number}"
    chosen = [at if part == "flat_conv" else part for part in parts[:many]]
    nodes.append(Node("joined", Concat(), tuple(chosen)))
    at = "joined"
    for number, layer in enumerate(last):
        nodes.append(Node(f"last{number}", layer, (at,)))
        at = f"last{number}"
    nodes.append(Node("mixed", Dense(2), (at,)))
    loose = (
        {node.name for node in nodes}
        - {name for node in nodes for name in node.inputs}
        - {"mixed"}
    )
    for name in sorted(loose):  # each output must be read
        nodes.append(Node(f"{name}_end", Dense(2), (name,)))
    ends = tuple(node.name for node in nodes if node.name.endswith("_end"))
    nodes.append(Node("out", Concat(), ("mixed", *ends, "mixed")))
    network = Architecture(
        "n", sides, tuple(nodes), (0.0,) * sides[2], (1.0,) * sides[2]
    )

    orders = {
        name: channels_first(shapes) for name, shapes in network.flattened.items()
    }
    wanted = {
        name: order for name, order in brute_orders(network).items() if name in orders
    }
    assert {name: order.tolist() for name, order in orders.items()} == wanted
    for name, order in brute_orders(network).items():
        if name not in orders:  # what is not listed needs no change
            assert order == sorted(order)
    assert {"mixed", "hidden", "means", "out"}.isdisjoint(orders)


def test_the_sum_of_flattened_features_keeps_their_order() -> None:
    nodes = (
        Node("a", Flatten(), (INPUT,)),
        Node("b", ReLU(), ("a",)),
        Node("c", Add(), ("a", "b")),
        Node("d", Dense(2), ("c",)),
    )
    flattened = Architecture("n", (2, 3, 3), nodes).flattened
    assert flattened["c"] == flattened["a"]
    order = channels_first(flattened["c"])
    assert order.tolist() == [
        9 * i + 3 * j + c for c in range(3) for i in range(2) for j in range(3)
    ]


def test_the_sixth_relu_is_named_like_no_relu6() -> None:
    layers: list[Layer] = [Flatten(), *[ReLU()] * 7, ReLU6(), Dense(3)]
    names = [node.name for node in sequence("deep", (4, 4, 3), layers).nodes]
    assert names == [
        "flatten1",
        *(f"relu{n}" for n in range(1, 6)),
        "relu_6",
        "relu7",
        "relu6_1",
        "dense1",
    ]


def test_a_sequence_prepares_its_images_as_it_is_told() -> None:
    told = sequence(
        "n", (1, 1, 2), [Flatten(), Dense(2)], mean=(0.5, 0.5), std=(0.5, 0.25)
    )
    untold = sequence("n", (1, 1, 2), [Flatten(), Dense(2)])
    assert (told.mean, told.std) == ((0.5, 0.5), (0.5, 0.25))
    assert (untold.mean, untold.std) == ((0.0, 0.0), (1.0, 1.0))
