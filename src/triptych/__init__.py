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
    from triptych.commands.bench import Bench, bench
    from triptych.commands.compare import Comparison, compare, resume
    from triptych.commands.eject import eject
    from triptych.commands.predict import Evaluation, Model, Prediction, Predictions, evaluate, predict
    from triptych.commands.replay import Replay, replay
    from triptych.commands.verify import Verification, verify, verify_again
    from triptych.errors import TriptychError

__version__ = "0.1.0"

_HOME = {
    "Bench": "commands.bench",
    "Comparison": "commands.compare",
    "Evaluation": "commands.predict",
    "Model": "commands.predict",
    "Prediction": "commands.predict",
    "Predictions": "commands.predict",
    "Replay": "commands.replay",
    "TriptychError": "errors",
    "Verification": "commands.verify",
    "bench": "commands.bench",
    "compare": "commands.compare",
    "eject": "commands.eject",
    "evaluate": "commands.predict",
    "predict": "commands.predict",
    "replay": "commands.replay",
    "resume": "commands.compare",
    "verify": "commands.verify",
    "verify_again": "commands.verify",
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
