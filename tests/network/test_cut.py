"""A network cut in two: every tensor on one side, and only features in between."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.errors import ArchitectureError
from triptych.frameworks import reference
from triptych.frameworks.contract import Images
from triptych.network.architecture import Architecture, from_toml, sequence
from triptych.network.cut import cut, kernels
from triptych.network.layers import Conv, Dense, Dropout, Flatten, ReLU
from triptych.network.weights import initial_weights, own_weights
from triptych.network.zoo import ZOO, find_network


def sections(architecture: Architecture, trained: int) -> list[Architecture]:
    """Body and head, read again from their files."""
    both = cut(architecture, trained)
    read = [from_toml(one.to_toml()) for one in both]
    assert tuple(read) == both
    return read


@pytest.mark.parametrize("name", ZOO)
def test_every_network_has_a_head(name: str) -> None:
    whole = find_network(name)
    if kernels(whole, whole.nodes) == 1:
        with pytest.raises(ArchitectureError, match="train fewer layers, or all"):
            cut(whole, 1)
        return
    body, head = sections(whole, 1)
    assert body.parameters | head.parameters == whole.parameters
    assert not body.parameters.keys() & head.parameters.keys()
    assert body.statistics | head.statistics == whole.statistics
    assert head.classes == whole.classes
    assert head.input_shape == body.shapes[body.nodes[-1].name]
    assert kernels(head, head.nodes) >= 1
    assert body.flops + head.flops == whole.flops


def test_what_is_trained_takes_whole_blocks() -> None:
    """A residual block passes two tensors inside: no cut goes through it."""
    whole = find_network("resnet-18")
    _, head = cut(whole, 2)
    places = {".".join(node.name.split(".")[:2]) for node in head.nodes[:-2]}
    assert places == {"stage4.block2"}
    assert kernels(head, head.nodes) == 3
    assert cut(whole, 3)[1] == head


def test_dropout_belongs_to_what_is_trained() -> None:
    layers = [
        Conv(filters=4),
        ReLU(),
        Flatten(),
        Dense(units=8),
        Dropout(rate=0.5),
        Dense(units=3),
    ]
    body, head = cut(sequence("net", (4, 4, 3), layers), 1)
    assert [node.name for node in body.nodes][-1] == "dense1"
    assert [node.name for node in head.nodes] == ["dropout1", "dense2"]


def test_flattened_images_are_not_passed_on() -> None:
    """Their order is the framework's."""
    layers = [Conv(filters=4), ReLU(), Flatten(), Dense(units=3)]
    body, head = cut(sequence("net", (4, 4, 3), layers), 1)
    assert head.input_shape == (4, 4, 4)
    assert head.nodes[0].name == "flatten1"
    assert body.nodes[-1].name == "relu1"


def test_no_more_can_be_trained_than_leaves_something_as_it_is() -> None:
    whole = find_network("lenet")
    with pytest.raises(ArchitectureError, match="the last 5 layer") as raised:
        cut(whole, 5)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("trained", [1, 2, 3])
def test_the_head_of_the_body_is_the_whole(trained: int) -> None:
    whole = find_network("compact-cnn").adapted((16, 16), 5)
    weights = initial_weights(whole, 3)
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)

    def outputs(section: Architecture, shown: Images) -> np.ndarray:
        held = own_weights(section, weights)
        return reference.predict(reference.build(section, held, "float64"), shown)

    body, head = cut(whole, trained)
    passed = outputs(body, images)
    assert passed.shape == (3, *head.input_shape)
    np.testing.assert_array_equal(outputs(head, passed), outputs(whole, images))
    # And it does read them.
    assert (outputs(head, passed + 1) != outputs(whole, images)).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input = [4, 4, 4, 4]", "one to three axes"),
        ("input = [4]\nmean = [0.5]", "with no mean and std"),
        ("input = [0]", "each 1 or more"),
    ],
)
def test_what_no_head_reads(text: str, said: str) -> None:
    layers = '\n[[layers]]\nkind = "dense"\nunits = 2\n'
    with pytest.raises(ArchitectureError, match=said):
        from_toml(f'section = "head"\n{text}{layers}')
