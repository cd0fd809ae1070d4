"""The child's side of a bench: one framework that is got ready once and then measured a
turn at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from triptych.frameworks.contract import Framework
from triptych.images.augment import Augmentation
from triptych.images.batches import Batch, Batches, ahead
from triptych.images.split import split
from triptych.images.store import Store
from triptych.network.architecture import Architecture, from_toml
from triptych.network.conventions import Precision
from triptych.network.rng import stream
from triptych.network.weights import initial_weights
from triptych.running import energy
from triptych.running.machine import peak_memory_mib, process_age
from triptych.running.measurements import PeakRound, Round, Startup
from triptych.running.protocol import Emit, Load, Measuring
from triptych.running.recipe import make_optimizer

OPTIMIZER = make_optimizer({})
"""What is trained by."""

RATE = 1e-9
"""Every operation of a step is done, yet the network stays as it is: every round has
the same to do.

Trained in earnest on one batch it would end with gradients so small that processors are
slow with them.
"""

SINGLES = 30
"""How many images are predicted one by one in a turn."""

LEAST = 3
"""Steps or predictions that are measured, however long one takes."""

AROUND = 2
"""What is done before that which is measured: after the others' turns, the caches hold
nothing of one's own.

Of real input also the batches after it: as many as are prepared ahead.
"""

SIDES = (1024, 2048, 4096)
"""Of the square matrices whose product shows what the machine can do."""

PEAK_SECONDS = 0.3
"""How long each product is repeated."""


class ReadyFramework:
    """A framework, imported, built, compiled, warm; `startup` says what that took."""

    def __init__(self, framework: Framework, load: Load, emit: Emit) -> None:
        imported, memory = process_age(), peak_memory_mib()
        self.framework, self.load, self.emit = framework, load, emit
        self.architecture = from_toml(load.network)
        self.batch = synthetic(self.architecture, load.batch_size)
        self.batches = training_batches(
            Store.open(Path(load.store)), self.architecture, load.batch_size
        )
        self.counters = energy.counters()
        built = self._build()
        self._tell("first step")
        first_step, reached = self._train([self.batch]), process_age()
        self._tell("training, to warm up")
        self.steps, step = _steady(lambda: self._train([self.batch]), load.seconds)
        self._tell("first prediction")
        first_prediction = _timed(self._predict)
        self.predictions, prediction = _steady(self._predict, load.seconds)
        self._start_singles()
        self._tell("real input")
        self._real()  # so that the images come from memory from now on
        self.startup = Startup(
            import_seconds=imported,
            build_seconds=built,
            first_step_seconds=first_step,
            compile_seconds=max(0.0, first_step - step),
            time_to_first_step=reached,
            first_prediction_seconds=first_prediction,
            prediction_compile_seconds=max(0.0, first_prediction - prediction),
            import_memory_mib=memory,
        )

    def turn(self) -> Round:
        """Everything that is measured in a round, once; times in seconds."""
        began = time.time()
        self._tell("training")
        self._train(repeat(self.batch, AROUND))
        before = energy.readings(self.counters)
        train_seconds = self._train(repeat(self.batch, self.steps))
        joules = energy.joules(self.counters, before, energy.readings(self.counters))
        self._tell("real input")
        real_seconds = self._real()
        self._tell("prediction")
        predict_seconds = _timed(lambda: self._predict(self.predictions))
        self._tell("single images")
        for _ in range(AROUND):
            self._predict_single()
        latencies = [_timed(self._predict_single) for _ in range(SINGLES)]
        return Round(
            began=began,
            ended=time.time(),
            steps=self.steps,
            train_seconds=train_seconds,
            real_seconds=real_seconds,
            predictions=self.predictions,
            predict_seconds=predict_seconds,
            latencies=latencies,
            joules=joules,
            peak_memory_mib=peak_memory_mib(),
        )

    def _build(self) -> float:
        """Seconds to build the network and its optimizer."""
        self._tell("building")
        began = time.perf_counter()
        weights = initial_weights(self.architecture, 0)
        self.state = self.framework.build(
            self.architecture, weights, self.load.precision
        )
        self.step = self.framework.make_step(self.state, OPTIMIZER)
        return time.perf_counter() - began

    def _start_singles(self) -> None:
        """A network for single images alone: some fill up to the largest batch that
        they have seen.
        """
        self._tell("single images, to warm up")
        weights = initial_weights(self.architecture, 0)
        self.single = self.framework.build(
            self.architecture, weights, self.load.precision
        )
        for _ in range(SINGLES):
            self._predict_single()

    def _train(self, batches: Iterable[Batch]) -> float:
        """Seconds of steps on these batches, to the end of the last."""
        began = time.perf_counter()
        loss: SupportsFloat = 0.0
        for one in batches:
            self.state, loss, _ = self.step(
                self.state, one.images, one.labels, one.masks, RATE
            )
        float(loss)  # waits for the device
        return time.perf_counter() - began

    def _real(self) -> float:
        """Seconds of as many steps on stored images, prepared ahead before and after
        them alike.
        """
        count = len(self.batches)

        def stored(k: int) -> Batch:
            return self.batches.batch(1 + k // count, k % count)

        batches = ahead(stored, AROUND + self.steps + AROUND)
        self._train(islice(batches, AROUND))
        seconds = self._train(islice(batches, self.steps))
        for _ in batches:
            pass  # when it is another's turn nothing is under way here
        return seconds

    def _predict(self, times: int = 1) -> None:
        for _ in range(times):
            self.framework.predict(self.state, self.batch.images)

    def _predict_single(self) -> None:
        self.framework.predict(self.single, self.batch.images[:1])

    def _tell(self, what: str) -> None:
        self.emit(Measuring(what))


def synthetic(architecture: Architecture, size: int) -> Batch:
    """A batch of noise, with the dropout masks that a batch of images has."""
    generator = stream(0, "bench")
    images = generator.integers(
        0, 256, (size, *architecture.input_shape), dtype=np.uint8
    )
    labels = generator.integers(0, architecture.classes, size)
    return Batches(
        images, labels, np.arange(size), size, dropouts=architecture.dropouts
    ).batch(0, 0)


def training_rows(store: Store, batch: int) -> NDArray[np.int64]:
    """As many of the rows to train on as fill whole batches: another size would be
    compiled anew.
    """
    rows = split(store.labels, store.parts, 0).train
    return rows[: len(rows) // batch * batch]


def training_batches(store: Store, architecture: Architecture, batch: int) -> Batches:
    """Images as a training gets them: drawn order, flipped, shifted, with masks."""
    rows = training_rows(store, batch)
    labels = np.asarray(store.labels)[rows].astype(np.int64)
    return Batches(
        store.images,
        labels,
        rows,
        batch,
        augmentation=Augmentation(),
        dropouts=architecture.dropouts,
    )


def peak(precision: Precision) -> PeakRound:
    """What NumPy's matrix product reaches here, of several sizes the fastest: 2 n^3
    operations of n x n.

    In float64 for float64, in float32 for all else. Of each size it is the median, as
    what is held against it is: the luckiest moment of a machine is no measure for a
    second of training.
    """
    kind = np.float64 if precision == "float64" else np.float32
    began, flops = time.time(), 0.0
    for side in SIDES:
        a, b = (
            stream(0, "peak", side, name).random((side, side)).astype(kind)
            for name in "ab"
        )
        once = np.median(
            _several(partial(np.matmul, a, b, out=np.zeros_like(a)), PEAK_SECONDS)
        )
        flops = max(flops, float(2 * side**3 / once))
    return PeakRound(began=began, ended=time.time(), flops=flops)


def _steady(act: Callable[[], object], seconds: float) -> tuple[int, float]:
    """How often to act in that many seconds, and what it takes to act once: the median
    while warming up.
    """
    once = float(np.median(_several(act, seconds)))
    return max(LEAST, round(seconds / once)), once


def _several(act: Callable[[], object], seconds: float) -> list[float]:
    """What each took of as many acts as fit into the time, and of LEAST at least."""
    took: list[float] = []
    while len(took) < LEAST or sum(took) < seconds:
        took.append(_timed(act))
    return took


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
