"""How fast the machine itself is: everything else is measured against this.

- The matrix-multiply peak: square matrices of size 1,024, 2,048 and 4,096, whichever is
  fastest; float32 in NumPy, float32 and bfloat16 in PyTorch, in a separate process. A
  multiply-add counts as two operations.
- Memory bandwidth: NumPy arrays of 256 MiB, far larger than the caches, one thread per
  core. Copy moves two arrays, triad (a = b + 3 c, in blocks that stay in the cache
  between its two passes) three; an array that the processor reads only to overwrite it
  is not counted.

Median of 7. Budget: 50 seconds.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.measuring import Figure, Part, Row, Settings, Values, ask_child, attempt
from triptych.running.machine import cores

SIZES, QUICK_SIZES = (1024, 2048, 4096), (64, 128)
MEBIBYTES, QUICK_MEBIBYTES = 256, 2
BLOCK = 1 << 15
"""Numbers of a block of the triad: 128 KiB, which stay in a core's cache."""
REPEATS = 7


def times(work: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Seconds of each of several calls, after one that does not count."""
    work()
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return found


def best_rates(
    multiplication: Callable[[int], Callable[[], object]], sizes: list[int]
) -> Values:
    """GFLOP/s of the fastest size; `multiplication(size)` gives what is to be timed."""
    rates = {
        size: [2 * size**3 / seconds / 1e9 for seconds in times(multiplication(size))]
        for size in sizes
    }
    best = max(rates, key=lambda size: Figure.of(rates[size]).median)
    return {"size": best, "gflops": rates[best]}


def numpy_rates(order: Values) -> Values:
    """The peak in NumPy, float32."""
    random = np.random.default_rng(0)

    def multiplication(size: int) -> Callable[[], object]:
        a, b = (random.standard_normal((size, size), np.float32) for _ in range(2))
        out = np.empty_like(a)
        return lambda: np.matmul(a, b, out=out)

    return best_rates(multiplication, order["sizes"])


def torch_rates(order: Values) -> Values:
    """The peak in PyTorch, in the precision asked for."""
    import torch

    kind = getattr(torch, order["precision"])

    def multiplication(size: int) -> Callable[[], object]:
        a, b = (torch.randn(size, size).to(kind) for _ in range(2))
        out = torch.empty_like(a)
        return lambda: torch.matmul(a, b, out=out)

    return best_rates(multiplication, order["sizes"])


def copy(a: Any, b: Any, c: Any) -> None:
    """a = b."""
    np.copyto(a, b)


def triad(a: Any, b: Any, c: Any) -> None:
    """a = b + 3 c."""
    for start in range(0, len(a), BLOCK):
        part = slice(start, start + BLOCK)
        np.multiply(c[part], np.float32(3), out=a[part])
        np.add(a[part], b[part], out=a[part])


def bandwidth(order: Values) -> Values:
    """GB/s of both, each thread on a piece of its own."""
    count = order["mebibytes"] * 2**18
    arrays = [np.full(count, value, np.float32) for value in range(3)]
    ends = np.linspace(0, count, cores() + 1, dtype=int)
    pieces = [
        [array[start:stop] for array in arrays]
        for start, stop in itertools.pairwise(ends)
    ]
    found = {}
    with ThreadPoolExecutor(len(pieces)) as pool:
        for name, work, moved in (("copy", copy, 2), ("triad", triad, 3)):

            def whole(work: Callable[..., None] = work) -> None:
                list(pool.map(lambda piece: work(*piece), pieces))

            found[name] = [
                moved * 4 * count / seconds / 1e9 for seconds in times(whole)
            ]
    return found


def measure(settings: Settings) -> Values:
    """Each in a process of its own."""
    sizes = list(QUICK_SIZES if settings.quick else SIZES)
    mebibytes = QUICK_MEBIBYTES if settings.quick else MEBIBYTES
    found = {"numpy": attempt(ask_child, numpy_rates, {"sizes": sizes}, 60)}
    for precision in ("float32", "bfloat16"):
        order = {"sizes": sizes, "precision": precision}
        found[f"torch_{precision}"] = attempt(ask_child, torch_rates, order, 90)
    found["memory"] = attempt(ask_child, bandwidth, {"mebibytes": mebibytes}, 60)
    return found


def rows(values: Values) -> list[Row]:
    """Peaks, then bandwidths."""
    peaks = {
        "numpy": "NumPy, float32",
        "torch_float32": "PyTorch, float32",
        "torch_bfloat16": "PyTorch, bfloat16",
    }
    found = []
    for key, title in peaks.items():
        peak = values[key]
        size = f" of {peak['size']:,}" if "size" in peak else ""
        what = f"matrix product{size}, {title}"
        found.append(
            Row(what, peak.get("gflops", ()), "GFLOP/s", failed=peak.get("failed"))
        )
    memory = values["memory"]
    for name in ("copy", "triad"):
        found.append(
            Row(
                f"memory, {name}",
                memory.get(name, ()),
                "GB/s",
                failed=memory.get("failed"),
            )
        )
    return found


PART = Part("limits", "The machine's limits", 50, measure, rows)
