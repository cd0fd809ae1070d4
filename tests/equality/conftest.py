"""Frameworks that are imported once for all tests of equality."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.equality.asking import Asked

from triptych.frameworks.registry import DEFAULT


@pytest.fixture(scope="session")
def four() -> Iterator[list[Asked]]:
    """The four panels, the slowest first."""
    asked = [Asked(name) for name in reversed(DEFAULT)]
    yield asked
    for one in asked:
        one.end()
