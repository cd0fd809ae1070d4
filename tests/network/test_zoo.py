"""The built-in networks, counted by hand; networks found by name and by file."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from triptych.errors import ArchitectureError
from triptych.network.architecture import from_toml
from triptych.network.zoo import (
    FROM_SCRATCH,
    ZOO,
    compact_cnn,
    find_network,
    lenet,
    list_zoo,
    mlp,
    row_gru,
    row_lstm,
    sports_cnn,
)


def test_the_talks_network_has_its_parameters() -> None:
    counted = {
        name: shape
        for name, shape in sports_cnn(224).parameters.items()
        if not name.startswith("bn")
    }
    without = sum(math.prod(shape) for shape in counted.values())
    assert without == 25_720_550
    assert sports_cnn(224).parameter_count == without + 4 * 2 * 32


def test_parameters_by_hand() -> None:
    assert mlp().parameter_count == (32 * 32 * 3 * 64 + 64) + (64 * 10 + 10)
    assert lenet().parameter_count == 456 + 2_416 + 48_120 + 10_164 + 850
    convolutions = 27 * 32 + 288 * 64 + 576 * 128 + 1_152 * 256
    assert compact_cnn().parameter_count == convolutions + 2 * (32 + 64 + 128 + 256) + (
        256 * 6 + 6
    )
    assert row_lstm().parameter_count == 4 * (96 * 64 + 64 * 64 + 64) + 650
    assert row_gru().parameter_count == 3 * (96 * 64 + 64 * 64 + 2 * 64) + 650


def test_work_by_hand() -> None:
    dense = 64 * (2 * 3072 + 1) + 10 * (2 * 64 + 1)
    assert mlp().flops == dense + 64  # and a ReLU
    assert lenet().flops == (
        28 * 28 * 6 * (2 * 75 + 2) + 14 * 14 * 6 * 4
        + 10 * 10 * 16 * (2 * 150 + 2) + 5 * 5 * 16 * 4
        + 120 * (2 * 400 + 2) + 84 * (2 * 120 + 2) + 10 * (2 * 84 + 1)
    )  # fmt: skip
    products = 2 * 96 + 2 * 64
    assert row_lstm().flops == 32 * 64 * (4 * (products + 1) + 5 + 3 + 1) + 10 * (
        2 * 64 + 1
    )
    assert row_gru().flops == 32 * 64 * (3 * (products + 2) + 3 + 3 + 2) + 10 * (
        2 * 64 + 1
    )


def test_work_of_training_by_hand() -> None:
    """The first layer that is trained needs no gradient of its input; a function has no
    parameters.
    """
    assert mlp().training_flops == 2 * 64 * (2 * 3072 + 1) + 2 * 64 + 3 * 10 * (
        2 * 64 + 1
    )
    convolutions = [28 * 28 * 6 * (2 * 75 + 1), 10 * 10 * 16 * (2 * 150 + 1)]
    functions = 28 * 28 * 6 + 10 * 10 * 16 + 120 + 84
    pools = 14 * 14 * 6 * 4 + 5 * 5 * 16 * 4
    dense = 120 * (2 * 400 + 1) + 84 * (2 * 120 + 1) + 10 * (2 * 84 + 1)
    assert lenet().training_flops == (
        2 * convolutions[0] + 3 * convolutions[1] + 3 * dense + 2 * (functions + pools)
    )  # fmt: skip


def test_the_compact_network_ends_its_last_stage_in_a_global_pool() -> None:
    network = compact_cnn(64, 6)
    assert [node.layer.kind for node in network.nodes[-3:]] == [
        "relu",
        "global_average_pool",
        "dense",
    ]
    assert network.shapes[network.nodes[-3].name] == (8, 8, 256)
    assert not any(
        name.startswith("conv") and name.endswith("bias") for name in network.parameters
    )


@pytest.mark.parametrize(
    ("name", "parameters", "size"),
    [
        ("resnet-18", 11_689_512, 224),
        ("resnet-50", 25_557_032, 224),
        ("mobilenet-v2", 3_504_872, 224),
        ("mobilenet-v3-small", 2_542_856, 224),
        ("efficientnet-lite0", 4_652_008, 224),
        ("efficientnet-lite1", 5_416_680, 240),
        ("efficientnet-lite2", 6_092_072, 260),
        ("convnext-tiny", 28_589_128, 224),
        ("vit-tiny", 5_717_416, 224),
    ],
)
def test_a_published_network_has_its_parameters(
    name: str, parameters: int, size: int
) -> None:
    network = ZOO[name]()
    assert network.parameter_count == parameters
    assert (network.input_shape, network.classes) == ((size, size, 3), 1000)
    assert from_toml(network.to_toml()) == network  # its blocks are still known


@pytest.mark.parametrize("name", ZOO)
def test_every_network_takes_its_size_and_classes(name: str) -> None:
    for size, classes in ((32, 2), (65, 7)):
        network = ZOO[name](size, classes)
        assert network.name == name
        assert network.input_shape == (size, size, 3)
        assert network.classes == classes


def test_the_list_tells_of_every_network() -> None:
    entries = {entry.name: entry for entry in list_zoo()}
    assert list(entries) == list(ZOO) == [
        "mlp", "lenet", "sports-cnn", "compact-cnn", "row-lstm", "row-gru",
        "resnet-18", "resnet-50", "mobilenet-v2", "mobilenet-v3-small",
        "efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2",
        "convnext-tiny", "vit-tiny",
    ]  # fmt: skip
    for name, entry in entries.items():
        made = ZOO[name]()
        assert (entry.parameters, entry.flops) == (made.parameter_count, made.flops)
        assert entry.input_shape == made.input_shape
        assert len(entry.summary) > 20
        assert (
            (entry.accuracy is None) == (entry.source == "") == (name in FROM_SCRATCH)
        )


def test_found_by_name() -> None:
    assert find_network("sports-cnn") == sports_cnn()


@pytest.mark.parametrize("file", ["mine.toml", "my own – größer.toml", "no-ending"])
def test_found_by_file(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(lenet(40, 3).to_toml(), "utf-8")
    assert find_network(str(tmp_path / file)) == lenet(40, 3)


def test_a_file_without_a_name_goes_by_its_own(tmp_path: Path) -> None:
    text = lenet().to_toml().replace('name = "lenet"\n', "", 1)
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    assert find_network(str(tmp_path / "mine.toml")).name == "mine"


def test_not_found(tmp_path: Path) -> None:
    with pytest.raises(
        ArchitectureError, match=r"there is no network 'lenett': did you mean 'lenet'\?"
    ):
        find_network("lenett")
    with pytest.raises(
        ArchitectureError, match=r"nothing\.toml: there is no such file"
    ):
        find_network(str(tmp_path / "nothing.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ArchitectureError, match=r"folder\.toml: cannot be read"):
        find_network(str(tmp_path / "folder.toml"))
    (tmp_path / "broken.toml").write_text("name = ", "utf-8")
    with pytest.raises(ArchitectureError, match=r"broken\.toml: is not valid TOML"):
        find_network(str(tmp_path / "broken.toml"))
    (tmp_path / "latin.toml").write_bytes('name = "ü"'.encode("latin-1"))
    with pytest.raises(ArchitectureError, match=r"latin\.toml: is not valid TOML"):
        find_network(str(tmp_path / "latin.toml"))
