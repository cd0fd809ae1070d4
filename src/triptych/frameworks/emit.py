"""The one builder of source text: what the writers of all frameworks share.

A writer says how its framework makes and calls each layer; names, calls, long lines,
and the module around them are built here. Lines are folded as formatters fold them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from triptych.network.architecture import INPUT, Architecture

WIDTH = 88
"""Of a line: what formatters and linters expect unless they are told otherwise."""

# ---- names ---------------------------------------------------------------------------


def unique(name: str, taken: Collection[str]) -> str:
    """The name, with as many underscores behind it as make it none of the `taken`."""
    while name in taken:
        name += "_"
    return name


def renamed(
    names: Iterable[str], taken: Collection[str], spell: Callable[[str], str] = str
) -> dict[str, str]:
    """By the names that a user has given, those that stand in a source.

    Some words are `taken` there. A name stays as it is wherever it can, and no two
    become one. `spell` writes a name in the characters that are allowed there.
    """
    names = list(names)
    free = (name for name in names if name not in taken and spell(name) == name)
    found = {name: name for name in free}
    for name in names:
        if name not in found:
            found[name] = unique(spell(name), {*taken, *found.values()})
    return {name: found[name] for name in names}


def in_one_word(name: str) -> str:
    """A layer's name, which may have those of its blocks before it, as a variable."""
    return name.replace(".", "_")


def variables(architecture: Architecture, taken: Collection[str]) -> dict[str, str]:
    """The variable that holds each node's output (and the input): `x` along a chain.

    What is read later than by the next line goes by its own name, or a like one if
    that is `taken`: if the lines of the network use it for something else.
    """
    names = [INPUT, *(node.name for node in architecture.nodes)]
    following = dict(pairwise(names))
    readers: dict[str, set[str]] = {name: set() for name in names}
    for node in architecture.nodes:
        for name in node.inputs:
            readers[name].add(node.name)
    own = renamed(names, {"x", *taken}, in_one_word)
    return {n: "x" if readers[n] <= {following.get(n)} else own[n] for n in names}


# ---- expressions ---------------------------------------------------------------------


def call(function: str, *arguments: object, **options: object) -> str:
    """A call: a string is an expression, other values are written; None is left out."""
    given = [_written(argument) for argument in arguments]
    given += [f"{n}={_written(v)}" for n, v in options.items() if v is not None]
    return f"{function}({', '.join(given)})"


def _written(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def quoted(text: str) -> str:
    """A word of ours, or a user's identifier, as a literal."""
    return f'"{text}"'


def plain(
    pair: tuple[int, int], default: int | None = None
) -> int | tuple[int, int] | None:
    """One number for two equal ones; None for the default, which is left out."""
    value = pair[0] if pair[0] == pair[1] else pair
    return None if value == default else value


# ---- lines ---------------------------------------------------------------------------


def assign(target: str, expression: str, indent: int) -> str:
    """A line that gives `target` a value: several lines, if it is too long for one."""
    terms = list(_parts(expression, " + "))
    if len(terms) == 1 or indent + len(f"{target} = {expression}") <= WIDTH:
        return fold(f"{target} = {expression}", indent)
    pad, inside = " " * indent, " " * (indent + 4)
    body = f"{inside}{expression}\n"
    if len(body) > WIDTH + 1:
        rest = (fold(f"+ {term}", indent + 4) for term in terms[1:])
        body = fold(terms[0], indent + 4) + "".join(rest)
    return f"{pad}{target} = (\n{body}{pad})\n"


def fold(line: str, indent: int) -> str:
    """A line; if it is too long, what its last brackets hold that will do stands below.

    That goes into one line if it fits, otherwise each part has a line of its own.
    """
    pad = " " * indent
    if indent + len(line) <= WIDTH or not (brackets := _brackets(line)):
        return f"{pad}{line}\n"
    fitting = [one for one in brackets if indent + one[0] < WIDTH]
    # Of a definition, its parameters: not what it returns.
    chosen = brackets[:1] if line.startswith("def ") else fitting or brackets[:1]
    start, end = chosen[-1]
    inside, held = " " * (indent + 4), line[start + 1 : end]
    parts = list(_parts(held, ", "))
    # What a display lists has a line for each.
    display = not re.search(r"[\w)\]]$", line[:start]) and " for " not in held
    if indent + 4 + len(held) <= WIDTH and not (display and len(parts) > 1):
        body = f"{inside}{held}\n"
    else:
        folded = (fold(f"{part},", indent + 4) for part in parts)
        body = "".join(folded)
    return f"{pad}{line[: start + 1]}\n{body}{pad}{line[end:]}\n"


def _brackets(line: str) -> list[tuple[int, int]]:
    """Where brackets inside no others begin and end, if they hold anything."""
    found, starts = [], []
    for place, sign in _outside_strings(line):
        if sign in "([{":
            starts.append(place)
        elif sign in ")]}":
            start = starts.pop()
            if not starts and place > start + 1:
                found.append((start, place))
    return found


def _parts(text: str, between: str) -> Iterator[str]:
    """What stands between separators that are inside no brackets and no string."""
    begin = depth = 0
    for place, sign in _outside_strings(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and text.startswith(between, place):
            yield text[begin:place]
            begin = place + len(between)
    yield text[begin:]


def _outside_strings(text: str) -> Iterator[tuple[int, str]]:
    """The characters that are in no string, each with its place."""
    inside = False
    for place, sign in enumerate(text):
        inside ^= sign == '"'
        if not inside:
            yield place, sign


# ---- modules -------------------------------------------------------------------------


def docstring(text: str) -> str:
    """A text as the literal of a docstring, which ends nowhere but at its end."""
    return f'"""{in_docstring(text)}"""'


def in_docstring(text: str) -> str:
    """A text as it can stand between other text in a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def describe(architecture: Architecture, title: str) -> str:
    """The docstring of a network's source: what it is."""
    section = architecture.section
    which = "" if section == "whole" else f", its {section}"
    read = " x ".join(map(str, architecture.input_shape))
    made = " x ".join(map(str, architecture.shapes[architecture.nodes[-1].name]))
    return docstring(
        f"{architecture.name}{which} in {title}: "
        f"{read} {'features' if section == 'head' else 'images'}, "
        f"{made} {'features' if section == 'body' else 'classes'}, "
        f"{architecture.parameter_count:,} parameters."
    )


def module(about: str, imports: str, ops: Path, network: str, types: str = "") -> str:
    """A network's whole source: of imports and of `ops` no more than it needs.

    `types` are names for types, which stand before what is quoted from the file `ops`.
    """
    body = f"{types}{quote(ops, network)}{network}"
    return f"{about}\n\n{_used(imports, body)}{body}"


def quote(ops: Path, text: str) -> str:
    """The definitions in that file that `text` calls, and those that they call in turn.

    The file is read, never imported: a writer needs no framework.
    """
    source = ops.read_text("utf-8")
    definitions = {
        node.name: node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    wanted, waiting = set[str](), [text]
    while waiting:
        new = (_called(waiting.pop()) & definitions.keys()) - wanted
        wanted |= new
        waiting += [cut(source, definitions[name]) for name in new]
    pieces = (cut(source, definitions[name]) for name in definitions if name in wanted)
    return "".join(f"\n\n{piece}" for piece in pieces)


def _called(text: str) -> set[str]:
    """The functions and classes that a text calls, or inherits from, by their bare
    names.
    """
    inherited = re.findall(r"^class \w+\((\w+)\)", text, re.MULTILINE)
    return {*re.findall(r"(?<![\w.])(\w+)\(", text), *inherited}


def first_line(statement: ast.stmt) -> int:
    """Where a statement begins, its decorators included; counted from 1."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)])


def cut(source: str, statement: ast.stmt) -> str:
    """The text of a statement, its decorators included."""
    lines = source.splitlines(keepends=True)
    return "".join(lines[first_line(statement) - 1 : statement.end_lineno])


def _used(imports: str, body: str) -> str:
    """Those of the import statements, a line each, that bring what the body names."""
    names = {
        node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)
    }
    groups = []
    for group in imports.split("\n\n"):
        statements = ast.parse(group).body
        for one in statements:
            assert isinstance(one, ast.Import | ast.ImportFrom)
            one.names = [n for n in one.names if (n.asname or n.name) in names]
        kept = [ast.unparse(one) for one in statements if getattr(one, "names", ())]
        groups += ["\n".join(kept)] if kept else []
    return "\n\n".join(groups) + "\n"
