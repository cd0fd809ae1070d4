"""Triptych: one network, several frameworks, side by side.

>>> import triptych
>>> result = triptych.compare("photos", epochs=5)
>>> result.report()

Importing this package imports no framework and takes no time: everything is loaded when
it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triptych.commands.bench.bench import bench
    from triptych.commands.bench.result import Bench
    from triptych.commands.compare.comparison import (
        Comparison,
        compare,
        load,
        resume,
        train,
    )
    from triptych.commands.eject.ejection import eject
    from triptych.commands.predict.evaluation import Evaluation, evaluate
    from triptych.commands.predict.model import Model
    from triptych.commands.predict.prediction import (
        Prediction,
        Predictions,
        Predictor,
        predict,
    )
    from triptych.commands.replay.replay import replay
    from triptych.commands.replay.result import Replay
    from triptych.commands.verify.verification import Verification, verify
    from triptych.errors import TriptychError
    from triptych.network import layers
    from triptych.network.architecture import Architecture
    from triptych.running.recipe import Recipe

__version__ = "0.1.0"

_HOME = {
    "Architecture": "network.architecture",
    "Bench": "commands.bench.result",
    "Comparison": "commands.compare.comparison",
    "Evaluation": "commands.predict.evaluation",
    "Model": "commands.predict.model",
    "Prediction": "commands.predict.prediction",
    "Predictions": "commands.predict.prediction",
    "Predictor": "commands.predict.prediction",
    "Recipe": "running.recipe",
    "Replay": "commands.replay.result",
    "TriptychError": "errors",
    "Verification": "commands.verify.verification",
    "bench": "commands.bench.bench",
    "compare": "commands.compare.comparison",
    "eject": "commands.eject.ejection",
    "evaluate": "commands.predict.evaluation",
    "load": "commands.compare.comparison",
    "predict": "commands.predict.prediction",
    "replay": "commands.replay.replay",
    "resume": "commands.compare.comparison",
    "train": "commands.compare.comparison",
    "verify": "commands.verify.verification",
}
"""Where each public name is at home; what is loaded when it is first used."""

__all__ = [
    "Architecture",
    "Bench",
    "Comparison",
    "Evaluation",
    "Model",
    "Prediction",
    "Predictions",
    "Predictor",
    "Recipe",
    "Replay",
    "TriptychError",
    "Verification",
    "bench",
    "compare",
    "eject",
    "evaluate",
    "layers",
    "load",
    "predict",
    "replay",
    "resume",
    "train",
    "verify",
]


def __getattr__(name: str) -> object:
    if name == "layers":
        return importlib.import_module("triptych.network.layers")
    if name in _HOME:
        return getattr(importlib.import_module(f"triptych.{_HOME[name]}"), name)
    raise AttributeError(f"module 'triptych' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
