"""What is to be ejected, and how templates are filled."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from triptych.frameworks.contract import Optimizer
from triptych.frameworks.emit import cut, in_docstring, quote
from triptych.frameworks.registry import Entry
from triptych.network.architecture import Architecture
from triptych.network.layouts import Layout
from triptych.network.weights import Weights
from triptych.running.recipe import Recipe


@dataclass(frozen=True)
class Trained:
    """What a run has learned."""

    weights: Weights
    classes: tuple[str, ...]
    history: tuple[dict[str, float | None], ...] = ()
    """Loss, accuracy, validation accuracy of each epoch, of the one that learned it."""
    parts: Mapping[bytes, int] = field(default_factory=dict)
    """The part that each of its images is in, by the image's digest."""


@dataclass(frozen=True)
class Source:
    """What is to be ejected."""

    recipe: Recipe
    architecture: Architecture
    entry: Entry
    network: str
    """The network's text, as it ran or would run."""
    layouts: Mapping[str, Layout]
    trained: Trained | None = None
    """What it has learned, if it is from a run."""

    @property
    def title(self) -> str:
        """The framework's name for people."""
        return self.entry.title


def fill(template: str, **facts: object) -> str:
    """A template with its blanks filled in."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "quoted": _quoted,
        "constructed": _constructed,
        "in_docstring": in_docstring,
        "markdown": _markdown,
    }
    environment.filters |= {"python": literal, "toml": _toml}
    return environment.get_template(template).render(facts)


def literal(value: object) -> str:
    """A value as Python source, texts in double quotes where formatters want them."""
    match value:
        case str() if value.count('"') > value.count("'") or repr(value)[0] == '"':
            return repr(value)
        case str():
            inside = repr(value + "\"'")[1:-4].replace("\\'", "'").replace('"', '\\"')
            return f'"{inside}"'
        case dict():
            items = (f"{literal(k)}: {literal(v)}" for k, v in value.items())
            return f"{{{', '.join(items)}}}"
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case tuple() if len(value) > 1:
            return f"({', '.join(map(literal, value))})"
    return repr(value)


def _toml(text: str) -> str:
    """A printable text as a string of TOML, which is written like one of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _quoted(text: str, ops: Path) -> str:
    """The definitions in that file that a text calls."""
    return quote(ops, text).strip("\n")


def _constructed(optimizer: Optimizer, run: Path, **names: str) -> str:
    """The call that makes an optimizer in that file, its numbers written out.

    `names` say what stands for the parameters of the lambda there: an expression, or
    the arguments for those that it takes as `**options`.
    """
    makers: dict[object, ast.expr] = {}
    for statement in ast.parse(run.read_text("utf-8")).body:
        match statement:
            case ast.AnnAssign(ast.Name("OPTIMIZERS"), _, ast.Dict(keys, values)):
                named = [key.value for key in keys if isinstance(key, ast.Constant)]
                makers |= dict(zip(named, values, strict=True))
            case ast.Assign(
                [ast.Subscript(ast.Name("OPTIMIZERS"), ast.Constant(name))],
                ast.Subscript(_, ast.Constant(same)),
            ):
                makers[name] = makers[same]
    maker = makers[optimizer.name]
    assert isinstance(maker, ast.Lambda)
    return ast.unparse(_WrittenOut(optimizer, names).visit(maker.body))


class _WrittenOut(ast.NodeTransformer):
    """An optimizer's numbers for `o.momentum` and the like, expressions for names."""

    def __init__(self, optimizer: Optimizer, names: Mapping[str, str]) -> None:
        self.optimizer, self.names = optimizer, names

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        match node.value:
            case ast.Name("o"):
                return ast.Constant(getattr(self.optimizer, node.attr))
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """`o.momentum or ...` is decided here."""
        self.generic_visit(node)
        first, *others = node.values
        if isinstance(node.op, ast.Or) and isinstance(first, ast.Constant):
            return first if first.value or not others else others[0]
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.parse(self.names.get(node.id, node.id), mode="eval").body

    def visit_Call(self, node: ast.Call) -> ast.AST:
        for keyword in [one for one in node.keywords if one.arg is None]:
            call = ast.parse(
                f"f({self.names[ast.unparse(keyword.value)]})", mode="eval"
            )
            assert isinstance(call.body, ast.Call)
            node.keywords.remove(keyword)
            node.keywords += call.body.keywords
        return self.generic_visit(node)


def _markdown(text: str) -> str:
    """A line of text that Markdown shows as it is: no markup, no HTML, no formulas."""
    return re.sub(r"[\\`*\[\]|$~]", r"\\\g<0>", html.escape(text, quote=False))


def split_network(source: Source) -> tuple[str, str]:
    """The imports of the network's text, and its definitions."""
    imports: list[str] = []
    kept: list[str] = []
    _docstring, *statements = ast.parse(source.network).body  # the program has its own
    for statement in statements:
        found = isinstance(statement, ast.Import | ast.ImportFrom)
        (imports if found else kept).append(cut(source.network, statement))
    return "".join(imports), "\n\n".join(kept)
