"""How long the functions and files of src are, and how much of them is not typed:
`python -m tests.measures` prints it, `tests/test_measures.py` holds the bounds.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Measures:
    """What was counted, each with where it stands."""

    functions: dict[str, int] = field(default_factory=dict)
    """The lines of each, its signature and docstring aside."""
    files: dict[str, int] = field(default_factory=dict)
    untyped: list[str] = field(default_factory=list)
    """Every `Any` in an annotation or a type."""
    loose_signatures: list[str] = field(default_factory=list)
    """Functions that take or give a `dict[str, Any]`."""

    def add(self, name: str, text: str) -> None:
        """Count a module."""
        self.files[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Name | ast.Attribute) and _is_any(node):
                self.untyped.append(f"{name}:{node.lineno}")
            elif isinstance(node, Function):
                where = f"{name}:{node.lineno} {node.name}"
                self.functions[where] = _length(node)
                if "dict[str, Any]" in _signature(node).replace("typing.", ""):
                    self.loose_signatures.append(where)

    @property
    def median(self) -> float:
        """Of the functions' lines."""
        return statistics.median(self.functions.values())

    @property
    def p90(self) -> int:
        """What nine of ten functions do not exceed."""
        lengths = sorted(self.functions.values())
        return lengths[9 * len(lengths) // 10]

    def lines(self) -> Iterator[str]:
        """All of it in words."""
        yield (
            f"{len(self.functions):,} functions: median {self.median:g} lines, "
            f"p90 {self.p90}"
        )
        longest = max(self.files, key=lambda name: self.files[name])
        yield f"{len(self.files)} files: longest {longest}, {self.files[longest]} lines"
        yield f"Any: {len(self.untyped)}"
        yield f"dict[str, Any] in signatures: {len(self.loose_signatures)}"


def measured(root: Path = SOURCES) -> Measures:
    """All modules below a folder."""
    found = Measures()
    for path in sorted(root.rglob("*.py")):
        found.add(str(path.relative_to(root)), path.read_text("utf-8"))
    return found


def _is_any(node: ast.Name | ast.Attribute) -> bool:
    return (node.id if isinstance(node, ast.Name) else node.attr) == "Any"


def _length(function: Function) -> int:
    first = function.body[0]
    begin = first.lineno
    if ast.get_docstring(function) is not None:
        begin = (first.end_lineno or first.lineno) + 1
    return max(0, (function.end_lineno or begin) - begin + 1)


def _signature(function: Function) -> str:
    given = ast.unparse(function.returns) if function.returns else ""
    return f"{ast.unparse(function.args)} -> {given}"


if __name__ == "__main__":
    for line in measured(Path(sys.argv[1]) if sys.argv[1:] else SOURCES).lines():
        print(line)
