"""The page's template, with all that it can call."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, TOMLLexer

from triptych.report import words

_LEXERS = {"python": PythonLexer, "toml": TOMLLexer}


SHARED = Path(__file__).parent / "templates"
"""Layout, style and macros; what a page is made of besides lies with its command."""


def render(template: Path, **facts: object) -> str:
    """The page of a template as HTML; whatever comes from outside is escaped."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {filter_.__name__: filter_ for filter_ in _FILTERS}
    environment.globals |= {
        "code": code,
        "lighter": lighter,
        "span": words.span,
        "spacing": words.spacing,
    }
    return environment.get_template(template.name).render(facts)


def code(text: str, language: str) -> Markup:
    """Highlighted text: spans with the classes that report.css colors, and one around
    each line.
    """
    lines = (
        highlight(text, _LEXERS[language](), HtmlFormatter(nowrap=True))
        .removesuffix("\n")
        .split("\n")
    )
    return Markup("".join(f"{_line(line)}\n</span>" for line in lines))


def _line(html: str) -> str:
    """A line that knows its indent: what does not fit goes on right of it, also after a
    dot or bracket.
    """
    start = re.match(r"(<[^>]*>| )*", html)
    indent = len(re.sub(r"<[^>]*>", "", start[0])) if start else 0
    parted = re.sub(r'<span class="[op]">[^<]*[.(\[]</span>', r"\g<0><wbr>", html)
    return f'<span class="line" style="--indent: {indent}">{parted}'


def whole(text: str) -> Markup:
    """Text in which no figure like 2.4e-7 is broken at its sign."""
    return Markup(
        re.sub(r"\d\S*e-\d+\S*", r'<span class="whole">\g<0></span>', str(escape(text)))
    )


def parted(name: str) -> Markup:
    """A dotted name that may go on in the next line after a dot."""
    return Markup(str(escape(name)).replace(".", ".<wbr>"))


def lighter(color: str) -> str:
    """A color for dark ground: 35 % on its way to white."""
    channels = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(
        f"{round(channel + 0.35 * (255 - channel)):02x}" for channel in channels
    )


_FILTERS = (
    words.percent,
    words.probability,
    words.count,
    words.rate,
    words.seconds,
    words.milliseconds,
    words.gap,
    words.capitalized,
    whole,
    parted,
)
