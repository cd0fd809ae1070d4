"""The main job: four frameworks side by side, and what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from triptych.commands.compare import comparison, passing
from triptych.network.weights import load_tensors
from triptych.running.result import json_schema
from triptych.running.scores import interval

FOUR = ("keras", "tensorflow", "pytorch", "jax")


def triptych(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "triptych.cli", *words],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of a small network on the digits, in all four frameworks."""
    out = tmp_path_factory.mktemp("compare") / "run"
    words = ["compare", "digits", "--epochs", "2", "--image-size", "20"]
    done = triptych(*words, "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((out / "result.json").read_text())
    return out


@pytest.fixture(scope="module")
def result(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "result.json").read_text())
    return found


def test_all_four_train_and_agree(result: dict[str, Any]) -> None:
    assert list(result["frameworks"]) == list(FOUR)
    for one in result["frameworks"].values():
        assert one["status"] == "done"
        assert one["test_accuracy"] > 0.8
        low, high = one["test_accuracy_interval"]
        assert low < one["test_accuracy"] < high
    agreement = result["agreement"]
    assert 0 <= agreement["first_step_loss_gap"] < 1e-5
    assert 0 <= agreement["reference_gap"] < 1e-5
    assert agreement["same_predictions"] > 0.99


def test_loss_curves_lie_on_each_other(result: dict[str, Any]) -> None:
    curves = np.array(
        [
            [epoch["step_losses"] for epoch in one["epochs"]]
            for one in result["frameworks"].values()
        ]
    ).reshape(4, -1)
    assert curves.shape == (4, 2 * 41)
    assert np.ptp(curves, axis=0).max() < 1e-3
    # And they go down: equal curves of nothing prove nothing.
    assert curves[0, 0] - curves[0, -1] > 1


def test_the_result_follows_its_schema(result: dict[str, Any]) -> None:
    jsonschema.validate(result, json_schema())
    broken = {**result, "frameworks": {"keras": {"status": "perhaps"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json_schema())


def test_the_published_schema_is_that_of_the_code() -> None:
    published = Path(__file__).parents[1] / "docs" / "result.schema.json"
    assert json.loads(published.read_text()) == json.loads(json.dumps(json_schema()))


def test_the_run_folder_holds_what_the_design_says(
    run: Path, result: dict[str, Any]
) -> None:
    here = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert here >= {
        "recipe.toml",
        "network.toml",
        "images.json",
        "images.safetensors",
        "result.json",
        "report.html",
        *FOUR,
    }
    for name in FOUR:
        source = (run / name / "network.py").read_text()
        compile(source, "network.py", "exec")
        assert result["frameworks"][name]["network_lines"] < len(source.splitlines())
        weights = load_tensors(run / name / "weights.safetensors")
        checkpoint = load_tensors(run / name / "checkpoint.safetensors")
        assert weights.keys() < checkpoint.keys()


def test_memory_stays_within_its_bounds(result: dict[str, Any]) -> None:
    """On top of its import a framework takes less than twice what importing the
    lightest one takes.
    """
    lightest = min(one["import_memory_mib"] for one in result["frameworks"].values())
    for name, one in result["frameworks"].items():
        more = one["peak_memory_mib"] - one["import_memory_mib"]
        assert 0 < more < 2 * lightest, name


def test_float64_agrees_with_the_reference_to_rounding(tmp_path: Path) -> None:
    words = ["compare", "digits", "--network", "sports-cnn", "--image-size", "12"]
    words += ["--epochs", "1", "--batch-size", "64", "--precision", "float64"]
    done = triptych(*words, "--out", str(tmp_path / "run"), "--json")
    agreement = json.loads(done.stdout)["agreement"]
    assert 0 <= agreement["first_step_loss_gap"] < 1e-12
    assert 0 <= agreement["reference_gap"] < 1e-12
    # After an epoch of Adam on biases without a gradient.
    assert agreement["test_logits_gap"] < 1e-6


def test_predict_and_evaluate_say_what_the_run_said(
    run: Path, result: dict[str, Any], tmp_path: Path
) -> None:
    from sklearn.datasets import load_digits

    drawn = load_digits()
    paths = []
    for number in range(12):
        path = tmp_path / str(drawn.target[number]) / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = (drawn.images[number] * 255 / 16).round().astype(np.uint8)
        Image.fromarray(pixels).save(path)
        paths.append(path)
    said = {}
    for framework in ("tensorflow", "pytorch"):
        done = triptych(
            "predict", str(run), *map(str, paths), "--framework", framework, "--json"
        )
        said[framework] = json.loads(done.stdout)["predictions"]
        for one in said[framework]:
            assert sum(one["probabilities"].values()) == pytest.approx(1)
            assert one["label"] == max(
                one["probabilities"], key=one["probabilities"].get
            )
    right = [
        one["label"] == path.parent.name
        for one, path in zip(said["pytorch"], paths, strict=True)
    ]
    assert sum(right) >= 9  # images it was trained on, for the most part
    for a, b in zip(said["tensorflow"], said["pytorch"], strict=True):
        assert a["probabilities"] == pytest.approx(b["probabilities"], abs=1e-4)

    table = triptych("predict", str(run), str(paths[0]))
    assert table.returncode == 0
    assert paths[0].name in table.stdout.replace("\n", "")

    other = triptych("evaluate", str(run), "digits", "--framework", "pytorch", "--json")
    evaluation = json.loads(other.stdout)
    assert evaluation["images"] == 359
    assert evaluation["accuracy"] == result["frameworks"]["pytorch"]["test_accuracy"]
    assert evaluation["confusion"] == result["frameworks"]["pytorch"]["confusion"]


def test_a_missing_framework_is_no_error(tmp_path: Path) -> None:
    hide = tmp_path / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import sys, importlib.machinery as m\n"
        "find = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = lambda name, *rest: "
        "None if name == 'jax' else find(name, *rest)\n"
    )
    words = ["compare", "digits", "--frameworks", "jax,pytorch", "--epochs", "1"]
    words += ["--network", "mlp", "--out", str(tmp_path / "run"), "--json"]
    done = triptych(*words, PYTHONPATH=str(hide))
    assert done.returncode == 0, done.stderr
    frameworks = json.loads(done.stdout)["frameworks"]
    assert frameworks["jax"]["status"] == "missing"
    assert "pip install 'triptych[jax]'" in frameworks["jax"]["error"]
    assert frameworks["pytorch"]["status"] == "done"


def test_a_large_first_step_is_left_to_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference keeps every activation in float64: what takes minutes and 10 GB is
    not done unasked.
    """
    monkeypatch.setattr(passing, "IN_PASSING", 1)
    run = comparison.compare(
        "digits", frameworks=["pytorch"], epochs=1, network="mlp", out=tmp_path / "run"
    )
    assert run.frameworks["pytorch"].status == "done"
    assert run.equivalence is not None
    assert run.equivalence.verdict == "inconclusive"
    assert (
        f"triptych verify {tmp_path / 'run'} --batch-size 2" in run.equivalence.sentence
    )


def test_in_python(tmp_path: Path) -> None:
    program = (
        "import triptych\n"
        "result = triptych.compare(\n"
        "    'digits', frameworks=['pytorch'], epochs=1, network='mlp', out='run'\n"
        ")\n"
        "assert result.frameworks['pytorch'].test_accuracy > 0.5\n"
        "assert result.report().read_text().startswith('<!doctype html>')\n"
        "import sys\n"
        "assert not {'torch', 'tensorflow', 'keras', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_the_parent_stays_small(tmp_path: Path) -> None:
    """Smaller than a process that has only imported the lightest framework."""
    program = (
        "import triptych\n"
        "from triptych.running.machine import peak_memory_mib\n"
        "two = ['pytorch', 'jax']\n"
        "run = triptych.compare('digits', frameworks=two, epochs=1, out='run')\n"
        "lightest = min(one.import_memory_mib for one in run.frameworks.values())\n"
        "print(peak_memory_mib(), lightest)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    parent, lightest = map(float, done.stdout.split())
    assert parent < lightest


def test_wilsons_interval() -> None:
    low, high = interval(81, 263)  # Newcombe (1998), table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert interval(0, 10)[0] == 0
