"""What a run says of files, folders and images that it has or has not seen."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from tests.images.making import fill, images, noise, saved

import triptych as package
from triptych.commands.predict.evaluation import PARTS, Evaluation
from triptych.errors import ImagesError, RunFolderError
from triptych.images.source import open_images
from triptych.images.split import split
from triptych.network.weights import load_tensors, save_tensors

Triptych = Callable[..., "subprocess.CompletedProcess[str]"]
MANY = 20
SPLIT = {"train": 42, "validation": 6, "test": 12}
"""Of 20 images of each of three classes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three classes, and a folder of something else."""
    files = images("a", "b", "c", many=MANY) | {
        "models/weights.bin": b"no image at all"
    }
    return fill(tmp_path_factory.mktemp("images") / "photos", files)


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A run that has learned noise by heart: it knows what it was trained on, and
    nothing of the rest.
    """
    out = folder.parent / "run"
    done = package.compare(
        folder, network="mlp", frameworks=["pytorch"], image_size=12, epochs=8, out=out
    )
    assert done.frameworks["pytorch"].status == "done"
    return out


@pytest.fixture(scope="module")
def result(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "result.json").read_text())["frameworks"][
        "pytorch"
    ]
    return found


def counts(evaluation: Evaluation) -> tuple[int, int, int, int]:
    return (
        evaluation.images,
        evaluation.trained_on,
        evaluation.left_out,
        evaluation.left_out_trained_on,
    )


def test_a_folder_that_is_no_class_is_noted(
    run: Path, folder: Path, triptych: Triptych
) -> None:
    noted = json.loads((run / "images.json").read_text())
    assert noted["classes"] == ["a", "b", "c"]
    assert noted["problems"] == [
        {
            "kind": "no images",
            "path": "models",
            "detail": "no image among 1 file(s)",
        }
    ]
    said = triptych("images", folder, "--image-size", "12").stdout
    assert "  no images: models" in said


# ---- evaluate ------------------------------------------------------------------------


def test_the_folder_that_trained_is_scored_on_its_test_part(
    run: Path, folder: Path, result: dict[str, Any]
) -> None:
    evaluation = package.evaluate(run, folder)
    assert counts(evaluation) == (12, 0, 48, 42)
    assert evaluation.accuracy == result["test_accuracy"]
    assert evaluation.confusion == result["confusion"]
    assert evaluation.accuracy_on_others == evaluation.accuracy


@pytest.mark.parametrize(("part", "many"), SPLIT.items())
def test_each_part_is_the_runs(
    run: Path, folder: Path, part: Any, many: int, result: dict[str, Any]
) -> None:
    evaluation = package.evaluate(run, folder, part=part)
    trained_on = many if part == "train" else 0
    assert counts(evaluation) == (
        many,
        trained_on,
        60 - many,
        SPLIT["train"] - trained_on,
    )
    if part == "validation":
        assert evaluation.accuracy == result["validation_accuracy"]


def test_all_images_are_told_apart_from_those_not_seen(run: Path, folder: Path) -> None:
    parts = {part: package.evaluate(run, folder, part=part) for part in PARTS}
    assert counts(parts["all"]) == (60, 42, 0, 0)
    right = {part: round(one.accuracy * one.images) for part, one in parts.items()}
    assert right["all"] == right["train"] + right["validation"] + right["test"]
    assert parts["all"].accuracy_on_others == (right["validation"] + right["test"]) / 18
    # Or there would be nothing to warn of.
    assert parts["train"].accuracy > parts["test"].accuracy
    assert parts["train"].accuracy_on_others is None


def renamed(folder: Path, into: Path) -> Path:
    """The same images in another order, under other names, in another format."""
    for path in folder.glob("*/*.png"):
        to = into / path.parent.name / f"holiday {99 - int(path.stem)}.bmp"
        to.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.save(to)
    return into


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_images_are_known_by_their_content(
    run: Path, folder: Path, tmp_path: Path, packed: bool
) -> None:
    source = renamed(folder, tmp_path / "elsewhere")
    if packed:
        with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
            for path in source.glob("*/*"):
                archive.write(path, path.relative_to(source))
        source = tmp_path / "photos.zip"
    there = package.evaluate(run, source)
    here = package.evaluate(run, folder)
    assert counts(there) == counts(here)
    assert there.confusion == here.confusion


def test_what_the_run_has_trained_on_is_no_test_image_anywhere(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    store = open_images(folder, size=(12, 12))
    known = (
        folder / store.name(int(split(store.labels, store.parts, 0).train[0]))
    ).read_bytes()
    new = {
        f"{kind}/{i}.png": saved(noise(9000 + 10 * n + i))
        for n, kind in enumerate("abc")
        for i in range(4)
    }
    plain = fill(tmp_path / "plain", new | {"a/known.png": known})
    # New to the run, and no part given.
    assert counts(package.evaluate(run, plain)) == (12, 0, 1, 1)
    parts = {
        f"{'test' if '0' in name else 'train'}/{name}": data
        for name, data in new.items()
    }
    parted = fill(tmp_path / "parted", parts | {"test/a/known.png": known})
    assert counts(package.evaluate(run, parted)) == (3, 0, 10, 1)
    assert counts(package.evaluate(run, parted, part="train")) == (10, 1, 3, 0)


def test_evaluation_on_the_terminal(
    run: Path, folder: Path, triptych: Triptych
) -> None:
    said = triptych("evaluate", run, folder)
    assert said.returncode == 0, said.stderr
    assert f"the test split of {folder}" in said.stdout
    left_out = "48 images of other splits are left out; "
    assert f"{left_out}the run was trained on 42 of them." in said.stdout
    said = triptych("evaluate", run, folder, "--part", "all")
    inflated = (
        "The run was trained on 42 of these 60 images, which inflates the accuracy; "
    )
    assert f"{inflated}on the other 18 it is " in said.stdout


def test_a_part_without_images(run: Path, tmp_path: Path) -> None:
    new = {
        f"{kind}/{i}.png": saved(noise(8000 + 10 * n + i))
        for n, kind in enumerate("ab")
        for i in range(3)
    }
    with pytest.raises(
        ImagesError, match=r"its train split has no images .*test 6.*--part"
    ):
        package.evaluate(run, fill(tmp_path / "new", new), part="train")


# ---- predict -------------------------------------------------------------------------


@pytest.fixture
def mixed(folder: Path, tmp_path: Path) -> Path:
    """A folder as people have them: 60 images, some broken files, other things."""
    root = Path(
        shutil.copytree(folder, tmp_path / ("a name of great length " * 6) / "mixed")
    )
    shutil.rmtree(root / "models")
    fill(
        root,
        {
            "a/cut.png": saved(noise(1))[:200],
            "b/empty.jpg": b"",
            "notes.txt": b"some notes",
        },
    )
    fill(root, {"b/saved page.jpg": b"<html>404</html>"})
    os.mkfifo(root / "c" / "pipe.png")
    return root


BROKEN = {
    "a/cut.png": "truncated",
    "b/empty.jpg": "empty",
    "b/saved page.jpg": "not an image",
    "c/pipe.png": "not an image",
}


def test_a_folder_with_bad_files_is_answered(
    run: Path, mixed: Path, triptych: Triptych
) -> None:
    done = triptych("predict", run, mixed, "--json")
    assert done.returncode == 1
    assert "triptych: 4 of 64 files cannot be read" in done.stderr
    found = json.loads(done.stdout)
    kinds = {
        str(Path(one["image"]).relative_to(mixed)): one["error"].partition(":")[0]
        for one in found["predictions"]
        if one["error"]
    }
    assert kinds == BROKEN
    assert found["passed_over"] == [str(mixed / "notes.txt")]
    answered = {one["image"]: one for one in found["predictions"] if not one["error"]}
    assert answered.keys() == {str(path) for path in mixed.glob("?/[0-9]*.png")}
    alone = package.predict(run, [mixed / "c" / "7.png"]).predictions[0]
    assert answered[str(mixed / "c" / "7.png")]["probabilities"] == pytest.approx(
        alone.probabilities, abs=1e-6
    )


def test_csv_and_json_lines(
    run: Path, mixed: Path, triptych: Triptych, result: dict[str, Any]
) -> None:
    files = (run, mixed / "b" / "3.png", mixed / "a" / "cut.png", mixed / "a" / "4.png")
    table = triptych("predict", *files, "--csv")
    lines = triptych("predict", *files, "--jsonl")
    assert (table.returncode, lines.returncode) == (1, 1)
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    said = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [row["image"] for row in rows] == list(map(str, files[1:]))
    assert [one["image"] for one in said] == list(map(str, files[1:]))
    for row, one in zip(rows, said, strict=True):
        assert (row["label"], row["error"]) == (one["label"] or "", one["error"] or "")
        shares = {name: float(row[f"p({name})"]) for name in "abc" if row["label"]}
        assert shares == one["probabilities"]
        assert (row["framework"], int(row["epoch"])) == (
            "pytorch",
            result["best_epoch"],
        )
        assert (one["framework"], one["epoch"]) == ("pytorch", result["best_epoch"])
    assert "Computed by PyTorch, with the weights from epoch" in table.stderr


@pytest.mark.parametrize("forms", [("--csv", "--jsonl"), ("--json", "--csv")])
def test_one_form_at_a_time(
    forms: tuple[str, str], run: Path, mixed: Path, triptych: Triptych
) -> None:
    done = triptych("predict", run, mixed, *forms)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"{forms[0]} and {forms[1]}: give one of them" in done.stderr


def test_a_path_stays_on_one_line(run: Path, mixed: Path, triptych: Triptych) -> None:
    done = triptych("predict", run, mixed, COLUMNS="40")
    paths = [line for line in done.stdout.splitlines() if line.endswith(("png", "jpg"))]
    assert len(paths) == 64
    assert all(str(mixed) in line for line in paths)


def test_what_answers_and_that_there_is_more_to_come(
    run: Path, folder: Path, tmp_path: Path, triptych: Triptych, result: dict[str, Any]
) -> None:
    best = result["best_epoch"]
    done = triptych("predict", run, folder / "a" / "0.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        f"Computed by PyTorch, with the weights from epoch {best} of 8." in done.stdout
    )
    assert "not finished" not in done.stdout
    part = Path(shutil.copytree(run, tmp_path / "a part"))
    for left in ("pytorch/facts.json", "result.json"):  # as a kill leaves it
        (part / left).unlink()
    said = triptych("predict", part, folder / "a" / "0.png").stdout
    assert f"Computed by PyTorch, with the weights from epoch {best} of 8." in said
    assert "The run is not finished (8 of 8 epochs trained)" in said
    assert f"triptych resume '{part}'" in said
    assert "The run is not finished" in triptych("evaluate", part, folder).stdout


def test_a_predictor_asks_one_process_again_and_again(run: Path, folder: Path) -> None:
    me = psutil.Process()
    before = set(me.children())
    one, another = ([folder / "a" / f"{number}.png"] for number in (0, 1))
    with package.Predictor(run) as predictor:
        said = [predictor.predict(files).predictions[0] for files in (one, another)]
        (worker,) = set(me.children()) - before
        with pytest.raises(ImagesError):
            predictor.predict([folder / "models" / "weights.bin"])
        assert predictor.predict(one).predictions == said[:1]
        assert set(me.children()) - before == {worker}
    assert not worker.is_running()
    assert said == [
        package.predict(run, files).predictions[0] for files in (one, another)
    ]


def test_weights_of_one_framework_answer_in_another(run: Path, folder: Path) -> None:
    files = sorted(folder.glob("*/1*.png"))
    ours, theirs = (
        package.predict(run, files, framework=name) for name in ("pytorch", "jax")
    )
    assert (theirs.model.framework, theirs.model.weights) == ("jax", "pytorch")
    assert theirs.model.sentences()[0].startswith(
        "Computed by JAX, with PyTorch's weights from epoch "
    )
    for one, other in zip(ours.predictions, theirs.predictions, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    with pytest.raises(
        RunFolderError, match=r"no weights of JAX yet; use those of pytorch"
    ):
        package.predict(run, files, weights="jax")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["nowhere.png"], "nowhere.png: unreadable: No such file or directory"),
        (
            ["text.png", "nowhere.png"],
            "none of 2 files is a readable image, first text.png: not an image",
        ),
        (["empty folder"], "there is no file in what was named"),
    ],
)
def test_nothing_to_answer(
    run: Path, tmp_path: Path, triptych: Triptych, files: list[str], message: str
) -> None:
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "empty folder").mkdir()
    done = triptych("predict", run, *files, "--csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"triptych: {message}")
    assert done.stderr.count("\n") == 1


# ---- run folders that somebody has changed -------------------------------------------

TAMPERED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no classes": ("images.json", lambda path: path.write_text("{}")),
    "other classes": (
        "images.json",
        lambda path: path.write_text('{"classes": ["a", "b"]}'),
    ),
    "classes twice": (
        "images.json",
        lambda path: path.write_text('{"classes": ["a", "b", "b"]}'),
    ),
    "a class too many": (
        "images.json",
        lambda path: path.write_text('{"classes": ["a", "b", "c", "c"]}'),
    ),
    "classes of no text": (
        "images.json",
        lambda path: path.write_text('{"classes": [["a"], {}, 3]}'),
    ),
    "no digests": ("images.safetensors", lambda path: path.unlink()),
    "digests of a number": (
        "images.safetensors",
        lambda path: save_tensors(path, {"train": np.array(3, np.uint8)}),
    ),
    "digests of floats": (
        "images.safetensors",
        lambda path: save_tensors(path, {"train": np.zeros((4, 16))}),
    ),
    "digests of a part there is not": (
        "images.safetensors",
        lambda path: save_tensors(path, {"x": np.zeros((4, 16), np.uint8)}),
    ),
    "no recipe in the recipe": ("recipe.toml", lambda path: path.write_text("")),
    "images of another size": (
        "recipe.toml",
        lambda path: path.write_text(path.read_text().replace("= 12", "= 20")),
    ),
    "an unknown key": ("recipe.toml", lambda path: path.write_text("pictures = 1")),
    "weights cut": (
        "pytorch/weights.safetensors",
        lambda path: path.write_bytes(path.read_bytes()[:50]),
    ),
    "events of another make": (
        "pytorch/events.jsonl",
        lambda path: path.write_text('{"epoch": "x"}'),
    ),
}


@pytest.mark.parametrize("damage", TAMPERED)
def test_a_changed_run_folder_is_one_clear_line(
    run: Path, folder: Path, tmp_path: Path, damage: str
) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "run"))
    name, change = TAMPERED[damage]
    change(mine / name)
    with pytest.raises(RunFolderError) as raised:
        package.evaluate(mine, folder)
    assert str(raised.value).startswith(f"{mine / name}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "damaged",
    ["network.toml", "pytorch/weights.safetensors", "pytorch/logits.safetensors"],
)
def test_a_run_that_cannot_be_resumed_keeps_what_it_has(
    run: Path, tmp_path: Path, damaged: str, triptych: Triptych
) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "run"))
    (mine / damaged).unlink()
    kept = sorted(mine.rglob("*"))
    done = triptych("resume", mine)
    assert done.returncode == 2
    *_, line = done.stderr.splitlines()
    assert line.startswith(f"triptych: {mine / damaged}: there is no such file")
    assert set(kept) <= set(mine.rglob("*"))


def test_weights_that_are_no_numbers_do_not_answer(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "run"))
    path = mine / "pytorch" / "weights.safetensors"
    weights = load_tensors(path)
    name = next(iter(weights))
    save_tensors(path, weights | {name: np.full_like(weights[name], np.nan)})
    with pytest.raises(RunFolderError, match="are no numbers: the training has diver"):
        package.predict(mine, [folder / "a" / "0.png"])
    save_tensors(path, {name: weights[name]})
    with pytest.raises(RunFolderError, match="the weights lack"):
        package.predict(mine, [folder / "a" / "0.png"])


def test_figures_are_read_where_they_lie_now(run: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "run"))
    (mine / "report.html").unlink()
    before = (run / "report.html").stat().st_mtime_ns
    assert package.load(mine).report() == mine / "report.html"
    assert (mine / "report.html").is_file()
    assert (run / "report.html").stat().st_mtime_ns == before
    text = (mine / "result.json").read_text()
    (mine / "result.json").write_text(text.replace('"schema": 2', '"schema": 99'))
    with pytest.raises(RunFolderError, match="the format of another version"):
        package.load(mine)


# ---- runs ----------------------------------------------------------------------------


def test_runs_are_listed_with_what_they_were(
    run: Path, folder: Path, tmp_path: Path, triptych: Triptych
) -> None:
    name = "runs/" + "of a name that no line of a terminal has room for " * 3
    shutil.copytree(run, tmp_path / name)
    (listed,) = json.loads(triptych("runs", "--json").stdout)
    assert listed["folder"] == name
    assert listed["images"] == str(folder)
    assert (listed["network"], listed["image_size"], listed["epochs"]) == (
        "mlp",
        [12, 12],
        8,
    )
    assert listed["verdict"] == "equal"
    assert listed["started"][:2] == "20"
    lines = triptych("runs", COLUMNS="40").stdout.splitlines()
    assert lines[0] == name
    assert "mlp, 12 x 12 pixels, 8 epoch(s)  equal: pytorch" in lines[1]
    assert lines[2] == f"  images: {folder}"
