"""Takes from the library's sources what a program needs, and nothing else, by following
names.

A program is written as modules that import from the library. `shake` puts the
definitions themselves in the place of these imports, with all that they need in turn,
so that what is ejected is what ran. Sources are read, never imported: a program for a
framework can be written where that framework is not installed.

What only checks a user's input stays behind: `__post_init__`, and an `if` that raises
one of our errors.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from triptych.frameworks.emit import first_line

PACKAGE = "triptych"


@dataclass(frozen=True)
class Module:
    """A source text: what it defines and what it imports, by name."""

    text: str
    definitions: dict[str, ast.stmt]
    imports: dict[str, ast.Import | ast.ImportFrom]
    """Each with a single name."""

    @classmethod
    def parse(cls, text: str) -> Module:
        """Only what stands at the top level counts."""
        definitions: dict[str, ast.stmt] = {}
        imports: dict[str, ast.Import | ast.ImportFrom] = {}
        for statement in ast.parse(text).body:
            match statement:
                case ast.Import(names=names):
                    for name in names:
                        held = name.asname or name.name.partition(".")[0]
                        imports[held] = ast.Import([name])
                case ast.ImportFrom(module=module, names=names):
                    for name in names:
                        held = name.asname or name.name
                        imports[held] = ast.ImportFrom(module, [name], 0)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    definitions[name] = statement
                case ast.Assign(targets=[ast.Tuple(elts=targets)]):
                    definitions |= {
                        one.id: statement
                        for one in targets
                        if isinstance(one, ast.Name)
                    }
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name))
                ):
                    definitions[name] = statement
        return cls(text, definitions, imports)


@cache
def _library(module: str) -> Module:
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return Module.parse(Path(found.origin).read_text("utf-8"))


@dataclass
class Part:
    """A module of the program: its text, what it takes from the library and outside."""

    own: Module
    homes: tuple[str, ...] = ()
    """The modules of the library that have their home here, in the order in which they
    are to stand.
    """
    taken: dict[str, tuple[str, ast.stmt]] = field(default_factory=dict)
    """Module of the library and statement, by name."""
    outside: dict[str, str] = field(default_factory=dict)
    """Import statements by the name that they bring."""

    def code(self) -> str:
        """What was taken, in the order of the library's files, then its own text."""
        chosen = {
            id(statement): (module, statement)
            for module, statement in self.taken.values()
        }
        ordered = sorted(
            chosen.values(), key=lambda one: (self.homes.index(one[0]), one[1].lineno)
        )
        taken = "".join(f"{_cut(*one)}{_space_after(one[1])}" for one in ordered)
        body = [
            s
            for s in ast.parse(self.own.text).body
            if not isinstance(s, ast.Import | ast.ImportFrom)
        ]
        start = 1 if body and _is_text(body[0]) else 0
        lines = self.own.text.splitlines(keepends=True)
        own = (
            "".join(lines[_first_line(body[start], lines) - 1 :])
            if body[start:]
            else ""
        )
        return f"{taken}\n{own}".strip("\n") + "\n"

    @property
    def about(self) -> str:
        """The part's docstring."""
        return ast.get_docstring(ast.parse(self.own.text)) or ""

    def names(self) -> set[str]:
        """What it defines."""
        return self.taken.keys() | self.own.definitions.keys()


def shake(texts: Mapping[str, str], homes: Mapping[str, str]) -> dict[str, Part]:
    """The parts of a program from their texts, by name; `homes` names the part of each
    library module.

    Parts import each other as `from program.NAME import ...`, and the library as anyone
    does.
    """
    parts = {
        name: Part(
            Module.parse(text),
            tuple(home for home, part in homes.items() if part == name),
        )
        for name, text in texts.items()
    }

    def _defined(name: str, home: str, statement: ast.stmt) -> bool:
        """Whether a part says the same itself: a network's text may, and then it is not
        said twice.
        """
        found = [
            part.own.definitions[name]
            for part in parts.values()
            if name in part.own.definitions
        ]
        assert all(ast.unparse(one) == ast.unparse(statement) for one in found), (
            home,
            name,
        )
        return bool(found)

    def follow(part: str, module: Module, names: set[str], home: str) -> None:
        for name in sorted(names):
            if name in module.definitions and module is not parts[part].own:
                statement = module.definitions[name]
                if _defined(name, home, statement):
                    continue
                if name not in parts[part].taken:
                    parts[part].taken[name] = (home, statement)
                    follow(part, module, global_names(_cut(home, statement)), home)
            elif name in module.imports:
                _enter(part, name, module.imports[name])

    def _enter(part: str, name: str, imported: ast.Import | ast.ImportFrom) -> None:
        source = imported.module if isinstance(imported, ast.ImportFrom) else None
        if source is None or source.partition(".")[0] not in (PACKAGE, "program"):
            if source != "__future__":
                parts[part].outside[name] = ast.unparse(imported)
        elif source.startswith(f"{PACKAGE}."):
            assert isinstance(imported, ast.ImportFrom)
            follow(homes[source], _library(source), {imported.names[0].name}, source)

    for name, part in parts.items():
        follow(name, part.own, global_names(part.own.text), "")
    return parts


def global_names(text: str) -> set[str]:
    """The names that a text reads and that no function holds, annotations included."""

    def below(scope: symtable.SymbolTable) -> Iterator[str]:
        top = scope.get_type() == "module"
        yield from (
            s.get_name()
            for s in scope.get_symbols()
            if (s.is_referenced() if top else s.is_global())
        )
        for child in scope.get_children():
            yield from below(child)

    return set(below(symtable.symtable(text, "program", "exec")))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _checks_input(statement: ast.stmt, errors: set[str]) -> bool:
    """Whether a statement only refuses what a user gave."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name == "__post_init__"
    match statement:
        case ast.If(body=[ast.Raise(exc=ast.Call(func=ast.Name(id=error)))], orelse=[]):
            return error in errors
    return False


def _left_behind(home: str, statement: ast.stmt) -> Iterator[ast.stmt]:
    imports = _library(home).imports.items()
    errors = {
        n
        for n, one in imports
        if isinstance(one, ast.ImportFrom) and one.module == f"{PACKAGE}.errors"
    }
    for node in ast.walk(statement):
        if not isinstance(node, ast.stmt):
            continue
        for below in getattr(node, "body", None) or []:
            if _checks_input(below, errors):
                yield below


def _cut(home: str, statement: ast.stmt) -> str:
    """A definition's text, with comment above and explaining text below it."""
    module = _library(home)
    lines = module.text.splitlines(keepends=True)
    first, last = (
        _first_line(statement, lines),
        statement.end_lineno or statement.lineno,
    )
    body = ast.parse(module.text).body
    following = next((s for s in body if s.lineno > last), None)
    if (
        following is not None
        and _is_text(following)
        and not isinstance(statement, ast.FunctionDef)
    ):
        last = following.end_lineno or following.lineno
    dropped: set[int] = set()
    for below in _left_behind(home, statement):
        dropped.update(range(below.lineno, (below.end_lineno or below.lineno) + 1))
    kept = "".join(lines[n - 1] for n in range(first, last + 1) if n not in dropped)
    if dropped:
        kept = re.sub(r'\n\n +Raises \w+ (?:.|\n)*?(?=\n +""")', "", kept)
    return re.sub(r" *# fmt: skip", "", kept).strip("\n") + "\n"


def _space_after(statement: ast.stmt) -> str:
    """Blank lines after a definition; constants stand close together."""
    return "\n" * (1 if isinstance(statement, ast.Assign) else 2)


def _first_line(statement: ast.stmt, lines: list[str]) -> int:
    """Where a statement begins, decorators and the comment above them included."""
    first = first_line(statement)
    while first > 1 and re.match(r"#(?! ----)", lines[first - 2]):
        first -= 1
    return first
