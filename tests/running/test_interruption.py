"""Runs that are killed, interrupted, starved, stopped: real signals and processes."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.processes import command, end, family, started, wait_until, worker

from triptych.children import child_command
from triptych.network.weights import load_tensors

RUN = ["--network", "sports-cnn", "--image-size", "12", "--seed", "3"]
"""A small run of everything with a state: batch norm, dropout, augmentation, optimizer,
schedule.
"""


LIGHT = [
    "train", "digits", "--framework", "reference", "--precision", "float64",
    "--network", "mlp", "--image-size", "8", "--epochs", "500",
]  # fmt: skip
"""One without any framework, where it does not matter which it is."""


def epochs(panel: Path) -> int:
    events = panel / "events.jsonl"
    return len(events.read_text().splitlines()) if events.exists() else 0


def step_losses(run: Path, framework: str) -> list[list[float]]:
    result = json.loads((run / "result.json").read_text())
    return [epoch["step_losses"] for epoch in result["frameworks"][framework]["epochs"]]


@pytest.mark.parametrize(
    ("framework", "train", "count"),
    [
        ("keras", "all", 6),
        ("tensorflow", "all", 6),
        ("pytorch", "all", 6),
        ("pytorch", "last:2", 200),
        ("jax", "all", 6),
    ],
    ids=["keras", "tensorflow", "pytorch", "pytorch, a head", "jax"],
)
def test_a_killed_run_resumes_to_the_same_bits(
    framework: str, train: str, count: int, tmp_path: Path
) -> None:
    words = ["train", "digits", "--framework", framework, "--epochs", str(count), *RUN]
    words += ["--train", train]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(
        command(*words, "--out", str(whole)), check=True, capture_output=True
    )

    with started(*words, "--out", str(broken)) as process:
        wait_until(lambda: epochs(broken / framework) >= 1)
        members = family(process)
        process.kill()  # the parent first: it is not to write of a worker that died
        end(members)
        process.wait()
    assert 1 <= epochs(broken / framework) < count  # it was killed on the way
    assert not (broken / "result.json").exists()

    subprocess.run(command("resume", str(broken)), check=True, capture_output=True)
    for name in ("weights.safetensors", "checkpoint.safetensors", "logits.safetensors"):
        one, other = (run / framework / name for run in (whole, broken))
        assert one.read_bytes() == other.read_bytes(), name
    losses = [step_losses(run, framework) for run in (whole, broken)]
    assert losses[0] == losses[1]
    state = load_tensors(whole / framework / "checkpoint.safetensors")
    # The comparison covers the optimizer.
    assert int(state["optimizer.step"]) == count * len(losses[0][0])


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(
    ("number", "code"), SIGNALS, ids=[number.name for number, _ in SIGNALS]
)
def test_a_signal_ends_cleanly_and_the_run_resumes(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    run = tmp_path / "my run"
    words = ["train", "digits", "--framework", "pytorch", "--epochs", "50", *RUN]
    with started(*words, "--out", str(run)) as process:
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        members = family(process)
        process.send_signal(number)
        # `timeout` sends it to the process and to its group.
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == code
        advice = f"continue with: triptych resume '{run}'"
        assert said.splitlines()[-1] == f"triptych: interrupted; {advice}"
        assert "Traceback" not in said
        what = (
            "sports-cnn on digits, 12 x 12 pixels (squash), 50 epoch(s) in batches of"
        )
        assert said.count(f"{run}: {what}") == 1
        assert not psutil.wait_procs(members, timeout=30)[1]
    before = epochs(run / "pytorch")
    with started("resume", str(run)) as process:
        wait_until(lambda: epochs(run / "pytorch") > before)


def test_a_terminal_that_closes_ends_the_run(tmp_path: Path) -> None:
    """As when a window is closed or a connection breaks: SIGHUP, nobody to write to."""
    run = tmp_path / "run"
    terminal, its_side = os.openpty()
    os.set_blocking(terminal, False)

    def take() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # The tests themselves may run below nohup.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    process = subprocess.Popen(
        command(*LIGHT, "--out", str(run)),
        stdin=its_side,
        stdout=its_side,
        stderr=its_side,
        start_new_session=True,
        preexec_fn=take,
    )
    os.close(its_side)
    shown = b""

    def trains() -> bool:
        nonlocal shown
        with suppress(BlockingIOError):
            shown += os.read(terminal, 2**16)
        return epochs(run / "reference") >= 1 and b"epoch" in shown

    try:
        wait_until(trains)
        members = psutil.Process(process.pid).children(recursive=True)
    finally:
        os.close(terminal)
    try:
        assert process.wait(timeout=60) == 129
    finally:
        process.kill()
        process.wait()
    assert members
    assert not psutil.wait_procs(members, timeout=30)[1]
    result = json.loads((run / "result.json").read_text())
    assert result["frameworks"]["reference"]["status"] == "unfinished"


def test_a_run_below_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started(
        *LIGHT, "--out", str(run), signals={signal.SIGHUP: signal.SIG_IGN}
    ) as process:
        wait_until(lambda: epochs(run / "reference") >= 1)
        process.send_signal(signal.SIGHUP)
        before = epochs(run / "reference")
        wait_until(lambda: epochs(run / "reference") > before + 1)
        assert process.poll() is None


def test_what_cannot_be_continued_is_to_be_started_again(tmp_path: Path) -> None:
    words = ["verify", "mlp", "--steps", "100000", "--frameworks", "pytorch"]
    with started(*words) as process:
        members = [worker(process)]
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    advice = "run the same command again to start over"
    assert said.splitlines()[-1] == f"triptych: interrupted; {advice}"
    assert not psutil.wait_procs(members, timeout=30)[1]


def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["train", "digits", "--framework", "pytorch", "--epochs", "500", *RUN]
    with started(*words, "--out", str(run)) as process:
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        orphan = worker(process)
        process.kill()
        process.wait()
        assert not psutil.wait_procs([orphan], timeout=30)[1]


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux kills children with their parent"
)
def test_not_even_a_stopped_worker_outlives_its_parent(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started(*LIGHT, "--out", str(run)) as process:
        wait_until(lambda: epochs(run / "reference") >= 1)
        orphan = worker(process)
        orphan.suspend()
        process.kill()
        process.wait()
        try:
            assert not psutil.wait_procs([orphan], timeout=10)[1]
        finally:
            end([orphan])


def test_a_child_whose_parent_has_gone_already_leaves(tmp_path: Path) -> None:
    """Between its start and its request to be killed the parent may die; then no signal
    comes any more.
    """
    (tmp_path / "late.py").write_text("print('it runs')")
    words = child_command("late")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)]),
    }
    alive = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=True
    )
    assert alive.stdout == "it runs\n"
    words[-1] = "1"  # as if it had been adopted meanwhile
    adopted = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=False
    )
    assert (adopted.returncode, adopted.stdout) == (1, "")


def test_a_dead_worker_is_reported_and_the_others_finish(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["compare", "digits", "--frameworks", "pytorch,jax", "--epochs", "2", *RUN]
    with started(*words, "--out", str(run), "--json") as process:
        # The reference, which comes first, has ended.
        wait_until((run / "pytorch" / "worker.log").exists)
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
    with started(*LIGHT, "--out", str(run), "--timeout", "20", "--json") as process:
        wait_until(lambda: epochs(run / "reference") >= 1)
        hung = worker(process)
        hung.suspend()
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "hung" in json.loads(said)["frameworks"]["reference"]["error"]
        assert not psutil.wait_procs([hung], timeout=30)[1]


def test_a_worker_without_memory_is_reported_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    words = ["train", "digits", "--framework", "pytorch", "--epochs", "200", *RUN]
    with started(*words, "--out", str(run), "--json") as process:
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
    words = ["train", "digits", "--framework", "pytorch", "--epochs", "500", *RUN]
    with started(*words, "--out", str(run)):
        wait_until(lambda: epochs(run / "pytorch") >= 1)
        second = subprocess.run(
            command("resume", str(run)), capture_output=True, text=True, check=False
        )
    assert second.returncode == 2
    assert "another process" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_an_interruption_that_falls_into_a_callback_is_not_lost() -> None:
    """Python drops what is raised while an object is taken down, and goes on."""
    program = (
        "import os, signal, time, weakref\n"
        "from triptych.interruption import Interrupted, raise_on_signals\n"
        "class Thing: pass\n"
        "raise_on_signals()\n"
        "thing = Thing()\n"
        "def down(gone):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(0.1)\n"
        "watched = weakref.ref(thing, down)\n"
        "try:\n"
        "    del thing\n"
        "    time.sleep(30)\n"
        "except Interrupted as interruption:\n"
        "    raise SystemExit(interruption.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (143, "")
