"""Initial values, hashes and files of weights."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from triptych.errors import RunFolderError
from triptych.network.architecture import INPUT, Architecture, Node, sequence
from triptych.network.layers import (
    GRU,
    LSTM,
    Add,
    BatchNorm,
    Bias,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    HardSigmoid,
    Initial,
    Layer,
    MaxPool,
    ReLU,
    Rows,
    Sigmoid,
    Tanh,
)
from triptych.network.layouts import Array
from triptych.network.weights import (
    RECTIFIERS,
    check_weights,
    initial_weights,
    load_tensors,
    save_tensors,
    weights_hash,
)
from triptych.network.zoo import compact_cnn, lenet, sports_cnn

Chain = list[Layer | tuple[str, Layer]]

# ---- initial values ------------------------------------------------------------------


def test_equal_in_every_process() -> None:
    code = (
        "from triptych.network.weights import initial_weights, weights_hash\n"
        "from triptych.network.zoo import sports_cnn\n"
        "print(weights_hash(initial_weights(sports_cnn(16), 7)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert said == {weights_hash(initial_weights(sports_cnn(16), 7))}
    assert said != {weights_hash(initial_weights(sports_cnn(16), 8))}


def test_a_tensor_does_not_depend_on_the_other_layers() -> None:
    few = sequence(
        "few", (8, 8, 3), [Conv(filters=4), ReLU(), GlobalAveragePool(), Dense(3)]
    )
    more: Chain = [
        ("early", Conv(filters=3)), ("mid", ReLU()), ("conv1", Conv(filters=4)), ReLU(),
        Dropout(0.1), GlobalAveragePool(), ("dense1", Dense(3)),
    ]  # fmt: skip
    many = sequence("many", (8, 8, 3), more)
    ours, theirs = initial_weights(few, 5), initial_weights(many, 5)
    assert set(ours) < set(theirs)
    for name, tensor in ours.items():
        np.testing.assert_array_equal(theirs[name], tensor, strict=True)


def test_name_and_seed_decide() -> None:
    layers: Chain = [
        ("a", Conv(filters=3)),
        ("b", Conv(filters=3)),
        GlobalAveragePool(),
        Dense(3),
    ]
    network = sequence("n", (4, 4, 3), layers)
    weights = initial_weights(network, 0)
    assert not np.array_equal(weights["a.kernel"], weights["b.kernel"])
    for name, tensor in initial_weights(network, 1).items():
        assert np.array_equal(tensor, weights[name]) == (not name.endswith("kernel"))


def test_what_is_not_drawn() -> None:
    weights = initial_weights(compact_cnn(16), 0)
    for name, tensor in weights.items():
        if not name.endswith("kernel"):
            wanted = 1 if name.endswith(("scale", "variance")) else 0
            np.testing.assert_array_equal(
                tensor, np.full(tensor.shape, wanted, np.float32), strict=True
            )
    network = compact_cnn(16)
    assert {
        name: tensor.shape for name, tensor in weights.items()
    } == network.parameters | network.statistics
    assert {tensor.dtype for tensor in weights.values()} == {np.dtype(np.float32)}


LAWS: dict[Initial, tuple[str, float]] = {
    "he_normal": ("normal", 2 / 576),
    "he_uniform": ("uniform", 2 / 576),
    "glorot_normal": ("normal", 2 / (576 + 1152)),
    "glorot_uniform": ("uniform", 2 / (576 + 1152)),
    "lecun_normal": ("normal", 1 / 576),
    "fan_in_uniform": ("uniform", 1 / 3 / 576),
    "normal": ("normal", 1.0),
}
"""Shape and variance of each law for a kernel of 3 x 3 x 64 x 128."""


def follows(values: Array, form: str, variance: float) -> bool:
    """Whether mean, variance and tails are the law's: five standard errors each way."""
    n = values.size
    kurtosis = 3.0 if form == "normal" else 1.8
    numbers = values.astype(np.float64)
    limit = math.sqrt(3 * variance)
    return bool(
        abs(numbers.mean()) < 5 * math.sqrt(variance / n)
        and abs(numbers.var() / variance - 1) < 5 * math.sqrt((kurtosis - 1) / n)
        and (np.abs(numbers).max() > limit) == (form == "normal")
    )


def kernel_of(layer: Layer, then: Sequence[Layer]) -> Array:
    """The initial kernel of a layer that reads 64 channels, with others after it."""
    layers: Chain = [
        Conv(filters=64, kernel=1),
        ("here", layer),
        *then,
        GlobalAveragePool(),
        Dense(2),
    ]
    return initial_weights(sequence("n", (2, 2, 3), layers), 3)["here.kernel"]


@pytest.mark.parametrize("law", LAWS)
def test_laws(law: Initial) -> None:
    kernel = kernel_of(Conv(filters=128, initial=law), [])
    assert [
        other for other, expected in LAWS.items() if follows(kernel, *expected)
    ] == [law]


def test_zeros() -> None:
    network = sequence("n", (4, 4, 3), [Flatten(), Dense(3, initial="zeros")])
    assert not initial_weights(network, 0)["dense1.kernel"].any()


def test_laws_of_biases() -> None:
    """A bias beside a kernel knows its number of inputs; PyTorch draws both between the
    same limits.
    """
    layers: Chain = [
        Flatten(), Dense(4096, bias_initial="fan_in_uniform"),
        Dense(4096, bias_initial="normal"), Bias("normal"), Bias(),
        Bias("fan_in_uniform"), Dense(2),
    ]  # fmt: skip
    weights = initial_weights(sequence("n", (5, 5, 3), layers), 0)
    assert follows(weights["dense1.bias"], "uniform", 1 / 3 / 75)
    assert follows(weights["dense2.bias"], "normal", 1.0)
    assert follows(weights["bias1.bias"], "normal", 1.0)
    assert not weights["bias2.bias"].any()
    assert follows(weights["bias3.bias"], "uniform", 1 / 3 / 4096)
    assert not weights["dense3.bias"].any()


def test_fans_of_other_kernels() -> None:
    """A depthwise kernel reads one channel an output; a dense one all features."""
    layers: list[Layer] = [
        Conv(filters=2048, kernel=1), DepthwiseConv(kernel=(3, 5), initial="he_normal"),
        GlobalAveragePool(), Dense(64, initial="he_normal"), Dense(2),
    ]  # fmt: skip
    weights = initial_weights(sequence("n", (4, 4, 3), layers), 0)
    assert follows(weights["depthwise_conv1.kernel"], "normal", 2 / 15)
    assert not follows(weights["depthwise_conv1.kernel"], "normal", 2 / (15 * 2048))
    assert follows(weights["dense1.kernel"], "normal", 2 / 2048)
    assert not follows(weights["dense1.kernel"], "normal", 2 / 64)


HE, GLOROT = ("normal", 2 / 576), ("uniform", 2 / (576 + 576))
POOL, NORM, DROP = MaxPool(size=1), BatchNorm(), Dropout(0.5)


@pytest.mark.parametrize(
    ("between", "wanted"),
    [
        *(([rectifier()], HE) for rectifier in RECTIFIERS),
        ([NORM, ReLU()], HE),
        ([NORM, POOL, DROP, ReLU()], HE),
        ([Tanh()], GLOROT),
        ([HardSigmoid(), ReLU()], GLOROT),
        ([Sigmoid()], GLOROT),
        ([NORM, Tanh(), ReLU()], GLOROT),
        ([], GLOROT),
        ([POOL], GLOROT),
        ([Conv(filters=64), ReLU()], GLOROT),
        ([DepthwiseConv(), ReLU()], GLOROT),
    ],
    ids=lambda value: (
        "-".join(layer.kind for layer in value) if isinstance(value, list) else value[0]
    ),
)
def test_auto_looks_for_the_next_activation(
    between: list[Layer], wanted: tuple[str, float]
) -> None:
    kernel = kernel_of(Conv(filters=64), between)
    other = GLOROT if wanted is HE else HE
    assert follows(kernel, *wanted)
    assert not follows(kernel, *other)


def test_auto_through_a_branch() -> None:
    nodes = (
        Node("stem", Conv(filters=64, kernel=1), (INPUT,)),
        Node("side", Conv(filters=64), ("stem",)),
        Node("norm", BatchNorm(), ("side",)),
        Node("sum", Add(), ("norm", "stem")),
        Node("relu1", ReLU(), ("sum",)),
        Node("means", GlobalAveragePool(), ("relu1",)),
        Node("out", Dense(2), ("means",)),
    )
    network = Architecture("n", (2, 2, 3), nodes)
    assert follows(initial_weights(network, 0)["side.kernel"], *HE)


def test_a_recurrent_layer_gate_by_gate() -> None:
    layers: list[Layer] = [Rows(), LSTM(64, sequence=True), GRU(48), ReLU(), Dense(3)]
    weights = initial_weights(sequence("n", (4, 100, 3), layers), 0)
    for name, inputs, units, gates in (("lstm1", 300, 64, 4), ("gru1", 64, 48, 3)):
        kernels = np.split(weights[f"{name}.kernel"], gates, axis=1)
        assert all(
            follows(kernel, "uniform", 2 / (inputs + units)) for kernel in kernels
        )
        recurrent = weights[f"{name}.recurrent_kernel"].astype(np.float64)
        squares = np.split(recurrent, gates, axis=1)
        for square in squares:
            np.testing.assert_allclose(square @ square.T, np.eye(units), atol=1e-6)
            # No side of the axes is preferred.
            assert 0.3 < (np.diagonal(square) > 0).mean() < 0.7
        assert not np.array_equal(squares[0], squares[1])
    forget = np.repeat(np.array([0, 1, 0, 0], np.float32), 64)
    np.testing.assert_array_equal(weights["lstm1.bias"], forget, strict=True)
    for name in ("gru1.bias", "gru1.recurrent_bias"):
        np.testing.assert_array_equal(
            weights[name], np.zeros(3 * 48, np.float32), strict=True
        )


def test_a_recurrent_layer_is_no_rectifier() -> None:
    layers: list[Layer] = [
        Conv(filters=64, kernel=1),
        Conv(filters=64),
        Rows(),
        GRU(4),
        ReLU(),
        Dense(2),
    ]
    assert follows(
        initial_weights(sequence("n", (2, 2, 3), layers), 3)["conv2.kernel"], *GLOROT
    )


def test_auto_at_the_end_is_glorot() -> None:
    network = sequence("n", (4, 4, 3), [Flatten(), Dense(1000), ReLU(), Dense(100)])
    weights = initial_weights(network, 0)
    assert follows(weights["dense1.kernel"], "normal", 2 / 48)
    assert follows(weights["dense2.kernel"], "uniform", 2 / 1100)


# ---- hashes --------------------------------------------------------------------------


def test_one_unit_in_the_last_place_changes_the_hash() -> None:
    weights = initial_weights(lenet(), 0)
    before = weights_hash(weights)
    for name, tensor in weights.items():
        moved = tensor.copy()
        moved.flat[-1] = np.nextafter(moved.flat[-1], np.float32(9))
        assert weights_hash(weights | {name: moved}) != before
    copies = {name: tensor.copy() for name, tensor in weights.items()}
    assert weights_hash(copies) == before


def test_the_order_and_layout_of_tensors_do_not_change_the_hash() -> None:
    weights = initial_weights(lenet(), 0)
    assert weights_hash(dict(reversed(weights.items()))) == weights_hash(weights)
    fortran = {name: np.asfortranarray(tensor) for name, tensor in weights.items()}
    assert weights_hash(fortran) == weights_hash(weights)


def test_name_type_and_shape_are_in_the_hash() -> None:
    one = np.zeros((2, 3), np.float32)
    hashes = [
        weights_hash(weights)
        for weights in (
            {"a": one}, {"b": one}, {"a": one.reshape(3, 2)}, {"a": one.view(np.int32)},
            {"a": one.astype(np.float64)}, {"a": one, "b": one}, {},
        )
    ]  # fmt: skip
    assert len(set(hashes)) == len(hashes)


# ---- files ---------------------------------------------------------------------------

TENSORS = arrays.arrays(
    dtype=st.sampled_from(
        [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_]
    ),
    shape=arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


def assert_equal(ours: dict[str, Array], theirs: dict[str, Array]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert theirs[name].shape == tensor.shape
        assert theirs[name].dtype == tensor.dtype
        assert theirs[name].tobytes() == tensor.tobytes()  # nan and -0.0 too


@given(
    tensors=st.dictionaries(
        st.text(min_size=1, max_size=6).filter(lambda t: t != "__metadata__"), TENSORS
    )
)
def test_file_round_trip(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round trip.safetensors"
    save_tensors(path, tensors)
    assert_equal(tensors, load_tensors(path))


def test_scalars_and_strides(tmp_path: Path) -> None:
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    tensors: dict[str, Array] = {
        "optimizer.step": np.array(41, dtype=np.int64),
        "turned": whole.transpose(2, 0, 1),
        "part": whole[:, ::2, 1:],
    }
    save_tensors(tmp_path / "t", tensors)
    assert_equal(tensors, load_tensors(tmp_path / "t"))
    assert int(load_tensors(tmp_path / "t")["optimizer.step"]) == 41


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_tensors(path, dict(initial_weights(lenet(), 0)))
    whole = path.read_bytes()
    for broken in (
        b"", whole[:5], whole[:100], whole[: len(whole) // 2], whole[:-1], whole + b"x",
        b"\xff" * 8 + whole[8:], whole[:8] + b"}" + whole[9:], b"PK" + whole,
    ):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(
            RunFolderError, match=r"weights\.safetensors: cannot be read as safetensors"
        ) as it:
            load_tensors(path)
        assert "\n" not in str(it.value)
    with pytest.raises(RunFolderError, match="nothing: there is no such file"):
        load_tensors(tmp_path / "nothing")
    with pytest.raises(RunFolderError, match="cannot be read as safetensors"):
        load_tensors(tmp_path)


def test_weights_that_fit() -> None:
    network = sports_cnn(16)
    weights = initial_weights(network, 0)
    check_weights(network, weights)
    check_weights(network, weights | {"optimizer.step": np.array(3)})


def test_weights_that_do_not_fit() -> None:
    network = sports_cnn(16)
    weights = initial_weights(network, 0)
    for name in weights:
        less = {other: tensor for other, tensor in weights.items() if other != name}
        with pytest.raises(
            RunFolderError, match=f"the weights lack '{name}', which sports-cnn needs"
        ):
            check_weights(network, less)
        with pytest.raises(RunFolderError, match=f"hold '{name}' in shape"):
            check_weights(network, weights | {name: weights[name][..., None]})
    turned = weights | {"dense1.kernel": weights["dense1.kernel"].T}
    with pytest.raises(
        RunFolderError, match=r"shape \(256, 512\), but sports-cnn needs \(512, 256\)"
    ):
        check_weights(network, turned)
    other = dataclasses.replace(network, nodes=network.adapted(classes=9).nodes)
    with pytest.raises(RunFolderError, match=r"'dense2.kernel' in shape \(256, 6\)"):
        check_weights(other, weights)
