"""The child process: one framework, one job.

The job comes as one line of JSON on standard input, which then stays open: a job that takes turns reads a
further line for each, and when the input ends, the parent is gone and so is the worker. Events go out as
lines of JSON on what was standard output; everything that a framework prints goes to standard error, the log.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from triptych.errors import TriptychError, UsageError
from triptych.files import write_atomic
from triptych.frameworks import registry
from triptych.frameworks.contract import Framework
from triptych.frameworks.source import count_lines
from triptych.images.batches import Batches
from triptych.images.store import Store
from triptych.network.architecture import from_toml
from triptych.network.weights import check_weights, load_tensors, save_tensors
from triptych.running import exam, measuring
from triptych.running.exam import Emit
from triptych.running.folder import Panel, RunFolder, write_json
from triptych.running.machine import peak_memory_mib, process_age
from triptych.running.training import all_logits, parts_of, train

Job = dict[str, Any]
Turns = Iterator[Job]
"""What is asked after the job, one a turn; waiting for the next costs no computing time."""


def do_train(framework: Framework, job: Job, panel: Panel, emit: Emit, turns: Turns) -> Job:
    """Train to the end, from a checkpoint if there is one."""
    run = RunFolder(Path(job["run"]))
    imported = peak_memory_mib()
    text = framework.write_network(run.architecture())
    write_atomic(panel.network, text)
    parts = parts_of(run, Store.open(Path(job["store"])))
    progress = train(framework, run.recipe(), run.architecture(), parts, panel, emit)
    facts = {
        **msgspec.to_builtins(framework.facts()),
        "best_epoch": progress.best_epoch,
        "network_lines": count_lines(text),
        "import_memory_mib": imported,
        "peak_memory_mib": peak_memory_mib(),
        "total_seconds": process_age(),
    }
    write_json(panel.path / "facts.json", facts)  # last: it says that the training is done
    return {}


def do_predict(framework: Framework, job: Job, panel: Panel, emit: Emit, turns: Turns) -> Job:
    """Logits of the rows `job["rows"]` of the file of pixels `job["images"]`, of shape `job["shape"]`.

    By the weights `job["weights"]`, whichever framework learned them; written to the file `job["logits"]`.
    """
    run = RunFolder(Path(job["run"]))
    weights = load_tensors(Path(job["weights"]))
    check_weights(run.architecture(), weights)
    state = framework.build(run.architecture(), weights, run.recipe().precision)
    images = np.memmap(job["images"], np.uint8, mode="r", shape=tuple(job["shape"]))
    rows = load_tensors(Path(job["rows"]))["rows"].astype(np.int64)
    batches = Batches(images, np.zeros(len(rows), np.int64), rows, run.recipe().batch)
    save_tensors(Path(job["logits"]), {"logits": all_logits(framework, state, batches, emit)})
    return {}


def do_answer(framework: Framework, job: Job, panel: Panel, emit: Emit, turns: Turns) -> Job:
    """The cases `job["cases"]` of the exam in the folder `job["run"]`, in `job["precision"]`."""
    facts = framework.facts()
    if job["precision"] not in facts.precisions:
        raise UsageError(f"{facts.title} cannot compute in {job['precision']} here")
    for name in job["cases"]:
        exam.answer_case(framework, Path(job["run"]), name, panel.path, job["precision"], emit)
    emit({"event": "finished"})
    return {"facts": msgspec.to_builtins(facts)}


def do_write(framework: Framework, job: Job, panel: Panel, emit: Emit, turns: Turns) -> Job:
    """The source text of the architecture `job["network"]`, and where it keeps the canonical tensors."""
    architecture = from_toml(job["network"])
    layouts = msgspec.to_builtins(framework.layouts(architecture))
    return {"text": framework.write_network(architecture), "layouts": layouts}


def do_bench(framework: Framework, job: Job, panel: Panel, emit: Emit, turns: Turns) -> Job:
    """Get ready to be measured, say what that took, then measure once a turn, until the parent has enough."""
    load = msgspec.convert(job["load"], measuring.Load)
    bench = measuring.Bench(framework, load, emit)
    emit({"event": "done", **bench.startup, "facts": msgspec.to_builtins(framework.facts())})
    for _ in turns:
        emit({"event": "done", **bench.turn()})
    return {}


def do_peak(framework: Framework, job: Job, panel: Panel, emit: Emit, turns: Turns) -> Job:
    """Measure the machine itself, once a turn, until the parent has enough."""
    measuring.peak(job["precision"])  # to warm up
    emit({"event": "done"})
    for _ in turns:
        emit({"event": "done", **measuring.peak(job["precision"])})
    return {}


JOBS: dict[str, Callable[[Framework, Job, Panel, Emit, Turns], Job]] = {
    "train": do_train,
    "predict": do_predict,
    "write": do_write,
    "answer": do_answer,
    "bench": do_bench,
    "peak": do_peak,
}


def main() -> int:
    """Do the job; the exit status is 0 if it was done."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_hear_parent, args=(lines,), daemon=True).start()
    turns: Turns = (msgspec.json.decode(line) for line in iter(lines.get, None))
    job = next(turns)
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def emit(event: Job) -> None:
        events.write(msgspec.json.encode(event) + b"\n")

    try:
        entry = registry.find(job["framework"])
        emit({"event": "start"})
        framework = entry.load()
        panel = RunFolder(Path(job["run"])).panel(entry)
        emit({"event": "done", **JOBS[job["job"]](framework, job, panel, emit, turns)})
    except TriptychError as error:
        emit({"event": "error", "message": str(error)})
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it was, the parent hears of it
        traceback.print_exc()
        emit({"event": "error", "message": f"{type(error).__name__}: {str(error).strip() or 'no message'}"})
        return 1
    return 0


def _hear_parent(lines: queue.SimpleQueue[bytes]) -> None:
    """Pass on what is asked; at the end of standard input leave at once: no orphan goes on training."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(1)


if __name__ == "__main__":
    status = 1
    try:
        status = main()
        sys.stderr.flush()
    finally:
        os._exit(status)  # some frameworks hang or crash while their threads are torn down
