"""What each framework costs on this machine: `bench`."""

from triptych.commands.bench.bench import bench
from triptych.commands.bench.result import Bench

__all__ = ["Bench", "bench"]
