"""Runs in a process of its own, jobs on standard input: what the scripts of one
framework do, as JSON.

A job names a `script`, and `images` to be predicted, or a `folder` to train on and how
many `epochs`; or `schedule` asks for the learning rates of so many steps. It never
imports the library.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any


def logits(program: dict[str, Any], images: list[str]) -> Any:
    """Of each image file, one by one, as the command line predicts."""
    model = program["load"]()
    return [
        program["predict"](model, program["load_image"](Path(one))[None])[0].tolist()
        for one in images
    ]


def trained(script: str, folder: str, epochs: int) -> Any:
    """The accuracy on the folder after a training, by the weights that it wrote."""
    sys.argv = [script, "train", folder, "--epochs", str(epochs)]
    program = runpy.run_path(script, run_name="__main__")
    files = program["find_images"](Path(folder) / "test")
    classes = Path(script).with_suffix(
        program["WEIGHTS"].with_suffix(".txt").name.removeprefix(Path(script).stem)
    )
    part = program["load_images"](files, classes.read_text().splitlines())
    return program["accuracy"](program["load"](), part)


def rates(program: dict[str, Any], steps: int) -> Any:
    """The learning rate of each step, of a script that has a schedule of its own."""
    import numpy as np

    if "OneCycle" in program:
        schedule = program["OneCycle"](1e-3, steps)
        return [float(schedule(np.int64(step))) for step in range(steps)]
    import tensorflow as tf

    return [
        float(program["learning_rate"](tf.constant(step), steps))
        for step in range(steps)
    ]


def main() -> None:
    found = []
    for job in json.load(sys.stdin):
        if "images" in job:
            found.append(logits(runpy.run_path(job["script"]), job["images"]))
        elif "folder" in job:
            found.append(trained(**job))
        else:
            found.append(rates(runpy.run_path(job["script"]), job["schedule"]))
    assert not any(name.partition(".")[0] == "triptych" for name in sys.modules)
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
