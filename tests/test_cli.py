"""The command line as users meet it: a process, its two outputs and its exit code."""

from __future__ import annotations

import ast
import errno
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

import triptych as package
from triptych import commands
from triptych.cli import cli
from triptych.network.architecture import from_toml
from triptych.network.zoo import ZOO, lenet
from triptych.running.recipe import DEFAULTS, LEARNING_RATES, make_recipe

Triptych = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = Path(sys.executable).with_name("triptych")
COMMANDS = sorted(commands.COMMANDS)


def clean(done: subprocess.CompletedProcess[str]) -> str:
    """Standard output of a command that went well and had nothing to complain of."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# ---- help ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(triptych: Triptych, command: str) -> None:
    said = clean(triptych(command, "--help"))
    assert said.startswith(f"Usage: triptych {command} ")
    assert "-h, --help" in said


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_the_commands(triptych: Triptych, flag: str) -> None:
    said = clean(triptych(flag))
    assert said.startswith("Usage: triptych [OPTIONS] COMMAND")
    assert all(f"\n  {name} " in said for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.name, bool(command.help)) == (name, True)


def test_help_is_quick(triptych: Triptych) -> None:
    """So that completion feels alive: click, and little besides. In computing time:
    others may be at work.
    """

    def seconds(*words: object) -> float:
        before = os.times()
        subprocess.run(
            [sys.executable, *map(str, words)], check=True, capture_output=True
        )
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    rounds = [
        (seconds(COMMAND, "--help"), seconds("-c", "import click")) for _ in range(7)
    ]
    assert statistics.median(ours / least for ours, least in rounds) < 2.5


def test_version(triptych: Triptych) -> None:
    assert clean(triptych("--version")) == f"triptych, version {package.__version__}\n"


def test_no_command_shows_the_help(triptych: Triptych) -> None:
    done = triptych()
    assert done.returncode == 2
    assert "Usage: triptych" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def default_of(option: str, said: str) -> str:
    """What the help of a command names as the default of an option."""
    told = " ".join(said[said.index(f"\n  {option} ") :].split())
    return told[told.index("[default: ") :].partition("]")[0].removeprefix("[default: ")


def test_help_names_the_defaults_that_depend_on_the_images(
    triptych: Triptych,
) -> None:
    said = clean(triptych("compare", "--help"))
    plain = make_recipe({"images": "photos"})
    options = ["network", "epochs", "image_size", "batch_size", "seed", "precision"]
    for option in (*options, "fit", "resize"):
        dashed = option.replace("_", "-")
        default, *own = re.split("[;,] ", default_of(f"--{dashed}", said))
        assert default == str(getattr(plain, option))
        told = dict(one.split(": ") for one in own if ": " in one)
        for name in DEFAULTS:
            used = getattr(make_recipe({"images": name}), option)
            assert told.get(name, default) == str(used), option
    assert default_of("--optimizer", said) == plain.optimizer.name
    assert default_of("--schedule", said) == plain.schedule.name
    rates = default_of("--learning-rate", said)
    for name, rate in LEARNING_RATES.items():
        assert re.search(rf"\b{name}\b[\w ]*: {rate:g}\b", rates)
    assert rates.endswith(
        f"sports: {make_recipe({'images': 'sports'}).schedule.learning_rate:g}"
    )
    of_digits = make_recipe({"images": "digits"}).schedule
    assert of_digits.learning_rate == LEARNING_RATES["adamw"]


# ---- the words of other programs -----------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (["--lr", "nan"], "learning_rate is nan"),
        (["--learning_rate=nan"], "learning_rate is nan"),
        (["--bs", "0"], "batch_size is 0"),
        (["--batch-size=0"], "batch_size is 0"),
        (["--batch_size", "0"], "batch_size is 0"),
        (["--image-size", "0"], "size is 0"),
        (["--num-epochs", "0"], "epochs is 0"),
        (["--random-seed", "-1"], "seed is -1"),
        (
            ["--model", "resnet18"],
            "there is no network 'resnet18': did you mean 'resnet-18'",
        ),
        (["--dtype", "float16"], "unknown precision 'float16'"),
        (["--early_stopping", "-1"], "patience is -1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usual_spellings_are_understood(
    triptych: Triptych, theirs: list[str], message: str
) -> None:
    done = triptych("compare", "digits", *theirs)
    assert done.returncode == 2
    assert message in done.stderr


def test_what_stands_after_two_dashes_is_no_option(triptych: Triptych) -> None:
    said = triptych("compare", "--", "--lr").stderr
    assert "there is no folder or archive '--lr'" in said


# ---- wrong use -----------------------------------------------------------------------

WRONG = [
    (["shwo"], "No such command 'shwo': did you mean 'show'?"),
    (["comapre", "sports"], "did you mean 'compare'?"),
    (["xyz"], "No such command 'xyz': known: bench, cache, compare, "),
    (["--verson"], "--version"),
    (["compare", "--epoks", "3"], "No such option '--epoks': did you mean --epochs?"),
    (
        ["compare", "--color", "3"],
        "No such option '--color': see triptych compare --help",
    ),
    (
        ["compare", "--workers", "3"],
        "No such option '--workers': images are decoded once",
    ),
    (["networks", "--lr", "3"], "No such option '--lr': see triptych networks --help"),
    (["compare", "--framework", "keras"], "--frameworks"),
    (["train", "digits", "--frameworks", "keras"], "--framework"),
    (["networks", "--jsno"], "--json"),
    (["compare", "a", "b"], "unexpected extra argument"),
    (["compare", "digits", "--epochs", "x"], "'x' is not a valid integer"),
    (["show"], "Missing argument"),
    (["predict", "run"], "Missing argument"),
    (["show", "lenet", "--classes", "1"], "--classes"),
    (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG]
)
def test_wrong_use(
    triptych: Triptych, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = triptych(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert files(tmp_path) == set()


UNUSABLE = [
    (["compare", "no such folder"], "there is no folder or archive 'no such folder'"),
    (["compare", "sprots"], "did you mean 'sports'?"),
    (
        ["compare", "digits", "--frameworks", "keras,pytorhc"],
        "no framework 'pytorhc': did you mean 'pytorch'?",
    ),
    (["compare", "digits", "--frameworks", ""], "frameworks: name one or more"),
    (
        ["compare", "digits", "--network", "lenett"],
        "no network 'lenett': did you mean 'lenet'?",
    ),
    (
        ["compare", "digits", "--network", "none.toml"],
        "none.toml: there is no such file",
    ),
    (
        ["compare", "digits", "--image-size", "8"],
        "layer 'conv2' (conv): its window of (5, 5) is larger than its input",
    ),
    (["compare", "digits", "--epochs", "0"], "epochs is 0, but must be 1 or more"),
    (["compare", "digits", "--timeout", "nan"], "--timeout is nan, but must be"),
    (["train", "digits", "--timeout", "inf"], "--timeout is inf, but must be"),
    (["resume", "nowhere", "--timeout", "0"], "--timeout is 0.0, but must be"),
    (
        ["compare", "digits", "--optimizer", "adan"],
        "optimizer: unknown name 'adan': did you mean 'adam'?",
    ),
    (["compare", "digits", "--learning-rate", "nan"], "schedule: learning_rate is nan"),
    (
        ["compare", "digits", "--recipe", "none.toml"],
        "none.toml: there is no such file",
    ),
    (
        ["compare", "digits", "--recipe", "bad key.toml"],
        "unknown key 'epoks': did you mean 'epochs'?",
    ),
    (
        ["compare", "digits", "--network", "bad net.toml"],
        "unknown kind 'convv': did you mean 'conv'?",
    ),
    (["compare", "empty folder"], "empty folder"),
    (["compare", "broken.toml"], "broken.toml"),
    (["images", "digits", "--image-size", "0"], "--image-size is 0, but must be 4 to"),
    (["images", "digits", "--image-size", "5000"], "5000, but must be 4 to 1,024"),
    (["images", "digits", "--seed", "-1"], "--seed is -1, but must be 0 or more"),
    (["images", "empty folder", "--full"], "--full is for the sports only"),
    (
        ["show", "resnet18"],
        "there is no network 'resnet18': did you mean 'resnet-18'? ",
    ),
    (["compare", "x" * 5000], "there is no folder or archive 'xxx"),
    (["show", "x" * 5000], "there is no network 'xxx"),
    (["resume", "x" * 5000], "not a run folder"),
    (["show", "lenett"], "there is no network 'lenett': did you mean 'lenet'?"),
    (["show", "lenet", "--framework", "pytorhc"], "did you mean 'pytorch'?"),
    (
        ["show", "lenet", "--image-size", "-5"],
        "lenet: input must be [height, width, channels], each 1 or more",
    ),
    (["show", "lenet", "--image-size", "0"], "1 or more"),
    (
        ["predict", "nowhere", "a.png"],
        "nowhere: not a run folder; 'triptych runs' lists your runs",
    ),
    (["evaluate", "nowhere", "digits"], "nowhere: not a run folder"),
    (["resume", "nowhere"], "nowhere: not a run folder"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    UNUSABLE,
    ids=[" ".join(arguments) for arguments, _ in UNUSABLE],
)
def test_unusable_input(
    triptych: Triptych, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "bad key.toml").write_text("epoks = 3\n")
    (tmp_path / "bad net.toml").write_text('[[layers]]\nkind = "convv"\n')
    (tmp_path / "broken.toml").write_text("name = ")
    (tmp_path / "empty folder").mkdir()
    before = files(tmp_path)
    done = triptych(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    *progress, line = done.stderr.splitlines()
    assert line.startswith("triptych: ")
    assert message in line
    assert all(told.startswith("images ") for told in progress)
    assert files(tmp_path) == before  # no runs/ folder, no contact sheet


def test_a_run_folder_that_is_there_is_left_alone(
    triptych: Triptych, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    done = triptych("compare", "digits", "--out", "mine")
    assert done.returncode == 2
    assert "mine: already exists; choose another --out" in done.stderr
    assert "resume" not in done.stderr  # it is no run
    assert files(tmp_path) == {"mine", "mine/diary.txt"}


# ---- what is printed -----------------------------------------------------------------


def test_networks(triptych: Triptych) -> None:
    said = clean(triptych("networks"))
    assert all(name in said for name in ZOO)
    assert "62,006" in said
    listed = json.loads(clean(triptych("networks", "--json")))
    assert [entry["name"] for entry in listed] == list(ZOO)
    assert listed[1]["parameters"] == lenet().parameter_count
    assert listed[1]["input_shape"] == [32, 32, 3]


def test_no_runs_and_an_empty_cache(triptych: Triptych, tmp_path: Path) -> None:
    said = clean(triptych("runs"))
    assert said == "No runs yet. To begin: triptych compare sports\n"
    assert json.loads(clean(triptych("runs", "--json"))) == []
    mine = str(tmp_path / "cache of my own")
    said = clean(triptych("cache", TRIPTYCH_CACHE=mine))
    assert said == f"The cache is empty: {mine}\n"
    assert json.loads(clean(triptych("cache", "--json", TRIPTYCH_CACHE=mine))) == []
    cleared = triptych("cache", "--clear", "--json", TRIPTYCH_CACHE=mine)
    assert json.loads(clean(cleared)) == {"stores": 0, "bytes": 0}
    assert files(tmp_path) == set()


def test_a_damaged_run_is_listed_as_such(triptych: Triptych, tmp_path: Path) -> None:
    (tmp_path / "runs" / "größe 1").mkdir(parents=True)
    (tmp_path / "runs" / "größe 1" / "recipe.toml").write_text("epochs = ")
    (listed,) = json.loads(clean(triptych("runs", "--json")))
    assert listed["folder"] == "runs/größe 1"
    assert "is not valid TOML" in listed["states"]["damaged"]
    assert "runs/größe 1" in clean(triptych("runs"))


def test_images_and_the_cache_after_them(triptych: Triptych, tmp_path: Path) -> None:
    mine = {"TRIPTYCH_CACHE": str(tmp_path / "cache")}
    done = triptych("images", "digits", "--image-size", "8", "--json", **mine)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["source"], found["classes"], found["problems"]) == (
        "digits",
        list("0123456789"),
        [],
    )
    assert sum(found[part] for part in ("train", "validation", "test")) == 1797
    with Image.open(tmp_path / found["sheet"]) as sheet:
        assert sheet.format == "PNG"
    (store,) = json.loads(clean(triptych("cache", "--json", **mine)))
    assert (store["source"], store["images"], store["size"]) == (
        "digits",
        1797,
        [8, 8],
    )
    assert "1,797" in clean(triptych("cache", **mine))

    again = triptych(
        "images", "digits", "--image-size", "8", "--sheet", "sub dir/größe.png", **mine
    )
    assert again.returncode == 0
    assert "Contact sheet: sub dir/größe.png" in again.stdout
    assert (tmp_path / "sub dir" / "größe.png").is_file()
    cleared = json.loads(clean(triptych("cache", "--clear", "--json", **mine)))
    assert cleared["stores"] == 1
    assert cleared["bytes"] > 1797 * 8 * 8 * 3
    assert json.loads(clean(triptych("cache", "--json", **mine))) == []


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Two classes of images, one with a problem, in places with difficult names."""
    name = "Urlaub – größe 1 [neu]"
    for number, kind in enumerate(("[red] café", "日本語")):
        at = tmp_path / name / kind
        at.mkdir(parents=True)
        for i in range(10):
            noise = np.random.default_rng(100 * number + i).integers(
                0, 256, (9, 12, 3), dtype=np.uint8
            )
            Image.fromarray(noise).save(at / f"photo {i}.png")
    (tmp_path / name / "日本語" / "empty [x].png").write_bytes(b"")
    return name


def test_a_folder_with_spaces_brackets_and_letters_of_the_world(
    triptych: Triptych, folder: str, tmp_path: Path
) -> None:
    done = triptych("images", folder, "--image-size", "8", "--json")
    assert done.returncode == 0
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["classes"] == ["[red] café", "日本語"]
    assert sum(found[part] for part in ("train", "validation", "test")) == 20
    assert [problem["path"] for problem in found["problems"]] == [
        "日本語/empty [x].png"
    ]
    shown = triptych("images", folder, "--image-size", "8")
    assert shown.returncode == 0
    for text in ("[red] café", "日本語", "empty [x].png", folder):
        assert text in shown.stdout
    strict = triptych("images", folder, "--image-size", "8", "--strict")
    assert strict.returncode == 2
    assert "日本語/empty [x].png" in strict.stderr
    assert "Traceback" not in strict.stderr


def test_an_absolute_folder_and_a_nested_one_say_the_same(
    triptych: Triptych, folder: str, tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    ours = json.loads(triptych("images", folder, "--image-size", "8", "--json").stdout)
    way = tmp_path / "below" / ".." / folder
    theirs = json.loads(triptych("images", way, "--image-size", "8", "--json").stdout)
    assert ours["key"] == theirs["key"]


# ---- sources -------------------------------------------------------------------------


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)
def test_show_prints_source_that_compiles(triptych: Triptych) -> None:
    said = clean(triptych("show", "lenet", "--framework", "pytorch"))
    compile(said, "network.py", "exec")
    (network,) = [
        node for node in ast.parse(said).body if isinstance(node, ast.ClassDef)
    ]
    assert network.name == "Network"
    assert "nn.Conv2d(3, 6, 5)" in said
    assert "62,006 parameters" in said


def test_show_an_own_network(triptych: Triptych, tmp_path: Path) -> None:
    (tmp_path / "my größe.toml").write_text(
        'name = "größe"\ninput = [9, 7, 3]\n'
        '[[layers]]\nkind = "flatten"\n'
        '[[layers]]\nname = "last"\nkind = "dense"\nunits = 3\n',
        "utf-8",
    )
    words = ["--framework", "reference", "--classes", "5", "--image-size", "4"]
    said = clean(triptych("show", "my größe.toml", *words))
    compile(said, "network.py", "exec")
    facts = "4 x 4 x 3 images, 5 classes, 245 parameters"
    assert f'"""größe in NumPy: {facts}."""' in said
    assert 'weights["last.kernel"]' in said


def test_show_toml_begins_a_network_of_ones_own(
    triptych: Triptych, tmp_path: Path
) -> None:
    text = clean(
        triptych("show", "lenet", "--toml", "--classes", "3", "--image-size", "40")
    )
    assert from_toml(text) == lenet(40, 3)
    (tmp_path / "mine.toml").write_text(text)
    assert clean(triptych("show", "mine.toml", "--toml")) == text


def test_a_source_in_a_pipe_is_plain_text(triptych: Triptych) -> None:
    said = clean(triptych("show", "lenet", "--framework", "reference", COLUMNS="20"))
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) > 20  # not folded


# ---- shells --------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(triptych: Triptych, shell: str, tmp_path: Path) -> None:
    said = clean(triptych("completion", shell))
    assert f"_TRIPTYCH_COMPLETE={shell}_complete" in said
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=said, text=True, timeout=60, check=True)


def test_completion_completes(triptych: Triptych) -> None:
    environment = {
        "_TRIPTYCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "triptych com",
        "COMP_CWORD": "1",
    }
    assert clean(triptych(**environment)).splitlines() == [
        "plain,compare",
        "plain,completion",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("networks",),
        ("networks", "--json"),
        ("show", "lenet", "--framework", "reference"),
        ("show", "lenet", "--toml"),
        ("runs",),
        ("--help",),
    ],
    ids=" ".join,
)
def test_a_reader_that_has_seen_enough(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """As in `triptych networks | head -1`, its pipe closed before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [COMMAND, *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 0


def test_the_first_line_only(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{COMMAND}' networks --json | head -1"],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


@pytest.mark.parametrize(
    ("line", "status"),
    [("networks >&-", 0), ("show nope >&-", 2), ("show nope 2>&-", 2)],
)
def test_a_closed_stream_changes_no_exit_code(
    line: str, status: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["bash", "-c", f"'{COMMAND}' {line}"],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "arguments", [("networks",), ("show", "lenet", "--framework", "reference")]
)
def test_a_full_disk_is_said_in_one_line(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert os.strerror(errno.ENOSPC) in done.stderr
