"""Exercises that answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def check(answer: object, right: Callable[[Any], object], hint: str) -> None:
    """Print what becomes of an `answer`: open while it is `...`, right, or not yet,
    with a hint.

    `right(answer)` says whether it is right; if it raises, what it raises is shown with
    the hint.
    """
    if answer is ...:
        print("○ open: put your answer in place of the dots, and run both cells again")
        return
    try:
        solved, reason = bool(right(answer)), ""
    except Exception as error:  # noqa: BLE001 - whatever a learner's answer does, it is an answer
        solved, reason = False, f" ({type(error).__name__}: {error})"
    print("✓ right" if solved else f"✗ not yet{reason}: {hint}")
