from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from triptych.errors import ImagesError, UsageError, WorkerFailed
from triptych.images import drawn, sports
from triptych.images.decode import resize
from triptych.images.found import ImagesFound, describe
from triptych.images.reader import Problem
from triptych.images.sheet import contact_sheet
from triptych.images.source import open_images
from triptych.images.split import TEST, TRAIN, split
from triptych.images.store import DecodedImage

from .making import child, fill, images, noise, saved


def test_digits_are_those_of_scikit_learn() -> None:
    store = open_images("digits", size=(8, 8))
    theirs = load_digits()
    assert store.classes == tuple("0123456789")
    np.testing.assert_array_equal(store.labels, theirs.target)
    gray = np.rint(theirs.images * 255 / 16)
    np.testing.assert_array_equal(store.images, np.repeat(gray[..., None], 3, axis=3))
    assert [
        len(part) for part in vars(split(store.labels, store.parts, 0)).values()
    ] == [1293, 145, 359]
    large = open_images("digits", size=(28, 28))
    np.testing.assert_array_equal(large.images[5], resize(store.images[5], (28, 28)))
    assert large.key != store.key


def test_built_in_sets_are_light() -> None:
    code = """
from triptych.images.source import open_images
open_images("digits", size=(32, 32))
heavy = {"sklearn", "scipy", "torch", "tensorflow", "keras", "jax"}
heavy |= {"matplotlib", "pandas"}
print(sorted(heavy & set(sys.modules)))
"""
    out, err = child(code).communicate(timeout=60)
    assert (out.strip(), err) == ("[]", "")


def some(plan: drawn.Plan, rows: list[int]) -> drawn.Plan:
    return replace(plan, keys=[plan.keys[row] for row in rows])


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
def test_sports_are_drawn_by_key_in_any_number_of_processes(
    size: tuple[int, int],
) -> None:
    plan = drawn.plan(size, 3, False)
    few = some(plan, [0, 400, 1799, 1800, 2249])
    found: list[DecodedImage] = list(few.images())
    assert [image.row for image in found] == [0, 1, 2, 3, 4]
    for key, image in zip(few.keys, found, strict=True):
        expected = resize(sports.draw(sports.CLASSES[key[2]], max(size), key), size)
        np.testing.assert_array_equal(image.pixels, expected)
    assert len({image.digest for image in found}) == 5


def test_plans_of_the_sports() -> None:
    plan, full = drawn.plan((8, 8), 0, False), drawn.plan((8, 8), 0, True)
    for one, train, test in ((plan, 1800, 450), (full, 7096, 1775)):
        parts = one.contents.parts
        assert ((parts == TRAIN).sum(), (parts == TEST).sum(), len(one.keys)) == (
            train,
            test,
            train + test,
        )
        assert len(set(one.keys)) == len(one.keys)
    counts = [
        int(((full.contents.labels == i) & (full.contents.parts == TRAIN)).sum())
        for i in range(6)
    ]
    assert tuple(counts) == sports.TALK_TRAIN
    assert plan.contents.names[0] == f"train/{sports.CLASSES[0]}/0000"
    keys = {
        p.contents.key
        for p in (
            plan,
            full,
            drawn.plan((8, 8), 1, False),
            drawn.plan((8, 9), 0, False),
        )
    }
    assert len(keys) == 4
    assert drawn.plan((8, 8), 0, False).contents.key == plan.contents.key


def test_a_drawing_process_that_dies_is_not_swallowed() -> None:
    plan = drawn.plan((8, 8), 0, False)
    broken = replace(plan, keys=[plan.keys[0], (0, TRAIN, 99, 0)])
    with pytest.raises(WorkerFailed, match="ended with 1: IndexError"):
        list(broken.images())


def test_unknown_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ImagesError,
        match=r"'sprots'.*did you mean 'sports'\? \(known: digits, sports\)",
    ):
        open_images("sprots", size=(8, 8))
    with pytest.raises(ImagesError, match="no folder or archive"):
        open_images(tmp_path / "digits", size=(8, 8))
    with pytest.raises(UsageError, match="unknown fit"):
        open_images("digits", size=(8, 8), fit="stretch")
    with pytest.raises(
        UsageError, match="unknown resize 'neraest': did you mean 'nearest'"
    ):
        open_images("digits", size=(8, 8), resize="neraest")
    with pytest.raises(UsageError, match="seed -1"):
        open_images("sports", size=(8, 8), seed=-1)


def test_a_folder_called_like_a_built_in_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "digits", images("a", "b"))
    monkeypatch.chdir(tmp_path)
    assert len(open_images("./digits", size=(8, 8))) == 6
    # A Path has forgotten its "./".
    assert len(open_images(Path("./digits"), size=(8, 8))) == 6
    assert len(open_images("digits", size=(8, 8))) == 1797


def test_description_and_contact_sheet(tmp_path: Path) -> None:
    files = images("train/alpine skiing", "train/b", "test/b", many=9) | {
        "train/b/x.png": b"",
        "train/b/y.png": b"",
    }
    files["train/b/same.png"] = files["train/b/0.png"]
    store = open_images(fill(tmp_path / "set", files), size=(12, 16))
    parts = split(store.labels, store.parts, 0)
    facts = describe(store, parts)
    assert msgspec.json.decode(msgspec.json.encode(facts), type=ImagesFound) == facts
    assert [facts.train, facts.validation, facts.test] == [16, 2, 9]
    assert facts.classes == ["alpine skiing", "b"]
    assert facts.class_counts == {"train": [8, 8], "validation": [1, 1], "test": [0, 9]}
    assert facts.problem_counts == {"duplicate": 1, "empty": 2}
    detail = "same pixels as train/b/0.png"
    assert facts.problems[0] == Problem("duplicate", "train/b/same.png", detail)
    assert (facts.source, facts.key) == (str(tmp_path / "set"), store.key)
    contact_sheet(store, tmp_path / "sheet.png", per_class=4)
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    # The first image of the first row stands there, enlarged by 6, its pixels
    # visible.
    assert (pixels[0, 0] == 255).all()
    top, left = 32 + 44 + 12, 32 + 190
    first = store.images[int(np.flatnonzero(store.labels == 0)[0])]
    np.testing.assert_array_equal(
        pixels[top + 3 : top + 72 : 6, left + 3 : left + 96 : 6], first
    )
    assert [path.name for path in tmp_path.glob("sheet*")] == ["sheet.png"]
    contact_sheet(store, tmp_path / "sheet.png")  # its own may be replaced
    photo = tmp_path / "set" / "train" / "b" / "0.png"
    kept = photo.read_bytes()
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    for other in (photo, tmp_path / "link.png", Path("/dev/null"), Path()):
        with pytest.raises(ImagesError, match=r"cannot write .* and no contact sheet"):
            contact_sheet(store, other)
    assert photo.read_bytes() == kept
    assert Path("/dev/null").is_char_device()
    with pytest.raises(ImagesError, match="cannot write"):
        contact_sheet(store, tmp_path / "sheet.png" / "below-a-file.png")


def test_contact_sheet_of_very_many_classes_stays_a_sheet(tmp_path: Path) -> None:
    files = {
        f"class {i:03}/{j}.png": saved(noise(2 * i + j, 4, 4))
        for i in range(90)
        for j in range(2)
    }
    contact_sheet(
        open_images(fill(tmp_path / "set", files), size=(4, 4)),
        tmp_path / "sheet.png",
    )
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height < 5000
