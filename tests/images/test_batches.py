"""Batches: any of them without its past, each image once an epoch, and one thread for
all of them.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.images.augment import Augmentation, gather
from triptych.images.augment import draw as draw_augmentation
from triptych.images.batches import Batch, Batches, ahead
from triptych.network.architecture import Architecture, sequence
from triptych.network.layers import Dense, Dropout, Flatten, GlobalAveragePool, ReLU

SIDE = 6
NETWORK = sequence(
    "n",
    (SIDE, SIDE, 3),
    [Dropout(0.25), Flatten(), Dense(20), ReLU(), Dropout(0.5), Dense(3)],
)
AUGMENTATION = Augmentation()


def plain(images: int) -> Any:
    """A store in which every pixel of image i is i, so that an image is known
    however it is moved.
    """
    assert images <= 256
    return np.broadcast_to(
        np.arange(images, dtype=np.uint8)[:, None, None, None],
        (images, SIDE, SIDE, 3),
    )


def make(
    images: int,
    size: int,
    seed: int = 0,
    augmentation: Augmentation | None = AUGMENTATION,
    architecture: Architecture = NETWORK,
) -> Batches:
    """Every second image of a store, in training; label i belongs to image i."""
    rows = np.arange(images) * 2 % 256
    return Batches(
        plain(256), rows + 1000, rows, size, seed, augmentation, architecture.dropouts
    )


def ids(batch: Batch) -> list[int]:
    """Which images a batch holds."""
    assert (batch.images == batch.images[:, :1, :1, :1]).all()
    found: list[int] = batch.images[:, 0, 0, 0].tolist()
    return found


def same(ours: Batch, theirs: Batch) -> None:
    np.testing.assert_array_equal(ours.images, theirs.images, strict=True)
    np.testing.assert_array_equal(ours.labels, theirs.labels, strict=True)
    assert ours.masks.keys() == theirs.masks.keys()
    for name, mask in ours.masks.items():
        np.testing.assert_array_equal(mask, theirs.masks[name], strict=True)


def threads() -> list[str]:
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("batches")
    ]


def wait_until(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within some seconds."""
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.002)
    return true()


@pytest.fixture(autouse=True)
def one_thread_for_all() -> Iterator[None]:
    yield
    assert len(threads()) <= 1


IMAGES = st.integers(1, 120)
SIZES = st.integers(1, 40)


@given(
    images=IMAGES,
    size=SIZES,
    epoch=st.integers(0, 1000),
    seed=st.integers(0, 3),
    data=st.data(),
)
def test_any_batch_without_its_past(
    images: int, size: int, epoch: int, seed: int, data: st.DataObject
) -> None:
    noise = np.random.default_rng(0).integers(
        0, 256, (images, SIDE, SIDE, 3), dtype=np.uint8
    )

    def fresh() -> Batches:
        rows = np.arange(images)
        return Batches(noise, rows, rows, size, seed, Augmentation(), NETWORK.dropouts)

    whole = list(fresh().epoch(epoch))
    assert len(whole) == len(fresh())
    k = data.draw(st.integers(0, len(whole) - 1))
    same(fresh().batch(epoch, k), whole[k])
    used = fresh()
    used.batch(epoch + 1, 0)
    used.batch(epoch, len(whole) - 1)
    same(used.batch(epoch, k), whole[k])


@given(images=IMAGES, size=SIZES, epoch=st.integers(0, 100))
def test_each_image_once_an_epoch(images: int, size: int, epoch: int) -> None:
    batches = make(images, size)
    made = list(batches.epoch(epoch))
    seen = [image for batch in made for image in ids(batch)]
    assert sorted(seen) == batches.rows.tolist()
    for batch in made:
        assert batch.labels.tolist() == [1000 + image for image in ids(batch)]


@given(images=IMAGES, size=SIZES)
def test_sizes(images: int, size: int) -> None:
    batches = make(images, size)
    sizes = [len(batch.images) for batch in batches.epoch(0)]
    assert sizes == batches.sizes()
    assert sum(sizes) == images
    assert set(sizes[:-1]) <= {size}
    assert sizes[-1] <= size + (size > 1)
    if images > 1 and size > 1:
        assert min(sizes) > 1  # batch norm knows no variance of one


@pytest.mark.parametrize(
    ("images", "size", "sizes"),
    [
        (1, 32, [1]), (2, 32, [2]), (3, 32, [3]), (1, 1, [1]), (2, 1, [1, 1]),
        (3, 1, [1, 1, 1]), (2, 2, [2]), (3, 2, [3]), (5, 2, [2, 3]), (33, 32, [33]),
        (34, 32, [32, 2]), (65, 32, [32, 33]), (64, 32, [32, 32]), (0, 32, []),
    ],
)  # fmt: skip
def test_sizes_by_hand(images: int, size: int, sizes: list[int]) -> None:
    batches = make(images, size)
    assert batches.sizes() == sizes
    assert len(batches) == len(sizes)
    assert [len(batch.labels) for batch in batches.epoch(0)] == sizes


def test_the_order_is_another_each_epoch_and_seed() -> None:
    def order(seed: int, epoch: int) -> tuple[int, ...]:
        return tuple(ids(make(100, 100, seed=seed).batch(epoch, 0)))

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    assert len({*orders, tuple(sorted(orders[0]))}) == 7
    assert order(1, 2) == orders[-1]


def test_an_image_and_its_draws_do_not_depend_on_the_batch_size() -> None:
    noise = np.random.default_rng(0).integers(
        0, 256, (20, SIDE, SIDE, 3), dtype=np.uint8
    )
    rows = np.arange(20)

    def images(size: int) -> Any:
        batches = Batches(noise, rows, rows, size, 0, Augmentation(), NETWORK.dropouts)
        return np.concatenate([batch.images for batch in batches.epoch(4)])

    np.testing.assert_array_equal(images(3), images(20))


def test_augmented_by_the_draws_of_the_epoch() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    rows = np.arange(30)[::-1].copy()
    batches = Batches(
        noise, np.arange(30), rows, 30, 5, Augmentation(), NETWORK.dropouts
    )
    batch = batches.batch(2, 0)
    draws = draw_augmentation(Augmentation(), 30, (16, 16), 5, 2)
    # In the order of the rows; the labels say where each went.
    moved = gather(noise, rows, draws)
    np.testing.assert_array_equal(batch.images, moved[batch.labels])
    plain = Batches(noise, np.arange(30), rows, 30, 5, None, NETWORK.dropouts).batch(
        2, 0
    )
    np.testing.assert_array_equal(plain.images, noise[rows][plain.labels])
    np.testing.assert_array_equal(plain.labels, batch.labels)
    assert (plain.images != batch.images).any()


def test_evaluation_is_in_order_and_as_it_is() -> None:
    noise = np.random.default_rng(0).integers(
        0, 256, (40, SIDE, SIDE, 3), dtype=np.uint8
    )
    rows = np.array([7, 3, 3, 31, 0])
    batches = Batches(noise, np.arange(5), rows, 2)
    assert batches.sizes() == [2, 2, 1]
    for epoch in (0, 1):
        made = list(batches.epoch(epoch))
        np.testing.assert_array_equal(
            np.concatenate([batch.images for batch in made]), noise[rows]
        )
        assert [batch.labels.tolist() for batch in made] == [[0, 1], [2, 3], [4]]
        assert all(batch.masks == {} for batch in made)


# ---- masks ---------------------------------------------------------------------------


def masks(
    network: Architecture = NETWORK, images: int = 200, **where: int
) -> dict[str, Any]:
    seed, epoch, k = (where.get(name, 0) for name in ("seed", "epoch", "k"))
    return dict(
        make(images, 100, seed=seed, architecture=network).batch(epoch, k).masks
    )


def test_masks_keep_their_share() -> None:
    for name, shape, keep in (
        ("dropout1", (100, SIDE, SIDE, 3), 0.75),
        ("dropout2", (100, 20), 0.5),
    ):
        mask = masks()[name]
        assert mask.shape == shape
        assert mask.dtype == np.bool_
        error = np.sqrt(keep * (1 - keep) / mask.size)
        assert abs(mask.mean() - keep) < 5 * error
        assert abs(mask.mean() - (1 - keep)) > 5 * error or keep == 0.5


def test_each_image_and_unit_has_its_own_mask() -> None:
    mask = masks()["dropout1"].reshape(100, -1)
    assert len({row.tobytes() for row in mask}) == 100
    assert abs(np.corrcoef(mask[0], mask[1])[0, 1]) < 5 / np.sqrt(mask.shape[1])


def test_seed_epoch_batch_and_layer_decide_the_masks() -> None:
    twice = sequence(
        "n",
        (SIDE, SIDE, 3),
        [Dropout(0.5), Dropout(0.5), GlobalAveragePool(), Dense(3)],
    )
    places = [{}, {"seed": 1}, {"epoch": 1}, {"k": 1}]
    drawn = [
        mask.tobytes() for where in places for mask in masks(twice, **where).values()
    ]
    assert len(set(drawn)) == len(drawn) == 8
    assert [mask.tobytes() for mask in masks(twice).values()] == drawn[:2]


def test_a_mask_does_not_depend_on_other_layers() -> None:
    alone = sequence(
        "n",
        (SIDE, SIDE, 3),
        [Flatten(), Dense(20), ("dropout2", Dropout(0.5)), Dense(3)],
    )
    np.testing.assert_array_equal(masks(alone)["dropout2"], masks()["dropout2"])


def test_a_rate_of_0_keeps_all() -> None:
    network = sequence(
        "n", (SIDE, SIDE, 3), [Dropout(0), GlobalAveragePool(), Dense(3)]
    )
    assert masks(network)["dropout1"].all()


# ---- the thread ----------------------------------------------------------------------


def tiny(k: int) -> Batch:
    return Batch(np.full((1, 1, 1, 3), k, np.uint8), np.array([k]))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_ahead_gives_all_in_turn(count: int, depth: int) -> None:
    assert [int(batch.labels[0]) for batch in ahead(tiny, count, depth)] == list(
        range(count)
    )


def test_the_next_batches_are_made_meanwhile_and_no_more() -> None:
    made: list[int] = []

    def note(k: int) -> Batch:
        made.append(k)
        return tiny(k)

    stream = ahead(note, 10, depth=2)
    next(stream)
    assert wait_until(lambda: made == [0, 1, 2])
    time.sleep(0.05)
    assert made == [0, 1, 2]
    next(stream)
    assert wait_until(lambda: made == [0, 1, 2, 3])
    assert threads()
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("taken", [1, 2, 5])
def test_nothing_more_is_made_when_the_consumer_stops(taken: int) -> None:
    held, made = threading.Event(), list[int]()

    def slow(k: int) -> Batch:
        made.append(k)
        if k >= taken:
            held.wait(10)
        return tiny(k)

    stream = ahead(slow, 100, depth=10)
    for _ in range(taken):
        next(stream)
    assert wait_until(lambda: made == list(range(taken + 1)))
    del stream
    gc.collect()
    held.set()
    # Waits for what is under way.
    assert [int(batch.labels[0]) for batch in ahead(tiny, 3)] == [0, 1, 2]
    assert made == list(range(taken + 1))


def test_a_consumer_that_fails_leaves_the_thread_to_the_next() -> None:
    def consume() -> None:
        for _ in make(100, 10).epoch(0):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        consume()
    assert len(list(make(100, 10).epoch(0))) == 10


def test_a_failure_while_a_batch_is_made_reaches_the_consumer() -> None:
    def fail(k: int) -> Batch:
        if k == 3:
            raise OSError("the store is gone")
        return tiny(k)

    stream = ahead(fail, 10)
    assert [int(next(stream).labels[0]) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the store is gone"):
        next(stream)


def test_batches_are_independent_of_the_thread_that_makes_them() -> None:
    """Several threads at one epoch's batches get what one gets."""
    batches = make(100, 7)
    wanted = [make(100, 7).batch(3, k) for k in range(len(batches))]
    got: dict[int, Batch] = {}

    def work(start: int) -> None:
        for k in range(start, len(batches), 3):
            got[k] = batches.batch(3, k)

    workers = [threading.Thread(target=work, args=(start,)) for start in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for k, batch in enumerate(wanted):
        same(got[k], batch)
