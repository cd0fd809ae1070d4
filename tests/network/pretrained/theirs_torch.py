"""Networks of efficientnet_lite_pytorch and transformers: saved as they save them, with
what they say of some images.

Writes FOLDER/CASE.safetensors and FOLDER/CASE.logits for each case that is named.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

# Nothing is to be looked up.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
import transformers
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from tests.network.pretrained.cases import CASES, save_answers

from triptych.network.pretrained import known_packages
from triptych.network.pretrained.packages import installed
from triptych.network.zoo import ZOO

CLASSES = 7


def resnet(**options: Any) -> Any:
    config = transformers.ResNetConfig(num_labels=CLASSES, **options)
    return transformers.ResNetForImageClassification(config)


def made(case: str, size: tuple[int, int]) -> Any:
    """The network of a case, with their own initial values or published weights."""
    match case:
        case "lite0 published" | "lite1 published" | "lite2 published":
            name = f"efficientnet-{case[:5]}"
            path = installed(known_packages()[name])
            model = EfficientNet.from_name(name, image_size=None)
            model.load_state_dict(torch.load(path, weights_only=True))
            return model
        case "lite0" | "lite1" | "lite2":
            return EfficientNet.from_name(
                f"efficientnet-{case}", image_size=None, num_classes=CLASSES
            )
        case "resnet-18 transformers":
            sizes = [64, 128, 256, 512]
            depths = [2, 2, 2, 2]
            return resnet(layer_type="basic", hidden_sizes=sizes, depths=depths)
        case "resnet-50 transformers":
            return resnet()
        case "vit transformers" | "vit transformers, state dict":
            return transformers.ViTForImageClassification(
                transformers.ViTConfig(
                    hidden_size=192,
                    num_attention_heads=3,
                    intermediate_size=768,
                    num_labels=CLASSES,
                    image_size=size,
                )
            )
        case "convnext transformers":
            return transformers.ConvNextForImageClassification(
                transformers.ConvNextConfig(num_labels=CLASSES)
            )
        case "mobilenet-v2 transformers":
            return transformers.MobileNetV2ForImageClassification(
                transformers.MobileNetV2Config(num_labels=CLASSES)
            )
    raise AssertionError(case)


def randomize(model: Any) -> None:
    """Other values for what begins as 0 or 1, so that none can stand for another, and
    kernels through which the images are still seen in the logits.
    """
    generator = torch.Generator().manual_seed(1)

    def drawn(like: Any, low: float, high: float) -> Any:
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith("running_var"):
                tensor.copy_(drawn(tensor, 0.5, 1.5))
            elif not tensor.is_floating_point():
                continue
            elif name.endswith("weight") and tensor.ndim > 1:
                tensor.mul_((2 / tensor[0].numel()) ** 0.5 / tensor.std())
            elif tensor.unique().numel() == 1 or tensor.ndim == 1:
                centre = 1.0 if name.endswith("weight") and tensor.ndim == 1 else 0.0
                tensor.copy_(drawn(tensor, centre - 0.3, centre + 0.3))


def main() -> None:
    """Make each case, save it, and ask it."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    for case in sys.argv[2:]:
        torch.manual_seed(0)
        images = CASES[case].images()
        model = made(case, CASES[case].size).eval()
        if "published" not in case:
            randomize(model)
        if hasattr(model, "save_pretrained") and "state dict" not in case:
            model.save_pretrained(folder / "saved")
            saved = folder / "saved" / "model.safetensors"
            saved.rename(folder / f"{case}.safetensors")
        else:
            save_file(model.state_dict(), folder / f"{case}.safetensors")
        network = ZOO[CASES[case].network]()
        pixels = (images / 255 - network.mean) / np.array(network.std)
        answers = {}
        for dtype in (torch.float32, torch.float64):
            seen = torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=dtype)
            with torch.no_grad():
                said = model.to(dtype)(seen)
            answers[str(dtype).partition(".")[2]] = getattr(
                said, "logits", said
            ).numpy()
        save_answers(folder, case, answers)


if __name__ == "__main__":
    main()
