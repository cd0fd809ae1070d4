"""Frameworks that are imported once for all tests of equality."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.equality.asking import ProofSettings

from triptych.frameworks.registry import DEFAULT


@pytest.fixture(scope="session")
def four() -> Iterator[list[ProofSettings]]:
    """The four panels, the slowest first."""
    asked = [ProofSettings(name) for name in reversed(DEFAULT)]
    yield asked
    for one in asked:
        one.end()
