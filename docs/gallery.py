"""Write the pages of docs/gallery.md from small runs of all frameworks: gallery.py
FOLDER.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import triptych


def main(folder: Path) -> None:
    """Into a scratch folder first: an interruption leaves the old pages or none."""
    with tempfile.TemporaryDirectory(prefix="triptych-gallery-") as scratch:
        runs, pages = Path(scratch, "runs"), Path(scratch, "pages")
        triptych.compare("digits", network="lenet", epochs=3, out=runs / "compare")
        triptych.verify("lenet", image_size=16, out=runs / "verify")
        triptych.bench(
            "lenet", image_size=32, repeats=3, seconds=0.2, out=runs / "bench"
        )
        kept = [page.relative_to(runs) for page in sorted(runs.glob("*/*.html"))]
        for page in kept:
            (pages / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(runs / page, pages / page)
        (pages / "index.txt").write_text("".join(f"{page}\n" for page in kept))
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(pages, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
