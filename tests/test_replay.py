"""`triptych replay`: recipes taken apart, ablations of one factor at a time, trainings
that are done once.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

import triptych
from triptych.commands.replay.factors import FACTORS, Setup, differences
from triptych.commands.replay.replay import (
    _crossed,
    _path,
    _subject,
    _suspects,
)
from triptych.commands.replay.result import Replay, change, interval, trained
from triptych.commands.replay.settings import ReplaySettings
from triptych.errors import RecipeError, UsageError
from triptych.network.architecture import from_toml
from triptych.network.layers import BatchNorm
from triptych.network.weights import initial_weights
from triptych.network.zoo import NOTEBOOKS, find_network
from triptych.running.recipe import make_recipe

KERAS, TENSORFLOW, PYTORCH = NOTEBOOKS
SUBJECTS = {
    name: _subject(name, ReplaySettings(epochs=2, image_size=16)) for name in NOTEBOOKS
}

NETWORK = """
input = [8, 8, 3]
[[layers]]
kind = "flatten"
[[layers]]
kind = "dense"
units = 24
initial = "{law}"
[[layers]]
kind = "batch_norm"
momentum = {kept}
[[layers]]
kind = "relu"
[[layers]]
kind = "dense"
units = 10
initial = "{law}"
"""
RECIPE = 'network = "{name}-network.toml"\naugmentation = false\nkeep = "last"\n'


def recipe_file(folder: Path, name: str, law: str, kept: float) -> Path:
    (folder / f"{name}-network.toml").write_text(NETWORK.format(law=law, kept=kept))
    path = folder / f"{name}.toml"
    path.write_text(RECIPE.format(name=name))
    return path


# ---- taken apart and put together ----------------------------------------------------


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_recipe_comes_together_as_it_was(name: str) -> None:
    """Layer by layer, and with the same initial values."""
    before = find_network(name).adapted((16, 16))
    after = SUBJECTS[name].network
    assert [node.layer for node in after.nodes] == [node.layer for node in before.nodes]
    assert (after.mean, after.std, after.input_shape) == (
        before.mean,
        before.std,
        before.input_shape,
    )
    ours, theirs = initial_weights(after, 3), initial_weights(before, 3)
    assert ours.keys() == theirs.keys()
    assert all((ours[tensor] == theirs[tensor]).all() for tensor in ours)


def named(one: str, other: str) -> list[str]:
    return [factor.name for factor in differences(SUBJECTS[one], SUBJECTS[other])]


def test_what_the_notebooks_differ_in() -> None:
    assert named(TENSORFLOW, KERAS) == [
        "initial values", "running averages", "batch norm", "optimizer", "batch size"
    ]  # fmt: skip
    assert named(TENSORFLOW, PYTORCH) == [
        "initial values",
        "batch norm",
        "input range",
        "resize",
        "dropout",
    ]
    assert named(KERAS, PYTORCH) == [
        "initial values", "batch norm", "input range", "resize", "optimizer",
        "batch size", "dropout"
    ]  # fmt: skip
    own = [_subject(name, ReplaySettings()) for name in (TENSORFLOW, KERAS)]
    assert [factor.name for factor in differences(*own)][-1] == "epochs"
    assert named(KERAS, KERAS) == []


def test_what_they_are_called() -> None:
    said = {
        name: {t.name: t.words(subject) for t in FACTORS}
        for name, subject in SUBJECTS.items()
    }
    rows = {
        "initial values": ["glorot uniform, biases 0", "all N(0, 1)", "all U(±1/√n)"],
        "running averages": ["0.99 kept", "never updated", "none"],
        "batch norm": ["5", "4, then the bias", "none"],
        "input range": ["0 to 1", "0 to 1", "-1 to 1"],
        "resize": ["nearest", "nearest", "bilinear"],
        "optimizer": ["rmsprop 0.0001, inverse-time 1e-06", "adam 0.001", "adam 0.001"],
        "batch size": ["20", "10", "10"],
        "dropout": ["0.5", "0.5", "none"],
    }
    for factor, words in rows.items():
        assert [said[name][factor] for name in NOTEBOOKS] == words


@pytest.mark.parametrize("start", NOTEBOOKS)
@pytest.mark.parametrize("end", NOTEBOOKS)
def test_each_step_changes_one_thing_and_the_last_arrives(start: str, end: str) -> None:
    changed = differences(SUBJECTS[start], SUBJECTS[end])
    path = [SUBJECTS[start], *_path(SUBJECTS[start], SUBJECTS[end], changed)]
    for factor, before, after in zip(changed, path, path[1:], strict=False):
        assert factor.name in [one.name for one in differences(before, after)]
        assert factor.of(after) == factor.of(SUBJECTS[end])
        others = [
            one for one in FACTORS if one.name not in (factor.name, "running averages")
        ]
        assert all(one.of(before) == one.of(after) for one in others)
    assert path[-1].network == SUBJECTS[end].network
    assert path[-1].recipe == dataclasses.replace(
        SUBJECTS[end].recipe, network=SUBJECTS[start].recipe.network
    )


def test_the_two_suspects_are_crossed() -> None:
    suspects = _suspects(TENSORFLOW, [PYTORCH, KERAS, TENSORFLOW], SUBJECTS)
    assert [factor.name for factor, _ in suspects] == [
        "initial values",
        "running averages",
    ]
    assert [giver for _, giver in suspects] == [SUBJECTS[PYTORCH], SUBJECTS[KERAS]]
    cells = _crossed(SUBJECTS[TENSORFLOW], suspects)
    laws = [{law for pair in cell.laws for law in pair} for cell in cells]
    assert laws == [{"normal"}, {"normal"}, {"fan_in_uniform"}, {"fan_in_uniform"}]
    assert [cell.kept for cell in cells] == [1.0, 0.99, 1.0, 0.99]
    assert len({cell.network for cell in cells}) == 4
    assert not _suspects(PYTORCH, [KERAS, TENSORFLOW, PYTORCH], SUBJECTS)


def test_networks_that_cannot_be_walked_between(tmp_path: Path) -> None:
    def subject(network: str) -> Setup:
        return Setup.of("mine", make_recipe({}), from_toml(network))

    other = subject(
        NETWORK.format(law="auto", kept=0.9).replace("units = 24", "units = 25")
    )
    with pytest.raises(RecipeError, match="differ in the layers that compute"):
        differences(subject(NETWORK.format(law="auto", kept=0.9)), other)
    branch = (
        '[[layers]]\nkind="flatten"\n'
        '[[layers]]\nkind="concat"\ninputs=["flatten1","flatten1"]\n'
    )
    with pytest.raises(RecipeError, match="mine: its network has branches"):
        subject(branch + '[[layers]]\nkind="dense"\nunits=2\n')
    two = (
        NETWORK.format(law="auto", kept=0.9)
        + '[[layers]]\nkind="batch_norm"\nmomentum=0.5\n'
    )
    with pytest.raises(RecipeError, match="keep different shares"):
        subject(two)


# ---- figures -------------------------------------------------------------------------


def test_intervals_are_students() -> None:
    """Of 0.1, 0.2, 0.6: mean 0.3, standard error sqrt(0.07 / 3), t of two degrees of
    freedom 4.302653.
    """
    half = 4.302653 * (0.07 / 3) ** 0.5
    assert interval([0.1, 0.2, 0.6]) == pytest.approx(
        (0.3 - half, 0.3 + half), abs=1e-6
    )
    assert interval([0.5]) is None


def test_a_seed_is_compared_with_itself() -> None:
    before, after = trained([0.2, 0.6], [0, 0], []), trained([0.3, 0.7], [0, 0], [])
    step = change("dropout", "0.5", "none", before, after)
    assert step.effect == pytest.approx(0.1)
    assert step.effect_interval == pytest.approx((0.1, 0.1))


# ---- a replay that is interrupted ----------------------------------------------------


@dataclass
class Done:
    """A replay that was interrupted and went on."""

    folder: Path
    status: int
    said: str
    finished: dict[Path, int]
    """The trainings that were done before it went on, and when."""
    result: Replay


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    home = tmp_path_factory.mktemp("replay")
    bad = recipe_file(home, "bad", "normal", 1.0)
    good = recipe_file(home, "good", "glorot_uniform", 0.9)
    folder = home / "out"
    words = ["replay", "digits", "--recipes", f"{bad},{good}", "--seeds", "2"]
    words += ["--epochs", "2", "--image-size", "8"]
    process = subprocess.Popen(
        [sys.executable, "-m", "triptych.cli", *words, "--out", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_until(
        lambda: (
            any(folder.glob("trainings/*/pytorch/facts.json"))
            or process.poll() is not None
        )
    )
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert not psutil.wait_procs(family, timeout=30)[1], "a worker lives on"
    finished = {
        path: path.stat().st_mtime_ns
        for path in folder.glob("trainings/*/pytorch/facts.json")
    }
    result = triptych.replay(folder)
    return Done(folder, process.returncode, said, finished, result)


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_an_interruption_says_how_to_go_on(done: Done) -> None:
    assert done.status == 130, done.said
    advice = f"continue with: triptych replay {done.folder}"
    assert f"triptych: interrupted; {advice}" in done.said
    assert "Traceback" not in done.said


def test_nothing_is_trained_twice(done: Done) -> None:
    """Two recipes that differ in two factors are four trainings a seed, however often a
    ablation meets them.
    """
    assert done.finished
    assert {path: path.stat().st_mtime_ns for path in done.finished} == done.finished
    assert done.result.trainings == len(list(done.folder.glob("trainings/*"))) == 8
    assert not list(done.folder.glob("trainings/*/pytorch/*weights*"))
    before = (done.folder / "replay.json").read_text()
    again = triptych.replay(done.folder)
    assert again == done.result
    assert (done.folder / "replay.json").read_text() == before


def test_both_walks_and_the_factorial(done: Done) -> None:
    result = done.result
    assert [Path(one.name).stem for one in result.recipes] == ["good", "bad"]
    assert result.recipes[0].trained.mean > 0.5
    for ablation in (result.forwards, result.backwards):
        assert [one.factor for one in ablation.changes] == [
            "initial values",
            "running averages",
        ]
    known = {one.name: one.trained for one in result.recipes}
    assert result.forwards.changes[-1].trained == known[result.forwards.end]
    assert result.backwards.changes[-1].trained == known[result.backwards.end]
    effects = [one.effect for one in result.forwards.changes]
    gained = known[result.forwards.end].mean - known[result.forwards.start].mean
    assert sum(effects) == pytest.approx(gained)
    assert result.cause is not None
    assert result.cause.cells[0][0] == known[result.forwards.start]
    assert result.cause.cells[1][0] == result.forwards.changes[0].trained
    assert result.cause.cells[0][1] == result.backwards.changes[0].trained
    assert result.cause.cells[1][1] == known[result.forwards.end]
    assert (result.cause.was, result.cause.now) == (
        ("N(0, 1), biases 0", "never updated"), ("glorot uniform, biases 0", "0.9 kept")
    )  # fmt: skip
    assert "both +" in result.cause.sentence()


def test_averages_that_are_never_updated_stay(done: Done) -> None:
    """The training with `momentum = 1` is that of its network: its recipe and network
    lie beside it.
    """
    kept = set()
    for path in done.folder.glob("trainings/*/network.toml"):
        kept |= {node.layer.momentum for node in from_toml(path).nodes_of(BatchNorm)}  # type: ignore[attr-defined]
    assert kept == {0.9, 1.0}


def test_the_file_and_the_page(done: Done) -> None:
    stored = json.loads((done.folder / "replay.json").read_text())
    assert msgspec.convert(stored, Replay) == done.result
    page = (done.folder / "replay.html").read_text()
    for words in (
        "Which of the two was it?",
        "Forward: from",
        "Backward: from",
        "never updated",
        "<svg",
    ):
        assert words in page
    assert "Undefined" not in page


def test_another_replay_does_not_go_into_the_folder(done: Done) -> None:
    with pytest.raises(
        triptych.TriptychError, match="holds another replay; choose another --out"
    ):
        triptych.replay("digits", seeds=1, out=done.folder)


# ---- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": 0}, "seeds is 0, but must be 1 or more"),
        ({"seeds": "x"}, "seeds is 'x', but must be an integer"),
        ({"epochs": 1.5}, "epochs is 1.5, but must be an integer"),
        ({"timeout": float("nan")}, "--timeout is nan"),
        ({"recipes": "2017-keras"}, "recipes: name two or more, each once"),
        ({"recipes": ["2017-keras"]}, "recipes: name two or more, each once"),
        (
            {"recipes": ["2017-keras", "2017-keras"]},
            "recipes: name two or more, each once",
        ),
        ({"recipes": ["2017-keras", "mine"]}, "there is no recipe"),
        (
            {"worst": "2017-pytorch", "recipes": NOTEBOOKS[:2]},
            "is not one of the recipes",
        ),
        (
            {"worst": "2017-keras", "best": "2017-keras"},
            "worst and best are both 2017-keras",
        ),
        ({"framework": "pytorhc"}, "did you mean 'pytorch'"),
        ({"images": "no-such-folder"}, "there is no folder or archive"),
        ({"epochs": 0}, "epochs is 0"),
        ({"image_size": 2}, "image_size is 2"),
    ],
)
def test_wrong_use(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(triptych.TriptychError, match=message) as caught:
        triptych.replay(**{"images": "digits", "out": out, **given})
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(
        triptych.TriptychError, match="already exists and is not a replay"
    ):
        triptych.replay("digits", image_size=8, out=tmp_path)


def test_the_command_line_refuses_in_one_line(triptych: Any) -> None:
    said = triptych("replay", "digits", "--seeds", "0")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.strip() == "triptych: seeds is 0, but must be 1 or more"
    said = triptych("replay", "--help")
    assert said.returncode == 0
    assert "one factor at a time" in said.stdout


def test_usage_errors_are_ours() -> None:
    with pytest.raises(UsageError):
        ReplaySettings(seeds=-1)
