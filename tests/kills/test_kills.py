"""A share of the campaigns, and that they see what they look for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kills.__main__ import QUICK, campaigns
from tests.kills.killing import KILLER
from tests.kills.watching import Said, Tally, Watched, foreign, gone, tree, unclear

from triptych.children import child_command
from triptych.running.folder import RunFolder


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", QUICK)
def test_nothing_is_executed_lost_or_left(part: str, tmp_path: Path) -> None:
    tallies = campaigns(tmp_path, 1, {part: QUICK[part]})
    assert [fault for tally in tallies for fault in tally.faults] == []
    assert sum(tally.trials for tally in tallies) == QUICK[part]


def test_what_is_executed_is_noticed(tmp_path: Path) -> None:
    for words in (
        ["sh", "-c", "x"],
        [sys.executable, "-m", "ruff"],
        [sys.executable, "-P", "-m", "site"],
    ):
        assert list(foreign("subprocess.Popen", (words[0], words, None, None)))
    assert list(foreign("pickle.find_class", ("os", "system")))
    assert not list(
        foreign("subprocess.Popen", (sys.executable, child_command("any"), None, None))
    )
    assert not list(foreign("open", ("file", "r", 0)))
    watched, tally = Watched(tmp_path), Tally("commands")
    watched.canary.touch()
    watched.judge(tally, "a command", Said(0))
    assert [kind for kind, _ in tally.faults] == ["executed"]
    assert not watched.canary.exists()  # so that the next command is not blamed


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(None, err="hung"), "hangs"),
        (Said(1, err="Traceback (most recent call last):\n..."), "tracebacks"),
        (Said(1), "tracebacks"),
        (Said(2, err="triptych: one\nand another"), "unclear"),
        (Said(2, err="it is wrong"), "unclear"),
        (Said(2), "unclear"),
        (Said(0, out="a \x1b[31mclass"), "unclear"),
        (Said(0, executed=["os.system"]), "executed"),
    ],
)
def test_a_fault_is_noticed(said: Said, kind: str, tmp_path: Path) -> None:
    tally = Tally("commands")
    Watched(tmp_path).judge(tally, "a command", said)
    assert [kind for kind, _ in tally.faults] == [kind]


def test_what_is_well_is_no_fault(tmp_path: Path) -> None:
    tally = Tally("commands")
    progress = "images  12 of 12 prepared\n"
    for said in (
        Said(0, "a table\n", progress),
        Said(2, "", f"{progress}triptych: there is no such file\n"),
    ):
        assert Watched(tmp_path).judge(tally, "a command", said)
    assert tally.faults == []
    assert unclear("triptych: one line") is None


def test_a_file_that_changes_or_goes_is_noticed(tmp_path: Path) -> None:
    for name in ("kept", "gone", "changed", "replaced"):
        (tmp_path / name).write_text(name)
    before = tree(tmp_path)
    (tmp_path / "gone").unlink()
    (tmp_path / "changed").write_text("otherwise")
    (tmp_path / "replaced").unlink()
    (tmp_path / "replaced").symlink_to("kept")
    (tmp_path / "new").touch()
    assert sorted(gone(before, tree(tmp_path))) == ["changed", "gone", "replaced"]


def killed(home: Path, program: str, write: int, at: Path) -> bool:
    """Run a program with the folder `at`; whether it was killed before that write."""
    (home / "sitecustomize.py").write_text(KILLER)
    environment = {
        **os.environ, "KILL_AT": f"parent {write}", "KILL_IN": str(at.parent),
        "PYTHONPATH": os.pathsep.join([str(home), *filter(None, sys.path)]),
    }  # fmt: skip
    return (
        subprocess.run(
            [sys.executable, "-c", program, str(at)], env=environment, check=False
        ).returncode
        == -9
    )


def test_a_kill_happens_at_the_write_that_is_asked_for(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from triptych.files import write_atomic\n"
        "for n in range(3): write_atomic(Path(sys.argv[1]) / f'{n}', 'whole')"
    )
    for write, there in (
        (1, []),
        (2, []),
        (3, []),
        (4, ["0"]),
        (7, ["0"]),
        (8, ["0", "1"]),
    ):
        at = tmp_path / str(write) / "files"
        at.mkdir(parents=True)
        assert killed(tmp_path, program, write, at)
        names = sorted(path.name for path in at.iterdir())
        assert [name for name in names if not name.startswith(".")] == there
    assert not killed(tmp_path, program, 100, tmp_path / "files")


def test_a_run_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """One that was killed while it began can neither go on nor stand in the way."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from triptych.network.zoo import mlp\n"
        "from triptych.images.source import open_images\n"
        "from triptych.running.folder import RunFolder\n"
        "from triptych.running.recipe import make_recipe\n"
        "store = open_images('digits', size=(8, 8))\n"
        "tables = {'images': 'digits', 'image_size': 8, 'network': 'mlp'}\n"
        "recipe = make_recipe(tables)\n"
        "RunFolder.create(Path(sys.argv[1]), recipe, mlp(8), store)"
    )
    write, found = 1, set[bool]()
    while killed(tmp_path, program, write, at := tmp_path / str(write) / "run"):
        found.add(at.exists())
        assert not at.exists() or RunFolder.open(at).recipe().image_size == 8
        write += 1
    assert write > 10
    assert False in found
    assert RunFolder.open(at).recipe().image_size == 8
