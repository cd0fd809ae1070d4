"""report.html: one page that opens offline in any browser."""

from __future__ import annotations

from pathlib import Path

from triptych.files import write_atomic
from triptych.running.folder import RunFolder

REPORT = "report.html"
TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"


def write_report(run: RunFolder) -> Path:
    """Write report.html into the run folder from what lies there, and give its path."""
    # Only now: while the frameworks train, the parent need not hold Matplotlib in
    # memory.
    from triptych.commands.compare.contents import gather
    from triptych.report.template import render

    page = render(TEMPLATE, **gather(run))
    path = run.path / REPORT
    # A file's name may hold what is no text.
    write_atomic(path, page.encode("utf-8", "replace"))
    return path
