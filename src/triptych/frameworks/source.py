"""What all writers of networks share: variables, running a text, and looking inside while it runs."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from triptych.network.architecture import INPUT, Architecture

Namespace = dict[str, Any]


def variables(architecture: Architecture) -> dict[str, str]:
    """The variable that holds each node's output (and the input): `x` along a chain.

    What is read later than by the next line goes by its own name.
    """
    names = [INPUT, *(node.name for node in architecture.nodes)]
    following = dict(pairwise(names))
    readers = {name: {node.name for node in architecture.nodes if name in node.inputs} for name in names}
    return {name: "x" if readers[name] <= {following.get(name)} else name for name in names}


def describe(architecture: Architecture, title: str) -> str:
    """The first line of a network's source: what it is."""
    height, width, channels = architecture.input_shape
    return (
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
    text: str, filename: str, function: str, architecture: Architecture, tap: Callable[[str, Any], Any]
) -> Namespace:
    """Execute the same text with `x = tap("conv1", x)` added after the line that computes each layer.

    The first tap, `x = tap("input", x)`, comes before all of them. So what is looked at is what runs;
    `function` is the name of the function with the layers' lines.
    """
    tree = ast.parse(text, filename)
    body = next(
        node for node in reversed(list(ast.walk(tree)))
        if isinstance(node, ast.FunctionDef) and node.name == function
    )  # fmt: skip
    held = variables(architecture)
    waiting = [node.name for node in architecture.nodes]

    def look(name: str, beside: ast.stmt) -> ast.stmt:
        tapped = ast.parse(f"{held[name]} = tap({name!r}, {held[name]})").body[0]
        return ast.fix_missing_locations(ast.copy_location(tapped, beside))

    statements = [look(INPUT, body.body[0])]
    for statement in body.body:
        statements.append(statement)
        if waiting and _first_target(statement) == held[waiting[0]]:
            statements.append(look(waiting.pop(0), statement))
    if waiting:
        raise AssertionError(f"no line computes {waiting[0]!r} in:\n{text}")
    body.body = statements
    return _execute(compile(ast.fix_missing_locations(tree), filename, "exec"), tap=tap)


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
