"""The Python interface: what the command line can do, with objects for its names."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.commands.bench.making import made_up
from tests.report.making import made_up_replay

import triptych
from triptych import layers
from triptych.errors import RunFolderError, UsageError
from triptych.network.architecture import from_toml, sequence

OWN = sequence("<my own>", (8, 8, 3), [layers.Flatten(), layers.Dense(10)])


class Text(HTMLParser):
    """Collects what a reader sees, and which tags make it look so."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.tags = "", set[str]()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


def seen(html: str) -> Text:
    """What a notebook shows, in which only <pre> and <span> make it look so."""
    shown = Text(html)
    assert shown.tags <= {"pre", "span"}
    return shown


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> triptych.Comparison:
    folder = tmp_path_factory.mktemp("python") / "run"
    return triptych.train(
        "digits",
        framework="reference",
        network=OWN,
        epochs=1,
        batch_size=500,
        precision="float64",
        optimizer="sgd",
        learning_rate=0.25,
        schedule="constant",
        out=folder,
    )


def test_a_network_is_given_as_it_is(trained: triptych.Comparison) -> None:
    assert (trained.network.name, trained.network.parameters) == (
        "<my own>",
        1930,
    )
    assert trained.recipe.image_size == (8, 8)
    assert from_toml(Path(trained.folder) / "network.toml") == OWN


def test_optimizer_and_schedule_are_options(trained: triptych.Comparison) -> None:
    assert [one.status for one in trained.frameworks.values()] == ["done"]
    assert trained.recipe.frameworks == ("reference",)
    assert trained.recipe.optimizer.name == "sgd"
    schedule = trained.recipe.schedule
    assert (schedule.name, schedule.learning_rate) == ("constant", 0.25)


def test_images_may_be_arrays(tmp_path: Path) -> None:
    """They train, are scored and are found again, as a folder of them would be."""
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    labels = ["cat", "dog"] * 20
    int64: Any = np.int64  # what NumPy counts with
    done = triptych.train(
        [images, labels],  # a pair, as well
        framework="reference",
        network=OWN,
        epochs=int64(1),
        image_size=(int64(8), int64(8)),
        precision="float64",
        out=tmp_path / "run",
    )
    assert done.frameworks["reference"].status == "done"
    assert list(done.images.classes) == ["cat", "dog"]
    scored = triptych.evaluate(tmp_path / "run", (images, labels))
    assert scored.images == done.images.test
    assert scored.trained_on == 0
    again = triptych.train(
        recipe=tmp_path / "run" / "recipe.toml", network=OWN, out=tmp_path / "again"
    )
    assert again.images.key == done.images.key


def test_a_run_is_loaded_again(trained: triptych.Comparison) -> None:
    assert triptych.load(trained.folder) == trained


def test_what_is_no_run(tmp_path: Path) -> None:
    nothing: Any
    for nothing in (3, None, b"run", tmp_path):
        with pytest.raises(RunFolderError, match="not a run folder"):
            triptych.load(nothing)


def test_a_notebook_shows_the_figures(
    trained: triptych.Comparison, tmp_path: Path
) -> None:
    image = tmp_path / "<b>.png"
    Image.new("RGB", (8, 8)).save(image)
    shown = seen(trained._repr_html_())
    assert "<my own> on digits" in shown.words
    assert "NumPy reference" in shown.words
    predictions = triptych.predict(trained.folder, [image])
    words = seen(predictions._repr_html_()).words
    assert "<b>.png" in words
    assert "Computed by NumPy reference" in words
    evaluation = triptych.evaluate(trained.folder, "digits")
    assert "on 359 images" in seen(evaluation._repr_html_()).words
    assert "Not ranked" in seen(made_up(ranked=False)._repr_html_()).words
    assert "2017-keras" in seen(made_up_replay(tmp_path)._repr_html_()).words


def test_a_certificate_says_all_that_is_asked(tmp_path: Path) -> None:
    done = triptych.verify(
        OWN, frameworks=["pytorch"], steps=1, probes=False, out=tmp_path / "proof"
    )
    assert done.verdict == done.certificate.verdict == "equal"
    assert "equal" in seen(done._repr_html_()).words
    stored = tmp_path / "proof" / "certificate.json"
    assert triptych.verify(certificate=stored).verdict == "equal"
    with pytest.raises(UsageError, match="certificate already says what to check"):
        triptych.verify("lenet", certificate=stored)


# ---- what is refused -----------------------------------------------------------------

NUMBERS: list[tuple[str, object]] = [
    ("steps", "x"),
    ("steps", 1.5),
    ("steps", True),
    ("steps", 10**12),
    ("batch_size", 10**12),
    ("batch_size", None),
    ("seed", 2**70),
    ("image_size", "x"),
    ("timeout", "x"),
    ("timeout", float("nan")),
]


@pytest.mark.parametrize(("name", "number"), NUMBERS)
def test_numbers_of_a_proof_are_checked_first(
    name: str, number: Any, tmp_path: Path
) -> None:
    out = tmp_path / "proof"
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} is "):
        triptych.verify(OWN, out=out, **{name: number})
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"network": ""}, "there is no network ''"),
        ({"frameworks": "pytorhc"}, "no framework 'pytorhc'"),
        ({"frameworks": ""}, "there is no framework ''"),
        ({"frameworks": []}, "--frameworks: name one or more"),
        ({"frameworks": [["jax"]]}, "there is no framework"),
        ({"optimizers": "adan"}, "unknown optimizer 'adan'"),
        ({"optimizers": ""}, "unknown optimizer ''"),
        ({"optimizers": ()}, "--optimizer: name one or more"),
        ({"precision": None}, "unknown precision None"),
    ],
)
def test_only_none_is_not_given(given: dict[str, Any], says: str) -> None:
    with pytest.raises(triptych.TriptychError, match=says):
        triptych.verify(**{"network": OWN, **given})


def test_a_single_name_is_one_name(tmp_path: Path) -> None:
    int64: Any = np.int64  # what NumPy counts with
    done = triptych.verify(
        OWN,
        frameworks="pytorch",
        optimizers="sgd",
        steps=int64(1),
        batch_size=int64(2),
        probes=False,
        out=tmp_path / "proof",
    )
    asked = done.certificate.asked
    assert asked is not None
    assert asked.frameworks == ["pytorch"]
    assert [one.name for one in asked.optimizers] == ["sgd"]
    with pytest.raises(UsageError, match="no framework 'pytorhc': did you mean"):
        triptych.bench("mlp", frameworks="pytorhc")


@pytest.mark.parametrize("given", [{"timeout": 0}, {"repeats": "x"}, {"seconds": "x"}])
def test_numbers_of_a_bench_are_checked_first(
    given: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "bench"
    with pytest.raises(UsageError, match=f"--{next(iter(given))} is "):
        triptych.bench("mlp", out=out, **given)
    assert not out.exists()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "x"])
def test_a_wrong_timeout_leaves_no_run_behind(timeout: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--timeout is"):
        triptych.train("digits", timeout=timeout, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_single_image_is_one_image(
    trained: triptych.Comparison, tmp_path: Path
) -> None:
    image = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(image)
    for given in (image, str(image), [image]):
        done = triptych.predict(trained.folder, given)
        assert [one.image for one in done.predictions] == [str(image)]


@pytest.mark.parametrize("given", ["", [""], None, 3, [None], np.zeros((2, 2))])
def test_what_names_no_image(trained: triptych.Comparison, given: Any) -> None:
    with pytest.raises(UsageError, match="names no image; give paths") as refused:
        triptych.predict(trained.folder, given)
    assert "\n" not in str(refused.value)
