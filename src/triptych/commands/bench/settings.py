"""What a bench is asked."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.errors import (
    UsageError,
    check_least,
    check_names,
    check_seconds,
    did_you_mean,
    quote,
)
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
            whole = check_least(f"--{name.replace('_', '-')}", getattr(self, name), 1)
            object.__setattr__(self, name, whole)  # NumPy's cannot be stored
        check_seconds("--seconds", self.seconds, 600)
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"unknown precision {quote(self.precision)}: "
                f"{did_you_mean(self.precision, PRECISIONS)}"
            )
        for name in self.frameworks:
            registry.find(name)
        check_names("--frameworks", self.frameworks)
        if REFERENCE in self.frameworks:
            raise UsageError(
                "--frameworks: the reference is written to be read, not to be fast; "
                "leave it out"
            )
