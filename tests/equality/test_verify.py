"""triptych verify, as users and programs meet it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import triptych
from triptych.equality.certificate import json_schema, read_certificate
from triptych.errors import NotEqual
from triptych.network.weights import load_tensors, save_tensors
from triptych.running.records import write_json

Command = Callable[..., subprocess.CompletedProcess[str]]

NETWORK = """
name = "small"
input = [9, 8, 3]

[[layers]]
kind = "conv"
filters = 4
stride = 2

[[layers]]
kind = "batch_norm"

[[layers]]
kind = "relu"

[[layers]]
kind = "flatten"

[[layers]]
kind = "dropout"

[[layers]]
kind = "dense"
units = 3
"""

QUICK = ("--no-probes", "--steps", "4", "--batch-size", "4")


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A proof of a small network in all four frameworks; the folder it left."""
    folder = tmp_path_factory.mktemp("proof")
    (folder / "small.toml").write_text(NETWORK)
    done = triptych.verify(
        folder / "small.toml",
        steps=4,
        batch_size=4,
        optimizers=["adamw", "sgd"],
        probes=False,
        out=folder / "out",
    )
    done.certificate.check()
    return folder / "out"


@pytest.fixture
def certificate(proof: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((proof / "certificate.json").read_text())
    return found


def test_the_certificate_follows_its_schema(certificate: dict[str, Any]) -> None:
    published = Path(triptych.__file__).parents[2] / "docs" / "certificate.schema.json"
    ours = json.loads(json.dumps(json_schema()))
    assert json.loads(published.read_text()) == ours
    jsonschema.validate(certificate, json_schema())
    assert certificate["verdict"] == "equal"
    assert certificate["first_difference"] is None
    assert set(certificate["frameworks"]) == {"keras", "tensorflow", "pytorch", "jax"}


def test_everything_was_asked(certificate: dict[str, Any]) -> None:
    places = {(one["quantity"], one["where"]) for one in certificate["quantities"]}
    for where in ("images", "conv1", "bn1", "relu1", "flatten1", "dropout1", "dense1"):
        for quantity in (
            "forward",
            "forward_training",
            "teacher_forced",
            "activation_gradient",
        ):
            assert (quantity, where) in places
    for tensor in (
        "conv1.kernel",
        "conv1.bias",
        "bn1.scale",
        "bn1.offset",
        "dense1.kernel",
        "dense1.bias",
    ):
        for quantity in ("gradient", "step", "trajectory"):
            assert (quantity, tensor) in places
        assert ("step", f"optimizer.second_moment.{tensor}") in places
    assert {
        ("running", "bn1.mean"),
        ("running", "bn1.variance"),
        ("loss", "loss"),
    } <= places
    pairs = {(one["framework"], one["against"]) for one in certificate["quantities"]}
    assert len(pairs) == 4 + 6


def test_the_page_shows_gaps_and_drift(proof: Path) -> None:
    page = (proof / "certificate.html").read_text()
    assert page.count("<svg") > 3
    assert "JAX and the NumPy reference compute the same small in float64" in page


def test_the_same_twice_gives_the_same_bits(proof: Path, triptych: Command) -> None:
    stored = json.loads((proof / "certificate.json").read_text())
    done = triptych("verify", "--certificate", proof / "certificate.json", "--json")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    for name, subject in stored["frameworks"].items():
        before, now = subject, again["frameworks"][name]
        assert before["trained_sha256"] is not None
        assert now["trained_sha256"] == before["trained_sha256"], name


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (
            lambda c: c["quantities"][0].update(gap=1.0),
            1,
            "contradicts its own figures",
        ),
        (lambda c: c.update(verdict="different"), 1, "contradicts its own figures"),
        (lambda c: c["asked"].update(seed=1), 2, "weights have changed"),
        (lambda c: c.pop("bounds"), 2, "is not a certificate"),
        (lambda c: c.update(asked=None), 2, "cannot be repeated; for one that can"),
        (lambda c: c["asked"].update(batch_size=0), 2, "is not a certificate"),
        (lambda c: c["asked"].update(steps=10**12), 2, "is not a certificate"),
        (lambda c: c["asked"].update(batch_size=10**12), 2, "is not a certificate"),
        (lambda c: c["asked"].update(schedules=[]), 2, "is not a certificate"),
        (lambda c: c.update(schema=99), 2, "is not a certificate"),
    ],
)
def test_a_changed_certificate_is_not_believed(
    certificate: dict[str, Any], tmp_path: Path, triptych: Command,
    change: Callable[[dict[str, Any]], Any], code: int, says: str,
) -> None:  # fmt: skip
    if certificate["asked"]:
        certificate["asked"] |= {"frameworks": ["pytorch"]}
    change(certificate)
    write_json(tmp_path / "certificate.json", certificate)
    done = triptych("verify", "--certificate", "certificate.json")
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_is_missing_leaves_it_open(tmp_path: Path, triptych: Command) -> None:
    (tmp_path / "small.toml").write_text(NETWORK)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "honest = u.find_spec\n"
        "u.find_spec = lambda name, package=None: "
        "None if name == 'jax' else honest(name, package)\n"
    )
    done = triptych("verify", "small.toml", "--frameworks", "pytorch,jax", *QUICK,
                    "--json", PYTHONPATH=str(tmp_path / "hidden"))  # fmt: skip
    assert done.returncode == 2, done.stderr
    said = json.loads(done.stdout)
    assert said["verdict"] == "inconclusive"
    assert "pip install" in said["frameworks"]["jax"]["error"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nothing",), "nothing"),
        (("--precision", "float16"), "unknown precision"),
        (("--optimizer", "adagrad"), "unknown optimizer"),
        (("--frameworks", "pytorhc"), "did you mean"),
        (("--steps", "0"), "--steps"),
        (("--steps", "1000000000000"), "but must be 1 to 100,000"),
        (("--batch-size", "1000000000000"), "but must be 2 to 65,536"),
        (("--seed", "9" * 30), "--seed"),
        (("--image-size", "9" * 30), "--image-size"),
        (("--network", ""), "there is no network ''"),
        (("--frameworks", ""), "--frameworks: name one or more"),
        (("--optimizer", ""), "--optimizer: name one or more"),
        (("--batch-size", "1"), "--batch-size"),
        (("--image-size", "2"), "a larger image"),
        (("mlp", "--network", "lenet"), "give one network"),
        (("--certificate", "none.json"), "no such file"),
        (("--certificate", "none.json", "--steps", "3"), "leave out --steps"),
        (("--certificate", "none.json", "--optimizer", "sgd"), "leave out --optimizer"),
        (("--frameworks", "pytorch,pytorch"), "once"),
        (("--optimizer", "sgd,sgd"), "once"),
        (("--frameworks", "reference"), "leave it out"),
        (("--timeout", "-1"), "--timeout"),
        (("--timeout", "nan"), "--timeout"),
        (("--out", "/dev/null/x"), "cannot be written"),
        (("--images", "none"), "none"),
    ],
)
def test_wrong_use_is_one_line(
    triptych: Command, words: tuple[str, ...], says: str
) -> None:
    done = triptych("verify", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_backend_of_keras_has_a_page_too(tmp_path: Path) -> None:
    done = triptych.verify(
        "mlp",
        frameworks=["keras:torch"],
        image_size=8,
        steps=1,
        probes=False,
        out=tmp_path,
    )
    done.certificate.check()
    assert "Keras on PyTorch" in (tmp_path / "certificate.html").read_text()


def test_real_images_a_run_and_bfloat16(tmp_path: Path) -> None:
    """A comparison in bfloat16 in all four, and a proof of what it has learned, on its
    own images.
    """
    run = triptych.compare(
        "digits", epochs=1, image_size=20, precision="bfloat16", out=tmp_path / "run"
    )
    assert {one.status for one in run.frameworks.values()} == {"done"}
    assert all((one.test_accuracy or 0) > 0.5 for one in run.frameworks.values())
    assert run.equivalence is not None
    assert run.equivalence.verdict == "equal", run.equivalence.sentence
    done = triptych.verify(
        tmp_path / "run", precision="bfloat16", steps=2, probes=False
    )
    done.certificate.check()
    assert done.folder == tmp_path / "run" / "proof"
    assert done.certificate.asked is not None
    assert done.certificate.asked.images == "digits"


def test_every_layer_in_bfloat16(tmp_path: Path) -> None:
    """The probes, too: that each program rounds what is near a tie in its own way is no
    difference.
    """
    triptych.verify(
        "mlp", precision="bfloat16", image_size=8, steps=1, out=tmp_path
    ).certificate.check()


def test_what_differs_is_not_ranked(tmp_path: Path, triptych: Command) -> None:
    """A run in which a framework's first step was another: its table says so, and the
    exit code.
    """
    run = tmp_path / "run"
    done = triptych("compare", "digits", "--epochs", "1", "--image-size", "20",
                    "--out", run, "--json",
                    "--frameworks", "pytorch,tensorflow")  # fmt: skip
    honest = json.loads(done.stdout)
    assert honest["equivalence"]["verdict"] == "equal"
    assert set(honest["ranking"]["images_per_second"]) == {"pytorch", "tensorflow"}
    answers = load_tensors(run / "pytorch" / "first_step.safetensors")
    name = next(name for name in answers if name.endswith("1/conv1.kernel"))
    answers[name] = answers[name].astype(np.float32) * np.float32(1.001)
    save_tensors(run / "pytorch" / "first_step.safetensors", answers)
    again = triptych("resume", run)
    assert again.returncode == 1
    assert "PyTorch against the reference: step at conv1.kernel" in again.stdout
    assert "not ranked" in again.stdout
    assert json.loads((run / "result.json").read_text())["ranking"] is None
    with pytest.raises(NotEqual, match=r"conv1\.kernel"):
        read_certificate(run / "certificate.json").check()
    shutil.rmtree(run)
