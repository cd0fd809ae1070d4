"""Runs that are killed, interrupted, starved or stopped: real signals on real processes."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from triptych.network.weights import load_tensors

RUN = ["--network", "sports-cnn", "--size", "12", "--seed", "3"]
"""A small run of everything with a state: batch norm, dropout, augmentation, optimiser, schedule."""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "triptych.cli", *words]


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that is under way; nothing of it is left behind."""
    process = subprocess.Popen(
        command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored below a background job
    )
    try:
        yield process
    finally:
        for one in family(process):
            one.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The process and its children that are alive."""
    try:
        parent = psutil.Process(process.pid)
        return [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return []


def worker(process: subprocess.Popen[str]) -> psutil.Process:
    """The process of the framework that trains."""
    found: list[psutil.Process] = []

    def there() -> bool:
        found[:] = [one for one in family(process) if "triptych.running.worker" in one.cmdline()]
        return bool(found)

    wait_until(there)
    return found[0]


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def epochs(panel: Path) -> int:
    events = panel / "events.jsonl"
    return len(events.read_text().splitlines()) if events.exists() else 0


def step_losses(run: Path, framework: str) -> list[list[float]]:
    result = json.loads((run / "result.json").read_text())
    return [epoch["step_losses"] for epoch in result["frameworks"][framework]["epochs"]]


@pytest.mark.parametrize("framework", ["keras", "tensorflow", "pytorch", "jax"])
def test_a_killed_run_resumes_to_the_same_bits(framework: str, tmp_path: Path) -> None:
    words = ["train", "digits", "--framework", framework, "--epochs", "4", *RUN]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(*words, "--out", str(whole)), check=True, capture_output=True)

    with started(*words, "--out", str(broken)) as process:
        wait_until(lambda: epochs(broken / framework) >= 1)
        for one in family(process):
            one.send_signal(signal.SIGKILL)
        process.wait()
    assert 1 <= epochs(broken / framework) < 4  # it was killed on the way
    assert not (broken / "result.json").exists()

    subprocess.run(command("resume", str(broken)), check=True, capture_output=True)
    for name in ("weights.safetensors", "checkpoint.safetensors", "logits.safetensors"):
        assert (whole / framework / name).read_bytes() == (broken / framework / name).read_bytes(), name
    losses = [step_losses(run, framework) for run in (whole, broken)]
    assert losses[0] == losses[1]
    other = load_tensors(whole / framework / "checkpoint.safetensors")
    assert int(other["optimizer.step"]) == 4 * len(losses[0][0])  # the comparison covers the optimiser


def test_ctrl_c_ends_cleanly_and_the_run_resumes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started(
        "train", "digits", "--framework", "pytorch", "--epochs", "50", *RUN, "--out", str(run)
    ) as process:
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        members = family(process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "resume" in said
        assert "Traceback" not in said
        assert not [one for one in members if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    before = epochs(run / "pytorch")
    with started("resume", str(run)) as process:
        wait_until(lambda: epochs(run / "pytorch") > before)


def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started(
        "train", "digits", "--framework", "pytorch", "--epochs", "500", *RUN, "--out", str(run)
    ) as process:
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        orphan = worker(process)
        process.kill()
        process.wait()
        gone, _ = psutil.wait_procs([orphan], timeout=30)
        assert gone == [orphan]


def test_a_dead_worker_is_reported_and_the_others_finish(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [
        "compare",
        "digits",
        "--frameworks",
        "pytorch,jax",
        "--epochs",
        "2",
        *RUN,
        "--out",
        str(run),
        "--json",
    ]
    with started(*words) as process:
        wait_until((run / "pytorch" / "worker.log").exists)  # the reference, which comes first, has ended
        worker(process).send_signal(signal.SIGKILL)
        said, errors = process.communicate(timeout=200)
    assert process.returncode == 1
    frameworks = json.loads(said)["frameworks"]
    assert frameworks["pytorch"]["status"] == "failed"
    assert "SIGKILL" in frameworks["pytorch"]["error"]
    assert "memory" in frameworks["pytorch"]["error"]
    assert "SIGKILL" in errors
    assert frameworks["jax"]["status"] == "done"
    assert frameworks["jax"]["test_accuracy"] is not None


def test_a_hung_worker_is_ended_and_reported(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["train", "digits", "--framework", "pytorch", "--epochs", "200", *RUN, "--out", str(run)]
    with started(*words, "--patience", "20", "--json") as process:
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        hung = worker(process)
        hung.suspend()
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "hung" in json.loads(said)["frameworks"]["pytorch"]["error"]
        assert not hung.is_running() or hung.status() == psutil.STATUS_ZOMBIE


def test_a_worker_without_memory_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["train", "digits", "--framework", "pytorch", "--epochs", "200", *RUN, "--out", str(run)]
    with started(*words, "--json") as process:
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        starved = worker(process)
        starved.rlimit(resource.RLIMIT_AS, (2**20, 2**20))
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    one = json.loads(said)["frameworks"]["pytorch"]
    assert one["status"] == "failed"
    assert str(run / "pytorch" / "worker.log") in one["error"]


def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started("train", "digits", "--framework", "pytorch", "--epochs", "500", *RUN, "--out", str(run)):
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        second = subprocess.run(command("resume", str(run)), capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "another process" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
