"""bench.html."""
from pathlib import Path
from triptych.benching.result import Bench
def write_page(folder: Path, bench: Bench) -> Path:
    return folder
