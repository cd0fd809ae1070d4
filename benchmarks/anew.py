"""Whether an ejected program, trained anew, is as good as the library.

A native script draws its own initial values, orders and augmentation, and follows its
framework's optimizer. So it is trained with several seeds, and so is the library:
`triptych train` on the drawn sports at 32 px, the talk's network, 12 epochs, and the
script that `triptych eject` writes of it, on the same folder and split (360 images to
test with), each with seeds 0 to 7. Two one-sided t-tests of the paired differences in
test accuracy (Schuirmann, 1987) ask whether their mean lies within 3 percentage points
of 0: the first, whether the script is not worse, the second, whether it is not better;
both must say so for the two to be equivalent. The exact style needs no such test: its
losses are the library's.

Budget: 3,600 seconds.
"""

from __future__ import annotations

import itertools
import json
import re
import statistics
import sys
from pathlib import Path

from scipy import stats

from benchmarks.ejected import eject
from benchmarks.epochs import NETWORK, TIMEOUT, Folders, prepare, reason
from benchmarks.measuring import (
    TITLES,
    ChildFailed,
    Part,
    Row,
    Settings,
    Values,
    at_most,
    attempt,
    output_of,
    rounds,
    say,
    triptych,
)

MARGIN = 0.03
"""A difference in test accuracy that would matter to nobody."""
LEVEL = 0.05
SEEDS = 8
SIZE, EPOCHS = 32, 12
IMAGES = (1440, 90, 360)
PRINTED = re.compile(r"test accuracy (\d+\.\d+)%")


def library(framework: str, seed: int, folders: Folders, scratch: Path) -> float:
    """The test accuracy of a run."""
    command = triptych(
        "train", folders.ours, "--network", NETWORK, "--recipe", folders.recipe,
        "--framework", framework, "--seed", seed,
        "--out", scratch / f"{framework}-{seed}", "--json",
    )  # fmt: skip
    found = json.loads(output_of(command, TIMEOUT))["frameworks"][framework]
    return float(found["test_accuracy"])


def script(framework: str, seed: int, folders: Folders, scratch: Path) -> float:
    """The test accuracy that a native script prints."""
    out = scratch / f"native-{framework}-{seed}" / "ejected.py"
    eject(NETWORK, framework, "native", folders, out)
    text = out.read_text("utf-8")
    if text.count("\nSEED = 0") != 1:
        raise ChildFailed("the script has no seed to set")
    out.write_text(text.replace("\nSEED = 0", f"\nSEED = {seed}"), "utf-8")
    printed = PRINTED.search(
        output_of([sys.executable, out, "train", folders.ours], TIMEOUT)
    )
    if printed is None:
        raise ChildFailed("the script printed no test accuracy")
    return float(printed[1]) / 100


def pair(framework: str, seed: int, folders: Folders, scratch: Path) -> Values:
    """Both, with one seed."""
    return {
        "library": library(framework, seed, folders, scratch),
        "script": script(framework, seed, folders, scratch),
    }


def measure(settings: Settings) -> Values:
    """By framework the accuracies of both, seed by seed."""
    folders = prepare(settings, IMAGES, SIZE, EPOCHS)
    found: Values = {name: [] for name in settings.frameworks}
    for seed in rounds(settings, PART.budget, most=SEEDS):
        for name in settings.frameworks:
            say(f"  seed {seed}: {TITLES[name]}")
            found[name].append(attempt(pair, name, seed, folders, settings.scratch))
    return found


def differences(pairs: list[Values]) -> list[float]:
    """Script less library, by seed; pairs of which one failed are left out."""
    return [one["script"] - one["library"] for one in pairs if "failed" not in one]


def worse(found: list[float]) -> float:
    """The p-value of one t-test: small where the mean surely lies above -`MARGIN`."""
    if len(found) < 2 or statistics.stdev(found) == 0:
        return 1.0
    return float(stats.ttest_1samp(found, -MARGIN, alternative="greater").pvalue)


def better(found: list[float]) -> float:
    """The same where it surely lies below `MARGIN`."""
    return worse([-one for one in found])


def rows(values: Values) -> list[Row]:
    """Each framework's differences, the p-value they give, and the accuracies."""
    found = []
    for name, pairs in values.items():
        apart = differences(pairs)
        failed = None if apart else reason(pairs)
        what = f"{TITLES[name]}, native: "
        for test, sense in ((worse, "worse"), (better, "better")):
            p = [test(apart)] if apart else []
            text = f"{what}p that it is {100 * MARGIN:g} points {sense}"
            found.append(Row(text, p, "", at_most(LEVEL), failed, headline=True))
        less = "test accuracy less the library's"
        found.append(Row(what + less, apart, "%", None, failed))
    for (name, pairs), who in itertools.product(values.items(), ("library", "script")):
        reached = [one[who] for one in pairs if "failed" not in one]
        found.append(Row(f"{TITLES[name]}, {who}: test accuracy", reached, "%"))
    return found


PART = Part("anew", "Ejected programs, trained anew", 3600, measure, rows)
