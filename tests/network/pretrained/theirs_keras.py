"""Networks of keras.applications: saved as Keras saves them, with what they say of some
images.

Writes FOLDER/CASE in its form and FOLDER/CASE.logits for each case that is named.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tests.network.pretrained.cases import CASES, save_answers

CLASSES = 7


def made(network: str, size: tuple[int, int]) -> Any:
    """The network of a case, with random weights and the layer that outputs logits."""
    maker = {
        "resnet-50": keras.applications.ResNet50,
        "mobilenet-v2": keras.applications.MobileNetV2,
        "mobilenet-v3-small": keras.applications.MobileNetV3Small,
        "convnext-tiny": keras.applications.ConvNeXtTiny,
    }[network]
    return maker(
        weights=None,
        input_shape=(*size, 3),
        classes=CLASSES,
        classifier_activation=None,
    )


def preprocessed(network: str, images: Any) -> Any:
    """Images as their own function prepares them for their weights."""
    prepare = {
        "resnet-50": keras.applications.resnet.preprocess_input,
        "mobilenet-v2": keras.applications.mobilenet_v2.preprocess_input,
        "mobilenet-v3-small": keras.applications.mobilenet_v3.preprocess_input,
        "convnext-tiny": keras.applications.convnext.preprocess_input,
    }[network]
    return prepare(images)


def randomize(model: Any) -> None:
    """Other values for what begins as 0 or 1, so that none can stand for another, and
    kernels through which the images are still seen in the logits.
    """
    generator = np.random.default_rng(1)
    for variable in model.variables:
        name, value = variable.path.rpartition("/")[2], variable.numpy()
        if "variance" in name:
            variable.assign(generator.uniform(0.5, 1.5, value.shape))
        elif value.ndim > 1:
            read = value.shape[:2] if value.shape[-1] == 1 else value.shape[:-1]
            variable.assign(value * (2 / np.prod(read)) ** 0.5 / value.std())
        elif value.ndim == 1:
            centre = 1.0 if name == "gamma" else 0.0
            variable.assign(generator.uniform(centre - 0.3, centre + 0.3, value.shape))


def main() -> None:
    """Make each case, save it, and ask it."""
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        case = CASES[name]
        images = case.images()
        answers, weights = {}, []
        for precision in ("float32", "float64"):
            keras.backend.clear_session()
            keras.config.set_floatx(precision)
            keras.utils.set_random_seed(0)
            model = made(case.network, case.size)
            if precision == "float32":
                randomize(model)
                weights = model.get_weights()
                save = model.save_weights if "weights" in case.file else model.save
                save(folder / case.file)
            else:
                model.set_weights(weights)
            seen = preprocessed(case.network, images.astype(precision))
            answers[precision] = np.asarray(model(seen, training=False))
        save_answers(folder, name, answers)


if __name__ == "__main__":
    main()
