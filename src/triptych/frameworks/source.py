"""What all writers of networks share: names, running a text, and looking inside while it runs."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from typing import Any

from triptych.network.architecture import INPUT, Architecture

Namespace = dict[str, Any]

TAP = "_tap"
"""The function that looks inside while a text runs: no layer can be called so."""


def unique(name: str, taken: Collection[str]) -> str:
    """The name, with as many underscores behind it as it takes to be none of those that are `taken`."""
    while name in taken:
        name += "_"
    return name


def renamed(
    names: Iterable[str], taken: Collection[str], spell: Callable[[str], str] = str
) -> dict[str, str]:
    """By the names that a user has given, those that stand in a source, in which some words are `taken`.

    A name stays as it is wherever it can, and no two become one. `spell` writes a name in the characters that
    are allowed there.
    """
    names = list(names)
    found = {name: name for name in names if name not in taken and spell(name) == name}
    for name in names:
        if name not in found:
            found[name] = unique(spell(name), {*taken, *found.values()})
    return {name: found[name] for name in names}


def variables(architecture: Architecture, taken: Collection[str]) -> dict[str, str]:
    """The variable that holds each node's output (and the input): `x` along a chain.

    What is read later than by the next line goes by its own name, or a like one if that is `taken`: if the
    lines of the network use it for something else.
    """
    names = [INPUT, *(node.name for node in architecture.nodes)]
    following = dict(pairwise(names))
    readers = {name: {node.name for node in architecture.nodes if name in node.inputs} for name in names}
    own = renamed(names, {"x", *taken})
    return {name: "x" if readers[name] <= {following.get(name)} else own[name] for name in names}


def docstring(text: str) -> str:
    """A text as the literal of a docstring, which ends nowhere but at its end."""
    return f'"""{in_docstring(text)}"""'


def in_docstring(text: str) -> str:
    """A text as it can stand between other text in a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def describe(architecture: Architecture, title: str) -> str:
    """The docstring of a network's source: what it is."""
    height, width, channels = architecture.input_shape
    return docstring(
        f"{architecture.name} in {title}: {height} x {width} x {channels} pictures, "
        f"{architecture.classes} classes, {architecture.parameter_count:,} parameters."
    )


def sources(pieces: Iterable[Callable[..., Any]], text: str) -> str:
    """The source of those `pieces` that `text` calls, in the order given, each ready to stand in a module."""
    called = set(re.findall(r"(?<![\w.])(\w+)\(", text))
    return "".join(f"\n\n{inspect.getsource(piece)}" for piece in pieces if piece.__name__ in called)


def count_lines(text: str) -> int:
    """Lines that a user would write for this network: its definition, the last of the module, and imports.

    The definitions before it are this project's: they hold a framework to the conventions. Blank lines,
    comments and docstrings do not count either.
    """
    tree = ast.parse(text)
    *helpers, _ = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    prose = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and _is_text(node.value)]
    left_out: set[int] = set()
    for node in (*helpers, *prose):
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        left_out.update(range(first, (node.end_lineno or first) + 1))
    lines = enumerate((line.strip() for line in text.splitlines()), 1)
    return sum(bool(line) and not line.startswith("#") and number not in left_out for number, line in lines)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def run_source(text: str, filename: str) -> Namespace:
    """Execute a module's text; tracebacks show its lines under `filename`."""
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    return _execute(compile(text, filename, "exec"))


def run_with_taps(
    text: str, filename: str, function: str, held: Mapping[str, str], tap: Callable[[str, Any], Any]
) -> Namespace:
    """Execute the same text with `x = _tap("conv1", x)` added after the line that computes each layer.

    The first tap, `x = _tap("images", x)`, comes before all of them. So what is looked at is what runs;
    `function` is the name of the function with the layers' lines, `held` are the `variables` in it.
    """
    tree = ast.parse(text, filename)
    body = next(
        node for node in reversed(list(ast.walk(tree)))
        if isinstance(node, ast.FunctionDef) and node.name == function
    )  # fmt: skip
    waiting = [name for name in held if name != INPUT]

    def look(name: str, beside: ast.stmt) -> ast.stmt:
        tapped = ast.parse(f"{held[name]} = {TAP}({name!r}, {held[name]})").body[0]
        return ast.fix_missing_locations(ast.copy_location(tapped, beside))

    statements = [look(INPUT, body.body[0])]
    for statement in body.body:
        statements.append(statement)
        if waiting and _first_target(statement) == held[waiting[0]]:
            statements.append(look(waiting.pop(0), statement))
    if waiting:
        raise AssertionError(f"no line computes {waiting[0]!r} in:\n{text}")
    body.body = statements
    return _execute(compile(ast.fix_missing_locations(tree), filename, "exec"), **{TAP: tap})


def _first_target(statement: ast.stmt) -> str | None:
    """The first name that an assignment sets."""
    if not isinstance(statement, ast.Assign):
        return None
    target = statement.targets[0]
    if isinstance(target, ast.Tuple):
        target = target.elts[0]
    return target.id if isinstance(target, ast.Name) else None


def _execute(code: Any, **names: Any) -> Namespace:
    namespace: Namespace = {"__name__": "network", **names}
    exec(code, namespace)
    return namespace
