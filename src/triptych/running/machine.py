"""What machine this is, and how much memory a process took."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import sys
import time
from pathlib import Path

import psutil
from msgspec import Struct


def cores() -> int:
    """Processors that this process may use."""
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


class Machine(Struct, frozen=True, kw_only=True):
    """What a reader of figures needs to know of the machine."""

    system: str
    python: str
    processor: str
    cores: int
    memory_gib: float


def machine() -> Machine:
    """This machine."""
    return Machine(
        system=platform.platform(),
        python=platform.python_version(),
        processor=_processor(),
        cores=cores(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
    )


def peak_memory_mib() -> float:
    """The most memory this process ever held, in MiB.

    On Linux VmHWM: the peak that getrusage gives counts that of the parent before the
    start, too.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(
            line for line in status.read_text().splitlines() if line.startswith("VmHWM")
        )
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def process_age() -> float:
    """Seconds since this process was created, Python's own start included.

    On Linux to a hundredth, in ticks since the machine was started; from there to the
    time of day the kernel counts whole seconds only.
    """
    stat = Path("/proc/self/stat")
    if stat.exists():
        # "starttime" in proc(5).
        ticks = int(stat.read_text().rpartition(")")[2].split()[19])
        started = ticks / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    return time.time() - float(psutil.Process().create_time())


def release_memory() -> None:
    """Hand what was freed back to the system: glibc keeps it in pieces that nothing
    else fits into.

    Compiling leaves a hundred MiB of them behind, which would count as the process's
    own for ever.
    """
    # Another C library: it has its own ways.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
