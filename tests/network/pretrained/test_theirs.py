"""Networks that no one here wrote, with the weights that they saved: ours say the same
of the same images, in every framework.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.network.pretrained.cases import CASES

from triptych.frameworks import registry
from triptych.network.layouts import Array
from triptych.network.pretrained import IMAGENET, Loaded, load
from triptych.network.weights import load_tensors, save_tensors
from triptych.network.zoo import ZOO
from triptych.running.transport import environment

CLOSE = 1e-5
"""How far apart logits in float32 may be, as a share of the largest."""


class Computing:
    """A framework that waits for questions."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.network.pretrained.child", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment(registry.find(name)),
        )

    def logits(self, folder: Path, precision: str) -> NDArray[np.float64]:
        """What it computes of the network, weights and images in a folder."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{folder}\t{precision}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer == "ok", answer.replace("\\n", "\n")
        return numbers(folder / f"logits.{self.name}.{precision}")["logits"]

    def end(self) -> None:
        """Let it go."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Frameworks(dict[str, Computing]):
    """By name, each started when it is asked first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, name: str) -> Computing:
        self[name] = Computing(name, self.folder / name)
        return self[name]

    def end(self) -> None:
        """Let all go."""
        for one in self.values():
            one.end()


@pytest.fixture(scope="module")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frameworks]:
    one = Frameworks(tmp_path_factory.mktemp("computing"))
    yield one
    one.end()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("theirs")


@cache
def made(folder: Path, module: str, cases: tuple[str, ...]) -> None:
    """Have all these networks made and asked in one process."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.network.pretrained.{module}", folder, *cases],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def theirs(folder: Path, case: str) -> dict[str, NDArray[np.float64]]:
    """The logits that they computed, by precision; what they saved lies in `folder`."""
    module = CASES[case].module
    made(folder, module, tuple(name for name in CASES if CASES[name].module == module))
    return numbers(folder / f"{case}.logits")


def numbers(path: Path) -> dict[str, NDArray[np.float64]]:
    return {
        name: np.asarray(tensor, np.float64)
        for name, tensor in load_tensors(path).items()
    }


@cache
def carried(folder: Path, case: str) -> Loaded:
    """Ours with their weights."""
    one = CASES[case]
    theirs(folder, case)
    asked = ZOO[one.network]().adapted(one.size, one.classes)
    loaded = load(IMAGENET if "published" in case else folder / one.file, asked)
    origin = loaded.origin
    assert origin.family == one.family
    assert not origin.replaced + origin.missing + origin.misshapen + origin.unexpected
    return loaded


def gap(
    folder: Path, case: str, loaded: Loaded, computing: Computing, precision: str
) -> float:
    """How far our logits are from theirs, as a share of the largest."""
    logits = theirs(folder, case)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "network.toml").write_text(loaded.architecture.to_toml(), "utf-8")
        save_tensors(place / "weights.safetensors", loaded.weights)
        save_tensors(place / "images.safetensors", {"images": CASES[case].images()})
        ours = computing.logits(place, precision)
    largest = np.abs(logits["float64"]).max()
    return float(np.abs(ours - logits[precision]).max() / largest)


def same(folder: Path, case: str, computing: Computing) -> None:
    for precision, close in (("float64", CASES[case].close), ("float32", CLOSE)):
        found = gap(folder, case, carried(folder, case), computing, precision)
        print(f"{case}, {computing.name}, {precision}: {found:.1e}")
        assert found < close, precision


@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_published_weights(
    framework: str, folder: Path, frameworks: Frameworks
) -> None:
    same(folder, "lite0 published", frameworks[framework])


def test_padding_and_bias_of_a_depthwise_convolution(
    folder: Path, frameworks: Frameworks
) -> None:
    """TensorFlow 2.21 ends the process when it fuses them, unless padded before."""
    same(folder, "convnext transformers", frameworks["tensorflow"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_the_same_logits(
    framework: str, case: str, folder: Path, frameworks: Frameworks
) -> None:
    same(folder, case, frameworks[framework])


# ---- what would be seen --------------------------------------------------------------


def fields(kind: str, **others: object) -> Callable[[Loaded], Loaded]:
    """What gives each layer of a kind other fields."""

    def change(loaded: Loaded) -> Loaded:
        nodes = [
            dataclasses.replace(
                node,
                layer=dataclasses.replace(node.layer, **others),
            )
            if node.layer.kind == kind
            else node
            for node in loaded.architecture.nodes
        ]
        network = dataclasses.replace(loaded.architecture, nodes=tuple(nodes))
        return dataclasses.replace(loaded, architecture=network)

    return change


def tensor(name: str, to: Callable[[Array], Array]) -> Callable[[Loaded], Loaded]:
    """What changes one tensor."""

    def change(loaded: Loaded) -> Loaded:
        weights = loaded.weights | {name: to(loaded.weights[name])}
        return dataclasses.replace(loaded, weights=weights)

    return change


def instead(name: str, other: str) -> Callable[[Loaded], Loaded]:
    """What puts one tensor in the place of another."""

    def change(loaded: Loaded) -> Loaded:
        weights = loaded.weights | {name: loaded.weights[other]}
        return dataclasses.replace(loaded, weights=weights)

    return change


WRONG = {
    "keys before queries": (
        "vit transformers",
        tensor("block7.attention1.kernel", lambda one: np.roll(one, 192, axis=1)),
    ),
    "our epsilon": ("vit transformers", fields("layer_norm", epsilon=1e-6)),
    "our padding": (
        "mobilenet-v2 transformers",
        fields("depthwise_conv", padding=1),
    ),
    "RGB": (
        "resnet-50 keras",
        tensor("conv1.kernel", lambda one: one[:, :, ::-1]),
    ),
    "Keras' epsilon": ("resnet-50 keras", fields("batch_norm", epsilon=1e-5)),
    "a mean as an offset": (
        "lite0",
        instead("stage3.block2.path.bn1.offset", "stage3.block2.path.bn1.mean"),
    ),
    "a layer's scale of another block": (
        "convnext transformers",
        instead("stage3.block4.scale1.scale", "stage3.block5.scale1.scale"),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_would_be_seen(
    what: str, folder: Path, frameworks: Frameworks
) -> None:
    case, change = WRONG[what]
    loaded = change(carried(folder, case))
    found = gap(folder, case, loaded, frameworks["pytorch"], "float64")
    print(f"{what}: {found:.1e}")
    assert found > 100 * CASES[case].close
