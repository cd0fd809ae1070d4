"""Training a part of a network: what is frozen stays as it was, and its outputs are
computed once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import numpy as np
import pytest

import triptych
from triptych.commands.compare.comparison import Comparison
from triptych.errors import RecipeError
from triptych.files import cache_folder
from triptych.images.cache import FEATURES, clear
from triptych.network.cut import cut
from triptych.network.weights import load_tensors
from triptych.running.folder import RunFolder
from triptych.running.plan import Options
from triptych.running.protocol import Event, FeaturesComputed

FOUR = ("keras", "tensorflow", "pytorch", "jax")


def kept() -> set[str]:
    """The features in the cache."""
    return {one.name for one in (cache_folder() / FEATURES).glob("*") if one.is_dir()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The last two layers of a network with batch norm and dropout, in all four."""
    out = tmp_path_factory.mktemp("features") / "run"
    recipe = {"augmentation": {"shift": 0.1}, "views": 3}
    return triptych.compare(
        "digits", network="compact-cnn", image_size=16, epochs=4, train="last:2",
        recipe=recipe, out=out,
    )  # fmt: skip


def test_what_is_frozen_comes_out_as_it_went_in(run: Comparison) -> None:
    folder = RunFolder.open(run.folder)
    begun = folder.starting_weights()
    body, head = cut(folder.architecture(), 2)
    assert body.statistics  # whose averages would drift in training
    for name in FOUR:
        ended = load_tensors(folder.path / name / "weights.safetensors")
        assert ended.keys() == begun.keys()
        for tensor in body.parameters | body.statistics:
            np.testing.assert_array_equal(ended[tensor], begun[tensor], strict=True)
        for tensor in head.parameters:
            assert (ended[tensor] != begun[tensor]).any()


def test_all_four_train_the_same_head(run: Comparison) -> None:
    assert run.verdict == "equal"
    agreement = run.agreement
    assert agreement.reference_gap is not None
    assert agreement.reference_gap < 1e-5
    assert agreement.same_predictions is not None
    assert agreement.same_predictions > 0.95
    for one in run.frameworks.values():
        first, *_, last = one.epochs
        assert first.loss is not None
        assert last.loss is not None
        assert last.loss < 0.9 * first.loss


def test_a_run_of_a_head_predicts_as_it_tested(run: Comparison) -> None:
    """By its whole network, from the images on."""
    for name in ("pytorch", "jax"):
        found = triptych.evaluate(run.folder, "digits", framework=name)
        assert found.accuracy == run.frameworks[name].test_accuracy


def test_features_are_computed_once(tmp_path: Path) -> None:
    heard: list[FeaturesComputed] = []

    def hear(who: str, event: Event) -> None:
        if isinstance(event, FeaturesComputed):
            heard.append(event)

    def train(out: str, **more: Unpack[Options]) -> int:
        """How many images the frozen part was shown."""
        heard.clear()
        options: Options = {"image_size": 20, "epochs": 1, "train": "head"}
        options |= more
        triptych.train("digits", out=tmp_path / out, callback=hear, **options)
        assert all(one.done <= one.total for one in heard)
        return heard[-1].done if heard else 0

    clear()
    everything = train("first")
    assert everything == 1797
    known = kept()
    assert len(known) == 1
    # Another head of the same body, trained otherwise.
    assert train("second", optimizer="sgd", epochs=3) == 0
    assert kept() == known
    # Another body: its weights, what it is shown, what is left of it.
    assert train("third", seed=1) == everything
    assert train("fourth", image_size=18) == everything
    assert train("fifth", train="last:2") == everything
    assert len(kept()) == 4
    # A damaged one is computed anew.
    (one,) = known
    with open(cache_folder() / FEATURES / one / "features.bin", "r+b") as file:
        file.truncate(100)
    assert train("sixth") == everything
    assert len(kept()) == 4
    clear()
    assert not kept()


def test_each_epoch_shows_another_view(run: Comparison) -> None:
    """Three views in turn: the fourth epoch shows the first again."""
    from triptych.images.store import Store
    from triptych.running.images import images_of
    from triptych.running.protocol import silence
    from triptych.running.training import parts_of, views_of

    folder = RunFolder.open(run.folder)
    recipe, store = folder.recipe(), images_of(folder.recipe(), silence)
    assert isinstance(store, Store)
    _, head = cut(folder.architecture(), 2)
    views = views_of(recipe, store)
    rows = len(store) + 2 * len(views.rows)
    numbered = np.arange(rows, dtype=np.float32)[:, None]
    train = parts_of(recipe, head, store, numbered).train
    epochs = [
        np.sort(np.concatenate([batch.images[:, 0] for batch in train.epoch(epoch)]))
        for epoch in range(4)
    ]
    np.testing.assert_array_equal(epochs[0], views.rows)
    np.testing.assert_array_equal(epochs[3], views.rows)
    assert epochs[1].min() == len(store)
    assert epochs[2].max() == rows - 1


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"train": "tail"}, "must be all, head or last:N"),
        ({"train": "last:0"}, "must be all, head or last:N"),
        ({"train": "last:-1"}, "must be all, head or last:N"),
        ({"views": 0, "train": "head"}, "views is 0"),
        ({"views": 2}, "but all is trained"),
        ({"views": 2, "train": "head", "augmentation": False}, "tells them apart"),
        ({"train": "head", "augmentation": {"flip": True}}, "set views"),
    ],
)
def test_what_cannot_be_trained(recipe: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as raised:
        triptych.train("digits", recipe=recipe)
    assert "\n" not in str(raised.value)


def test_more_layers_than_there_are_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(triptych.TriptychError, match="train fewer layers, or all"):
        triptych.train("digits", train="last:9", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
