"""Networks that others wrote, and what they are asked."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.network.layouts import Array
from triptych.network.weights import save_tensors


@dataclass(frozen=True)
class Case:
    """A network of theirs by the name of ours, images of a size that shows on which
    side it pads, and the file that it is saved in.
    """

    network: str
    family: str
    file: str
    size: tuple[int, int] = (35, 50)
    classes: int = 7
    close: float = 1e-10
    """How far apart logits in float64 may be, as a share of the largest."""

    @property
    def module(self) -> str:
        """What makes it, in a process of its own."""
        return "theirs_keras" if self.family == KERAS else "theirs_torch"

    def images(self) -> NDArray[np.uint8]:
        """Two images of noise: (2, height, width, 3)."""
        generator = np.random.default_rng(zlib.crc32(self.file.encode()))
        return generator.integers(0, 256, (2, *self.size, 3), np.uint8)


def _torch(case: str, network: str, family: str, size: tuple[int, int]) -> Case:
    classes = 1000 if "published" in case else 7
    return Case(network, family, f"{case}.safetensors", size, classes)


LITE = "efficientnet_lite_pytorch"
KERAS = "keras.applications"
ODD = (35, 50)

CASES = {
    **{
        f"lite{number}{published}": _torch(
            f"lite{number}{published}", f"efficientnet-lite{number}", LITE, ODD
        )
        for number in range(3)
        for published in (" published", "")
    },
    **{
        case: _torch(case, network, "transformers", size)
        for case, network, size in (
            ("resnet-18 transformers", "resnet-18", ODD),
            ("resnet-50 transformers", "resnet-50", ODD),
            ("vit transformers", "vit-tiny", (32, 48)),
            ("vit transformers, state dict", "vit-tiny", (48, 32)),
            ("convnext transformers", "convnext-tiny", ODD),
            ("mobilenet-v2 transformers", "mobilenet-v2", ODD),
        )
    },
    "resnet-50 keras": Case("resnet-50", KERAS, "resnet.h5"),
    "mobilenet-v2 keras": Case("mobilenet-v2", KERAS, "mobilenet-v2.weights.h5"),
    "mobilenet-v2 keras, even": Case(
        "mobilenet-v2", KERAS, "mobilenet-v2-even.h5", (64, 32)
    ),
    # Even in float64 Keras has the constants of Rescaling, Normalization and GELU in
    # float32.
    "mobilenet-v3 keras": Case(
        "mobilenet-v3-small", KERAS, "mobilenet-v3.keras", close=1e-7
    ),
    "convnext keras": Case("convnext-tiny", KERAS, "convnext.weights.h5", close=1e-7),
}
"""By name."""


def save_answers(folder: Path, case: str, answers: Mapping[str, Array]) -> None:
    """Keep what a network said, by precision: (images, classes) each."""
    save_tensors(folder / f"{case}.logits", answers)
