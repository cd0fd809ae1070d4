"""A run folder that somebody else has made, or changed: read with care, and never
written through a link.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from triptych.errors import RunFolderError, TriptychError
from triptych.files import write_atomic
from triptych.frameworks import registry
from triptych.network.weights import load_tensors
from triptych.network.zoo import mlp
from triptych.running.epoch import Epoch
from triptych.running.folder import Panel, RunFolder
from triptych.running.launch import Task, run_task
from triptych.running.protocol import Answer
from triptych.running.recipe import make_recipe
from triptych.running.records import write_json

EPOCH = Epoch(
    epoch=1,
    loss=0.5,
    accuracy=0.9,
    train_seconds=1,
    images_per_second=8,
    step_losses=[0.5, None],
)
IMAGES = {
    "source": "digits", "key": "0", "size": [8, 8], "fit": "squash",
    "resize": "bilinear", "train": 1, "validation": 1, "test": 1, "classes": ["0", "1"],
    "class_counts": {}, "problem_counts": {}, "problems": [],
}  # fmt: skip


def run_in(path: Path) -> RunFolder:
    run = RunFolder(path / "run")
    write_atomic(run.path / "network.toml", mlp().to_toml())
    write_json(run.path / "images.json", IMAGES)
    write_atomic(run.path / "recipe.toml", make_recipe({"images": "digits"}).to_toml())
    return run


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda at: at.symlink_to("/dev/zero"),
        lambda at: at.symlink_to(at.name),
        Path.mkdir,
    ],
    ids=["pipe", "device", "loop", "folder"],
)
@pytest.mark.parametrize(
    "name", ["recipe.toml", "network.toml", "images.json", "events.jsonl", "weights"]
)
def test_what_is_no_file_is_not_read(
    make: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    """A pipe would hold the reader for ever, a device fill the memory."""
    run = run_in(tmp_path)
    at = run.path / name
    at.unlink(missing_ok=True)
    make(at)
    read: dict[str, Callable[[], object]] = {
        "recipe.toml": run.recipe,
        "network.toml": run.architecture,
        "images.json": run.images,
        "events.jsonl": Panel(run.path).epochs,
        "weights": lambda: load_tensors(at),
    }
    with pytest.raises(TriptychError) as caught:
        read[name]()
    assert str(caught.value).startswith(f"{at}: ")


@pytest.mark.parametrize(
    "spoiled",
    [
        {"epoch": "1"},
        {"accuracy": None},
        {"loss": []},
        {"validation_accuracy": "x"},
        None,
        3,
    ],
)
def test_events_of_another_make_are_refused(spoiled: Any, tmp_path: Path) -> None:
    panel = Panel(tmp_path)
    panel.write_epochs([EPOCH])
    assert panel.epochs() == [EPOCH]
    line = (
        {**msgspec.to_builtins(EPOCH), **spoiled}
        if isinstance(spoiled, dict)
        else spoiled
    )
    (tmp_path / "events.jsonl").write_text(json.dumps(line))
    with pytest.raises(
        RunFolderError, match=r"events\.jsonl: is in the format of another version"
    ):
        panel.epochs()
    (tmp_path / "events.jsonl").write_text('{"other": ' + "[" * 100_000)
    with pytest.raises(RunFolderError, match=r"events\.jsonl: cannot be read"):
        panel.epochs()


@pytest.mark.parametrize("key", IMAGES)
def test_images_of_another_make_are_refused(key: str, tmp_path: Path) -> None:
    run = run_in(tmp_path)
    assert msgspec.json.decode(msgspec.json.encode(run.images())) == IMAGES
    for spoiled in (
        {name: IMAGES[name] for name in IMAGES if name != key},
        {**IMAGES, key: None},
    ):
        (run.path / "images.json").write_text(json.dumps(spoiled))
        with pytest.raises(
            RunFolderError, match=r"images\.json: is in the format of another version"
        ):
            run.images()


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    log = tmp_path / "worker.log"
    log.symlink_to("diary.txt")
    task = Task(registry.find("reference"), Answer(str(tmp_path), [], "float64"), log)
    assert run_task(task).facts.device == "cpu"
    assert (tmp_path / "diary.txt").read_text() == "dear diary"
    log.unlink()
    os.mkfifo(log)
    assert run_task(task, timeout=60).facts.device == "cpu"
