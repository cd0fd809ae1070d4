"""The runs on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from triptych.running.summary import Summary


def runs_lines(found: Sequence[Summary]) -> list[str]:
    """A few lines a run, so that every path is whole."""
    return [line for run in found for line in _run_lines(run)]


def _run_lines(run: Summary) -> list[str]:
    began = f"{run.started[:16].replace('T', ' ')} UTC"
    if run.image_size is None:
        return [run.folder, f"  {began}  damaged: {run.states['damaged']}"]
    height, width = run.image_size
    states = [
        f"{name} {accuracy:.1%}"
        if accuracy is not None
        else f"{name} {run.states[name]}"
        for name, accuracy in run.test_accuracy.items()
    ]
    asked = f"{run.network}, {width} x {height} pixels, {run.epochs} epoch(s)"
    return [
        run.folder,
        f"  {began}  {asked}  {run.verdict or 'no verdict'}: {', '.join(states)}",
        f"  images: {run.images}",
    ]
