"""What is ejected is what ran: the same losses, clean code, weights that go along."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from PIL import Image

import triptych
from triptych.commands.eject.ejection import Form, Style
from triptych.commands.eject.exact import global_names
from triptych.errors import ImagesError, RunFolderError, UsageError
from triptych.frameworks import registry
from triptych.network.zoo import FROM_SCRATCH, find_network
from triptych.running.transport import environment

SIZE = 20
RECIPES: dict[str, dict[str, Any]] = {
    "mlp": {"optimizer": {"name": "sgd", "label_smoothing": 0.1}, "resize": "nearest",
            "keep": "last", "schedule": {"name": "inverse-time", "decay": 0.1}},
    "lenet": {"optimizer": {"name": "rmsprop"}, "schedule": {"name": "cosine"},
              "augmentation": False},
    "sports-cnn": {"optimizer": {"name": "adamw"}, "fit": "crop"},
    "row-gru": {"optimizer": {"name": "nesterov"}, "balance": "sampling"},
    "row-lstm": {"optimizer": {"name": "sgd", "momentum": 0.0}},
    "compact-cnn": {"optimizer": {"name": "adam", "weight_decay": 0.1}, "fit": "pad"},
}  # fmt: skip
"""Every optimizer and fit, other schedules than usual; else the defaults."""
CHILD = Path(__file__).parent / "child.py"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three classes that are not square, with a copy, a broken file and a
    hidden one.
    """
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    for part, count in (("train", 18), ("test", 5)):
        for number, name in enumerate(("bees", "cows", "dogs")):
            (folder / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = noise.integers(0, 256, (24, 30, 3), np.uint8)
                pixels[:, :, number] //= 3
                Image.fromarray(pixels).save(folder / part / name / f"{index:02}.png")
    first = folder / "train" / "bees" / "00.png"
    (folder / "train" / "bees" / "copy.png").write_bytes(first.read_bytes())
    (folder / "train" / "bees" / "again.bmp").write_bytes(b"BM")
    (folder / "train" / "bees" / ".hidden.png").write_bytes(first.read_bytes())
    (folder / "train" / "checkpoints").mkdir()  # no class: it would be one before cows
    (folder / "train" / "checkpoints" / "weights.bin").write_bytes(b"no image")
    return folder


def jobs(
    framework: str, precision: str, folder: Path, out: Path
) -> list[dict[str, Any]]:
    """A program for every network of the zoo, and where the library is to train the
    same.
    """
    made = []
    for network in FROM_SCRATCH:
        recipe = {"images": str(folder), "network": network, "precision": precision,
                  "batch_size": 16, "epochs": 2, "image_size": SIZE,
                  **RECIPES.get(network, {})}  # fmt: skip
        script = out / f"{network.replace('-', '_')}_{precision}.py"
        triptych.eject(
            network, framework, classes=3, recipe=recipe, out=script, style="exact"
        )
        made.append({"recipe": recipe, "size": SIZE, "script": str(script),
                     "out": str(out / f"{network}-{precision}")})  # fmt: skip
    return made


def losses(
    framework: str, words: Sequence[str], order: list[dict[str, Any]]
) -> list[list[float]]:
    done = subprocess.run(
        [sys.executable, "-P", str(CHILD), *words],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        env=environment(registry.find(framework)),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(900)  # two dozen trainings, most of them compiled twice
@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_a_program_trains_as_the_library_does(
    framework: str, folder: Path, tmp_path: Path
) -> None:
    if missing := registry.find(framework).missing():
        pytest.skip(missing)
    # float32 first: a process of JAX keeps the 64 bits that float64 asks for, and then
    # counts in them.
    order = [
        job
        for precision in ("float32", "float64")
        for job in jobs(framework, precision, folder, tmp_path)
    ]
    theirs = losses(framework, ["ejected"], order)
    ours = losses(framework, ["library", framework], order)
    for job, our, their in zip(order, ours, theirs, strict=True):
        assert len(our) == 6, job
        assert our == their, job  # to the bit, in both precisions
        assert our[0] != our[-1]


@pytest.mark.parametrize("framework", ["keras", "jax"])
def test_a_short_batch_predicts_as_in_the_library_and_compiles_nothing(
    framework: str, tmp_path: Path
) -> None:
    if missing := registry.find(framework).missing():
        pytest.skip(missing)
    script = triptych.eject(
        "lenet", framework, image_size=SIZE, out=tmp_path / "mine.py", style="exact"
    ).path
    job = {"script": str(script), "network": "lenet", "size": SIZE, "classes": 10}
    for gap, compiled in losses(framework, ["predictions", framework], [job]):
        assert gap == 0  # to the bit
        assert compiled == 0


# ---- form ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A script and a package of each framework."""
    out = tmp_path_factory.mktemp("programs")
    for framework in registry.DEFAULT:
        if not registry.find(framework).missing():
            triptych.eject(
                "sports-cnn",
                framework,
                out=out / f"{framework}_script.py",
                style="exact",
            )
            triptych.eject("lenet", framework, "package", out=out / f"my_{framework}")
    return sorted(out.rglob("*.py"))


def test_a_notebook_is_written_as_jupyter_writes_it(tmp_path: Path) -> None:
    """So that saving it from an editor changes nothing that nobody has edited."""
    framework = next(
        name for name in registry.DEFAULT if not registry.find(name).missing()
    )
    made = triptych.eject(
        "lenet", framework, "notebook", out=tmp_path / "lenet.ipynb"
    ).path
    notebook = nbformat.read(made, as_version=4)
    nbformat.validate(notebook)
    nbformat.write(notebook, tmp_path / "saved.ipynb")
    assert (tmp_path / "saved.ipynb").read_text() == made.read_text()
    assert {cell.cell_type for cell in notebook.cells} == {"markdown", "code"}


TOOLS = [
    ("ruff", "check", "--isolated"),
    ("ruff", "format", "--isolated", "--check"),
    ("mypy", "--config-file=", "--no-error-summary"),
]


@pytest.mark.parametrize("words", TOOLS, ids=" ".join)
def test_programs_pass_linter_formatter_and_types(
    words: Sequence[str], programs: list[Path]
) -> None:
    """By the tools' own defaults, not by ours."""
    out = next(
        program.parent for program in programs if program.name.endswith("_script.py")
    )
    rounds: list[tuple[list[str], Path]] = [(["."], out)]
    if words[0] == "mypy":  # a package is checked from the folder that holds it
        rounds = [([one.name for one in out.glob("*.py")], out)]
        rounds += [(["-p", home.name], home) for home in out.glob("my_*")]
    for one, home in rounds:
        done = subprocess.run(
            [sys.executable, "-m", *words, *one],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("framework", registry.DEFAULT)
def test_exact_scripts_are_short(framework: str, tmp_path: Path) -> None:
    """All lines are counted but those of the network, which `triptych show` prints."""
    for network in FROM_SCRATCH:
        name = f"my_{network.replace('-', '_')}.py"
        script = triptych.eject(
            network, framework, out=tmp_path / name, style="exact"
        ).path
        shown = registry.find(framework).writer().write_network(find_network(network))
        lines = script.read_text().count("\n")
        assert 200 < lines - shown.count("\n") <= 400, script


def test_programs_import_the_framework_and_three_packages_only(
    programs: list[Path],
) -> None:
    allowed = {"numpy", "PIL", "safetensors"} | set(sys.stdlib_module_names)
    for program in programs:
        text = program.read_text()
        own = next(
            f
            for f in registry.DEFAULT
            if f"{f}_script" in program.name or f"my_{f}" in program.parts
        )
        imported = set(
            re.findall(r"^ *(?:from|import) (\w+)", text, flags=re.MULTILINE)
        )
        strangers = imported - allowed - set(registry.find(own).needs) - {f"my_{own}"}
        assert not strangers, program


# ---- what it is meant for ------------------------------------------------------------


OWN_NETWORK = """
name = "mine"
input = [24, 30, 3]
layers = [{kind = "flatten"}, {kind = "dense", units = 4}]
"""


@pytest.mark.parametrize(
    ("network", "given", "folder_of", "classes", "size", "epochs"),
    [
        ("lenet", {}, "digits", 10, (32, 32), 5),
        ("sports-cnn", {}, "sports", 6, (48, 48), 7),
        ("lenet", {"images": "sports"}, "sports", 6, (48, 48), 7),
        ("lenet", {"images": "PHOTOS", "image_size": 16}, "PHOTOS", 3, (16, 16), 15),
        (
            "lenet",
            {"recipe": {"images": "digits", "epochs": 2}},
            "digits",
            10,
            (32, 32),
            2,
        ),
        ("lenet", {"classes": 4}, "photos", 4, (64, 64), 15),
        ("mine.toml", {}, "photos", 4, (24, 30), 15),
    ],
)
def test_classes_size_and_recipe_are_those_of_the_images(
    network: str,
    given: dict[str, Any],
    folder_of: str,
    classes: int,
    size: tuple[int, int],
    epochs: int,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(OWN_NETWORK)
    if given.get("images") == "PHOTOS":
        given, folder_of = {**given, "images": folder}, folder.name
    for style in ("native", "exact"):
        out = f"{style}.ipynb"
        if style == "exact" and folder_of == "photos":
            with pytest.raises(ImagesError, match="no folder or archive 'photos'"):
                triptych.eject(
                    network, "pytorch", "notebook", style=style, out=out, **given
                )
            continue
        notebook = triptych.eject(
            network, "pytorch", "notebook", style=style, out=out, **given
        ).path
        text = "\n".join(
            "".join(cell["source"])
            for cell in json.loads(notebook.read_text())["cells"]
        )
        folder_line = f'FOLDER = Path("{folder_of}")'
        for line in (folder_line, f"SIZE = {size}", f"EPOCHS = {epochs}"):
            alone = rf"^{re.escape(line)}(?: |$)"
            assert re.search(alone, text, flags=re.MULTILINE), line
        for_what = f"for images of {size[0]} x {size[1]} pixels and {classes} classes"
        assert for_what in text


def test_a_package_asks_for_no_newer_versions_than_triptych(
    programs: list[Path],
) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    accepted = {
        *ours["dependencies"],
        *(one for extra in ours["optional-dependencies"].values() for one in extra),
    }
    homes = {
        program.parents[1] for program in programs if program.name == "__main__.py"
    }
    assert homes
    for home in homes:
        asked = tomllib.loads((home / "pyproject.toml").read_text())["project"][
            "dependencies"
        ]
        assert len(asked) >= 4
        assert set(asked) <= accepted


# ---- a run's weights -----------------------------------------------------------------


def command(
    *words: object, at: Path, framework: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *map(str, words)],
        cwd=at,
        capture_output=True,
        text=True,
        check=False,
        env=environment(registry.find(framework)),
    )


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    triptych.compare(
        folder,
        network="sports-cnn",
        frameworks=["pytorch"],
        epochs=6,
        image_size=SIZE,
        batch_size=16,
        out=path,
    )
    return path


@pytest.mark.parametrize("framework", ["pytorch", "jax"])
def test_a_runs_weights_go_along_into_any_framework(
    framework: str, run: Path, folder: Path, tmp_path: Path
) -> None:
    script = triptych.eject(
        run, framework, out=tmp_path / "mine.py", style="exact"
    ).path
    done = command(script, "evaluate", folder, at=tmp_path, framework=framework)
    result = json.loads((run / "result.json").read_text())
    wanted = result["frameworks"]["pytorch"]["test_accuracy"]
    assert f"test {wanted:.1%} of 15" in done.stdout, done.stderr
    image = folder / "test" / "dogs" / "00.png"
    (ours,) = triptych.predict(run, [image]).predictions
    assert ours.label is not None
    said = command(script, "predict", image, at=tmp_path, framework=framework).stdout
    assert f": {ours.label} ({ours.probabilities[ours.label]:.1%})" in said
    with open(tmp_path / "mine.csv", newline="") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == 69  # not the copies and the broken file
    counts = Counter(row["part"] for row in listed)
    wanted = json.loads((run / "images.json").read_text())["class_counts"]
    assert counts == {part: sum(by_class) for part, by_class in wanted.items()}


def test_a_runs_split_needs_the_runs_images(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    """Another file has come since, and one has gone."""
    first = folder / "train" / "cows" / "03.png"
    other = folder / "train" / "cows" / "other.png"
    Image.new("RGB", (20, 20), "red").save(other)
    content = first.read_bytes()
    try:
        triptych.eject(run, "jax", out=tmp_path / "one.py", style="exact")
        table = (tmp_path / "one.csv").read_text()
        assert "cows/03.png,cows,train" in table or "cows/03.png,cows,valid" in table
        assert "other" not in table
        first.unlink()
        with pytest.raises(UsageError, match="1 of the run's images are gone"):
            triptych.eject(run, "jax", out=tmp_path / "two.py", style="exact")
    finally:
        first.write_bytes(content)
        other.unlink()


def test_a_package_is_installed_and_finds_its_weights(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    triptych.eject(run, "pytorch", "package", out=tmp_path / "mine")
    home = tmp_path / "mine"
    assert (home / "README.md").exists()
    image = folder / "test" / "cows" / "01.png"
    said = command("-c", "import sys; sys.path.insert(0, '.'); sys.argv[0] = 'x'; "
                   "from mine.command import main; main()", "predict", image,
                   at=home, framework="pytorch")  # fmt: skip
    (ours,) = triptych.predict(run, [image]).predictions
    assert f": {ours.label} (" in said.stdout, said.stderr


FILENAMES: dict[Form, str] = {"script": "mine.py", "package": "mine"}
SAYS_WHEN_IT_BEGINS = """
import os
import sys

tunables, policy = map(os.environ.get, ("GLIBC_TUNABLES", "OMP_WAIT_POLICY"))
print("begun with", tunables, policy, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("form", "style"), [("script", "native"), ("script", "exact"), ("package", "exact")]
)
@pytest.mark.parametrize("own", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}])
def test_a_program_begins_again_with_what_makes_it_fast(
    own: dict[str, str], form: Form, style: Style, tmp_path: Path
) -> None:
    """Once, with its arguments, and what the user has set stays."""
    (tmp_path / "sitecustomize.py").write_text(SAYS_WHEN_IT_BEGINS)
    program = triptych.eject(
        "mlp", "pytorch", form, out=tmp_path / FILENAMES[form], style=style
    ).path
    words = [str(program)] if form == "script" else ["-m", "mine"]
    fast = registry.find("pytorch").speed
    env = {name: value for name, value in os.environ.items() if name not in fast} | own
    done = subprocess.run(
        [sys.executable, *words, "predict", "nowhere.png"],
        cwd=program if program.is_dir() else tmp_path,
        env=env | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    before, after, said = done.stderr.splitlines()
    assert before == f"begun with None {own.get('OMP_WAIT_POLICY')}"
    policy = own.get("OMP_WAIT_POLICY", "PASSIVE")
    assert after == f"begun with {fast['GLIBC_TUNABLES']} {policy}"
    assert said.endswith("train first")


@pytest.mark.parametrize("style", ["exact", "native"])
def test_a_program_does_not_lose_weights(
    style: Style, run: Path, folder: Path, tmp_path: Path
) -> None:
    script = triptych.eject(run, "pytorch", out=tmp_path / "mine.py", style=style).path
    before = script.with_suffix(".safetensors").read_bytes()
    done = command(script, "train", folder, at=tmp_path, framework="pytorch")
    assert done.returncode == 1
    assert "already exists" in done.stderr
    assert script.with_suffix(".safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nowhere"], "nowhere lacks 1797 of the images, such as 0/0000.png"),
        (["predict", "nowhere.png"], "there are no weights yet"),
        (["train", "PHOTOS"], "lacks 1797 of the images"),
    ],
)
def test_a_program_says_what_is_wrong_in_a_line(
    words: list[str], said: str, folder: Path, tmp_path: Path
) -> None:
    script = triptych.eject(
        "mlp", "pytorch", out=tmp_path / "mine.py", style="exact"
    ).path
    given = [str(folder) if word == "PHOTOS" else word for word in words]
    done = command(script, *given, at=tmp_path, framework="pytorch")
    assert done.returncode != 0
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_damaged_image_or_weights_file_gets_a_line(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    script = triptych.eject(run, "pytorch", out=tmp_path / "mine.py", style="exact")
    (damaged := tmp_path / "damaged.png").write_bytes(b"no image")
    good = folder / "test" / "bees" / "00.png"
    done = command(
        script.path, "predict", damaged, good, at=tmp_path, framework="pytorch"
    )
    assert done.returncode == 0
    assert f"{damaged}: cannot be read" in done.stderr
    assert done.stdout.startswith(f"{good}: ")
    given = ["predict", good, "--weights", damaged]
    done = command(script.path, *given, at=tmp_path, framework="pytorch")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{damaged} holds no weights of this network")


# ---- the command ---------------------------------------------------------------------


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("years of work")
    with pytest.raises(UsageError, match="already exists"):
        triptych.eject("mlp", out=tmp_path / "mine.py")
    assert (tmp_path / "mine.py").read_text() == "years of work"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_of_the_current_folder_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python sees it with `-m` and in a notebook: the folder comes first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ours.py").write_text("years of work")
    (tmp_path / "theirs.py").write_text("years of work")
    with pytest.raises(UsageError, match=r"ours.py: already exists; choose another"):
        triptych.eject("mlp", out="ours.py")
    done = triptych.eject("mlp", out=tmp_path / "elsewhere" / "theirs.py")
    assert done.path.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"form": "skript"}, "did you mean 'script'"),
        ({"framework": "torch"}, "known:"),
        ({"framework": "keras:jax"}, "cannot be ejected"),
        ({"network": "lenett"}, "did you mean 'lenet'"),
        ({"out": "mine.txt"}, r"a script is written to \*\.py"),
        ({"form": "package", "out": "mine.py"}, "a package is written to a folder"),
        ({"out": "torch.py"}, "would shadow the package 'torch'"),
        ({"out": "x" * 300 + ".py"}, "File name too long.; choose another --out"),
        ({"classes": 1}, "--classes is 1, but must be 2 to"),
        ({"classes": "x"}, "--classes is 'x', but must be an integer"),
        ({"classes": 10**30}, "--classes is 1000"),
        ({"image_size": 3}, "must be 4 to 1,024"),
        ({"images": "digits", "classes": 6}, "digits has 10 classes, not 6"),
        ({"images": "nowhere"}, "there is no folder or archive 'nowhere'"),
    ],
)
def test_wrong_use_is_one_line(
    given: dict[str, Any], said: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(triptych.TriptychError, match=said) as error:
        triptych.eject(**{"network": "mlp", **given})
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_run_decides_for_itself(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave these options out"):
        triptych.eject(run, image_size=32, out=tmp_path / "mine.py")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunFolderError, match="not a run folder"):
        triptych.eject(tmp_path / "empty", out=tmp_path / "mine.py")


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    words = ["-m", "triptych.cli", "eject", "mlp", "--framework", "pytorch", "--json"]
    done = command(*words, at=tmp_path, framework="pytorch")
    assert json.loads(done.stdout)["path"] == "mlp_pytorch.py", done.stderr
    again = command(*words, at=tmp_path, framework="pytorch")
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1


# ---- taking from the sources ---------------------------------------------------------


def test_only_global_names_are_followed() -> None:
    text = (
        "def f(a: A, gradients=1):\n"
        "    b = [c for c in a]\n"
        "    return b, D(gradients), e.f\n"
    )
    assert global_names(text) == {"A", "D", "e"}
