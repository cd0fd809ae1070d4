"""A command that cannot carry out a recipe refuses it and names the entry."""

from __future__ import annotations

from pathlib import Path

import pytest

import triptych
from triptych.errors import RecipeError, UsageError


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"patience": 2}, "patience = 2, but ejected programs know only patience = 0"),
        ({"minutes": 1.5}, "minutes = 1.5, but ejected programs know only minutes = 0"),
        (
            {"schedule": {"name": "cosine", "warm_up": 0.1}},
            "schedule.warm_up = 0.1, but ejected programs know only schedule.warm_up",
        ),
        ({"augmentation": {"crop": True}}, "augmentation.crop = true, but"),
        ({"augmentation": {"trivial": True}}, "augmentation.trivial = true, but"),
        ({"augmentation": {"hue": 0.1}}, "augmentation.hue = 0.1, but"),
        ({"augmentation": {"contrast": 0.5}}, "augmentation.contrast = 0.5, but"),
        ({"augmentation": {"erase": 0.5}}, "augmentation.erase = 0.5, but"),
        ({"train": "head"}, 'train = "head", but ejected programs know only train'),
        (
            {"weights": "mine.safetensors"},
            'weights = "mine.safetensors", train = "head", but',
        ),
        ({"train": "head", "views": 2, "augmentation": {}}, 'train = "head"'),
    ],
)
def test_eject_refuses_what_its_programs_do_not_know(
    recipe: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        triptych.eject("lenet", "pytorch", recipe=recipe, out=tmp_path / "mine.py")
    assert "\n" not in str(raised.value)
    assert not any(tmp_path.iterdir())


def test_replay_trains_from_random_weights_alone(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('weights = "imagenet"\ntrain = "all"\n')
    with pytest.raises(RecipeError, match="weights is 'imagenet', but replay trains"):
        triptych.replay(
            "digits", recipes=["2017-keras", recipe], out=tmp_path / "replay"
        )
    assert not (tmp_path / "replay").exists()
