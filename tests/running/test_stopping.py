"""Training that stops before its last epoch: when, why, and to the bit after a kill."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.processes import command, end, family, started, wait_until

import triptych
from triptych.errors import RecipeError
from triptych.running.epoch import Epoch
from triptych.running.protocol import Event, StoppedEarly
from triptych.running.recipe import make_recipe
from triptych.running.stopping import stopped

LIGHT: dict[str, Any] = {
    "framework": "reference", "precision": "float64", "network": "mlp",
    "image_size": 8,
}  # fmt: skip
"""A training without any framework."""
WORDS = [
    "train", "digits", "--framework", "reference", "--precision", "float64",
    "--network", "mlp", "--image-size", "8", "--seed", "3",
]  # fmt: skip


def made(*accuracies: float | None, seconds: float = 1.0) -> list[Epoch]:
    """Epochs of so many seconds each that ended with these validation accuracies."""
    return [
        Epoch(
            epoch=n, loss=1.0, accuracy=0.5, validation_accuracy=accuracy,
            train_seconds=0.75 * seconds, validation_seconds=0.25 * seconds,
            images_per_second=1.0, step_losses=[1.0],
        )
        for n, accuracy in enumerate(accuracies, 1)
    ]  # fmt: skip


def test_patience_counts_epochs_that_are_no_better() -> None:
    recipe = make_recipe({"patience": 2, "epochs": 9})
    assert stopped(recipe, made(0.5, 0.5)) is None
    found = stopped(recipe, made(0.5, 0.5, 0.4))
    assert found is not None
    assert (found.epoch, found.entry) == (3, "patience")
    assert found.reason == "no better validation accuracy for 2 epoch(s)"
    assert stopped(recipe, made(0.5, 0.4, 0.6, 0.6)) is None
    assert stopped(recipe, made(0.0, 0.0, 0.0)) is not None
    # The last epoch is the end anyway.
    assert stopped(recipe, made(*[0.5] * 9)) is None
    assert stopped(make_recipe({"epochs": 9}), made(*[0.5] * 8)) is None


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=30), wait=st.integers(1, 9)
)
def test_patience_against_its_definition(shares: list[float], wait: int) -> None:
    recipe = make_recipe({"patience": wait, "epochs": 99})
    first_best = shares.index(max(shares))
    due = len(shares) - 1 - first_best >= wait
    assert (stopped(recipe, made(*shares)) is not None) == due


def test_without_a_validation_part_patience_never_ends() -> None:
    recipe = make_recipe({"patience": 1, "epochs": 99})
    assert stopped(recipe, made(*[None] * 50)) is None


def test_a_budget_is_not_exceeded_but_by_the_first_epochs() -> None:
    recipe = make_recipe({"minutes": 0.1, "epochs": 99})

    def after(count: int, seconds: float) -> bool:
        return stopped(recipe, made(*[0.5] * count, seconds=seconds)) is not None

    assert [after(n, 2.0) for n in range(1, 5)] == [False, False, True, True]
    assert [after(n, 4.0) for n in range(1, 3)] == [False, True]
    assert after(1, 7.0)
    found = stopped(recipe, made(0.5, seconds=7.0))
    assert found is not None
    assert found.reason == "the budget of 0.1 minute(s) is spent"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"patience": -1}, "patience is -1, but must be 0 or more"),
        ({"minutes": -1}, "minutes is -1.0, but must be 0 or more and finite"),
        ({"minutes": float("inf")}, "minutes is inf, but must be 0 or more and finite"),
        ({"minutes": float("nan")}, "minutes is nan, but must be 0 or more and finite"),
    ],
)
def test_what_is_no_stop(recipe: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        make_recipe(recipe)


def test_a_killed_run_stops_where_a_whole_one_does(tmp_path: Path) -> None:
    words = [*WORDS, "--epochs", "400", "--patience", "30", "--schedule", "constant"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = subprocess.run(
        command(*words, "--out", str(whole)),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    result = json.loads((whole / "result.json").read_text())["frameworks"]["reference"]
    early, best = result["stopped"], result["best_epoch"]
    assert early["entry"] == "patience"
    assert early["epoch"] == len(result["epochs"]) == best + 30 < 400
    said = f"stopped after epoch {early['epoch']}: no better validation accuracy"
    assert f"NumPy reference {said} for 30 epoch(s)." in done.stdout
    assert said in " ".join(done.stderr.split())
    page = " ".join((whole / "report.html").read_text().split())
    assert f"stopped after epoch {early['epoch']} of 400" in page

    def finished() -> int:
        events = broken / "reference" / "events.jsonl"
        return len(events.read_text().splitlines()) if events.exists() else 0

    with started(*words, "--out", str(broken)) as process:
        wait_until(lambda: finished() > best // 2)
        members = family(process)
        process.kill()
        end(members)
        process.wait()
    assert finished() < early["epoch"]
    subprocess.run(command("resume", str(broken)), check=True, capture_output=True)
    for name in ("weights.safetensors", "checkpoint.safetensors", "logits.safetensors"):
        one, other = (run / "reference" / name for run in (whole, broken))
        assert one.read_bytes() == other.read_bytes(), name
    found = json.loads((broken / "result.json").read_text())["frameworks"]["reference"]
    assert found["stopped"] == early


def test_a_budget_counts_all_sessions_and_a_stopped_run_stays_stopped(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    words = [*WORDS, "--epochs", "100000", "--minutes", "0.05", "--out", str(run)]
    events = run / "reference" / "events.jsonl"
    with started(*words) as process:
        wait_until(lambda: events.exists() and len(events.read_bytes()) > 1000)
        members = family(process)
        process.kill()
        end(members)
        process.wait()
    before = len(events.read_text().splitlines())
    ended = triptych.resume(run).frameworks["reference"]
    seconds = [
        one.train_seconds + (one.validation_seconds or 0) for one in ended.epochs
    ]
    assert len(seconds) > before
    # The last epoch was expected to fit, another one was not.
    assert sum(seconds[:-1]) + seconds[-2] <= 3 < sum(seconds) + seconds[-1]
    assert ended.stopped is not None
    assert ended.stopped.entry == "minutes"
    # As if it had been killed before it was tested.
    (run / "reference" / "facts.json").unlink()
    heard: list[StoppedEarly] = []

    def hear(who: str, event: Event) -> None:
        if isinstance(event, StoppedEarly):
            heard.append(event)

    again = triptych.resume(run, callback=hear).frameworks["reference"]
    assert again.epochs == ended.epochs
    # Nothing is left to do: who looks on hears the same.
    triptych.resume(run, callback=hear)
    assert [one.early for one in heard] == [ended.stopped] * 2


def test_the_last_weights_are_kept_if_the_recipe_wants_them(tmp_path: Path) -> None:
    recipe = {"keep": "last", "patience": 3, "epochs": 400}
    found = triptych.train("digits", recipe=recipe, out=tmp_path / "run", **LIGHT)
    one = found.frameworks["reference"]
    assert one.stopped is not None
    assert one.best_epoch == one.stopped.epoch == len(one.epochs)
