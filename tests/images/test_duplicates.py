from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.images.duplicates import Copy, find_duplicates
from triptych.images.split import TEST, TRAIN, UNDECIDED, VALIDATION


def found(*rows: tuple[str, int, int], unusable: tuple[int, ...] = ()) -> list[Copy]:
    """The copies among rows of (pixels, label, part)."""
    digests = [
        list(hashlib.blake2b(pixels.encode(), digest_size=16).digest())
        for pixels, _, _ in rows
    ]
    usable = np.array([i not in unusable for i in range(len(rows))])
    return find_duplicates(
        np.array(digests, dtype=np.uint8).reshape(-1, 16),
        np.array([label for _, label, _ in rows], dtype=np.int32),
        np.array([part for _, _, part in rows], dtype=np.uint8),
        usable,
    )


def test_no_copies() -> None:
    assert found() == []
    assert found(("a", 0, TRAIN)) == []
    assert found(("a", 0, TRAIN), ("b", 0, TRAIN), ("c", 1, TEST)) == []


def test_within_a_class_the_first_is_kept() -> None:
    assert found(("a", 0, 0), ("b", 0, 0), ("a", 0, 0), ("a", 0, 0)) == [
        Copy(2, 0, "duplicate"),
        Copy(3, 0, "duplicate"),
    ]


def test_across_parts_test_then_validation_then_train_keeps_it() -> None:
    assert found(("a", 0, TRAIN), ("a", 0, TEST)) == [
        Copy(0, 1, "duplicate across splits")
    ]
    assert found(("a", 0, TEST), ("a", 0, TRAIN)) == [
        Copy(1, 0, "duplicate across splits")
    ]
    assert found(("a", 0, TRAIN), ("a", 0, VALIDATION)) == [
        Copy(0, 1, "duplicate across splits")
    ]
    assert found(
        ("a", 0, VALIDATION), ("a", 0, TEST), ("a", 0, TRAIN), ("a", 0, TEST)
    ) == [
        Copy(0, 1, "duplicate across splits"),
        Copy(2, 1, "duplicate across splits"),
        Copy(3, 1, "duplicate"),
    ]


def test_across_classes_none_is_kept() -> None:
    assert found(("a", 0, TRAIN), ("b", 1, TRAIN), ("a", 1, TEST), ("a", 0, TRAIN)) == [
        Copy(0, 2, "duplicate across classes"),
        Copy(2, 0, "duplicate across classes"),
        Copy(3, 2, "duplicate across classes"),
    ]


def test_rows_without_pixels_are_no_copies() -> None:
    assert found(("a", 0, 0), ("a", 0, 0), ("a", 0, 0), unusable=(0,)) == [
        Copy(2, 1, "duplicate")
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"),
            st.integers(0, 1),
            st.sampled_from([UNDECIDED, TRAIN, VALIDATION, TEST]),
        ),
        max_size=40,
    )
)
@settings(max_examples=200, deadline=None)
def test_what_is_kept_is_kept_once_and_with_one_label(
    rows: list[tuple[str, int, int]],
) -> None:
    copies = found(*rows)
    left_out = [copy.row for copy in copies]
    assert left_out == sorted(set(left_out))
    kept = [row for i, row in enumerate(rows) if i not in set(left_out)]
    for pixels in {pixels for pixels, _, _ in rows}:
        labels = {label for p, label, _ in rows if p == pixels}
        remaining = [(label, part) for p, label, part in kept if p == pixels]
        best = max(part for p, _, part in rows if p == pixels)
        assert remaining == ([(labels.pop(), best)] if len(labels) == 1 else [])
    for copy in copies:
        assert rows[copy.of][0] == rows[copy.row][0]
