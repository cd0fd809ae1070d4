"""First on the path of every Python of `make quick`: it refuses frameworks."""

from __future__ import annotations

import os
import sys

FRAMEWORKS = {"keras", "tensorflow", "torch", "jax", "optax"}


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Hears of every import; finding out whether a framework is installed is none."""
    if event == "import" and arguments[0] in FRAMEWORKS:
        test = os.environ.get("PYTEST_CURRENT_TEST", "collecting the tests")
        raise RuntimeError(
            f"{test.partition(' (')[0]} imports {arguments[0]}: "
            "list it under FRAMEWORK in tests/conftest.py"
        )


sys.addaudithook(refuse)
