"""The harness of the benchmarks: its figures and verdicts, and that it runs. No
absolute time is asserted.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from benchmarks import __main__ as harness
from benchmarks import (
    accuracy,
    anew,
    ejected,
    epochs,
    growth,
    limits,
    measuring,
    overhead,
    pages,
    steps,
)
from benchmarks.measuring import (
    ChildFailed,
    Figure,
    Row,
    Settings,
    at_least,
    at_most,
    ratios,
    verdict,
)
from scipy import stats

ROOT = Path(__file__).parents[1]


def test_a_figure_is_the_median_with_lowest_highest_and_count() -> None:
    assert Figure.of([3.0, 1.0, 2.0]) == Figure(median=2.0, low=1.0, high=3.0, n=3)
    with pytest.raises(ValueError, match="nothing was measured"):
        Figure.of([])


def test_ratios_are_of_pairs() -> None:
    slow_in_the_second_round = ratios([20.0, 40.0], [10.0, 20.0])
    assert Figure.of(slow_in_the_second_round) == Figure(2.0, 2.0, 2.0, 2)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("values", "target", "said"),
    [
        ([3.0], at_least(3.0), "met"),
        ([1.0, 3.1, 9.0], at_least(3.0), "met"),
        ([2.4], at_least(3.0), "missed by 20.0 %"),
        ([0.3], at_most(0.3), "met"),
        ([0.45], at_most(0.3), "missed by 50.0 %"),
        ([-0.1], at_most(0.03), "met"),
        ([], at_least(3.0), "not measured"),
        ([5.0], None, "–"),
    ],
)
def test_the_verdict_is_that_of_the_median(
    values: list[float], target: measuring.Target | None, said: str
) -> None:
    assert verdict(Row("x", values, target=target)) == said


def test_what_failed_has_met_nothing() -> None:
    row = Row("PyTorch", target=at_least(1.0), failed="exit status 1: no | memory")
    assert verdict(row) == "not measured"
    assert pages.line(row)["figure"] == "failed: exit status 1: no \\| memory"


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (1234.4, "images/s", "1,234 images/s"),
        (99.96, "", "100"),
        (12.34, "s", "12.3 s"),
        (0.9996, "x", "1.00 x"),
        (0.01234, "s", "0.0123 s"),
        (0.7, "%", "70.0 %"),
        (0.0, "s", "0.00 s"),
    ],
)
def test_figures_have_three_digits(value: float, unit: str, said: str) -> None:
    assert measuring.shown(value, unit) == said


def test_another_round_begins_only_if_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 20.0, 30.0])
    settings = Settings(quick=False, scratch=Path(), images=no_images)
    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.measuring.time.monotonic", lambda: next(clock))
        done = list(measuring.rounds(settings, 35.0, most=9))
    assert done == [0, 1, 2]


def no_images() -> measuring.Images:
    raise AssertionError("nobody needs images here")


def test_a_child_that_dies_is_one_line() -> None:
    done = measuring.attempt(measuring.ask_child, limits.numpy_rates, {}, 240)
    assert done == {"failed": "exit status 1: KeyError: 'sizes'"}


def test_a_child_that_hangs_is_ended() -> None:
    with pytest.raises(ChildFailed, match=r"not finished after 0.5 s"):
        measuring.output_of([sys.executable, "-c", "import time; time.sleep(60)"], 0.5)


def test_lines_come_with_their_time(tmp_path: Path) -> None:
    """When they are printed, not at the end: the process goes on only when its first
    line has been read.
    """
    code = (
        "import pathlib, sys, time\n"
        "print('first', flush=True)\n"
        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)\n"
        "print('second')\n"
    )
    lines = measuring.lines_of([sys.executable, "-c", code, tmp_path / "go"], 240)
    at_first, first = next(lines)
    time.sleep(0.1)
    (tmp_path / "go").touch()
    at_second, second = next(lines)
    assert (first, second, [*lines]) == ("first\n", "second\n", [])
    assert at_second - at_first >= 0.1


def test_events_are_the_lines_of_json() -> None:
    code = "print('{\"n\": 1}'); print('words'); print('{\"n\": 2}')"
    first, second = measuring.events_of([sys.executable, "-c", code], 240)
    assert (first["n"], second["n"]) == (1, 2)
    assert 0 < first["at"] <= second["at"]


def run_of(*seconds: float, images: int = 10) -> dict[str, Any]:
    return {"seconds": list(seconds), "images": images}


def programs(**runs: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {program: [] for program in epochs.PROGRAMS} | runs


def test_epochs_are_compared_by_the_image_and_by_the_round() -> None:
    one = programs(
        native=[run_of(2.0, 2.2), run_of(9.0, 9.0)],
        triptych=[run_of(1.0, 1.0), run_of(4.5, 4.5)],
    )
    assert epochs.against(one, "native") == pytest.approx([2.0, 2.2, 2.0, 2.0])
    fewer = programs(native=[run_of(2.0)], triptych=[run_of(1.0, images=5)])
    assert epochs.against(fewer, "native") == pytest.approx([1.0])


def test_a_failed_program_is_a_line_of_the_table() -> None:
    good = programs(
        native=[run_of(2.0)], triptych=[run_of(1.0)], notebooks=[run_of(6.0)]
    )
    bad = programs(native=[{"failed": "no memory"}], triptych=[run_of(1.0)])
    rows = {
        row.what: row
        for row in epochs.rows({"frameworks": {"pytorch": good, "jax": bad}})
    }
    assert rows[
        "PyTorch: times faster than (a) the notebooks' way"
    ].values == pytest.approx([6.0])
    assert verdict(rows["PyTorch: times faster than (a) the notebooks' way"]) == "met"
    assert rows["JAX: times faster than (b) the native way"].failed == "no memory"
    mean = rows["geometric mean over the frameworks, against (b)"]
    assert mean.failed
    assert verdict(mean) == "not measured"


def test_the_mean_over_frameworks_is_geometric() -> None:
    values = {
        name: programs(native=[run_of(times)], triptych=[run_of(1.0)])
        for name, times in (("pytorch", 4.0), ("jax", 1.0))
    }
    rows = {row.what: row for row in epochs.rows({"frameworks": values})}
    assert rows[
        "geometric mean over the frameworks, against (b)"
    ].values == pytest.approx([2.0])


def test_an_ejected_program_is_compared_epoch_by_epoch() -> None:
    of_one = {
        "library": [run_of(1.0, 2.0), run_of(3.0)],
        "native": [run_of(1.1, 2.0), {"failed": "no memory"}],
        "exact": [{"failed": "no memory"}, {"failed": "no memory"}],
    }
    rows = {row.what: row for row in ejected.rows({"lenet, 64 px": {"jax": of_one}})}
    native = rows["lenet, 64 px: JAX, native, times as long"]
    assert native.values == pytest.approx([1.1, 1.0])
    assert rows["lenet, 64 px: JAX, exact, times as long"].failed == "no memory"


def test_only_a_difference_within_the_margin_is_equivalent() -> None:
    around_0 = [0.01, -0.01, 0.005, -0.005]
    spread = 0.03 / (statistics.stdev(around_0) / 2)
    assert anew.worse(around_0) == pytest.approx(stats.t.sf(spread, 3))
    assert anew.better(around_0) == pytest.approx(stats.t.sf(spread, 3))
    above = [0.04 + one for one in around_0]
    assert anew.better(above) > 0.5 > anew.LEVEL > anew.worse(above)
    below = [-0.04 + one for one in around_0]
    assert anew.worse(below) > 0.5 > anew.LEVEL > anew.better(below)
    assert anew.worse([0.2, -0.2, 0.1, -0.1]) > anew.LEVEL  # too few to tell
    assert anew.worse([0.0]) == anew.better([0.0]) == 1.0


def test_an_accuracy_is_reached_within_the_limit_or_not() -> None:
    seen = [{"at": 5.0, "test_accuracy": 0.5}, {"at": 9.0, "test_accuracy": 0.89}]
    assert accuracy.reached(seen, 10.0) == 9.0
    assert accuracy.reached(seen, 8.0) is None


def test_who_never_gets_there_counts_with_the_limit() -> None:
    good, bad = (
        {"seconds": 10.0, "test_accuracy": accuracy} for accuracy in (0.9, 0.8)
    )
    never, soon = (
        {"seconds": seconds, "limit": 30.0, "best": 0.8} for seconds in (None, 5.0)
    )
    rounds = [{"ours": good, "theirs": never}, {"ours": bad, "theirs": soon}]
    row = accuracy.rows({"rounds": rounds, "drawn": False})[0]
    assert row.values == [3.0]
    assert verdict(row) == (
        "met ((b) did not get there within 3 times ours in 1 of 1; "
        "ours stayed below in 1 of 2)"
    )
    assert accuracy.rows({"rounds": rounds, "drawn": True})[0].target is None


def test_overhead_is_what_comes_on_top() -> None:
    one = {
        "common": [1.1, 2.2],
        "bare": [1.0, 2.0],
        "common_mib": 110.0,
        "bare_mib": 100.0,
    }
    time, memory = overhead.rows({"frameworks": {"jax": one}})
    assert list(time.values) == pytest.approx([0.1, 0.1])
    assert verdict(time) == "missed by 233 %"
    assert verdict(memory) == "met (110 against 100 MiB)"


def test_exponents_are_slopes_of_logarithms() -> None:
    assert growth.exponent([1, 2, 4], [3, 12, 48]) == 2.0
    with pytest.raises(ValueError, match="one point"):
        growth.exponent([2, 2], [1, 2])


def test_growth_says_what_grows_how_and_draws_it() -> None:
    def point(count: int, size: int) -> dict[str, float]:
        times = {"first_seconds": count / 1000, "epoch_seconds": count * size**2 / 1e6}
        return {
            "count": count,
            "size": size,
            "first_mib": 50.0,
            "epoch_mib": 300.0,
            **times,
        }

    values = {
        "over": {
            "count": [point(1000, 64), point(4000, 64), {"failed": "no room"}],
            "size": [point(500, 32), point(500, 64)],
        }
    }
    line, _ = growth.remarks(values)
    assert "time of the first pass as n^1," in line
    assert "over n pixels a side" in line
    assert "time of an epoch as n^2," in line
    assert growth.plot(values).rstrip().endswith("</svg>")
    assert any(row.failed == "no room" for row in growth.rows(values))


def bench_of(**frameworks: dict[str, Any]) -> dict[str, Any]:
    return {
        "bench": {
            "asked": {"batch_size": 32},
            "network": {"training_flops": 1000},
            "peak": {"rounds": [{"flops": 64_000.0}, {"flops": 32_000.0}]},
            "frameworks": frameworks,
        }
    }


def test_steps_are_set_against_the_peak_of_their_round() -> None:
    turns = [
        {"steps": 2, "train_seconds": 2.0, "real_seconds": 2.2},
        {"steps": 2, "train_seconds": 4.0, "real_seconds": 4.0},
    ]
    done = {"status": "done", "error": None, "share_missing": None, "rounds": turns}
    died: dict[str, Any] = {
        "status": "failed",
        "error": "JAX was killed",
        "share_missing": None,
        "rounds": [],
    }
    benches = {
        "64 float32": bench_of(pytorch=done, jax=died),
        "64 bfloat16": {"failed": "no such command"},
    }
    rows = {row.what: row for row in steps.rows({"benches": benches})}
    assert rows["PyTorch, 64 px: share of the peak"].values == [0.5, 0.5]
    assert verdict(rows["PyTorch, 64 px: share of the peak"]) == "missed by 16.7 %"
    assert rows["PyTorch, 64 px: input cost"].values == pytest.approx([0.1, 0.0])
    assert rows["JAX, 64 px: share of the peak"].failed == "JAX was killed"
    assert rows["PyTorch, 64 px: bfloat16 against float32"].failed == "no such command"


def test_no_path_of_this_machine_is_stored(tmp_path: Path) -> None:
    values = {
        "failed": f"{tmp_path}/photos/x.jpg: cannot be read",
        "more": [str(ROOT / "docs")],
    }
    assert harness.without_paths(values, {tmp_path / "photos": "FOLDER"}) == {
        "failed": "FOLDER/x.jpg: cannot be read",
        "more": ["./docs"],
    }


def test_a_page_without_figures_says_so() -> None:
    page = pages.render(harness.PARTS, {})
    assert page.count("Not measured yet") == len(harness.PARTS)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_the_cheap_parts_run(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    done = run("--quick", "--only", "limits,startup,images", "--out", page)
    assert done.returncode == 0, done.stderr
    stored = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert set(stored) == {"limits", "startup", "images"}
    assert "failed" not in page.read_text("utf-8")
    assert "`import triptych` alone, s" in done.stdout
    for part in stored.values():
        assert {"command", "date", "versions", "machine", "values"} <= set(part)
    assert any(
        line.startswith("| `triptych --help`")
        for line in page.read_text("utf-8").splitlines()
    )

    again = run("--quick", "--only", "startup", "--out", page)
    assert again.returncode == 0, again.stderr
    after = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert after["limits"] == stored["limits"]
    assert after["startup"]["values"] != stored["startup"]["values"]


def test_a_quick_run_fails_with_what_it_could_not_measure(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "photos" / part / "a").mkdir(parents=True)
        (tmp_path / "photos" / part / "a" / "x.jpg").write_text("no image")
    options = ("--images", tmp_path / "photos", "--out", tmp_path / "page.md")
    done = run("--quick", "--only", "limits,images", *options)
    assert done.returncode == 1
    _, _, failures = done.stderr.partition("these failed:\n")
    assert {line.partition(":")[0] for line in failures.splitlines()} == {"images"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "epoch"), "did you mean 'epochs'?"),
        (("--images", "nowhere"), "nowhere: needs train/<class>/ and test/<class>/"),
    ],
)
def test_wrong_use_is_said_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
