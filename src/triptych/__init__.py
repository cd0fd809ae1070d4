"""Triptych: one network, several frameworks, side by side.

>>> import triptych
>>> result = triptych.compare("photos", epochs=5)
>>> result.report()

Importing this package imports no framework and takes no time: everything is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triptych.benching import Bench, bench
    from triptych.comparing import Comparison, compare, resume
    from triptych.ejecting import eject
    from triptych.errors import TriptychError
    from triptych.predicting import Evaluation, Model, Prediction, Predictions, evaluate, predict
    from triptych.replaying import Replay, replay
    from triptych.verifying import Verification, verify, verify_again

__version__ = "0.1.0"

_HOME = {
    "Bench": "benching",
    "Comparison": "comparing",
    "Evaluation": "predicting",
    "Model": "predicting",
    "Prediction": "predicting",
    "Predictions": "predicting",
    "Replay": "replaying",
    "TriptychError": "errors",
    "Verification": "verifying",
    "bench": "benching",
    "compare": "comparing",
    "eject": "ejecting",
    "evaluate": "predicting",
    "predict": "predicting",
    "replay": "replaying",
    "resume": "comparing",
    "verify": "verifying",
    "verify_again": "verifying",
}

__all__ = [
    "Bench",
    "Comparison",
    "Evaluation",
    "Model",
    "Prediction",
    "Predictions",
    "Replay",
    "TriptychError",
    "Verification",
    "bench",
    "compare",
    "eject",
    "evaluate",
    "predict",
    "replay",
    "resume",
    "verify",
    "verify_again",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"triptych.{_HOME[name]}"), name)
    raise AttributeError(f"module 'triptych' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
