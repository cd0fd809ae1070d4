"""What each framework costs on this machine: `bench`."""

from triptych.benching.bench import bench
from triptych.benching.result import Bench

__all__ = ["Bench", "bench"]
