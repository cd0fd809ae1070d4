"""A bench from what the user asked to the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from triptych.commands.bench.measuring import training_rows
from triptych.commands.bench.proof import Needed, find_certificate, verify_command
from triptych.commands.bench.result import (
    FILE,
    Bench,
    BenchImages,
    Measured,
    Peak,
    rank,
    spread,
    sum_up,
)
from triptych.commands.bench.settings import BenchSettings
from triptych.equality.certificate import read_certificate
from triptych.errors import (
    RunFolderError,
    UsageError,
    WorkerFailed,
    check_least,
    check_timeout,
    listed,
)
from triptych.files import writing
from triptych.frameworks import registry
from triptych.images.source import ImageSource, located, open_images
from triptych.images.store import Store
from triptych.interruption import noting
from triptych.network.architecture import MOST_PIXELS, Architecture
from triptych.network.zoo import find_network
from triptych.running.exam import REFERENCE
from triptych.running.folder import RunFolder, make_folder, new_folder
from triptych.running.images import of_images
from triptych.running.machine import cores, machine
from triptych.running.protocol import (
    BenchPlanned,
    Callback,
    Failed,
    FirstStepDone,
    Job,
    Load,
    Missing,
    Reply,
    StartBench,
    StartPeak,
    TakePeakTurn,
    TakeTurn,
    TurnBegins,
    TurnEnds,
    silence,
)
from triptych.running.records import write_json
from triptych.running.result import NetworkFacts
from triptych.running.transport import LOCAL, TIMEOUT, Worker

IMAGES = "sports"
"""Where real input comes from unless something else is said."""

R = TypeVar("R", bound=Reply)

PEAK = "peak"
"""How the machine itself goes among those that are measured."""


def entry_of(name: str) -> registry.Entry:
    """Whose worker measures: for the peak the reference's, but with as many threads for
    NumPy's products as the frameworks have.
    """
    if name != PEAK:
        return registry.find(name)
    return replace(registry.find(REFERENCE), environment={})


def bench(
    network: str | Path = "sports-cnn",
    *,
    frameworks: Sequence[str] | str | None = None,
    image_size: int | None = None,
    batch_size: int = 32,
    precision: str = "float32",
    images: ImageSource | None = None,
    repeats: int = 5,
    seconds: float = 1.0,
    threads: int | None = None,
    certificate: Path | str | None = None,
    out: Path | str | None = None,
    timeout: float = TIMEOUT,
    callback: Callback = silence,
) -> Bench:
    """Measure what training and predicting with one network costs in each framework.

    Each of `frameworks` gets a process of its own and the same number of `threads` (all
    cores by default). They start one after another, which gives the time to import, to
    compile and to the first step. Then they are measured in turn, `repeats` times,
    while all others sleep: training on noise in memory and on `images` (by default the
    built-in sports), and prediction in batches and of single images, each for about
    `seconds`. The machine's peak is measured in turn with them.

    They are ranked only with a proof that they compute the same: the given
    `certificate` of `verify`, or the newest below runs/ that fits. Returns the figures,
    which are also in bench.json in the folder `out`, next to bench.html. Raises
    TriptychError if the benchmark cannot be run, and leaves nothing behind.
    """
    timeout = check_timeout(timeout)
    if image_size is not None:
        image_size = check_least("--image-size", image_size, 1, most=MOST_PIXELS)
    asked = BenchSettings(
        network=str(network),
        frameworks=listed(registry.DEFAULT if frameworks is None else frameworks),
        image_size=image_size,
        batch_size=batch_size,
        precision=precision,  # type: ignore[arg-type]
        images=None if images is None else located(images),
        repeats=repeats,
        seconds=seconds,
        threads=cores() if threads is None else threads,
    )
    given = None if certificate is None else Path(certificate)
    architecture = find_network(asked.network)
    if image_size is not None:
        architecture = architecture.adapted((image_size, image_size))
    there = [name for name in asked.frameworks if registry.find(name).missing() is None]
    _check(given, asked, Needed(architecture, asked.precision, dict.fromkeys(there)))
    store = _open(asked, architecture, callback)
    if asked.images is not None or len(store.classes) > architecture.classes:
        architecture = architecture.adapted(classes=len(store.classes))
    folder = Path(out) if out else new_folder(f"bench-{architecture.name}")
    with noting("nothing is kept of a bench that did not end"), _new(folder):
        benchmark = Benchmark(asked, architecture, store, folder, timeout, callback)
        with ExitStack() as workers:
            benchmark.get_ready(workers)
            _check(given, asked, benchmark.needed())
            benchmark.go_round()
        return _conclude(benchmark, given)


def _open(
    asked: BenchSettings, architecture: Architecture, callback: Callback
) -> Store:
    """The images of real input; raises UsageError if they do not fill a batch."""
    height, width, _ = architecture.input_shape
    store = open_images(
        asked.images or IMAGES, size=(height, width), progress=of_images(callback)
    )
    if not len(training_rows(store, asked.batch_size)):
        raise UsageError(
            f"--batch-size is {asked.batch_size}, "
            f"but {store.source} has fewer training images"
        )
    return store


@contextmanager
def _new(folder: Path) -> Iterator[None]:
    """A folder that was not there, or empty; what ends before its result is there
    leaves none behind.
    """
    with writing(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunFolderError(f"{folder}: already exists; choose another --out")
    make_folder(folder)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _check(given: Path | None, asked: BenchSettings, needed: Needed) -> None:
    """Raise UsageError, naming what differs, if a certificate is given that does not
    prove what is needed.
    """
    if (
        given is not None
        and (wrong := needed.mismatch(given, read_certificate(given))) is not None
    ):
        command = verify_command(asked.network, asked.image_size, needed)
        raise UsageError(f"{given}: {wrong}; make one with: {command}")


@dataclass
class Benchmark:
    """The workers of a bench, and what they have said so far."""

    asked: BenchSettings
    architecture: Architecture
    store: Store
    folder: Path
    timeout: float
    callback: Callback
    frameworks: dict[str, Measured] = field(default_factory=dict)
    peak: Peak = field(init=False)
    workers: dict[str, Worker] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.peak = Peak(
            precision="float64" if self.asked.precision == "float64" else "float32"
        )

    def alive(self) -> dict[str, Measured]:
        """The frameworks that have done all that was asked of them so far."""
        return {
            name: one for name, one in self.frameworks.items() if one.status == "done"
        }

    def needed(self) -> Needed:
        """What must be proved of them."""
        return Needed(self.architecture, self.asked.precision, self.alive())

    def get_ready(self, workers: ExitStack) -> None:
        """Start one after the other, each alone, until it waits for its first round."""
        names = self.asked.frameworks
        self.callback("plan", BenchPlanned(names, self.asked.repeats))
        for name in names:
            entry = registry.find(name)
            one = self.frameworks[name] = Measured(status="done", title=entry.title)
            if missing := entry.missing():
                one.status, one.error = "missing", missing
                self.callback(name, Missing(missing))
                continue
            ready = self._start(workers, name, StartBench(self._load()))
            if ready is not None:
                one.startup, facts = ready.startup, ready.facts
                one.version, one.versions = facts.version, facts.versions
                one.device, one.threads = facts.device, facts.threads
                self.callback(name, FirstStepDone(ready.startup.time_to_first_step))
        self._start(workers, PEAK, StartPeak(self.asked.precision))

    def go_round(self) -> None:
        """A B C D, A B C D: whatever disturbs the machine meanwhile is not one
        framework's alone.
        """
        for number in range(1, self.asked.repeats + 1):
            alive = self.alive()
            for name in [
                name
                for name in self.workers
                if name in alive or (alive and name == PEAK)
            ]:
                self.callback(name, TurnBegins(number))
                if self._take_turn(name):
                    self.callback(name, TurnEnds(number))

    def _take_turn(self, name: str) -> bool:
        """Measure once, and keep what was measured; whether that worked."""
        if name == PEAK:
            if (peak := self._ask(name, TakePeakTurn())) is not None:
                self.peak.rounds.append(peak.round)
            return peak is not None
        if (taken := self._ask(name, TakeTurn())) is not None:
            self.frameworks[name].rounds.append(taken.round)
        return taken is not None

    def _start(self, workers: ExitStack, name: str, job: Job[R]) -> R | None:
        """What a worker says to its first job; None if it fails, which ends it."""
        entry = entry_of(name)
        log = RunFolder(self.folder).panel(entry).log
        worker = LOCAL.open(entry, log, self.timeout, self.asked.threads)
        self.workers[name] = workers.enter_context(worker)
        return self._ask(name, job)

    def _ask(self, name: str, job: Job[R]) -> R | None:
        """What a worker says to a job; None if it fails, which ends it."""
        try:
            return self.workers[name].ask(job, lambda event: self.callback(name, event))
        except WorkerFailed as error:
            self.workers.pop(name).kill()
            if name == PEAK:
                self.peak.error = str(error)
            else:
                self.frameworks[name].status, self.frameworks[name].error = (
                    "failed",
                    str(error),
                )
            self.callback(name, Failed(str(error)))
            return None

    def _load(self) -> Load:
        return Load(
            network=self.architecture.to_toml(),
            batch_size=self.asked.batch_size,
            precision=self.asked.precision,
            store=str(self.store.path),
            seconds=self.asked.seconds,
        )


def _conclude(benchmark: Benchmark, given: Path | None) -> Bench:
    """Sum up the rounds, rank who may be ranked, leave figures and page in a folder."""
    from triptych.commands.bench.page import (
        write_page,  # only now: while it measures it need not hold Matplotlib
    )

    asked, architecture, alive = (
        benchmark.asked,
        benchmark.architecture,
        benchmark.alive(),
    )
    if benchmark.peak.rounds:
        benchmark.peak.flops = spread(one.flops for one in benchmark.peak.rounds)
    for one in alive.values():
        sum_up(one, asked.batch_size, architecture.training_flops, benchmark.peak)
    proof, unranked = _proof(benchmark, given)
    result = Bench(
        folder=str(benchmark.folder),
        made=benchmark.began.isoformat(timespec="seconds"),
        asked=replace(asked, images=benchmark.store.source),
        network=NetworkFacts.of(architecture),
        images=BenchImages(
            source=benchmark.store.source,
            key=benchmark.store.key,
            trained_on=len(training_rows(benchmark.store, asked.batch_size)),
        ),
        machine=machine(),
        peak=benchmark.peak,
        frameworks=benchmark.frameworks,
        certificate=None if proof is None else str(proof),
        ranking=None if proof is None else rank(alive, asked.batch_size),
        unranked=unranked,
    )
    with writing(benchmark.folder):
        write_json(benchmark.folder / FILE, result)
        write_page(benchmark.folder, result)
    return result


def _proof(benchmark: Benchmark, given: Path | None) -> tuple[Path | None, str | None]:
    """The certificate by which they may be ranked, or why there is no ranking."""
    alive, needed = benchmark.alive(), benchmark.needed()
    if len(alive) < 2:
        return None, "there are fewer than two to rank"
    if len({one.threads for one in alive.values()}) > 1:
        each = ", ".join(f"{one.title} {one.threads}" for one in alive.values())
        return None, f"they had different numbers of threads: {each}"
    if given is not None:
        return given, None
    if (found := find_certificate(needed)) is not None:
        return found, None
    command = verify_command(
        benchmark.asked.network, benchmark.asked.image_size, needed
    )
    return (
        None,
        "nothing proves that they compute the same; "
        f"run this first, then repeat the benchmark: {command}",
    )
