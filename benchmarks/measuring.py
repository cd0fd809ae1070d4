"""What all parts share: figures with their spread, ratios of pairs, targets, rounds,
child processes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import TriptychError
from triptych.running.machine import cores

ROOT = Path(__file__).parents[1]
FRAMEWORKS = ("keras", "tensorflow", "pytorch", "jax")
TITLES = {
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "pytorch": "PyTorch",
    "jax": "JAX",
}
PACKAGES = (
    "triptych",
    "numpy",
    "pillow",
    "keras",
    "tensorflow",
    "torch",
    "jax",
    "optax",
)

Values = dict[str, Any]
"""What a part has measured, as it is stored: JSON, raw, nothing averaged away."""


class ChildFailed(Exception):
    """A process that died, hung or said nothing useful; one line says how."""


@dataclass(frozen=True)
class Figure:
    """Several measurements of one thing: the median; lowest and highest as spread."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Raises ValueError when there are none."""
        if not values:
            raise ValueError("nothing was measured")
        return cls(statistics.median(values), min(values), max(values), len(values))


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """`of[i] / to[i]`: figures of the same round are set against each other, so that
    slow minutes cancel.

    Raises ValueError when they are not as many.
    """
    return [one / other for one, other in zip(of, to, strict=True)]


@dataclass(frozen=True)
class Target:
    """What a figure's median is held against."""

    bound: float
    at_least: bool = True

    def shortfall(self, value: float) -> float:
        """How far `value` is on the wrong side, as a share of the bound; 0 or less
        where it is met.
        """
        gap = self.bound - value if self.at_least else value - self.bound
        return gap / abs(self.bound)


def at_least(bound: float) -> Target:
    """A target that is met by `bound` and everything above."""
    return Target(bound)


def at_most(bound: float) -> Target:
    """A target that is met by `bound` and everything below."""
    return Target(bound, at_least=False)


@dataclass(frozen=True)
class Row:
    """A line of a part's table."""

    what: str
    values: Sequence[float] = ()
    unit: str = "x"
    """"x" for a ratio, "%" for a share (0.5 is shown as 50 %), else a word that stands
    after the number.
    """
    target: Target | None = None
    failed: str | None = None
    """Why there is no figure."""
    headline: bool = False
    """Whether it stands in the table at the top of the page, too."""
    note: str = ""
    """What stands beside the verdict."""


def verdict(row: Row) -> str:
    """Whether the target is met by the median, and if not, by how much it is missed."""
    if row.target is None:
        return row.note or "–"
    if row.failed or not row.values:
        return "not measured"
    short = row.target.shortfall(Figure.of(row.values).median)
    said = "met" if short <= 0 else f"missed by {number(100 * short)} %"
    return f"{said} ({row.note})" if row.note else said


def number(value: float) -> str:
    """Three digits, as people write them: 1,234 and 12.3 and 0.0123."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    decimals = 1 if abs(value) >= 9.995 else 2
    return (
        f"{value:.{decimals}f}" if abs(value) >= 0.995 or value == 0 else f"{value:.3g}"
    )


def shown(value: float, unit: str) -> str:
    """A figure with its unit."""
    return (
        f"{number(100 * value)} %"
        if unit == "%"
        else f"{number(value)} {unit}".rstrip()
    )


@dataclass(frozen=True)
class Images:
    """The folder that is measured with: train/<class>/ and test/<class>/."""

    folder: Path
    drawn: bool
    """Whether it holds the built-in sports: accuracies of those have no target."""


@dataclass(frozen=True)
class Settings:
    """How a run of the harness goes."""

    quick: bool
    """Tiny: only to see that everything works; no figure means anything."""
    scratch: Path
    """A folder that is removed at the end."""
    images: Callable[[], Images]
    """Made when they are first asked for."""

    @property
    def frameworks(self) -> tuple[str, ...]:
        """All four; when quick the one that starts soonest, for starting is all that
        takes time then.
        """
        return ("pytorch",) if self.quick else FRAMEWORKS


@dataclass(frozen=True)
class Part:
    """One thing that is measured; its module's docstring in the page says how."""

    name: str
    title: str
    budget: float
    """Seconds on two cores; rounds that would not fit are left out."""
    measure: Callable[[Settings], Values]
    rows: Callable[[Values], list[Row]]
    """The table, from what was measured: pure, so that the page can be made again."""
    remarks: Callable[[Values], list[str]] = lambda values: []
    """Lines that stand below the table."""


def rounds(settings: Settings, budget: float, most: int) -> Iterator[int]:
    """0, 1, ... until another round would not fit into `budget` seconds; at least one,
    one when quick.
    """
    started = time.monotonic()
    for k in range(1 if settings.quick else most):
        yield k
        spent = time.monotonic() - started
        if spent + spent / (k + 1) > budget:
            return


def attempt(measure: Callable[..., Values], *arguments: Any) -> Values:
    """What `measure(*arguments)` gives, or {"failed": reason}: the run goes on."""
    try:
        return measure(*arguments)
    except (ChildFailed, TriptychError) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it was, the rest is still worth measuring
        reason = f"{type(error).__name__}: {error}"
    say(f"  failed: {reason}")
    return {"failed": reason}


def say(text: str) -> None:
    """Progress, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def versions() -> dict[str, str]:
    """Of everything that computes, without importing any of it."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


# ---- child processes -----------------------------------------------------------------


def environment(**more: str) -> dict[str, str]:
    """The same threads for everyone, one a core; frameworks are quiet; this checkout's
    Triptych is found.
    """
    count = str(cores())
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "NPROC",
    )
    path = os.pathsep.join(
        filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH")))
    )
    ours = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": path,
    }
    return {**os.environ, **dict.fromkeys(names, count), **ours, **more}


def lines_of(
    command: Sequence[object], timeout: float, env: Mapping[str, str] | None = None
) -> Iterator[tuple[float, str]]:
    """Each line that a process prints, with the seconds since its start.

    Raises ChildFailed when it ends with another status than 0, or has not ended after
    `timeout` seconds.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=dict(env) if env is not None else environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints: list[str] = []
    stderr = process.stderr
    reader = threading.Thread(target=lambda: complaints.extend(stderr), daemon=True)
    reader.start()
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(timeout, end)
    timer.start()
    try:
        for line in process.stdout:
            yield time.perf_counter() - started, line
        status = process.wait()
    finally:
        timer.cancel()
        _kill(process)
        process.wait()
        reader.join(timeout=5)
        process.stdout.close()
        stderr.close()
    if late.is_set():
        raise ChildFailed(f"not finished after {timeout:g} s")
    if status:
        last = next(
            (line.strip() for line in reversed(complaints) if line.strip()),
            "no message",
        )
        raise ChildFailed(f"exit status {status}: {last}"[:300])


def _kill(process: subprocess.Popen[str]) -> None:
    """End it and what it started; nothing happens where it has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def events_of(
    command: Sequence[object], timeout: float, env: Mapping[str, str] | None = None
) -> list[Values]:
    """The JSON lines that a process prints, each `at` seconds since its start."""
    found = []
    for at, line in lines_of(command, timeout, env):
        if line.startswith("{"):
            found.append({**json.loads(line), "at": at})
    return found


def output_of(
    command: Sequence[object], timeout: float, env: Mapping[str, str] | None = None
) -> str:
    """Everything that a process prints."""
    return "".join(line for _, line in lines_of(command, timeout, env))


def seconds_of(
    command: Sequence[object], timeout: float, env: Mapping[str, str] | None = None
) -> float:
    """How long a process takes from its start to its end."""
    started = time.perf_counter()
    output_of(command, timeout, env)
    return time.perf_counter() - started


def triptych(*arguments: object) -> list[str]:
    """The command line of this checkout."""
    return [sys.executable, "-m", "triptych.cli", *map(str, arguments)]


def ask_child(
    function: Callable[[Values], Values],
    order: Values,
    timeout: float,
    env: Mapping[str, str] | None = None,
) -> Values:
    """`function(order)` computed in a fresh process, found by its module and name."""
    code = "from benchmarks.measuring import answer; answer()"
    name = f"{function.__module__}:{function.__name__}"
    events = events_of(
        [sys.executable, "-c", code, name, json.dumps(order)], timeout, env
    )
    if not events:
        raise ChildFailed("it ended without an answer")
    return events[-1]


def answer() -> None:
    """What a child of `ask_child` does. It leaves at once: some frameworks hang while
    they are torn down.
    """
    module, name = sys.argv[1].split(":")
    given = getattr(importlib.import_module(module), name)(json.loads(sys.argv[2]))
    print("\n" + json.dumps(given), flush=True)
    os._exit(0)
