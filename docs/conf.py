"""The site: Markdown and notebooks as they lie in the repository, and the docstrings.
Built by `make docs`.

The repository's root is the source, so that a link in README.md or docs/ leads to the
same file on the site and in the repository.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sphinx.application import Sphinx

import triptych

project = "Triptych"
author = "The Triptych authors"
copyright = f"2026, {author}"  # noqa: A001  Sphinx calls it so
version = release = triptych.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "notebooks/*.ipynb",
    "notebooks/lessons/*.ipynb",
]

default_role = "code"  # as docstrings use it: `a name`
add_module_names = False
maximum_signature_line_length = 88
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

smartquotes = False  # an option is --json, not –json
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks lie there executed; tests execute them anew

html_theme = "furo"
html_title = "Triptych"
html_extra_path = ["site", "../build/gallery"]
html_copy_source = False


def without_fields(
    app: Sphinx,
    what: str,
    name: str,
    thing: Any,
    options: object,
    signature: str,
    returned: str,
) -> tuple[str, str | None] | None:
    """A record is read, not made, by users: its signature would repeat its fields."""
    return ("", None) if what == "class" and _is_record(thing) else None


def list_fields(
    app: Sphinx, what: str, name: str, thing: Any, options: object, lines: list[str]
) -> None:
    """Each field of a record as its published schema describes it."""
    if what != "class" or not _is_record(thing):
        return
    _, definitions = msgspec.json.schema_components([thing])
    for field, about in definitions[thing.__name__]["properties"].items():
        kind = about.get("type") or " or ".join(
            one.get("type", "object") for one in about.get("anyOf", [])
        )
        described = " ".join(
            filter(None, [f"({kind})" if kind else "", about.get("description", "")])
        )
        lines.append(f"* ``{field}`` {described}")
    lines.append("")


def _is_record(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, msgspec.Struct)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("autodoc-process-signature", without_fields)
    app.connect("autodoc-process-docstring", list_fields)
    return {"parallel_read_safe": True}
