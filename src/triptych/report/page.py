"""report.html: one page that opens offline in any browser."""

from __future__ import annotations

from pathlib import Path

from triptych.running.folder import RunFolder
from triptych.tables import write_atomic


def write_report(run: RunFolder) -> Path:
    """Write report.html into the run folder from what lies there, and give its path."""
    write_atomic(run.path / "report.html", "<p>to come")
    return run.path / "report.html"
