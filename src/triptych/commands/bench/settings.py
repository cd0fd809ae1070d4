"""What a bench is asked."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.errors import UsageError, check_least, did_you_mean
from triptych.frameworks import registry
from triptych.network.conventions import PRECISIONS, Precision
from triptych.running.exam import REFERENCE


@dataclass(frozen=True)
class BenchSettings:
    """Everything that decides a bench."""

    network: str
    frameworks: tuple[str, ...]
    image_size: int | None
    """None for the network's own."""
    batch_size: int
    precision: Precision
    images: str | None
    repeats: int
    seconds: float
    threads: int

    def __post_init__(self) -> None:
        for name in ("batch_size", "repeats", "threads"):
            check_least(f"--{name.replace('_', '-')}", getattr(self, name), 1)
        if not 0 < self.seconds <= 600:
            raise UsageError(
                f"--seconds is {self.seconds:g}, but must be above 0 and at most 600"
            )
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"unknown precision {self.precision!r}: "
                f"{did_you_mean(self.precision, PRECISIONS)}"
            )
        if not self.frameworks:
            raise UsageError("--frameworks: name one or more")
        if len(set(self.frameworks)) < len(self.frameworks):
            raise UsageError("--frameworks: name each only once")
        for name in self.frameworks:
            registry.find(name)
        if REFERENCE in self.frameworks:
            raise UsageError(
                "--frameworks: the reference is written to be read, not to be fast; "
                "leave it out"
            )
