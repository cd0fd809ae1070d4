"""A script in the native style: short, clean, predicts as its run does, and learns."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import triptych
from triptych.errors import UsageError
from triptych.frameworks import registry
from triptych.network.zoo import FROM_SCRATCH
from triptych.running.schedule import Schedule
from triptych.running.transport import environment

CHILD = Path(__file__).parent / "native_child.py"
SIZE = 20


def asked(framework: str, jobs: list[dict[str, Any]]) -> list[Any]:
    """What the scripts answer, in a process of that framework that knows no library."""
    if missing := registry.find(framework).missing():
        pytest.skip(missing)
    done = subprocess.run(
        [sys.executable, "-P", str(CHILD)],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        env=environment(registry.find(framework)),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three colors, none square, and a broken one; beside them odd ones."""
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    for part, count in (("train", 24), ("validation", 4), ("test", 8)):
        for number, name in enumerate(("bees", "cows", "dogs")):
            (folder / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = noise.integers(0, 256, (24, 30, 3), np.uint8)
                pixels[:, :, number] //= 4
                Image.fromarray(pixels).save(folder / part / name / f"{index:02}.png")
    (folder / "train" / "bees" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    odd = folder.with_name("odd")
    odd.mkdir()
    Image.fromarray(noise.integers(0, 256, (25, 40, 4), np.uint8), "RGBA").save(
        odd / "glass.png"
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise.integers(0, 256, (40, 21, 3), np.uint8)).save(
        odd / "turned.jpg", exif=exif
    )
    Image.fromarray(noise.integers(0, 256, (31, 40), np.uint8)).save(odd / "gray.webp")
    deep = noise.integers(0, 65536, (26, 22), np.uint16)
    Image.fromarray(deep).save(odd / "deep.png")
    return folder


RUNS: dict[str, dict[str, Any]] = {
    "sports-cnn": {"fit": "crop"},
    "lenet": {"fit": "pad", "resize": "nearest"},
    "row-lstm": {},
    "row-gru": {"balance": "sampling"},
}
"""Batch norm and dropout, a flatten between channels first and last, and gates in other
orders.
"""


@pytest.fixture(scope="module")
def runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("runs")
    for network, given in RUNS.items():
        recipe = {
            "network": network,
            "frameworks": ["pytorch"],
            "epochs": 2,
            "image_size": SIZE,
            "batch_size": 16,
        }
        triptych.compare(folder, recipe=recipe | given, out=out / network)
    return {network: out / network for network in RUNS}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_a_script_predicts_what_its_run_predicts(
    framework: str, runs: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    images = [
        str(path)
        for path in (*folder.glob("test/*/00.png"), *folder.with_name("odd").iterdir())
    ]
    jobs = []
    for network, run in runs.items():
        script = triptych.eject(
            run, framework, out=tmp_path / f"my_{network.replace('-', '_')}.py"
        ).path
        jobs.append({"script": str(script), "images": images})
    for run, found in zip(runs.values(), asked(framework, jobs), strict=True):
        predictions = triptych.predict(run, images).predictions
        wanted = np.log([list(one.probabilities.values()) for one in predictions])
        odds = np.array(found) - np.array(found).max(axis=1, keepdims=True)
        np.testing.assert_allclose(
            odds - np.log(np.exp(odds).sum(axis=1, keepdims=True)),
            wanted,
            rtol=1e-4,
            atol=2e-5,
        )
        assert np.ptp(wanted, axis=0).max() > 0.01  # the images differ


RECIPES: tuple[dict[str, Any], ...] = (
    {"network": "mlp", "optimizer": {"name": "sgd", "label_smoothing": 0.1},
     "keep": "last",
     "schedule": {"name": "inverse-time", "learning_rate": 0.05, "decay": 0.01},
     "augmentation": False},
    {"network": "sports-cnn", "optimizer": {"name": "adamw"}, "balance": "sampling"},
    {"network": "mlp", "optimizer": {"name": "adam", "weight_decay": 0.1, "beta1": 0.8},
     "schedule": {"name": "constant", "learning_rate": 0.003}, "precision": "bfloat16"},
    {"network": "row-gru", "optimizer": {"name": "nesterov"},
     "schedule": {"learning_rate": 0.01}},
    {"network": "lenet", "optimizer": {"name": "rmsprop", "weight_decay": 0.01},
     "schedule": {"name": "cosine"}, "augmentation": {"flip": False},
     "precision": "float64"},
)  # fmt: skip
"""Every optimizer, schedule, precision, and way to change and keep.

float64 last: a process that trains in it keeps to it.
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_a_script_learns_by_any_recipe(
    framework: str, folder: Path, tmp_path: Path
) -> None:
    jobs = []
    for number, recipe in enumerate(RECIPES):
        given = {"images": str(folder), "image_size": SIZE, "batch_size": 12, **recipe}
        script = triptych.eject(
            str(recipe["network"]),
            framework,
            recipe=given,
            out=tmp_path / f"my{number}.py",
        )
        jobs.append({"script": str(script.path), "folder": str(folder), "epochs": 8})
    accuracies = asked(framework, jobs)
    assert min(accuracies) > 0.9, accuracies  # of three classes


@pytest.mark.parametrize("framework", ["keras", "tensorflow"])
def test_a_schedule_that_the_framework_lacks_is_ours(
    framework: str, tmp_path: Path
) -> None:
    recipe = {"schedule": {"learning_rate": 1e-3}}
    script = triptych.eject(
        "mlp", framework, recipe=recipe, out=tmp_path / "mine.py"
    ).path
    for steps in (2, 40):
        (rates,) = asked(framework, [{"script": str(script), "schedule": steps}])
        ours = [Schedule("one-cycle", 1e-3).at(step, steps) for step in range(steps)]
        np.testing.assert_allclose(rates, ours, rtol=2e-4, atol=1e-9)


# ---- form ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Every network of the zoo in every framework."""
    out = tmp_path_factory.mktemp("scripts")
    return {
        (network, framework): triptych.eject(
            network,
            framework,
            out=out / f"my_{network.replace('-', '_')}_{framework}.py",
        ).path
        for framework in registry.DEFAULT
        if not registry.find(framework).missing()
        for network in FROM_SCRATCH
    }


@pytest.mark.parametrize(
    "words", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join
)
def test_scripts_pass_linter_formatter_and_types(
    words: list[str], scripts: dict[tuple[str, str], Path]
) -> None:
    """By the tools' own defaults."""
    alone = ["--config-file="] if words == ["mypy"] else ["--isolated"]
    names = [path.name for path in scripts.values()]
    done = subprocess.run(
        [sys.executable, "-m", *words, *alone, *names],
        cwd=next(iter(scripts.values())).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_stands_around_the_network_is_short(
    scripts: dict[tuple[str, str], Path],
) -> None:
    """Lines of code; the network itself is what `triptych show` prints."""
    for script in scripts.values():
        assert 100 < _code(script) <= 180, script


def _code(script: Path) -> int:
    """The lines of a script but for blank ones, comments, docstrings, its network."""
    text = script.read_text()
    statements = ast.parse(text).body
    (end,) = [
        n for n, one in enumerate(statements) if ast.unparse(one).startswith("Part = ")
    ]
    left_out: list[ast.stmt] = [
        one
        for one in statements[:end]
        if isinstance(one, ast.FunctionDef | ast.ClassDef)
    ]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.append(node)
    numbers = {
        n for one in left_out for n in range(one.lineno, (one.end_lineno or 0) + 1)
    }
    lines = [
        line.strip() for n, line in enumerate(text.splitlines(), 1) if n not in numbers
    ]
    return sum(bool(line) and not line.startswith(("#", "@")) for line in lines)


def test_a_damaged_image_stops_no_other(
    runs: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    script = triptych.eject(runs["lenet"], "pytorch", out=tmp_path / "mine.py").path
    (tmp_path / "empty").mkdir()

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, script, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )

    good = folder / "test" / "cows" / "00.png"
    done = run(
        "predict", folder / "train" / "bees" / "broken.png", tmp_path / "none.png", good
    )
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [
        "left out",
        "left out",
    ]
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [str(good)]
    none = run("evaluate", tmp_path / "empty")
    assert (none.returncode, none.stdout, none.stderr) == (
        1,
        "",
        f"{tmp_path / 'empty'} has no images\n",
    )


def test_packages_are_exact(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a package is always exact"):
        triptych.eject(
            "mlp", "pytorch", "package", style="native", out=tmp_path / "mine"
        )
    with pytest.raises(UsageError, match="there is no style"):
        triptych.eject("mlp", "pytorch", style="plain", out=tmp_path / "mine.py")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
