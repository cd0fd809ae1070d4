"""A whole epoch, from JPEG files, with the talk's network at 224 px: a training pass
and a test pass.

Three programs per framework, one after another, repeated as long as there is time:

- (a) the notebooks' way: the talk's notebook in today's API,
  `benchmarks/peers/notebooks_*.py`, with its own batch size;
- ours: `triptych train FOLDER --network sports-cnn --image-size 224 --batch-size 32
  --epochs 3`;
- (b) the native way: what the framework's own guides recommend,
  `benchmarks/peers/native_*.py`, batch 32, with the same flips and shifts as ours.

All use the same images, 96 for training and 32 for testing, balanced over the classes.
Ours chooses its epoch on a validation split after each epoch, and uses the test split
only at the end. So it is given the peers' test images as its validation split, and
other images for testing: in every program, one epoch is then 96 images trained and 32
evaluated. Epochs 2 and 3 count: the first one compiles, and decodes where images are
kept. Time per image is that of both passes, divided by the number of images used. Ours
writes a checkpoint after each epoch, which no other does: "between two epochs' ends"
includes it, the ratios cover only the passes.

All have the same number of threads. How threads wait and how much memory is kept is set
by Triptych for its workers.

Ratios compare the same epoch of the same round. Budget: 400 seconds.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from benchmarks.folders import files_of, link
from benchmarks.measuring import (
    ROOT,
    TITLES,
    ChildFailed,
    Part,
    Row,
    Settings,
    Values,
    at_least,
    attempt,
    events_of,
    output_of,
    ratios,
    rounds,
    say,
    triptych,
)
from triptych.images.split import TEST, TRAIN

NETWORK = "sports-cnn"
SIZE, QUICK_SIZE = 224, 16
BATCH, EPOCHS, QUICK_EPOCHS = 32, 3, 2
IMAGES, QUICK_IMAGES = (96, 32, 12), (24, 6, 6)
"""To train, to look at after each epoch, to test at the end of ours."""
TIMEOUT = 240.0
FASTER = {"pytorch": 3.0, "keras": 2.0, "tensorflow": 2.5}
"""Targets against the notebooks' way; JAX had none."""
POLL = 0.01
"""Seconds between two looks at whether an epoch has ended."""

PEERS = ROOT / "benchmarks" / "peers"
PROGRAMS = {
    "notebooks": "(a) the notebooks' way",
    "triptych": "ours",
    "native": "(b) the native way",
}


@dataclass(frozen=True)
class Folders:
    """The same images in two layouts, as links."""

    theirs: Path
    """train/ and test/."""
    ours: Path
    """train/, validation/ (their test/) and test/."""
    recipe: Path
    """How ours is trained, and what is ejected, as a file."""
    counted: int
    """Images of both passes of an epoch."""


def prepare(
    settings: Settings, counts: tuple[int, int, int], size: int, epochs: int
) -> Folders:
    """Links to so many files to train, to look at and to test, and the recipe; few and
    small when quick.
    """
    if settings.quick:
        counts, size, epochs = QUICK_IMAGES, QUICK_SIZE, QUICK_EPOCHS
    train, look, test = counts
    folder = settings.images().folder
    learned, held = files_of(folder, TRAIN)[:train], files_of(folder, TEST)
    looked, tested = held[:look], held[look : look + test]
    theirs = link(settings.scratch / "theirs", {"train": learned, "test": looked})
    ours = link(
        settings.scratch / "ours",
        {"train": learned, "validation": looked, "test": tested},
    )
    recipe = settings.scratch / "recipe.toml"
    # A folder's defaults differ from those of the built-in images, which `eject`
    # takes unless it is told.
    recipe.write_text(
        f"images = {json.dumps(str(ours))}\n"
        f"image_size = {size}\nbatch_size = {BATCH}\nepochs = {epochs}\n"
    )
    return Folders(theirs, ours, recipe, len(learned) + len(looked))


def peer(kind: str, framework: str, folders: Folders, quick: bool) -> Values:
    """(a) or (b): what the program says of its epochs after the first."""
    script = PEERS / f"{kind}_{framework}.py"
    if not script.exists():
        raise ChildFailed(f"there is no {script.name}")
    options = ["--batch-size", str(BATCH), "--augment"] if kind == "native" else []
    size, epochs = (QUICK_SIZE, QUICK_EPOCHS) if quick else (SIZE, EPOCHS)
    command = [
        sys.executable, script, folders.theirs,
        "--image-size", str(size), "--epochs", str(epochs), *options,
    ]  # fmt: skip
    events = events_of(command, TIMEOUT)
    seconds = [event["seconds"] for event in events if event["event"] == "epoch"]
    peaks = (event["peak_memory_mib"] for event in events if event["event"] == "done")
    return {
        "seconds": seconds[1:],
        "peak_mib": next(peaks, None),
        "images": folders.counted,
    }


def own(network: str, framework: str, folders: Folders, out: Path) -> Values:
    """Ours: seconds of both passes of each epoch after the first, and from one epoch's
    end to the next.
    """
    events = out / framework / "events.jsonl"
    ends: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL):
            if (
                events.exists()
                and (moment := events.stat().st_mtime_ns) not in ends[-1:]
            ):
                ends.append(moment)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    shutil.rmtree(out, ignore_errors=True)  # of a round that failed
    options = [
        "--network", network, "--recipe", folders.recipe,
        "--framework", framework, "--out", out,
    ]  # fmt: skip
    try:
        output_of(triptych("train", folders.ours, *options), TIMEOUT)
    finally:
        over.set()
        watcher.join()
    epochs = [json.loads(line) for line in events.read_text("utf-8").splitlines()]
    counts = json.loads((out / "images.json").read_text("utf-8"))
    facts = json.loads((out / framework / "facts.json").read_text("utf-8"))
    shutil.rmtree(out)  # three times the weights of 25 million parameters
    seconds = [epoch["train_seconds"] + epoch["validation_seconds"] for epoch in epochs]
    return {
        "seconds": seconds[1:],
        "whole_seconds": [
            (after - before) / 1e9 for before, after in itertools.pairwise(ends)
        ],
        "peak_mib": facts["peak_memory_mib"],
        "images": counts["train"] + counts["validation"],
    }


def run(program: str, framework: str, folders: Folders, settings: Settings) -> Values:
    """One of the three, once."""
    if program == "triptych":
        return own(NETWORK, framework, folders, settings.scratch / "run")
    return peer(program, framework, folders, settings.quick)


def measure(settings: Settings) -> Values:
    """By framework and program the rounds: what was measured or how it failed."""
    folders = prepare(settings, IMAGES, SIZE, EPOCHS)
    found: Values = {
        name: {program: [] for program in PROGRAMS} for name in settings.frameworks
    }
    for k in rounds(settings, PART.budget, most=4):
        for name in settings.frameworks:
            for program in PROGRAMS:
                if program == "notebooks" and name not in FASTER:
                    continue  # the talk had no notebook for it
                say(f"  round {k + 1}: {TITLES[name]}, {program}")
                found[name][program].append(
                    attempt(run, program, name, folders, settings)
                )
    return {"frameworks": found}


def paces(runs: list[Values], key: str = "seconds") -> list[list[float]]:
    """Seconds an image of every epoch that counts, by round; nothing for a round that
    failed.
    """
    return [[seconds / run["images"] for seconds in run.get(key, ())] for run in runs]


def against(programs: Values, other: str) -> list[float]:
    """How many times faster ours is than the `other`, by epoch; rounds in which one
    failed are left out.
    """
    pairs = zip(paces(programs[other]), paces(programs["triptych"]), strict=True)
    return [
        ratio
        for theirs, ours in pairs
        if len(theirs) == len(ours)
        for ratio in ratios(theirs, ours)
    ]


def reason(*runs: list[Values]) -> str | None:
    """Why some of these failed, if any did."""
    return next(
        (run["failed"] for several in runs for run in several if "failed" in run), None
    )


def rows(values: Values) -> list[Row]:
    """Ratios of every framework, their mean, then the paces behind them."""
    frameworks = values["frameworks"]
    found: list[Row] = []
    native: list[list[float]] = []
    for other in ("notebooks", "native"):
        for name, programs in frameworks.items():
            if not programs[other]:
                continue
            times = against(programs, other)
            target = at_least(FASTER.get(name, 1.0) if other == "notebooks" else 1.0)
            failed = None if times else reason(programs[other], programs["triptych"])
            what = f"{TITLES[name]}: times faster than {PROGRAMS[other]}"
            found.append(Row(what, times, "x", target, failed, headline=True))
            if other == "native":
                native.append(times)
    means = [math.prod(each) ** (1 / len(each)) for each in zip(*native, strict=False)]
    failed = None if means else "it needs every framework"
    what = "geometric mean over the frameworks, against (b)"
    found.append(Row(what, means, "x", at_least(1.3), failed, headline=True))
    for name, programs in frameworks.items():
        for program, runs in programs.items():
            found += _paces(f"{TITLES[name]}, {PROGRAMS[program]}", runs)
    return found


def _paces(who: str, runs: list[Values]) -> list[Row]:
    """Images a second of both passes; ours with checkpoints, too; the most memory."""
    if not runs:
        return []
    rates = [1 / pace for round_ in paces(runs) for pace in round_]
    found = [
        Row(
            f"{who}: both passes",
            rates,
            "images/s",
            failed=None if rates else reason(runs),
        )
    ]
    if whole := [
        1 / pace for round_ in paces(runs, "whole_seconds") for pace in round_
    ]:
        found.append(Row(f"{who}: between two epochs' ends", whole, "images/s"))
    if peaks := [run["peak_mib"] for run in runs if run.get("peak_mib")]:
        found.append(Row(f"{who}: most memory", peaks, "MiB"))
    return found


PART = Part("epochs", "Epochs", 400, measure, rows)
