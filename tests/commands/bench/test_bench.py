"""`triptych bench`: real frameworks on tiny loads; what follows from the rounds; what
may be ranked.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from click.testing import CliRunner
from tests.commands.bench.making import BATCH, SPEEDS, made_up, measured

import triptych as package
from triptych import terminal
from triptych.cli import cli
from triptych.commands.bench.bench import PEAK, entry_of
from triptych.commands.bench.page import headline
from triptych.commands.bench.proof import Needed, find_certificate
from triptych.commands.bench.result import Bench, Peak, sum_up
from triptych.commands.bench.terminal import BenchProgress, bench_parts
from triptych.equality.certificate import read_certificate
from triptych.errors import UsageError
from triptych.frameworks import registry
from triptych.images.source import open_images
from triptych.network.zoo import lenet, mlp
from triptych.running import energy
from triptych.running.measurements import PeakRound
from triptych.running.protocol import (
    BenchPlanned,
    Event,
    FirstStepDone,
    ImagesPrepared,
    Load,
    Measuring,
    Missing,
    StartBench,
    Started,
    TakeTurn,
    TurnBegins,
    TurnEnds,
)  # fmt: skip
from triptych.running.transport import LocalWorker, environment

Command = Callable[..., "subprocess.CompletedProcess[str]"]

TINY: dict[str, Any] = {
    "network": "mlp",
    "image_size": 8,
    "batch_size": 8,
    "images": "digits",
    "repeats": 2,
    "seconds": 0.01,
}
TWO = ["pytorch", "jax"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the tests of this file begin: without any certificate."""
    at = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(at)
        yield at


@pytest.fixture(scope="module")
def done(home: Path) -> Bench:
    """Two frameworks, two rounds, nothing proved."""
    return package.bench(frameworks=TWO, out=home / "unproved", **TINY)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That the two compute the same, in a folder as `verify` leaves it below runs/."""
    out = tmp_path_factory.mktemp("proved") / "runs" / "verify-mlp"
    package.verify(
        "mlp",
        image_size=8,
        precision="float32",
        frameworks=TWO,
        steps=2,
        batch_size=4,
        probes=False,
        out=out,
    ).certificate.check()
    return out / "certificate.json"


# ---- what is measured ----------------------------------------------------------------


def test_rounds_are_interleaved(done: Bench) -> None:
    """A B P, A B P: each turn ends before the next begins, whoever's it is."""
    turns = [(one.began, one.ended, "peak") for one in done.peak.rounds]
    turns += [
        (r.began, r.ended, name)
        for name, one in done.frameworks.items()
        for r in one.rounds
    ]
    turns.sort()
    assert [name for _, _, name in turns] == [*TWO, "peak"] * 2
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(turns))


def test_every_figure_is_there(done: Bench) -> None:
    assert list(done.frameworks) == done.done == TWO
    for one in done.frameworks.values():
        assert (one.status, one.device, one.threads) == (
            "done",
            "cpu",
            done.asked.threads,
        )
        assert len(one.rounds) == 2
        for spread in (one.training, one.real, one.prediction, one.share_of_peak):
            assert spread is not None
            assert 0 < spread.low <= spread.median <= spread.high
        assert one.input_cost is not None
        assert one.latency_p50 is not None
        assert one.latency_p99 is not None
        assert 0 < one.latency_p50 <= one.latency_p99
        said = one.startup
        assert said is not None
        assert 0 < said.import_seconds < said.time_to_first_step
        parts = said.import_seconds + said.build_seconds + said.first_step_seconds
        assert parts <= said.time_to_first_step + 0.1
        assert said.import_memory_mib <= (one.peak_memory_mib or 0)
        assert all(r.steps >= 3 and len(r.latencies) == 30 for r in one.rounds)
    compiled = done.frameworks["jax"].startup
    assert compiled is not None
    assert compiled.compile_seconds > 0
    assert done.peak.flops is not None
    for one in done.frameworks.values():  # nobody is faster than the machine
        assert one.share_of_peak is not None
        assert one.share_of_peak.high < 1
    assert done.network.training_flops == mlp(8).training_flops


def test_the_file_and_the_page(done: Bench) -> None:
    folder = Path(done.folder)
    assert msgspec.json.decode((folder / "bench.json").read_bytes(), type=Bench) == done
    page = (folder / "bench.html").read_text()
    assert page.count("<svg") > 4
    for words in (
        "Not ranked",
        "triptych verify mlp --image-size 8",
        "Startup and memory",
        "GFLOP/s",
    ):
        assert words in page
    assert {path.name for path in folder.iterdir()} == {
        "bench.json",
        "bench.html",
        "reference",
        *TWO,
    }


def test_the_headline_says_no_more_than_the_rounds() -> None:
    """Keras on JAX was faster once: first by the median only."""
    said = headline(made_up(ranked=True))
    assert said == (
        "PyTorch trains fastest here by the median: 490 images per second; "
        "Keras on JAX at 0.96, Keras at 0.84 of that."
    )
    assert headline(made_up(ranked=False)).endswith("Not ranked.")


def test_workers_that_wait_sleep(home: Path) -> None:
    """Between its turns a framework takes no time from the others."""
    store = open_images("digits", size=(8, 8))
    load = Load(
        network=mlp(8).to_toml(),
        batch_size=8,
        precision="float32",
        store=str(store.path),
        seconds=0.01,
    )
    for name in ("tensorflow", *TWO):
        with LocalWorker(registry.find(name), home / "log", 240, None) as worker:
            worker.ask(StartBench(load))
            first = worker.ask(TakeTurn()).round
            process = psutil.Process(worker.process.pid)
            before, began = sum(process.cpu_times()[:2]), time.monotonic()
            time.sleep(2)
            used = sum(process.cpu_times()[:2]) - before
            assert used < 0.1 * (time.monotonic() - began), name
            assert worker.ask(TakeTurn()).round.steps == first.steps
        assert not process.is_running()


def test_the_peak_is_that_of_as_many_threads() -> None:
    """The reference computes in one, whatever the frameworks have."""
    assert environment(entry_of(PEAK), 3)["OPENBLAS_NUM_THREADS"] == "3"
    assert environment(registry.find("reference"), 3)["OPENBLAS_NUM_THREADS"] == "1"


def test_one_that_is_killed_leaves_the_others_figures(home: Path) -> None:
    def listen(name: str, event: Event) -> None:
        if (name, event) == ("jax", TurnBegins(2)):
            workers = sorted(
                psutil.Process().children(), key=lambda child: child.create_time()
            )
            assert len(workers) == 3
            workers[1].kill()

    killed = package.bench(frameworks=TWO, out=home / "killed", callback=listen, **TINY)
    assert not psutil.Process().children()
    jax, pytorch = killed.frameworks["jax"], killed.frameworks["pytorch"]
    assert (jax.status, len(jax.rounds), jax.training) == ("failed", 1, None)
    assert "SIGKILL" in (jax.error or "")
    assert (pytorch.status, len(pytorch.rounds)) == ("done", 2)
    assert pytorch.training is not None
    assert (killed.ranking, killed.unranked) == (
        None,
        "there are fewer than two to rank",
    )


def test_one_that_is_missing_is_left_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = dataclasses.replace(registry.REGISTRY["jax"], needs=("no_such_package",))
    monkeypatch.setitem(registry.REGISTRY, "jax", entry)
    heard: list[tuple[str, Event]] = []
    found = package.bench(
        frameworks=["jax", "pytorch"], out=home / "missing", threads=1,
        callback=lambda *one: heard.append(one),
        **{**TINY, "repeats": 1, "precision": "float64"},
    )  # fmt: skip
    assert found.frameworks["jax"].status == "missing"
    assert "pip install 'triptych[jax]'" in (found.frameworks["jax"].error or "")
    assert [type(event) for name, event in heard if name == "jax"] == [Missing]
    assert found.frameworks["pytorch"].threads == 1
    assert found.peak.precision == "float64"


# ---- what follows from the rounds ----------------------------------------------------


def test_ratios_are_those_of_the_same_round() -> None:
    """Of (400, 420), (500, 480), (450, 490) the second has the highest median."""
    bench = made_up(ranked=True)
    assert bench.ranking == ["pytorch", "keras:jax", "keras"]
    assert bench.order == [*bench.ranking, "jax"]
    ratios = {name: bench.frameworks[name].ratio for name in SPEEDS}
    found = {
        name: (one.low, one.median, one.high)
        for name, one in ratios.items()
        if one is not None
    }
    assert found["pytorch"] == (1, 1, 1)
    assert found["keras"] == pytest.approx(
        (400 / 500, (400 / 500 + 420 / 480) / 2, 420 / 480)
    )
    assert found["keras:jax"] == pytest.approx((0.9, (0.9 + 490 / 480) / 2, 490 / 480))
    assert bench.close == ["Keras on JAX"]


def test_figures_by_hand() -> None:
    one = made_up(ranked=True).frameworks["pytorch"]
    assert one.training is not None
    assert (one.training.low, one.training.median, one.training.high) == pytest.approx(
        (480, 490, 500)
    )
    assert one.input_cost is not None
    assert one.input_cost.median == pytest.approx(0.2)
    assert one.prediction is not None
    assert one.prediction.high == pytest.approx(2000)
    assert one.latency_p50 == pytest.approx(0.002)
    assert one.joules_per_1000 is not None
    assert one.joules_per_1000.median == pytest.approx(50 * 1000 / (10 * BATCH))
    assert one.share_of_peak is not None
    work = mlp(8).training_flops
    assert one.share_of_peak.high == pytest.approx(500 * work / 1e11)
    assert one.share_of_peak.low == pytest.approx(480 * work / 2e11)


def test_what_is_not_known_says_why() -> None:
    peak = Peak(precision="float32", rounds=[PeakRound(began=0, ended=1, flops=1e11)])
    elsewhere = measured("jax", (100.0,))
    elsewhere.device = "Big GPU"
    sum_up(elsewhere, BATCH, 1000, peak)
    assert elsewhere.share_of_peak is None
    assert "computes on Big GPU" in (elsewhere.share_missing or "")
    assert elsewhere.joules_per_1000 is None
    unknown = measured("jax", (100.0,))
    sum_up(unknown, BATCH, 1000, Peak(precision="float32", error="it was killed"))
    assert "it was killed" in (unknown.share_missing or "")


def test_energy_of_two_packages_one_of_which_begins_anew(tmp_path: Path) -> None:
    zones = {"package-0": "0", "core": "0:0", "package-1": "1", "psys": "2"}
    for name, zone in (
        (name, f"intel-rapl:{number}") for name, number in zones.items()
    ):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "energy_uj").write_text("900\n")
        (tmp_path / zone / "max_energy_range_uj").write_text("999\n")
    found = energy.counters(tmp_path)
    assert [one.path.name for one in found] == ["intel-rapl:0", "intel-rapl:1"]
    before = energy.readings(found)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("950\n")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("100\n")
    assert energy.joules(found, before, energy.readings(found)) == pytest.approx(
        (50 + 200) / 1e6
    )
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert energy.counters(tmp_path) == energy.counters(tmp_path / "none") == []
    assert energy.joules([], [], []) is None


# ---- no ranking without a proof ------------------------------------------------------


def test_without_a_certificate_nothing_is_ranked(done: Bench) -> None:
    assert (done.certificate, done.ranking) == (None, None)
    assert all(one.ratio is None for one in done.frameworks.values())
    assert done.order == TWO
    assert (done.unranked or "").endswith(
        "triptych verify mlp --image-size 8 --precision float32 "
        "--frameworks pytorch,jax"
    )


def test_the_certificate_that_fits_is_found_and_allows_a_ranking(
    proof: Path, triptych: Command
) -> None:
    words = [
        "bench",
        "mlp",
        "--image-size",
        "8",
        "--batch-size",
        "8",
        "--images",
        "digits",
    ]
    words += ["--seconds", "0.01", "--repeats", "2", "--frameworks", "jax,pytorch"]
    words += ["--certificate", str(proof)]
    said = triptych(*words, "--json", "--out", "out")
    assert said.returncode == 0, said.stderr
    ranked = msgspec.json.decode(said.stdout, type=Bench)
    assert (ranked.certificate, ranked.unranked) == (str(proof), None)
    medians = {
        name: one.training.median
        for name, one in ranked.frameworks.items()
        if one.training
    }
    assert ranked.ranking == sorted(medians, key=lambda name: -medians[name])
    first, second = (ranked.frameworks[name].ratio for name in ranked.ranking)
    assert first is not None
    assert second is not None
    assert first.low == first.high == 1
    assert 0 < second.low <= second.median <= second.high
    assert find_certificate(needed(ranked), proof.parents[1]) == proof


def needed(bench: Bench, **other: Any) -> Needed:
    facts = {
        name: one for name, one in bench.frameworks.items() if one.status == "done"
    }
    whole: dict[str, Any] = {
        "architecture": mlp(8),
        "precision": "float32",
        "frameworks": facts,
    }
    return Needed(**(whole | other))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"architecture": mlp(8, classes=3)}, None),
        (
            {"architecture": mlp(9)},
            "is about images of 8 x 8 pixels, not of 9 x 9 pixels",
        ),
        (
            {"architecture": dataclasses.replace(mlp(8), std=(2.0,) * 3)},
            "is about a network other than",
        ),
        ({"precision": "bfloat16"}, "is about float32, not bfloat16"),
        ({"frameworks": {"keras": None}}, "says nothing about Keras"),
    ],
)
def test_what_a_certificate_is_about(
    proof: Path, done: Bench, tmp_path: Path, change: dict[str, Any], says: str | None
) -> None:
    mismatch = needed(done, **change).mismatch(proof, read_certificate(proof))
    assert says == mismatch if says is None else says in (mismatch or "")
    assert (find_certificate(needed(done, **change), proof.parents[1]) is None) == (
        says is not None
    )


def fail(stored: dict[str, Any]) -> None:
    """JAX differs from the reference, and the certificate says so."""
    next(one for one in stored["quantities"] if one["framework"] == "jax").update(
        gap=1.0, holds=False
    )
    stored["verdict"] = "different"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda c: c["versions"]["pytorch"].update(torch="1.0"),
            "is about PyTorch with torch 1.0, not ",
        ),
        (
            lambda c: c["frameworks"]["jax"].update(device="Big GPU"),
            "is about JAX on Big GPU, not on cpu",
        ),
        (lambda c: c.update(verdict="inconclusive"), "contradicts its own figures"),
        (lambda c: c.update(asked=None), "does not say which network"),
        (fail, "says about JAX: different"),
    ],
)
def test_a_certificate_of_something_else(
    proof: Path,
    done: Bench,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], Any],
    says: str,
) -> None:
    stored = json.loads(proof.read_text())
    change(stored)
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(stored))
    assert says in (needed(done).mismatch(path, read_certificate(path)) or "")


def test_the_honest_may_be_ranked_where_another_differs(
    proof: Path, done: Bench, tmp_path: Path
) -> None:
    stored = json.loads(proof.read_text())
    fail(stored)
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(stored))
    alone = {"pytorch": done.frameworks["pytorch"]}
    assert needed(done, frameworks=alone).mismatch(path, read_certificate(path)) is None


def test_a_comparison_s_certificate_goes_with_the_network_beside_it(
    proof: Path, done: Bench, tmp_path: Path
) -> None:
    stored = json.loads(proof.read_text()) | {"asked": None}
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(stored))
    for network, fits in ((mlp(8), True), (lenet(32), False)):
        (tmp_path / "network.toml").write_text(network.to_toml())
        assert (needed(done).mismatch(path, read_certificate(path)) is None) == fits


def test_a_given_certificate_that_does_not_fit_is_an_error(
    proof: Path, home: Path, tmp_path: Path, triptych: Command
) -> None:
    """Of the size before anything is started, of the versions once they are known."""
    words = ["bench", "mlp", "--image-size", "9", "--frameworks", "jax,pytorch"]
    said = triptych(*words, "--certificate", proof)
    assert (said.returncode, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert "is about images of 8 x 8 pixels, not of 9 x 9 pixels" in line
    assert line.endswith(
        "make one with: triptych verify mlp --image-size 9 --precision float32 "
        "--frameworks jax,pytorch"
    )
    stored = json.loads(proof.read_text())
    stored["versions"]["pytorch"]["torch"] = "1.0"
    (tmp_path / "old.json").write_text(json.dumps(stored))
    with pytest.raises(UsageError, match=r"is about PyTorch with torch 1\.0"):
        package.bench(
            frameworks=["pytorch"],
            out=tmp_path / "out",
            certificate=tmp_path / "old.json",
            **TINY,
        )
    assert not (tmp_path / "out").exists()
    assert not psutil.Process().children()


# ---- the command ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sports-cn",), "did you mean 'sports-cnn'?"),
        (("none.toml",), "no such file"),
        (("--frameworks", "pytorhc"), "did you mean 'pytorch'?"),
        (("--frameworks", ""), "--frameworks: name one or more"),
        (("--frameworks", "jax,jax"), "--frameworks: name each only once"),
        (("--frameworks", "reference"), "leave it out"),
        (
            ("--precision", "float23"),
            "unknown precision 'float23': did you mean 'float32'?",
        ),
        (("--repeats", "0"), "--repeats is 0, but must be 1 or more"),
        (("--batch-size", "0"), "--batch-size is 0, but must be 1 or more"),
        (("--threads", "0"), "--threads is 0, but must be 1 or more"),
        (("--seconds", "nan"), "--seconds is nan"),
        (("--timeout", "nan"), "--timeout is nan"),
        (("--image-size", "9" * 30), "--image-size is 999"),
        (("lenet", "--image-size", "2"), "a larger image"),
        (("--images", "none"), "there is no folder or archive 'none'"),
        (
            ("mlp", "--image-size", "8", "--images", "digits", "--batch-size", "5000"),
            "fewer training images",
        ),
        (("--certificate", "none.json"), "none.json: there is no such file"),
        (
            ("mlp", "--image-size", "8", "--images", "digits", "--out", "full"),
            "full: already exists",
        ),
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line(
    triptych: Command, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("dear diary")
    said = triptych("bench", *words)
    assert (said.returncode, said.stdout) == (2, "")
    *progress, line = said.stderr.splitlines()
    assert line.startswith("triptych: ")
    assert says in line
    assert all(told.startswith("images ") for told in progress)
    assert {path.name for path in tmp_path.iterdir()} == {"full"}


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_table_survives_any_terminal(
    ranked: bool,
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    terminal.show(*bench_parts(made_up(ranked)))
    said = capsys.readouterr().out
    if width == 200:
        if ranked:
            assert said.index("PyTorch") < said.index("Keras on JAX")
        else:
            assert said.index("Keras ")
        assert ("of the fastest" in said) == ranked
        assert "0.90 to 1.02" in said or not ranked
        assert "480 to 500" in said
        assert "failed" in said
    proved, unproved = "proves that they compute the same", "Not ranked: nothing proves"
    assert (proved if ranked else unproved) in said


def test_a_failed_framework_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "triptych.commands.bench.bench.bench",
        lambda *args, **given: made_up(ranked=False),
    )
    assert CliRunner().invoke(cli, ["bench"]).exit_code == 1
    good = made_up(ranked=False)
    good.frameworks.pop("jax")
    monkeypatch.setattr(
        "triptych.commands.bench.bench.bench", lambda *args, **given: good
    )
    done = CliRunner().invoke(cli, ["bench", "--json"])
    assert done.exit_code == 0
    assert msgspec.json.decode(done.stdout, type=Bench) == good


def test_progress_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchProgress() as progress:
        progress("plan", BenchPlanned(("pytorch", "jax"), 2))
        progress("images", ImagesPrepared(1, 2))
        progress("jax", Missing("JAX is not installed"))
        progress("pytorch", Started())
        progress("pytorch", Measuring("first step"))
        progress("pytorch", FirstStepDone(3.2))
        for name in ("pytorch", "peak"):
            progress(name, TurnBegins(1))
            progress(name, TurnEnds(1))
        assert progress.render().renderables
    said = capsys.readouterr().err
    assert said.splitlines() == [
        "images  1 of 2 prepared", "JAX is not installed",
        "PyTorch          ready, first step after 3 s", "round 1 of 2",
    ]  # fmt: skip
