"""Runs that are killed again and again, and come out the same to the bit.

A kill takes the parent, the worker or both, at a random moment or at a chosen write:
before a file is opened, renamed or removed. Signals that ask for an end count, too.
After each, no process may be left.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.kills.watching import LIMIT, Tally
from tests.processes import command, end, family, started, workers

NETWORK = """
name = "small"
input = [8, 8, 3]
[[layers]]
kind = "conv"
filters = 4
bias = false
[[layers]]
kind = "batch_norm"
[[layers]]
kind = "relu"
[[layers]]
kind = "max_pool"
[[layers]]
kind = "flatten"
[[layers]]
kind = "dropout"
rate = 0.3
[[layers]]
name = "last"
kind = "dense"
units = 10
"""
"""Everything with a state, in a step of a millisecond."""

KILLER = '''
"""Kills this process before a write in the folder KILL_IN.

KILL_AT says whose, and which: "worker 7".
"""

import os
import signal
import sys

who, _, number = os.environ.get("KILL_AT", "nobody 0").partition(" ")
left = int(number)


def watch(event, given):
    global left
    if event == "open":
        writes = isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)
    else:
        writes = event in ("os.rename", "os.remove", "os.mkdir")
    if writes and str(given[0]).startswith(os.environ["KILL_IN"]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if who == ("worker" if "triptych.children" in sys.orig_argv else "parent"):
    sys.addaudithook(watch)
'''

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
KINDS = (
    "worker's write", "worker's write", "parent's write", "worker", "parent",
    "everyone", "stopped worker", "worker's write", "SIGTERM", "SIGHUP", "SIGINT",
    "parent's write",
)  # fmt: skip
IN_A_ROW = 5
"""Kills of one run."""

KEPT = ("weights", "checkpoint", "logits", "first_step")


@dataclass
class Run:
    """A run that is to be disturbed, or the one that it is to come out like."""

    path: Path
    framework: str
    home: Path

    def words(self) -> list[str]:
        if (self.path / "recipe.toml").exists():
            return ["resume", str(self.path)]
        network, precision = (
            str(self.home / "small.toml"),
            "float64" if self.framework == "reference" else "float32",
        )
        return [
            "train", "digits", "--framework", self.framework, "--network", network,
            "--precision", precision, "--epochs", "6", "--batch-size", "64", "--out",
            str(self.path),
        ]  # fmt: skip

    def environment(self, kill_at: str = "nobody 0") -> dict[str, str]:
        places = [
            str(self.home / "killer"),
            *os.environ.get("PYTHONPATH", "").split(os.pathsep),
        ]
        return {
            **os.environ,
            "TRIPTYCH_CACHE": str(self.home / "cache"),
            "KILL_AT": kill_at,
            "KILL_IN": str(self.path),
            "PYTHONPATH": os.pathsep.join(filter(None, places)),
        }

    def finish(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*self.words()),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=4 * LIMIT,
            check=False,
        )

    def epochs(self) -> int:
        events = self.path / self.framework / "events.jsonl"
        return len(events.read_bytes().splitlines()) if events.exists() else 0

    def bits(self) -> dict[str, object]:
        """All that must come out the same."""
        panel = self.path / self.framework
        result = json.loads((self.path / "result.json").read_text())["frameworks"][
            self.framework
        ]
        return {
            **{name: (panel / f"{name}.safetensors").read_bytes() for name in KEPT},
            "losses": [epoch["step_losses"] for epoch in result["epochs"]],
            "accuracy": result["test_accuracy"],
        }


def campaign(seed: int, trials: int, home: Path) -> Tally:
    """One kill in five is of a run in PyTorch, the others of the reference, which
    starts sooner.
    """
    (home / "small.toml").write_text(NETWORK)
    (home / "killer").mkdir(exist_ok=True)
    (home / "killer" / "sitecustomize.py").write_text(KILLER)
    tally = Tally("kills")
    plan = _kinds(random.Random(f"{seed} kills"))
    pytorch = trials // 5 // IN_A_ROW * IN_A_ROW
    for framework, number in (("reference", trials - pytorch), ("pytorch", pytorch)):
        if number:
            _kill_runs(
                tally, plan, Run(home / f"whole {framework}", framework, home), number
            )
    return tally


def _kinds(rng: random.Random) -> Iterator[tuple[str, int, float]]:
    """What is killed, at which write, or how far into the run."""
    while True:
        for kind in KINDS:
            writes = 30 if kind.startswith("worker") else 14
            yield kind, rng.randint(1, writes), rng.random()


def _kill_runs(
    tally: Tally, plan: Iterator[tuple[str, int, float]], whole: Run, number: int
) -> None:
    began = time.monotonic()
    done = whole.finish()
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    last, runs = tally.trials + number, 0
    while tally.trials < last:
        runs += 1
        run = Run(
            whole.path.with_name(f"{whole.framework} {runs}"),
            whole.framework,
            whole.home,
        )
        for _ in range(IN_A_ROW):
            if tally.trials < last and not _disturb(tally, run, *next(plan), seconds):
                break
        what = f"{run.path.name}"
        done = run.finish()
        if done.returncode:
            tally.fault("lost", f"{what}: does not go on: {done.stderr[-1000:]}")
        elif different := [
            name for name, bits in run.bits().items() if bits != whole.bits()[name]
        ]:
            tally.fault("lost", f"{what}: {', '.join(different)} came out otherwise")


def _disturb(
    tally: Tally, run: Run, kind: str, write: int, share: float, seconds: float
) -> bool:
    """Start or continue the run and kill; whether something is left to be killed."""
    words, before = run.words(), run.epochs()
    kill_at = (
        f"{kind.partition(chr(39))[0]} {write}"
        if kind.endswith("write")
        else "nobody 0"
    )
    with started(*words, env=run.environment(kill_at)) as process:
        members = {one.pid: one for one in family(process)}
        if not kind.endswith("write"):
            _strike(process, kind, share * seconds, members)
        try:
            code, err = _end_of(process, members)
        except subprocess.TimeoutExpired:
            tally.fault(
                "hangs", f"{run.path.name}: {kind}: still there after {LIMIT:g} s"
            )
            code, err = 0, ""
    alive = psutil.wait_procs(members.values(), timeout=30)[1]
    if alive:
        tally.fault("hangs", f"{run.path.name}: {kind}: a process was left")
        end(alive)
    if "Traceback" in err:
        tally.fault("tracebacks", f"{run.path.name}: {kind}: {err[-1500:]}")
    if run.epochs() < before:
        tally.fault("lost", f"{run.path.name}: {kind}: epochs were lost")
    if code == 0:
        return False
    tally.count(f"of the {kind}" if not kind.startswith("SIG") else f"by {kind}")
    if kind.startswith("SIG"):
        number = signal.Signals[kind]
        # The latter while Python itself still starts.
        if code not in (CODES[number], -number):
            tally.fault("tracebacks", f"{run.path.name}: {kind}: exit code {code}")
    return True


def _strike(
    process: subprocess.Popen[str],
    kind: str,
    delay: float,
    members: dict[int, psutil.Process],
) -> None:
    """Kill or signal after so many seconds; a worker as soon as one is there then."""
    time.sleep(delay)
    end_of_patience = time.monotonic() + LIMIT
    found = workers(process)
    while kind.endswith("worker") and not found and process.poll() is None:
        if time.monotonic() > end_of_patience:
            return
        time.sleep(0.02)
        found = workers(process)
    members |= {one.pid: one for one in family(process)}
    try:
        if kind == "stopped worker":
            # While Python itself still starts it is not bound to its parent yet.
            time.sleep(1)
            found[0].suspend()
        if kind in ("worker", "everyone"):
            end(found)
        if kind in ("parent", "everyone", "stopped worker"):
            process.kill()
        if kind.startswith("SIG"):
            process.send_signal(signal.Signals[kind])
    except (psutil.NoSuchProcess, IndexError):
        pass  # it has ended by itself: then there is nothing to kill


def _end_of(
    process: subprocess.Popen[str], members: dict[int, psutil.Process]
) -> tuple[int, str]:
    """The exit code and what was said, while the members of the family are noted."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        members |= {one.pid: one for one in family(process)}
        try:
            _, err = process.communicate(timeout=0.2)
            return process.returncode, err
        except subprocess.TimeoutExpired:
            continue
    raise subprocess.TimeoutExpired(process.args, LIMIT)
