"""A name is data: whatever it says and wherever it comes from, nothing of it is
executed or obeyed.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from triptych import terminal
from triptych.commands.images.terminal import images_table
from triptych.commands.runs.terminal import runs_lines
from triptych.equality.certificate import Certificate, ProofSettings
from triptych.errors import ArchitectureError, RecipeError
from triptych.frameworks.contract import Optimizer
from triptych.frameworks.emit import docstring
from triptych.frameworks.reference import write_network
from triptych.images.found import ImagesFound
from triptych.network.architecture import from_toml
from triptych.report.plots import AblationStep, ablation_plot
from triptych.running import folder
from triptych.running.machine import machine
from triptych.running.recipe import Recipe, make_recipe
from triptych.running.schedule import Schedule
from triptych.running.summary import Summary

Command = Callable[..., subprocess.CompletedProcess[str]]

PAYLOAD = 'open("executed", "w").close()'
HOSTILE = (
    f'"""\n{PAYLOAD}\n"""', f'"""; {PAYLOAD}; """', f'\\"""; {PAYLOAD}; """',
    f"'''\n{PAYLOAD}\n'''", f'"\n{PAYLOAD}', f'"]\n{PAYLOAD}\n["', f"a = {PAYLOAD}",
    "\\", '"', "{x}", "{{ 7 * 7 }}", "[/bold]", "\x1b[2J", "\0", "a\u2028b", "\u202ea",
    "<script>", "$\\frac$", "a" * 5000, "",
)  # fmt: skip
ANY = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=9), max_size=3).map("".join)


def shape(text: str) -> list[str]:
    """What a source consists of, whatever the names in it are."""
    return [type(node).__name__ for node in ast.walk(ast.parse(text))]


def network_file(network: str, layer: str) -> str:
    """A network with a layer that is read twice, so that it goes by its own name in a
    source.
    """
    layers = [
        {"name": layer, "kind": "flatten"},
        {"kind": "concat", "inputs": [layer, layer]},
        {"name": "both", "kind": "concat", "inputs": ["concat1", layer]},
        {"kind": "dense", "units": 2},
    ]
    text: str = tomli_w.dumps({"name": network, "input": [2, 2, 3], "layers": layers})
    return text


def one_line(error: Exception) -> None:
    """What it says fits a line of any terminal."""
    assert str(error).isprintable()
    assert len(str(error)) < 500


HARMLESS = shape(write_network(from_toml(network_file("mine", "flat"))))


@given(network=ANY, layer=st.just("flat") | ANY)
def test_any_text_as_a_name_is_refused_or_stays_a_text(
    network: str, layer: str
) -> None:
    try:
        made = from_toml(network_file(network, layer))
    except ArchitectureError as error:
        one_line(error)
        return
    text = write_network(made)
    assert shape(text) == HARMLESS
    assert (ast.get_docstring(ast.parse(text), clean=False) or "").startswith(
        f"{network} in NumPy: "
    )
    assert from_toml(made.to_toml()) == made


@given(text=ANY.filter(lambda text: "\0" not in text and "\r" not in text))
def test_a_docstring_says_what_it_is_to_say(text: str) -> None:
    assert ast.get_docstring(ast.parse(docstring(text)), clean=False) == text


@pytest.mark.parametrize(
    "name",
    [name for name in HOSTILE if not (name and name.isprintable() and len(name) < 80)],
)
def test_a_strangers_certificate_is_refused(
    name: str, tmp_path: Path, triptych: Command
) -> None:
    asked = ProofSettings(
        network=network_file(name, "flat"),
        frameworks=["pytorch"],
        precision="float64",
        steps=1,
        seed=0,
        optimizers=[Optimizer()],
        schedules=[Schedule()],
        batch_size=2,
        probes=False,
    )
    certificate = Certificate(
        verdict="inconclusive", precision="float64", network=name, made="2030-01-01",
        weights_sha256="", batches_sha256="", versions={}, machine=machine(),
        first_difference=None, frameworks={}, asked=asked, bounds=[], quantities=[],
    )  # fmt: skip
    (tmp_path / "certificate.json").write_bytes(msgspec.json.encode(certificate))
    done = triptych("verify", "--certificate", "certificate.json")
    refused(done)
    assert [path.name for path in tmp_path.iterdir()] == ["certificate.json"]


@pytest.mark.parametrize("name", ['"""\n' + PAYLOAD + '\n"""', "\x1b[2J", "a" * 5000])
def test_a_strangers_run_is_refused(
    name: str, tmp_path: Path, triptych: Command
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.toml").write_text(
        Recipe(network="mlp").to_toml(), "utf-8"
    )
    (tmp_path / "run" / "network.toml").write_text(network_file(name, "flat"), "utf-8")
    for words in (["eject", "run"], ["verify", "run"], ["show", "run/network.toml"]):
        refused(triptych(*words))
    assert not list(tmp_path.rglob("executed"))


def refused(done: subprocess.CompletedProcess[str]) -> None:
    """One line on standard error that any terminal can show, and exit code 2."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.endswith("\n")
    assert done.stderr[:-1].isprintable(), done.stderr
    assert len(done.stderr) < 500


@given(name=ANY)
def test_any_text_as_a_framework_or_a_precision_is_refused_in_a_line(name: str) -> None:
    for table in (
        {"frameworks": [name]},
        {"precision": name},
        {"optimizer": {"name": name}},
        {name: 1},
    ):
        with pytest.raises(RecipeError) as caught:
            make_recipe(table)
        one_line(caught.value)


@given(name=ANY)
def test_a_folder_for_any_name_can_be_made(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = folder.new_folder(name)
    assert made.parent == folder.RUNS
    (tmp_path_factory.getbasetemp() / made.name).mkdir(exist_ok=True)


# ---- shown ---------------------------------------------------------------------------


def shown(name: str) -> str:
    """What a terminal gets of a run and images in which everything is called so."""
    run = Summary(
        folder=name,
        started="2030-01-01T00:00:00",
        images=name,
        network=name,
        image_size=(8, 8),
        epochs=1,
        states={name: name},
        test_accuracy={name: None},
    )
    images = ImagesFound(
        source=name, key="0", size=(8, 8), fit=name, resize=name, train=1, validation=1,
        test=1, classes=[name], class_counts={part: [1] for part in PARTS},
        problem_counts={}, problems=[],
    )  # fmt: skip
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        terminal.show(*runs_lines([run]), images_table(images))
    return output.getvalue()


PARTS = ("train", "validation", "test")


@given(name=ANY)
def test_a_terminal_obeys_no_name(name: str) -> None:
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown(name)
    )


def test_markup_is_shown_as_it_is() -> None:
    assert shown("[bold]a[/red]").count("[bold]a[/red]") == 7


def test_what_is_wrong_with_a_file_of_any_name_is_a_line(
    tmp_path: Path, triptych: Command
) -> None:
    for name in ("a\nb", "\x1b[2J", "[bold]", "a" * 100):
        refused(triptych("show", f"{name}.toml"))
        (tmp_path / name).mkdir()
        refused(triptych("compare", name))


def test_a_plot_shows_a_name_as_it_is() -> None:
    plot = ablation_plot(
        "forwards",
        "#0b57d0",
        [AblationStep("$\\frac$ <script>", 0.5, None, [0.5])],
        0.2,
    )
    assert "$\\frac$ &lt;script&gt;" in plot.svg
    assert not re.search("<script", plot.svg)
