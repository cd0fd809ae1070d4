"""What all that is shown on a terminal shares.

Progress goes to standard error, results to standard output, so that `--json` can be
piped.
"""

from __future__ import annotations

import contextlib
import errno
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from triptych.errors import visible

if TYPE_CHECKING:
    from triptych.images.found import ImagesFound  # loads Pillow


class _Console(Console):
    """A console on which names are only names: no markup, no emoji, nothing that a
    terminal would obey.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield (
                segment
                if segment.control
                else segment._replace(text=visible(segment.text))
            )


class Progress(ABC):
    """What hears of long work while it goes on: drawn anew on a terminal, in plain
    lines elsewhere.
    """

    REFRESH: ClassVar[int] = 5
    """How often a second it is drawn anew."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _Console(stderr=True)
        self.images = (0, 0)
        self.live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live = Live(
                get_renderable=self.render,
                console=self.console,
                refresh_per_second=self.REFRESH,
                transient=True,
            )
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            # The terminal has gone; the work's own end counts.
            with contextlib.suppress(OSError):
                self.live.stop()

    def prepared(self, done: int, total: int) -> None:
        """Hear how many images are prepared."""
        tenth = done * 10 // max(total, 1) > self.images[0] * 10 // max(total, 1)
        self.images = (done, total)
        if tenth or done == total:
            self.say(f"images  {done:,} of {total:,} prepared")

    def say(self, line: str) -> None:
        """Print a line where nothing is drawn."""
        if self.live is None:
            self.console.print(line, soft_wrap=True, highlight=False)

    def warn(self, message: str) -> None:
        """Print what went wrong, wherever it is."""
        self.console.print(Text(message, style="red"), soft_wrap=True)

    def render(self) -> Group:
        """What the terminal shows now."""
        done, total = self.images
        if done == total:
            return Group(*self.parts())
        bar = Table.grid(padding=(0, 2))
        bar.add_row(
            "Images",
            ProgressBar(total, done, width=24),
            f"{done:,} of {total:,} prepared",
        )
        return Group(bar, *self.parts())

    @abstractmethod
    def parts(self) -> Sequence[RenderableType]:
        """What it shows below the images that are being prepared."""


class ImagesProgress(Progress):
    """Shows how many images are prepared, and nothing else."""

    def parts(self) -> Sequence[RenderableType]:
        return ()


def table(title: str | None = None) -> Table:
    """An empty table as all of them look."""
    heading = None if title is None else Text(title, style="bold")
    return Table(
        title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )


def clock(seconds: float | None) -> str:
    """Seconds for people: 8 s, 2:05 min, 1:02:05 h."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def with_reach(
    figure: str | Text, reach: tuple[float, float] | None, form: Callable[[float], str]
) -> Text:
    """A figure, and below it from where to where it may lie."""
    if reach is None:
        return Text.assemble(figure)
    return Text.assemble(figure, (f"\n{form(reach[0])} to {form(reach[1])}", "dim"))


def problem_lines(images: ImagesFound) -> list[str]:
    """What is wrong with the images: a count, and the first few of each kind."""
    problems = images.problems
    if not problems:
        return []
    lines = [
        f"{len(problems):,} problem(s) with the images; "
        "the files concerned are left out:"
    ]
    for kind in images.problem_counts:
        paths = [problem.path for problem in problems if problem.kind == kind]
        lines.append(f"  {kind}: {first_few(paths)}")
    return lines


def first_few(paths: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return f"{', '.join(paths[:3])}{more}"


class Output(_Console):
    """Standard output; that its reader has gone is for the command line to handle, not
    for the console.
    """

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


def show(*parts: RenderableType) -> None:
    """Print tables and lines on standard output."""
    console = Output()
    for part in parts:
        if isinstance(part, str):
            console.print(part, soft_wrap=True, highlight=False)
        else:
            console.print(part)


def to_html(*parts: RenderableType) -> str:
    """The same for a notebook's cell: HTML in which every name is escaped."""
    console = _Console(file=io.StringIO(), record=True, width=100)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str), highlight=False)
    return console.export_html(
        inline_styles=True, code_format="<pre style='white-space: pre'>{code}</pre>"
    )
