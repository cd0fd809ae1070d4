"""Blocks of layers: their places, names and arguments, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import ArchitectureError
from triptych.network.architecture import Block, from_toml
from triptych.network.blocks import computed
from triptych.network.layers import Conv
from triptych.network.zoo import find_network

HEAD = """
[[layers]]
kind = "global_average_pool"

[[layers]]
kind = "dense"
units = 3
"""
PAIR = """
[blocks.pair]
filters = 4
stride = 1

[[blocks.pair.layers]]
kind = "conv"
filters = "filters"
stride = "stride"

[[blocks.pair.layers]]
kind = "conv"
filters = "2 * filters - 1"
kernel = [1, "filters // 2"]
"""
USE = """
[[layers]]
name = "stage1.block2"
block = "pair"
filters = 6
repeat = 2
"""


def test_a_block_stands_where_a_layer_can() -> None:
    made = from_toml(PAIR + USE + HEAD)
    assert [(node.name, node.inputs) for node in made.nodes] == [
        ("stage1.block2.conv1", ("images",)),
        ("stage1.block2.conv2", ("stage1.block2.conv1",)),
        ("stage1.block3.conv1", ("stage1.block2.conv2",)),
        ("stage1.block3.conv2", ("stage1.block3.conv1",)),
        ("pool1", ("stage1.block3.conv2",)),
        ("dense1", ("pool1",)),
    ]
    assert made.nodes[1].layer == Conv(filters=11, kernel=(1, 3))
    assert made.parameters["stage1.block3.conv1.kernel"] == (3, 3, 11, 6)
    assert made.blocks == (Block("pair", ("stage1.block2", "stage1.block3")),)
    assert from_toml(made.to_toml()) == made


def test_a_block_reads_what_it_is_told_and_is_read_by_its_name() -> None:
    added = """
[blocks.residual]
filters = 3

[[blocks.residual.layers]]
name = "path"
block = "pair"
filters = "filters // 2 + 1"

[[blocks.residual.layers]]
kind = "add"
inputs = ["path", "input"]
"""
    use = """
[[layers]]
kind = "relu"

[[layers]]
name = "one"
block = "residual"
inputs = ["images"]

[[layers]]
kind = "concat"
inputs = ["one", "relu1"]
"""
    made = {
        node.name: node.inputs for node in from_toml(PAIR + added + use + HEAD).nodes
    }
    assert made["one.path.conv1"] == ("images",)
    assert made["one.add1"] == ("one.path.conv2", "images")
    assert made["concat1"] == ("one.add1", "relu1")


def test_an_argument_can_be_a_word() -> None:
    text = (
        PAIR.replace("stride = 1", 'stride = 1\npad = "valid"\nact = "tanh"')
        + """
padding = "pad"

[[blocks.pair.layers]]
name = "activation"
kind = "act"
"""
    )
    made = from_toml(text + USE + 'act = "relu"\n' + HEAD)
    assert made.nodes[2].layer.kind == "relu"
    assert made.nodes[2].name == "stage1.block2.activation"
    assert made.nodes[1].layer == Conv(filters=11, kernel=(1, 3), padding="valid")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (USE, "layer 'stage1.block2': unknown block 'pair': the file defines none"),
        (
            PAIR + USE.replace("pair", "pear"),
            "unknown block 'pear': did you mean 'pair'",
        ),
        (PAIR + USE.replace("filters", "filter"), "has no argument 'filter': did you"),
        (
            PAIR + USE.replace("block2", "block"),
            "needs a number at the end of its name",
        ),
        (
            PAIR + USE.replace("= 2", "= 0"),
            "repeat is 0, but must be an integer from 1",
        ),
        (PAIR + USE.replace("= 6", "= []"), r"filters is \[\], but must be a number"),
        (PAIR + USE.replace("= 6", "= 0.5"), "filters is 0.5|integer|float"),
        (PAIR + '[[layers]]\nblock = "pair"\n', "a block needs a name"),
        (
            PAIR.replace("2 * filters - 1", "filters ** 2") + USE,
            "only \\+, -, \\* and //",
        ),
        (PAIR.replace("2 * filters - 1", "filters // 0") + USE, "cannot compute"),
        (PAIR.replace("2 * filters - 1", "2 * width") + USE, "filters is|int"),
        (
            PAIR.replace("kind", "kinds", 1) + USE,
            "block 'pair': layer number 1: unknown",
        ),
        ("[blocks.pair]\nfilters = 1\n" + USE, r"needs its layers as \[\[blocks.pair"),
        ("[blocks.'a b']\nfilters = 1\n" + USE, "a name must be a Python identifier"),
        ("[blocks.pair]\nrepeat = 1\n[[blocks.pair.layers]]\n" + USE, "is taken"),
        (
            PAIR + '[[blocks.pair.layers]]\nname = "again"\nblock = "pair"\n' + USE,
            "uses block 'pair', which is not defined above it",
        ),
        (PAIR + USE + 'inputs = ["images", "images"]\n', "a block has one input"),
        ("blocks = 3\n" + HEAD, r"blocks must be \[blocks.name\] tables"),
        (
            'blocks = {pair = ["a"]}\n' + HEAD,
            "no layer's name begins with 'a' and a dot",
        ),
        ("blocks = {pair = [1]}\n" + HEAD, "its places must be strings"),
        ("blocks = {pair = 1}\n" + HEAD, "block 'pair': must be a table"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        from_toml(text + HEAD if text.endswith("\n") and HEAD not in text else text)


def test_blocks_of_blocks_do_not_explode() -> None:
    text = '[blocks.b0]\n[[blocks.b0.layers]]\nkind = "relu"\n'
    for n in range(1, 12):
        text += (
            f"[blocks.b{n}]\n[[blocks.b{n}.layers]]\n"
            f'name = "a1"\nblock = "b{n - 1}"\nrepeat = 1000\n'
        )
    with pytest.raises(ArchitectureError, match="more than 10,000 layers"):
        from_toml(text + '[[layers]]\nname = "a"\nblock = "b11"\n' + HEAD)


def test_a_layer_is_not_called_like_a_tensor() -> None:
    text = '[[layers]]\nkind = "bias"\n[[layers]]\nname = "bias1.bias"\nkind = "relu"\n'
    with pytest.raises(ArchitectureError, match="called like a tensor of another"):
        from_toml(text + HEAD)


@given(text=st.text(max_size=30))
def test_any_text_is_a_number_or_stays(text: str) -> None:
    try:
        found = computed(text, {"n": 6, "word": "same"}, "here")
    except ArchitectureError as error:
        assert re.search("cannot compute", str(error))  # noqa: PT017 - either is right
    else:
        assert isinstance(found, int | float) or found in (text, "same")


def test_a_file_of_resnet_50_can_be_read() -> None:
    """What people call its layers, and no more lines than a page or two."""
    network = find_network("resnet-50")
    assert network.parameters["stage2.block1.path.conv3.kernel"] == (1, 1, 128, 512)
    assert [len(block.places) for block in network.blocks] == [4, 16, 12]
