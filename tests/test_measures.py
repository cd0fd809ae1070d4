"""Functions and files stay short, and what can be typed is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.measures import SOURCES, Measures, measured


@pytest.fixture(scope="module")
def sources() -> Measures:
    return measured()


def test_functions_are_short(sources: Measures) -> None:
    assert len(sources.functions) > 1000
    assert sources.median <= 8
    assert sources.p90 <= 20, [
        name for name, lines in sources.functions.items() if 20 < lines < 25
    ]


def test_no_file_is_long(sources: Measures) -> None:
    assert len(sources.files) > 100
    assert {name: n for name, n in sources.files.items() if n > 400} == {}


def test_what_can_be_typed_is(sources: Measures) -> None:
    assert sources.loose_signatures == []
    assert len(sources.untyped) < 60, sources.untyped


LOOSE = '''
import typing
from typing import Any


async def short(values: dict[str, Any]) -> None:
    """Said in
    two lines."""


def long(
    one: typing.Any,
) -> dict[str, typing.Any]:
    """One line."""
    first = one

    return first


class Holder:
    """No function."""

    def method(self) -> "list[str]":
        return []
'''


def test_what_is_counted() -> None:
    found = Measures()
    found.add("loose.py", LOOSE)
    assert found.functions == {
        "loose.py:6 short": 0,
        "loose.py:11 long": 3,
        "loose.py:23 method": 1,
    }
    assert found.loose_signatures == ["loose.py:6 short", "loose.py:11 long"]
    assert len(found.untyped) == 3
    assert (found.files, found.median) == ({"loose.py": 24}, 1)


def test_the_tenth_that_may_be_longer() -> None:
    found = Measures()
    found.functions = {str(n): 30 if n >= 18 else 5 for n in range(20)}
    assert found.p90 == 30
    found.functions["18"] = 5
    assert found.p90 == 5


def test_it_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.measures"],
        cwd=SOURCES.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == list(measured().lines())
