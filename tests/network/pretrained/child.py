"""A framework in a process of its own that computes what networks say of images.

Reads lines "FOLDER PRECISION" and answers each with a line: the folder holds
network.toml, weights.safetensors and images.safetensors, and gets logits.safetensors.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import cast

import numpy as np

from triptych.frameworks import registry
from triptych.network.architecture import from_toml
from triptych.network.conventions import Precision
from triptych.network.weights import load_tensors, save_tensors


def main() -> None:
    """Answer until there are no more questions."""
    framework = registry.find(sys.argv[1]).load()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what frameworks print is no answer
    for line in sys.stdin:
        at, precision = line.rstrip("\n").split("\t")
        folder = Path(at)
        try:
            network = from_toml(folder / "network.toml")
            weights = load_tensors(folder / "weights.safetensors")
            state = framework.build(network, weights, cast(Precision, precision))
            images = load_tensors(folder / "images.safetensors")["images"]
            said = framework.predict(state, images.astype(np.uint8))
            save_tensors(folder / f"logits.{sys.argv[1]}.{precision}", {"logits": said})
            answers.write("ok\n")
        except Exception:  # noqa: BLE001 - the parent reads it
            answers.write(traceback.format_exc().replace("\n", "\\n") + "\n")
    os._exit(0)


if __name__ == "__main__":
    main()
