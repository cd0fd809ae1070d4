"""What is ejected against the library: seconds of an epoch.

`triptych train`, and the scripts that `triptych eject` writes in the native and in the
exact style, train from the same folder by the same recipe, one after another: every
network of the zoo at 64 px, the small ones with 1,440 images, because an epoch of fewer
would be too short to time, sports-cnn and compact-cnn with 384; the talk's once more at
224 px with 96, and at 64 px next to a process that keeps one of the cores busy. The
first epoch compiles and is not counted. The library is timed by what it says of both
passes, the scripts by the lines that they print after each epoch, so saving their best
weights is included. Ratios compare the same epoch of the same round; those beside the
busy process are less steady than the rest.

Budget: 1,300 seconds.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.epochs import (
    QUICK_IMAGES,
    QUICK_SIZE,
    TIMEOUT,
    Folders,
    own,
    prepare,
    reason,
)
from benchmarks.measuring import (
    TITLES,
    Part,
    Row,
    Settings,
    Values,
    at_most,
    attempt,
    lines_of,
    output_of,
    ratios,
    rounds,
    say,
    triptych,
)
from triptych.network.zoo import FROM_SCRATCH

SLOWER = 1.05
"""What is ejected may take so many times as long as the library."""
STYLES = ("native", "exact")
EPOCHS = 4
END_OF_EPOCH = re.compile(r"epoch \d+/|\d+/\d+ - ")
"""How the line begins that a script prints after each epoch: its own, or Keras'."""


@dataclass(frozen=True)
class Occasion:
    """What is trained, on what, and beside what."""

    network: str
    size: int
    counts: tuple[int, int, int]
    busy: bool = False

    @property
    def name(self) -> str:
        """For the table."""
        beside = ", beside a busy process" if self.busy else ""
        return f"{self.network}, {self.size} px{beside}"


MANY, SOME, FEW = (1440, 96, 12), (384, 96, 12), (96, 32, 12)
"""Images to train on, to look at after each epoch, and to test with."""
SLOW = ("sports-cnn", "compact-cnn")
OCCASIONS = (
    Occasion("sports-cnn", 224, FEW),
    *(
        Occasion(network, 64, SOME if network in SLOW else MANY)
        for network in FROM_SCRATCH
    ),
    Occasion("sports-cnn", 64, SOME, busy=True),
)
QUICK = (Occasion("sports-cnn", QUICK_SIZE, QUICK_IMAGES, busy=True),)


def eject(
    network: str, framework: str, style: str, folders: Folders, out: Path
) -> None:
    """Write a script that trains as the folders' recipe says."""
    asked = triptych(
        "eject", network, "--framework", framework, "--style", style,
        "--recipe", folders.recipe, "--out", out,
    )  # fmt: skip
    output_of(asked, TIMEOUT)


def script(
    network: str, framework: str, style: str, folders: Folders, scratch: Path
) -> Values:
    """Eject it, and give the seconds between the lines that it prints."""
    home = scratch / f"{framework}-{style}"
    out = home / "ejected.py"
    if not out.exists():
        eject(network, framework, style, folders, out)
    for left in home.glob("ejected.*"):  # weights of the round before
        if left.suffix in (".safetensors", ".h5", ".txt"):
            left.unlink()
    command = [sys.executable, out, "train", folders.ours]
    ends = [at for at, line in lines_of(command, TIMEOUT) if END_OF_EPOCH.match(line)]
    return {
        "seconds": [after - before for before, after in itertools.pairwise(ends)],
        "images": folders.counted,
    }


@contextlib.contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """In it, one core has other work, if that is wanted."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def once(
    program: str, network: str, framework: str, folders: Folders, scratch: Path
) -> Values:
    """One program, once."""
    if program == "library":
        return own(network, framework, folders, scratch / "run")
    return script(network, framework, program, folders, scratch)


def measure(settings: Settings) -> Values:
    """By occasion, framework and program the rounds."""
    found: Values = {}
    occasions = QUICK if settings.quick else OCCASIONS
    for occasion in occasions:
        scratch = settings.scratch / str(len(found))
        scratch.mkdir()
        folders = prepare(
            Settings(settings.quick, scratch, settings.images),
            occasion.counts,
            occasion.size,
            EPOCHS,
        )
        found[occasion.name] = measured(settings, occasion, folders, scratch)
    return found


def measured(
    settings: Settings, occasion: Occasion, folders: Folders, scratch: Path
) -> Values:
    """By framework and program the rounds of one occasion."""
    programs = ("library", *STYLES)
    found: Values = {
        name: {program: [] for program in programs} for name in settings.frameworks
    }
    for k in rounds(settings, PART.budget / len(OCCASIONS), most=3):
        for name, program in itertools.product(settings.frameworks, programs):
            say(f"  {occasion.name}, round {k + 1}: {TITLES[name]}, {program}")
            with busy(occasion.busy):
                one = attempt(once, program, occasion.network, name, folders, scratch)
            found[name][program].append(one)
    return found


def times(programs: Values, style: str) -> list[float]:
    """How many times as long as the library a script takes, by epoch; rounds in which
    one failed are left out.
    """
    pairs = zip(programs[style], programs["library"], strict=True)
    return [
        ratio
        for theirs, ours in pairs
        if "failed" not in theirs and "failed" not in ours
        for ratio in ratios(theirs["seconds"], ours["seconds"])
    ]


def rows(values: Values) -> list[Row]:
    """Each style against the library, in every framework."""
    found = []
    for occasion, frameworks in values.items():
        for (name, programs), style in itertools.product(frameworks.items(), STYLES):
            taken = times(programs, style)
            failed = None if taken else reason(programs[style], programs["library"])
            what = f"{occasion}: {TITLES[name]}, {style}, times as long"
            found.append(Row(what, taken, "x", at_most(SLOWER), failed))
    return found


PART = Part("ejected", "Ejected programs", 1300, measure, rows)
