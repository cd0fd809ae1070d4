"""No test touches the user's cache; the command line is tried as users run it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("triptych", deadline=None, derandomize=True)  # a busy machine is no fault
settings.load_profile("triptych")

COMMAND = Path(sys.executable).with_name("triptych")


SLOWEST = ("test_interruption", "test_verify", "test_compare")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files first, so that of two processes none is left with them at the end."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in SLOWEST))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the whole session; a folder of tests may have its own under this name."""
    at = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_CACHE", str(at))
        yield at


@pytest.fixture
def triptych(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line: `triptych("show", "lenet")` runs it in `tmp_path` and gives what it said.

    Warnings are errors there too, but in the processes that it starts: those are the frameworks' own.
    """

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200"} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run
