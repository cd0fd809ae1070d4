"""Runs whose images are cropped, recolored and erased, of balanced classes: to the bit
after a kill, the same in every framework, and a part of the views of a frozen one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.processes import command, end, family, started, wait_until

import triptych
from triptych.images.augment import Augmentation, draw, gather
from triptych.running import features
from triptych.running.images import images_of
from triptych.running.protocol import silence
from triptych.running.recipe import make_recipe
from triptych.running.training import views_of

ALL = """
images = "digits"
network = "sports-cnn"
image_size = 12
epochs = 4
balance = "sampling"

[schedule]
name = "cosine"
warm_up = 0.2

[augmentation]
crop = true
trivial = true
brightness = 0.4
contrast = 0.4
saturation = 0.4
hue = 0.1
erase = 0.25
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(ALL)
    return path


def test_a_killed_run_resumes_to_the_same_bits(recipe: Path, tmp_path: Path) -> None:
    words = ["train", "digits", "--framework", "pytorch", "--recipe", str(recipe)]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(
        command(*words, "--out", str(whole)), check=True, capture_output=True
    )
    events = broken / "pytorch" / "events.jsonl"
    with started(*words, "--out", str(broken)) as process:
        wait_until(events.exists)
        members = family(process)
        process.kill()
        end(members)
        process.wait()
    assert not (broken / "result.json").exists()
    subprocess.run(command("resume", str(broken)), check=True, capture_output=True)
    for name in ("weights.safetensors", "checkpoint.safetensors", "logits.safetensors"):
        one, other = (run / "pytorch" / name for run in (whole, broken))
        assert one.read_bytes() == other.read_bytes(), name


def test_two_frameworks_see_the_same(recipe: Path, tmp_path: Path) -> None:
    done = triptych.compare(
        recipe=recipe, frameworks=["pytorch", "jax"], epochs=1, precision="float64",
        out=tmp_path / "run",
    )  # fmt: skip
    assert done.verdict == "equal"
    one, other = (
        np.array(done.frameworks[name].epochs[0].step_losses, np.float64)
        for name in ("pytorch", "jax")
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_views_of_a_frozen_part_are_changed_as_well() -> None:
    recipe = make_recipe(
        {
            "images": "digits", "image_size": 12, "train": "head", "views": 2,
            "augmentation": {"crop": True, "hue": 0.2},
        }
    )  # fmt: skip
    store = images_of(recipe, silence)
    views = views_of(recipe, store)
    shown = np.concatenate([one.images for one in features._batches(store, views)])
    assert views.augmentation is not None
    draws = draw(views.augmentation, len(views.rows), store.size, recipe.seed, 1)
    assert draws.further is not None
    np.testing.assert_array_equal(
        shown[len(store) :], gather(store.images, views.rows, draws)
    )
    np.testing.assert_array_equal(shown[: len(store)], store.images)


def test_crops_move_images_enough() -> None:
    """A shift besides them is one that somebody asked for."""
    cropped = make_recipe({"augmentation": {"crop": True}}).augmentation
    assert cropped == Augmentation(shift=0, crop=True)
    sports = make_recipe({"images": "sports", "augmentation": {"crop": True}})
    assert sports.augmentation == Augmentation(shift=0, crop=True)
    both = make_recipe({"augmentation": {"crop": True, "shift": 0.25}}).augmentation
    assert both == Augmentation(shift=0.25, crop=True)
    read = make_recipe(make_recipe_table(both))
    assert read.augmentation == both


def make_recipe_table(augmentation: Augmentation | None) -> dict[str, object]:
    """A recipe file's tables, as they are written and read again."""
    import tomllib

    recipe = make_recipe({"augmentation": {**vars(augmentation)}})
    return tomllib.loads(recipe.to_toml())
