"""A bench as it could have come out, made without measuring anything."""

from __future__ import annotations

from pathlib import Path

from triptych.commands.bench.result import (
    Bench,
    BenchImages,
    Measured,
    Peak,
    rank,
    spread,
    sum_up,
)
from triptych.commands.bench.settings import BenchSettings
from triptych.frameworks import registry
from triptych.network.zoo import mlp
from triptych.running.machine import machine
from triptych.running.measurements import PeakRound, Round, Startup
from triptych.running.result import NetworkFacts

BATCH = 32
SPEEDS = {
    "keras": (400.0, 420.0),
    "pytorch": (500.0, 480.0),
    "keras:jax": (450.0, 490.0),
}
"""Images a second of each round: PyTorch is first, Keras on JAX faster once."""


def measured(
    name: str, speeds: tuple[float, ...], joules: float | None = None
) -> Measured:
    rounds = [
        Round(
            began=0, ended=1, steps=10, train_seconds=10 * BATCH / speed,
            real_seconds=12 * BATCH / speed, predictions=40,
            predict_seconds=10 * BATCH / speed, latencies=[0.001, 0.002, 0.003],
            joules=joules, peak_memory_mib=500,
        )
        for speed in speeds
    ]  # fmt: skip
    startup = Startup(
        import_seconds=2, build_seconds=0.5, first_step_seconds=1.5,
        compile_seconds=1.4, time_to_first_step=4.1, first_prediction_seconds=1,
        prediction_compile_seconds=0.9, import_memory_mib=200,
    )  # fmt: skip
    return Measured(
        status="done", title=registry.find(name).title, version="1.0",
        versions={"package": "1.0"}, device="cpu", threads=2, startup=startup,
        rounds=rounds,
    )  # fmt: skip


def made_up(ranked: bool, folder: Path = Path("runs/bench")) -> Bench:
    """Three frameworks that finished and one that was killed."""
    network = mlp(8)
    peak = Peak(
        precision="float32",
        rounds=[PeakRound(began=0, ended=1, flops=flops) for flops in (1e11, 2e11)],
    )
    peak.flops = spread(one.flops for one in peak.rounds)
    done = {name: measured(name, speeds, joules=50) for name, speeds in SPEEDS.items()}
    for one in done.values():
        sum_up(one, BATCH, network.training_flops, peak)
    error = "JAX was killed (SIGKILL); the end of <b>worker.log</b>:\n  "
    error += "a long line " * 30
    unproved = "nothing proves that they compute the same: triptych verify mlp"
    return Bench(
        folder=str(folder), made="2026-01-02T03:04:05+00:00",
        asked=BenchSettings(
            network="mlp", frameworks=tuple(done), image_size=None, batch_size=BATCH,
            precision="float32", images=None, repeats=2, seconds=1.0, threads=2,
        ),
        network=NetworkFacts.of(network),
        images=BenchImages(source='<b>&"x', key="0", trained_on=64),
        machine=machine(),
        peak=peak,
        frameworks={**done, "jax": Measured(status="failed", title="JAX", error=error)},
        certificate="runs/verify/certificate.json" if ranked else None,
        ranking=rank(done, BATCH) if ranked else None,
        unranked=None if ranked else unproved,
    )  # fmt: skip
