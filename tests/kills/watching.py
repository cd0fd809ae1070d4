"""Commands run one after another in a process that is watched: what they said,
executed, lost, and left.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT = 180.0
"""Seconds after which a command counts as hung; it needs a few on an idle machine."""

FAULTS = ("executed", "lost", "tracebacks", "hangs", "unclear")
"""What there must be none of: foreign code that ran, files or epochs that went, and so
on.

`unclear` counts bad input that was not answered in one line, and characters that steer
a terminal.
"""


@dataclass
class Tally:
    """How often something was tried, what became of it, and every fault."""

    name: str
    trials: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)
    """Each as one of FAULTS, and what happened."""

    def count(self, outcome: str) -> None:
        self.trials += 1
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def fault(self, kind: str, what: str) -> None:
        assert kind in FAULTS
        self.faults.append((kind, what))

    def number(self, kind: str) -> int:
        return sum(one == kind for one, _ in self.faults)


@dataclass
class Said:
    """What a command answered: its exit code (None if it hung or died), outputs, and
    what it executed.
    """

    code: int | None
    out: str = ""
    err: str = ""
    executed: list[str] = field(default_factory=list)


class Watched:
    """A process that runs commands; a new one takes its place when one hangs it or
    brings it down.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.canary = home / "CANARY"
        """What hostile input tries to make: it is there only if something of it was
        executed.
        """
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(self, folder: Path, *words: object) -> Said:
        """`triptych WORDS` in `folder`."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(
            json.dumps({"folder": str(folder), "words": list(map(str, words))}) + "\n"
        )
        process.stdin.flush()
        try:
            line = self._lines.get(timeout=LIMIT)
        except queue.Empty:
            self._end()
            return Said(None, err=f"hung for {LIMIT:g} s")
        if line is None:
            code = process.wait()
            self._process = None
            return Said(None, err=f"the process died ({code})")
        return Said(**json.loads(line))

    def judge(
        self, tally: Tally, what: str, said: Said, codes: Iterable[int] = (0, 2)
    ) -> bool:
        """Note the faults that any command can have; whether it came to an answer."""
        if said.code is None:
            tally.fault("hangs", f"{what}: {said.err}")
            return False
        if "Traceback" in said.err + said.out or said.code not in codes:
            tally.fault(
                "tracebacks", f"{what}: exit code {said.code}: {said.err[-1500:]}"
            )
        elif said.code == 2 and (wrong := unclear(said.err)):
            tally.fault("unclear", f"{what}: {wrong}: {said.err[-600:]!r}")
        elif any(
            unicodedata.category(one) in ("Cc", "Cf") and one not in "\n\t"
            for one in said.out + said.err
        ):
            end = (said.out + said.err)[-600:]
            tally.fault("unclear", f"{what}: prints what a terminal obeys: {end!r}")
        for one in said.executed:
            tally.fault("executed", f"{what}: {one}")
        if self.canary.exists():
            tally.fault("executed", f"{what}: foreign code ran")
            self.canary.unlink()
        return True

    def _start(self) -> subprocess.Popen[str]:
        self._lines: queue.Queue[str | None] = queue.Queue()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.watching"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={
                **os.environ,
                "TRIPTYCH_CACHE": str(self.home / "cache"),
                "COLUMNS": "200",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        )
        threading.Thread(target=_read, args=(process, self._lines), daemon=True).start()
        return process

    def _end(self) -> None:
        if (process := self._process) is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
            self._process = None


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)
    process.stdout.close()


def unclear(err: str) -> str | None:
    """What is wrong with how bad input was answered: one line must say it, after those
    of progress.
    """
    said = [line for line in err.splitlines() if not line.startswith("images  ")]
    if len(said) != 1 and not (said and said[0].startswith("Usage: ")):
        return f"{len(said)} lines"
    if len(said[-1]) > 2000:
        return f"{len(said[-1])} characters"
    return None if said[-1].startswith(("triptych: ", "Error: ")) else "no message"


def tree(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file below a folder, with what kind of file it is, its size, and when it
    was changed.
    """
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            facts = os.lstat(os.path.join(root, name))
            size, changed = (
                (0, 0) if name in folders else (facts.st_size, facts.st_mtime_ns)
            )
            found[os.path.relpath(os.path.join(root, name), folder)] = (
                oct(facts.st_mode),
                size,
                changed,
            )
    return found


def gone(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What was there before and is not any more, or is something else now."""
    return [name for name, facts in before.items() if after.get(name) != facts]


# ---- the watched process -------------------------------------------------------------

OURS = (("-m", "triptych.children"),)
"""What this project starts, without the user's folder to import from."""


def main() -> None:
    """Run the commands on standard input, one a line; answer each by a line."""
    import resource
    import tempfile

    from triptych import cli

    # What would take more is a fault, not an end.
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    executed: list[str] = []
    sys.addaudithook(lambda event, given: executed.extend(foreign(event, given)))
    for line in sys.stdin:
        asked = json.loads(line)
        os.chdir(asked["folder"])
        sys.argv = ["triptych", *asked["words"]]
        executed.clear()
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            with (
                out.open("w", encoding="utf-8") as sys.stdout,
                err.open("w", encoding="utf-8") as sys.stderr,
            ):
                code = _call(cli.main)
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
            said = Said(
                code, out.read_text("utf-8"), err.read_text("utf-8"), list(executed)
            )
        answers.write(json.dumps(vars(said)) + "\n")
        answers.flush()


def _call(function: Any) -> int:
    import traceback

    try:
        function()
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it is, it is what this looks for
        traceback.print_exc()
        return 1
    return 0


def foreign(event: str, given: tuple[Any, ...]) -> Iterator[str]:
    """What is executed that is not the project's own."""
    if event == "subprocess.Popen":
        ours = [("-P", one) for one in OURS]
        is_ours = (given[1][1], tuple(given[1][2:4])) in ours
        # The other is how Python knows the processor.
        if not is_ours and given[1] != ["uname", "-p"]:
            yield f"{event} {given[1]!r}"
    elif event in (
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "pickle.find_class",
        "socket.connect",
    ):
        yield f"{event} {given!r}"


if __name__ == "__main__":
    main()
