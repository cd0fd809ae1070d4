"""The energy that a machine has used, where it tells: Linux' counters of Intel's and
AMD's processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
"""Where Linux lists the counters; most systems let nobody but root read them."""


@dataclass(frozen=True)
class Counter:
    """One processor package: all its cores, its caches and its memory controller,
    whoever used them.
    """

    path: Path
    size: int
    """Microjoules at which it begins again at 0; an hour at some 70 W, so never twice
    in a turn.
    """

    def read(self) -> int:
        """Microjoules since some moment."""
        return int((self.path / "energy_uj").read_text())


def counters(root: Path = POWERCAP) -> list[Counter]:
    """One for each processor package; none where the machine does not tell."""
    found = []
    try:
        for path in sorted(root.glob("intel-rapl:*")):
            if (path / "name").read_text().startswith("package-"):
                counter = Counter(
                    path, int((path / "max_energy_range_uj").read_text()) + 1
                )
                counter.read()
                found.append(counter)
    except (OSError, ValueError):
        return []  # some of the packages would be too little
    return found


def readings(of: list[Counter]) -> list[int]:
    """What the counters say now."""
    return [counter.read() for counter in of]


def joules(of: list[Counter], before: list[int], after: list[int]) -> float | None:
    """The energy between two readings; None without a counter."""
    used = [
        (end - start) % one.size
        for one, start, end in zip(of, before, after, strict=True)
    ]
    return sum(used) / 1e6 if used else None
