"""Where there is no browser its tests are skipped, but never in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("ci", "code", "said"), [("true", 1, "1 error"), ("", 0, "1 skipped")]
)
def test_without_chromium_ci_fails_and_others_skip(
    tmp_path: Path, ci: str, code: int, said: str
) -> None:
    test = "tests/report/test_browser.py::test_the_page_of_a_bench[320-dark-True]"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", test],
        cwd=ROOT, env=os.environ | {"PATH": str(tmp_path), "CI": ci},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert "apt-get install chromium" in done.stdout
