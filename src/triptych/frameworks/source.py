"""Running a network's source text: as it is, or looking inside while it runs."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, TypeVar

from triptych.frameworks.emit import first_line
from triptych.network.architecture import INPUT

T = TypeVar("T")

Namespace = dict[str, Any]

TAP = "_tap"
"""The function that looks inside while a text runs: no layer can be called so."""


def count_lines(text: str) -> int:
    """Lines that a user would write for this network: imports and its definition.

    That is the last of the module; those before it are this project's: they hold a
    framework to the conventions. Blank lines, comments and docstrings do not count.
    """
    tree = ast.parse(text)
    *helpers, _ = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    prose = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and _is_text(node.value)
    ]
    left_out: set[int] = set()
    for node in (*helpers, *prose):
        first = first_line(node)
        left_out.update(range(first, (node.end_lineno or first) + 1))
    lines = enumerate((line.strip() for line in text.splitlines()), 1)
    return sum(
        bool(line) and not line.startswith("#") and number not in left_out
        for number, line in lines
    )


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def run_source(text: str, filename: str) -> Namespace:
    """Execute a module's text; tracebacks show its lines under `filename`."""
    linecache.cache[filename] = (
        len(text),
        None,
        text.splitlines(keepends=True),
        filename,
    )
    return _execute(compile(text, filename, "exec"))


def run_with_taps(
    text: str,
    filename: str,
    function: str,
    held: Mapping[str, str],
    tap: Callable[[str, T], T],
) -> Namespace:
    """Execute the same text with `x = _tap("conv1", x)` after each layer's line.

    The first tap, `x = _tap("images", x)`, comes before all of them. So what is looked
    at is what runs; `function` is the name of the function with the layers' lines,
    `held` are the `variables` in it.
    """
    tree = ast.parse(text, filename)
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    *_, body = (node for node in functions if node.name == function)
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
    return _execute(
        compile(ast.fix_missing_locations(tree), filename, "exec"), **{TAP: tap}
    )


def _first_target(statement: ast.stmt) -> str | None:
    """The first name that an assignment sets."""
    if not isinstance(statement, ast.Assign):
        return None
    target = statement.targets[0]
    if isinstance(target, ast.Tuple):
        target = target.elts[0]
    return target.id if isinstance(target, ast.Name) else None


def _execute(code: CodeType, **names: object) -> Namespace:
    namespace: Namespace = {"__name__": "network", **names}
    exec(code, namespace)
    return namespace
