"""Which frameworks there are: the one place that knows them by name."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field
from types import ModuleType
from typing import cast

from triptych.errors import FrameworkMissing, UsageError, did_you_mean, quote
from triptych.frameworks.contract import Framework, Writer
from triptych.network.conventions import Precision

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait must sleep: where they spin, as OpenMP's do unasked, a training
next to any other work was seen to fall to a tenth of its speed. PyTorch's look around
for an instant first: see below."""


@dataclass(frozen=True)
class Entry:
    """A framework (or a framework on a certain backend) that a panel can show."""

    name: str
    title: str
    module: str
    """The folder here that holds its `write` and `run`, or the file that holds both."""
    needs: tuple[str, ...]
    """Packages that must be importable."""
    extra: str
    """The extra of this package that installs them."""
    environment: dict[str, str] = field(default_factory=dict)
    """What its process needs in its environment before it starts."""
    color: str = "#64748b"
    """What it is drawn with in plots and on the terminal."""

    seconds: int = 1
    """What importing and compiling takes, roughly: the longest of several begins."""

    only: Precision | None = None
    """The one precision in which it computes, if there is but one."""

    @property
    def speed(self) -> dict[str, str]:
        """What makes its process fast, in the environment."""
        return {**WAITING, **self.environment}

    @property
    def folder(self) -> str:
        """Its folder in a run folder."""
        return self.name.replace(":", "-")

    def check_precision(self, precision: Precision) -> None:
        """Raise UsageError if it never computes in that precision."""
        if self.only not in (None, precision):
            raise UsageError(
                f"{self.title} computes in {self.only} only, not in {precision}"
            )

    def missing(self) -> str | None:
        """None if it is installed, else one line that says how to install it."""
        if all(importlib.util.find_spec(package) for package in self.needs):
            return None
        return (
            f"{self.title} is not installed; "
            f"install it with: pip install 'triptych[{self.extra}]'"
        )

    def writer(self) -> Writer:
        """What writes its networks, for which it need not be installed."""
        return cast(Writer, self._import("write"))

    def load(self) -> Framework:
        """Import it, in a process of its own; raises FrameworkMissing."""
        if missing := self.missing():
            raise FrameworkMissing(missing)
        return cast(Framework, self._import("run"))

    def _import(self, part: str) -> ModuleType:
        home = importlib.import_module(f"triptych.frameworks.{self.module}")
        return (
            importlib.import_module(f"{home.__name__}.{part}")
            if hasattr(home, "__path__")
            else home
        )


_HUGE_PAGES = "glibc.malloc.hugetlb=1"
"""Memory in pages of 2 MiB where Linux has them: a step's buffers are many, large and
touched once each.
"""
_KEPT = (
    f"{_HUGE_PAGES}:glibc.malloc.mmap_threshold={2**32}"
    f":glibc.malloc.trim_threshold={2**32}"
)
"""Freed memory is kept for the next step, as well.

PyTorch allocates each activation anew; given back to the system and zeroed by it each
time, they took 45 % of a step at 224 px. The price is half as much memory again at that
size, and little at 64 px.
"""
_TENSORFLOW = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "GLIBC_TUNABLES": _HUGE_PAGES,
}
_PYTORCH = {"GLIBC_TUNABLES": _KEPT, "GOMP_SPINCOUNT": "1000"}
"""Its threads look 1,000 times for more work before they sleep: a tenth of a bfloat16
step at 64 px.

Next to other work that makes it a twentieth slower at the most; 10,000 times made it a
quarter slower.
"""
_JAX = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GLIBC_TUNABLES": _HUGE_PAGES,
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
"""JAX would take three quarters of a GPU's memory at once, whoever else is there."""
_NUMPY = {"OPENBLAS_NUM_THREADS": "1"}
"""OpenBLAS would share out products of a few channels over many pixels between threads
that spin while they wait: with one, the reference takes a sixth less time, and next to
other work a tenth of it.
"""

REGISTRY: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("keras", "Keras", "keras", ("keras", "tensorflow"), "keras",
              {"KERAS_BACKEND": "tensorflow", **_TENSORFLOW}, "#d00000", 30),
        Entry("tensorflow", "TensorFlow", "tensorflow", ("tensorflow",), "tensorflow",
              _TENSORFLOW, "#ff8f00", 15),
        Entry("pytorch", "PyTorch", "pytorch", ("torch",), "pytorch",
              _PYTORCH, "#7c3aed", 5),
        Entry("jax", "JAX", "jax", ("jax", "optax"), "jax", _JAX, "#0891b2", 35),
        Entry("keras:jax", "Keras on JAX", "keras", ("keras", "jax"), "keras,jax",
              {"KERAS_BACKEND": "jax", **_JAX}, "#be185d", 40),
        Entry("keras:torch", "Keras on PyTorch", "keras", ("keras", "torch"),
              "keras,pytorch", {"KERAS_BACKEND": "torch", **_PYTORCH}, "#9d174d", 20),
        Entry("reference", "NumPy reference", "reference", (), "all",
              _NUMPY, "#475569", only="float64"),
    )
}  # fmt: skip
"""Every framework by the name that users give."""

DEFAULT = ("keras", "tensorflow", "pytorch", "jax")
"""The four panels."""


def find(name: str) -> Entry:
    """The entry of that name; raises UsageError with the known ones."""
    if not isinstance(name, str) or name not in REGISTRY:
        raise UsageError(
            f"there is no framework {quote(name)}: {did_you_mean(name, REGISTRY)}"
        )
    return REGISTRY[name]
