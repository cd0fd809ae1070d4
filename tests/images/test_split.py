from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from triptych.errors import UsageError
from triptych.images.split import TEST, TRAIN, UNDECIDED, VALIDATION, Split, split

from .making import child


def rows_of(
    counts: list[int], part: int = UNDECIDED
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return labels, np.full(len(labels), part, np.uint8)


def joined(made: Split) -> NDArray[np.int64]:
    return np.concatenate([made.train, made.validation, made.test])


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=150),
    seed=st.integers(0, 2**63),
    validation=st.sampled_from([0, 0.1, 0.3]),
    test=st.sampled_from([0, 0.2, 0.5]),
)
@settings(max_examples=150, deadline=None)
def test_every_row_is_in_one_part(
    rows: list[tuple[int, int]], seed: int, validation: float, test: float
) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.int32)
    parts = np.array([part for _, part in rows], dtype=np.uint8)
    made = split(labels, parts, seed, validation, test)
    for part in (made.train, made.validation, made.test):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
    np.testing.assert_array_equal(np.sort(joined(made)), np.arange(len(labels)))
    # What its author decided stays decided.
    assert np.isin(np.flatnonzero(parts == TEST), made.test).all()
    assert np.isin(np.flatnonzero(parts == VALIDATION), made.validation).all()
    if (parts == TEST).any():
        assert (parts[made.test] == TEST).all()
    if (parts == VALIDATION).any():
        assert (parts[made.validation] == VALIDATION).all()
    # Train keeps an image of every class that had one to keep.
    to_learn = set(labels[parts <= TRAIN])
    assert set(labels[made.train]) == to_learn


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8), seed=st.integers(0, 99)
)
@settings(max_examples=100, deadline=None)
def test_parts_have_the_classes_in_proportion(counts: list[int], seed: int) -> None:
    made = split(*rows_of(counts), seed)
    labels, _ = rows_of(counts)
    for label, count in enumerate(counts):
        train, validation, test = (
            int((labels[part] == label).sum())
            for part in (made.train, made.validation, made.test)
        )
        assert train >= 1
        assert test >= (count > 1)
        assert validation >= (count - test > 2)
        assert abs(test - 0.2 * count) <= (0.5 if count > 2 else 1)
        assert abs(validation - 0.1 * (count - test)) <= (
            0.5 if count - test > 4 else 1
        )


def test_layouts() -> None:
    labels, undecided = rows_of([100, 50])
    assert [len(part) for part in vars(split(labels, undecided, 0)).values()] == [
        108,
        12,
        30,
    ]
    train_only = np.full(150, TRAIN, np.uint8)
    assert [len(part) for part in vars(split(labels, train_only, 0)).values()] == [
        108,
        12,
        30,
    ]
    with_test = train_only.copy()
    with_test[::5] = TEST
    assert [len(part) for part in vars(split(labels, with_test, 0)).values()] == [
        108,
        12,
        30,
    ]
    with_all = with_test.copy()
    with_all[1::5] = VALIDATION
    assert [len(part) for part in vars(split(labels, with_all, 0)).values()] == [
        90,
        30,
        30,
    ]
    assert [len(part) for part in vars(split(labels, undecided, 0, 0, 0)).values()] == [
        150,
        0,
        0,
    ]


def test_the_seed_decides_and_nothing_else() -> None:
    labels, parts = rows_of([40, 30])
    one, two, other = (
        split(labels, parts, 7),
        split(labels, parts, 7),
        split(labels, parts, 8),
    )
    np.testing.assert_array_equal(joined(one), joined(two))
    assert not np.array_equal(one.test, other.test)
    assert not np.array_equal(
        one.test[one.test < 30], split(*rows_of([30, 30]), 7).test[:6]
    )
    # A class is split the same whatever the others hold.
    np.testing.assert_array_equal(split(*rows_of([40, 55]), 7).test[:8], one.test[:8])
    assert (parts == UNDECIDED).all()  # arguments are left alone


def test_the_same_for_ever_and_in_every_process() -> None:
    labels, parts = rows_of([40, 30, 3])
    mine = hashlib.blake2b(
        joined(split(labels, parts, 5)).astype("<i8").tobytes(), digest_size=8
    ).hexdigest()
    assert mine == "ee4f8091e9cc4f19"
    code = """
import hashlib, numpy as np
from triptych.images.split import split
labels = np.repeat(np.arange(3, dtype=np.int32), [40, 30, 3])
made = split(labels, np.zeros(73, np.uint8), 5)
rows = np.concatenate([made.train, made.validation, made.test]).astype("<i8")
print(hashlib.blake2b(rows.tobytes(), digest_size=8).hexdigest())
"""
    out, err = child(code).communicate(timeout=60)
    assert (out.strip(), err) == (mine, "")


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.1, -1), (0.1, 1.0), (1.0, 0.0)])
def test_impossible_shares(shares: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="nothing for train"):
        split(*rows_of([5, 5]), 0, *shares)
