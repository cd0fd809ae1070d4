"""What the tests of equality share: frameworks that wait for questions, and the verdict
on their answers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from triptych.equality.asking import ask_reference, gathered
from triptych.equality.certificate import Certificate, Subject
from triptych.equality.certify import certify
from triptych.frameworks import registry
from triptych.running.exam import Case
from triptych.running.transport import environment


class ProofSettings:
    """A framework that waits for questions."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in `end`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.equality.child", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment(registry.find(name)),
        )

    def ask(self, what: str, exam: Path, case: Case) -> None:
        """Put a question and wait; raises AssertionError with the child's traceback."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what} {exam} {case.precision} {case.name}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            self.errors.seek(0)
            said = self.errors.read().decode("utf-8", "replace")[-2000:]
            raise AssertionError(f"{self.name}: {answer}\n{said}".replace("\\n", "\n"))

    def end(self) -> None:
        """Let it go."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def prove(exam: Path, case: Case, asked: Sequence[ProofSettings]) -> Certificate:
    """The certificate about one case."""
    ask_reference(exam, [case], exam / "reference.log", 120)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: one.ask("answer", exam, case), asked))
    folders = {one.name: exam / registry.find(one.name).folder for one in asked}
    answered = gathered(exam, case, folders, dict.fromkeys(folders, "cpu"))
    return certify(
        [answered],
        {name: Subject(title=name, status="answered") for name in folders},
        {},
    )
