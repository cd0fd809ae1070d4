"""The page as text: every figure is there, nothing comes from elsewhere, nothing is
taken for HTML.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console
from scipy.special import softmax

from triptych.commands.compare.comparison import resume
from triptych.commands.compare.page import write_report
from triptych.commands.compare.predictions import find_store
from triptych.commands.compare.terminal import agreement_lines, result_table
from triptych.network.weights import load_tensors, save_tensors
from triptych.running.folder import RunFolder
from triptych.running.protocol import Event
from triptych.running.result import Equivalence, FrameworkResult, Result, read_result

from .conftest import altered_page
from .reading import Element, read_page

Altered = Callable[[Callable[[Result, Path], None]], str]


def page_of(run: RunFolder) -> Element:
    return read_page((run.path / "report.html").read_text("utf-8"))


@pytest.fixture(params=["digits", "traps"])
def run(request: pytest.FixtureRequest) -> RunFolder:
    found: RunFolder = request.getfixturevalue(request.param)
    return found


def expected_row(one: FrameworkResult) -> list[str]:
    assert one.test_accuracy is not None
    assert one.test_accuracy_interval is not None
    assert one.validation_accuracy is not None
    low, high = one.test_accuracy_interval
    return [
        f"{100 * one.test_accuracy:.1f} % {100 * low:.1f} to {100 * high:.1f} %",
        f"{100 * one.validation_accuracy:.1f} %, epoch {one.best_epoch}",
        seconds(one.train_seconds),
        seconds(one.total_seconds),
        " ".join(filter(None, [speed(one.images_per_second), reach(one)])),
        f"{one.peak_memory_mib:,.0f} MiB",
        str(one.network_lines),
        f"{one.parameters:,}",
        str(one.version),
    ]


def speed(number: float | None) -> str:
    assert number is not None
    return f"{number:{',.0f' if number >= 100 else '.1f'}}"


def reach(one: FrameworkResult) -> str:
    """Of the epochs after the first, where these are several."""
    speeds = [epoch.images_per_second for epoch in one.epochs[1:]]
    return f"{speed(min(speeds))} to {speed(max(speeds))}" if len(speeds) > 1 else ""


def seconds(number: float | None) -> str:
    assert number is not None
    if number < 100:
        return f"{number:.2f} s" if number < 10 else f"{number:.1f} s"
    return f"{round(number) // 60} min {round(number) % 60} s"


def test_the_table_holds_every_figure(run: RunFolder) -> None:
    table = page_of(run).one("table", "figures")
    rows = {row.one("th").words(): row for row in table.one("tbody").all("tr")}
    result = read_result(run)
    assert list(rows) == [one.title for one in result.frameworks.values()]
    for one in result.frameworks.values():
        cells = [cell.words() for cell in rows[one.title].all("td")]
        if one.status == "done":
            assert cells == expected_row(one)
        else:
            assert cells == [
                {
                    "missing": "Not installed; what to do",
                    "failed": "Failed; what happened",
                }[one.status]
            ]


@pytest.mark.parametrize("times", [1, 3])
def test_the_terminal_tells_the_reach_of_speeds_and_ranks_no_lines(
    traps: RunFolder, times: int
) -> None:
    result = read_result(traps)
    for one in result.frameworks.values():  # a fast machine's figures are wider
        if one.images_per_second is not None and one.images_per_second_range:
            one.images_per_second *= times
            low, high = one.images_per_second_range
            one.images_per_second_range = (times * low, times * high)
    table = result_table(result)
    console = Console(width=80, file=io.StringIO())
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    for name, one in result.frameworks.items():
        assert reach(one)
        assert times > 1 or reach(one) in said, name
        assert one.test_accuracy_interval is not None
        low, high = one.test_accuracy_interval
        assert f"{100 * low:.1f} to {100 * high:.1f}" in said
    assert "…" not in said.split("\n", 1)[1]  # the title may be long, no figure is cut
    assert result.ranking is not None
    assert set(result.ranking) == {
        "images_per_second",
        "total_seconds",
        "peak_memory_mib",
    }
    assert all(
        "bold" not in str(getattr(cell, "style", ""))
        for cell in table.columns[-1].cells
    )


def test_agreement_is_shown_and_explained(traps: RunFolder) -> None:
    result = read_result(traps)
    found = result.agreement
    assert result.equivalence is not None
    assert (traps.path / "certificate.html").is_file()
    shown = {
        item.one("dt").words(): item.all("dd")
        for item in page_of(traps).one("dl", "agreement").all("div")
    }
    figures = [found.first_step_loss_gap, found.reference_gap, found.test_logits_gap]
    verdict, explanation = shown.pop("Certificate")
    assert verdict.words() == result.equivalence.verdict
    assert result.equivalence.reason in explanation.words()
    assert "equal" not in explanation.words()  # once is enough
    assert [link.attributes["href"] for link in explanation.all("a")] == [
        "certificate.html"
    ]
    for (first, explanation), figure in zip(
        list(shown.values())[:3], figures, strict=True
    ):
        assert figure is not None
        assert float(first.words()) == pytest.approx(figure, rel=0.06)
        assert len(explanation.words()) > 60
    assert found.same_predictions is not None
    same = f"{100 * found.same_predictions:.1f} %"
    assert shown["Same predictions"][0].words() == same


STANDING = {
    "equal": "proved equal",
    "different": "not equal",
    "inconclusive": "inconclusive",
    "not proved": "not proved",
}
"""What the headline says, by verdict; and nothing of what it says at another."""


@pytest.mark.parametrize("verdict", STANDING)
@pytest.mark.parametrize("run", ["digits", "traps"], indirect=True)
def test_headline_figures_and_terminal_tell_one_verdict(
    run: RunFolder, tmp_path: Path, verdict: str
) -> None:
    """Of a single framework and of several; without a certificate, as when the run was
    interrupted.
    """

    def change(result: Result, path: Path) -> None:
        if verdict == "not proved":
            result.equivalence = None
        else:
            result.equivalence = Equivalence(verdict=verdict, reason="a reason")  # type: ignore[arg-type]
        if verdict != "equal":
            result.ranking = None

    page = read_page(altered_page(run, tmp_path, change))
    headline = page.one("p", "headline").words()
    assert STANDING[verdict] in headline
    assert [words for words in STANDING.values() if words in headline] == [
        STANDING[verdict]
    ]
    assert page.one("dl", "agreement").all("dd")[0].words() == verdict
    several = len(page.all("article")) - len(page.all("p", "error")) > 1
    not_ranked = (
        "These figures are not ranked" in page.one("section", name="figures").words()
    )
    assert not_ranked == (several and verdict != "equal")
    lines = agreement_lines(read_result(RunFolder(tmp_path / "altered")))
    assert lines[0].startswith(f"Certificate: {verdict}. ")
    assert any("not ranked" in line for line in lines) == not_ranked


def test_a_comparison_has_the_page_of_its_certificate(traps: RunFolder) -> None:
    page = read_page((traps.path / "certificate.html").read_text("utf-8"))
    result = read_result(traps)
    assert result.equivalence is not None
    sentence = result.equivalence.sentence
    assert page.one("p", "headline").words() == f"{sentence[0].upper()}{sentence[1:]}."
    table = page.one("table", "figures")
    assert [cell.words() for cell in table.one("thead").all("th")][1:] == [
        "PyTorch",
        "NumPy reference",
    ]
    assert "parameters and optimizer after a step" in table.words()
    assert [link.attributes["href"] for link in page.all("a")] == ["report.html"]
    command = f"triptych verify {shlex.quote(str(traps.path))}"
    assert page.one("pre", "command").text() == command


def test_a_run_that_goes_on_leaves_no_page_of_its_past(
    digits: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    shutil.copytree(digits.path, run.path)

    def interrupt(name: str, event: Event) -> None:
        if name == "pytorch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resume(run.path, callback=interrupt)
    assert read_result(run).equivalence is None
    assert not [
        path.name
        for path in run.path.iterdir()
        if path.stem in ("report", "certificate")
    ]


def test_a_lone_framework_is_compared_with_the_reference_only(
    digits: RunFolder,
) -> None:
    terms = page_of(digits).one("dl", "agreement").all("dt")
    assert [term.words() for term in terms] == [
        "Certificate",
        "Gap to the NumPy reference",
    ]


def test_confusion_matrices_are_those_of_the_result(run: RunFolder) -> None:
    result = read_result(run)
    expected = {
        one.title: one.confusion for one in result.frameworks.values() if one.confusion
    }
    shown = {}
    for table in page_of(run).all("table", "matrix"):
        rows = table.one("tbody").all("tr")
        assert [row.one("th").words() for row in rows] == classes(result)
        counts = [
            [int(cell.words().replace("·", "0")) for cell in row.all("td")]
            for row in rows
        ]
        shown[table.one("caption").words()] = counts
    assert shown == expected


def classes(result: Result) -> list[str]:
    names: list[str] = result.images.classes
    return names


def test_sources_stand_side_by_side_as_they_ran(run: RunFolder) -> None:
    result = read_result(run)
    page = page_of(run)
    for name, one in result.frameworks.items():
        if one.status == "done":
            article = page.one("article", name=f"source-{name}")
            source = (run.path / name / "network.py").read_text("utf-8")
            assert article.one("pre", "code").text().strip() == source.strip()
            assert f"{one.network_lines} lines of network" in article.one("h3").words()


def test_what_did_not_finish_says_what_to_do(digits: RunFolder) -> None:
    page = page_of(digits)
    missing = page.one("article", name="source-jax").words()
    advice = "install it with: pip install 'triptych[jax]'"
    assert f"JAX is not installed; {advice}" in missing
    failed = page.one("article", name="source-tensorflow")
    assert "TensorFlow failed: ImportError" in failed.one("p").words()
    assert "<i>libcuda</i> & friends are missing" in failed.one("pre", "log").text()
    assert page.one("p", "headline").words().endswith("two frameworks did not finish.")


def test_every_image_shown_says_what_each_framework_said(run: RunFolder) -> None:
    result = read_result(run)
    store = find_store(result.images.key)
    assert store is not None
    tested = {
        name: load_tensors(run.path / name / "logits.safetensors")
        for name, one in result.frameworks.items()
        if one.status == "done"
    }
    names = list(store.names)
    shown = [
        item for group in page_of(run).all("ul", "shown") for item in group.all("li")
    ]
    assert len(shown) == min(24, result.images.test)
    for item in shown:
        row = names.index(item.one("img").attributes["alt"])
        truth = classes(result)[store.labels[row]]
        assert item.one("p", "truth").text() == f"truth {truth}"
        for part, line in zip(tested.values(), item.all("p", "said"), strict=True):
            given = softmax(part["logits"][part["rows"] == row][0].astype(np.float64))
            best = int(given.argmax())
            right = "right" if best == store.labels[row] else "wrong"
            assert line.attributes["class"] == f"said {right}"
            named = f"{classes(result)[best]}, {right},"
            assert line.one("span", "named").text() == named
            percents = (
                line.one("span", "sure").text().replace("\xa0", "").removeprefix("> ")
            )
            assert float(percents.removesuffix("%")) == pytest.approx(
                100 * given[best], abs=1
            )


def test_setting_holds_recipe_network_machine_and_commands(run: RunFolder) -> None:
    result, setting = read_result(run), page_of(run).one("section", name="setting")
    codes = [code.text().strip() for code in setting.all("code")]
    for file in ("recipe.toml", "network.toml"):
        assert (run.path / file).read_text("utf-8").strip() in codes
    commands = [code for code in codes if code.startswith("triptych ")]
    assert [command.split()[1] for command in commands] == ["compare", "resume"]
    for fact in (*msgspec.structs.astuple(result.machine), result.recipe.precision):
        assert " ".join(str(fact).split()) in setting.words()
    for one in result.frameworks.values():
        for package, version in one.versions.items():
            assert f"{package} {version}" in setting.words()


def test_problems_are_counted_and_listed(traps: RunFolder) -> None:
    setting = page_of(traps).one("section", name="setting")
    assert [cell.words() for cell in setting.all("tr")[1].all()[:2]] == [
        "not an image",
        "1",
    ]
    assert '<b>&"x/no<i>image.png' in setting.one("ul", "problems").text()


def test_hostile_names_stay_text(traps: RunFolder) -> None:
    page = page_of(traps)
    assert page.one("h1").text() == 'a <b>run "of" traps'
    assert page.one("title").text() == 'a <b>run "of" traps · Triptych'
    assert not page.all("b")
    assert not page.all("i")
    assert not page.all("script")
    matrices = page.all("table", "matrix")
    titles = [
        cell.attributes.get("title") for cell in matrices[0].one("thead").all("th")
    ]
    assert titles == [None, *classes(read_result(traps))]
    assert {'<b>&"x', "{{ 7 * 7 }}"} < set(titles)


def test_nothing_comes_from_elsewhere(run: RunFolder) -> None:
    text = (run.path / "report.html").read_text("utf-8")
    page = read_page(text)
    loading = {
        "src",
        "href",
        "xlink:href",
        "srcset",
        "poster",
        "data",
        "action",
        "background",
    }
    for element in page.all():
        assert element.tag not in {
            "script",
            "link",
            "iframe",
            "object",
            "embed",
            "base",
        }
        for key, value in element.attributes.items():
            if key in loading:
                local = (
                    value.startswith(("#", "data:image/png;base64,"))
                    or value == "certificate.html"
                )
                assert local, (element.tag, key, value[:80])
            if key in loading and value.startswith("#"):
                assert value[1:] in {e.attributes.get("id") for e in page.all()}
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "@import" not in text


def test_identifiers_are_unique(run: RunFolder) -> None:
    found = [e.attributes["id"] for e in page_of(run).all() if "id" in e.attributes]
    # Matplotlib names equal clipping paths and markers equally.
    ours = [
        name
        for name in found
        if not re.fullmatch(r"(loss|accuracy)-[pm][0-9a-f]+", name)
    ]
    assert len(ours) == len(set(ours))


def test_plots_say_in_words_what_they_show(digits: RunFolder) -> None:
    epochs = read_result(digits).frameworks["pytorch"].epochs
    images = [
        e for e in page_of(digits).all("div") if e.attributes.get("role") == "img"
    ]
    losses = epochs[0].step_losses
    labels = [image.attributes["aria-label"] for image in images]
    assert f"PyTorch from {losses[0]:.3g} to {losses[-1]:.3g}" in labels[0]
    assert f"{epochs[-1].validation_accuracy:.1%}" in labels[1]
    assert all(image.all("svg") for image in images)


def test_the_same_run_gives_the_same_page(traps: RunFolder) -> None:
    first = (traps.path / "report.html").read_bytes()
    assert write_report(traps).read_bytes() == first
    assert not list(traps.path.glob(".*.tmp"))


def test_images_gone_from_the_cache_are_missed_in_a_line(
    digits: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page_of(digits).all("img")
    run = RunFolder(tmp_path / "copy")
    shutil.copytree(digits.path, run.path)
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "empty"))
    page = read_page(write_report(run).read_text("utf-8"))
    assert not page.all("img")
    assert "no longer in the cache" in page.one("section", name="images").words()
    assert f"triptych resume {run.path}" in page.one("section", name="images").words()


def test_many_classes_show_their_largest_confusions(altered: Altered) -> None:
    counts = np.diag(np.full(100, 9))
    counts[3, 97], counts[50, 2] = 5, 8

    def change(result: Result, path: Path) -> None:
        result.images.classes = [f"class {i}" for i in range(100)]
        result.frameworks["pytorch"].confusion = counts.tolist()

    section = read_page(altered(change)).one("section", name="confusion")
    assert not section.all("table", "matrix")
    rows = [
        [cell.words() for cell in (*row.all("th"), *row.all("td"))]
        for row in section.one("tbody").all("tr")
    ]
    assert rows == [
        ["class 50", "class 2", "8", "17"],
        ["class 3", "class 97", "5", "14"],
    ]


def test_no_test_images(altered: Altered) -> None:
    def change(result: Result, path: Path) -> None:
        result.images.test = 0
        one = result.frameworks["pytorch"]
        one.test_accuracy = one.test_accuracy_interval = one.confusion = None
        none = np.zeros(0, np.int64)
        logits = np.zeros((0, 0), np.float32)
        file = path / "pytorch" / "logits.safetensors"
        save_tensors(file, {"logits": logits, "labels": none, "rows": none})

    page = read_page(altered(change))
    assert "no test images" in page.one("table", "figures").words()
    assert "There are no test images" in page.one("section", name="images").words()
    assert "there are no test images" in page.one("section", name="confusion").words()
    assert "validation accuracy" in page.one("p", "headline").words()
    assert not page.all("svg", "interval")


def test_nothing_has_finished(altered: Altered) -> None:
    def change(result: Result, path: Path) -> None:
        result.frameworks["pytorch"] = FrameworkResult(
            status="unfinished", title="PyTorch"
        )
        result.agreement.reference_gap = None

    page = read_page(altered(change))
    headline = page.one("p", "headline").words()
    assert headline == "Three frameworks, and none has finished."
    assert "No epoch was finished" in page.one("section", name="curves").words()
    assert "triptych resume" in page.one("article", name="source-pytorch").words()
    assert not page.all("img")


def test_memory_and_what_is_loaded_when(digits: RunFolder) -> None:
    """While frameworks train, the parent holds no plotting library; with it, it stays
    small.
    """
    program = (
        "import sys, pathlib, triptych.commands.compare.page as page\n"
        "from triptych.running import folder, machine\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib.backends.backend_svg\n"
        "print(machine.peak_memory_mib())\n"
        "page.write_report(folder.RunFolder(pathlib.Path(sys.argv[1])))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print(machine.peak_memory_mib())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(digits.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, written = map(float, done.stdout.split())
    assert written < 2 * loaded
