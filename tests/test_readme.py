"""The README's command lines, each run as it stands, in its order, in one folder that
holds what it names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from triptych.frameworks import registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")

LEFT_OUT = {
    "make test": "this test is a part of it",
    "pip install 'triptych[pytorch]'": (
        "it would install another copy from a package index"
    ),
}
"""Lines that cannot be run here, and why."""

INTERRUPTED = {"triptych replay sports": "it trains 39 times, for half an hour"}
"""Lines that are begun here, and ended once they have trained an epoch, and why."""

NETWORK = """
name = "mine"
input = [24, 24, 3]
layers = [
    {kind = "conv", filters = 4}, {kind = "relu"}, {kind = "max_pool"},
    {kind = "flatten"}, {kind = "dense", units = 3},
]
"""

# Two minutes, the longest, where nobody else is at work.
pytestmark = pytest.mark.timeout(1800)


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL
    )


def commands() -> list[str]:
    """Each line of a shell block without its comment."""
    lines = (line for block in blocks("sh") for line in block.splitlines())
    return [
        found for line in lines if (found := re.sub(r"(^|\s)#.*", "", line).strip())
    ]


def begin(line: str, home: Path) -> subprocess.Popen[str]:
    """Run it as a user does, with `triptych` on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.Popen(
        ["bash", "-euc", line],
        cwd=home,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def shell(line: str, home: Path) -> None:
    """Run it to its end, which must be a good one."""
    process = begin(line, home)
    said, _ = process.communicate()
    assert process.returncode == 0, f"{line}\n{said}"


def interrupt(line: str, home: Path) -> None:
    """Run it until something is trained; then it must end when it is told to, and say
    how to go on.
    """
    process = begin(f"exec {line}", home)
    while process.poll() is None and not [
        *home.glob("runs/replay-*/**/checkpoint.safetensors")
    ]:
        time.sleep(0.1)
    process.terminate()  # not Ctrl-C, which is ignored in the background of a shell
    said, _ = process.communicate()
    assert process.returncode == 143, said
    assert "triptych replay runs/replay-" in said


def draw(folder: Path, many: int, seed: int) -> None:
    """Images of three classes that differ in color."""
    noise = np.random.default_rng(seed)
    for number, name in enumerate(("bees", "cats", "dogs")):
        (folder / name).mkdir(parents=True)
        for index in range(many):
            pixels = noise.integers(0, 256, (24, 30, 3), np.uint8)
            pixels[:, :, number] //= 3
            Image.fromarray(pixels).save(folder / name / f"{index}.jpg")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README calls photos, other-photos, cat.jpg, dog.png and mine.toml."""
    home = tmp_path_factory.mktemp("home")
    draw(home / "photos", 24, seed=0)
    draw(home / "other-photos", 2, seed=1)
    shutil.copy(home / "photos" / "cats" / "0.jpg", home / "cat.jpg")
    Image.open(home / "photos" / "dogs" / "0.jpg").save(home / "dog.png")
    (home / "mine.toml").write_text(NETWORK)
    return home


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    """What it calls RUN: made by its own line for a network from random weights."""
    before = set((home / "runs").glob("*"))
    shell(
        next(
            line
            for line in commands()
            if line.startswith("triptych train photos --network")
        ),
        home,
    )
    (made,) = set((home / "runs").glob("*")) - before
    return made


def as_make_runs_it(line: str) -> str:
    """What a target does once everything is installed."""
    words = ["READY=", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run(
        [*line.split(), *words, "--dry-run", "--no-print-directory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("line", [line for line in commands() if line not in LEFT_OUT])
def test_a_line_of_the_readme_runs(
    line: str, home: Path, request: pytest.FixtureRequest
) -> None:
    if any(registry.find(name).missing() for name in registry.DEFAULT):
        pytest.skip("the README is about all four frameworks")
    if line.startswith("triptych lessons ") and find_spec("jupyterlab"):
        pytest.skip("it would open JupyterLab and wait")
    if line in INTERRUPTED:
        interrupt(line, home)
        return
    if line.startswith("make "):
        line = as_make_runs_it(line)
    if re.search(r"\bRUN\b", line):
        line = re.sub(r"\bRUN\b", str(request.getfixturevalue("run")), line)
    shell(line, home)


def test_the_readmes_python_runs(home: Path) -> None:
    for block in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_what_is_left_out_is_in_the_readme() -> None:
    assert LEFT_OUT.keys() | INTERRUPTED.keys() <= set(commands())
    assert len(commands()) > len(LEFT_OUT) + len(INTERRUPTED) + 15
