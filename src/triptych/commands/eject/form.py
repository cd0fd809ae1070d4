"""The form of what is ejected: imports sorted and used, lines and blank lines as
formatters have them.

Templates and quoted sources are in form but for what depends on a network or a recipe:
a name may make a line too long, a word that is left out may make several fit in one.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator

from triptych.frameworks.emit import WIDTH, assign, fold

UNTYPED = ("keras", "optax", "tensorflow")
"""What mypy finds no types for."""

_BLOCK = re.compile(r"def |class |@|async ")


def tidy(text: str, first_party: str = "") -> str:
    """A program in form; `first_party` is the package that it belongs to."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    text = spaced("".join(_folded(_with_imports(text, first_party))))
    untyped = rf"^( *(?:import|from) (?:{'|'.join(UNTYPED)})\b[^#\n]*)$"
    return re.sub(
        untyped, r"\1  # type: ignore[import-untyped]", text, flags=re.MULTILINE
    )


# ---- imports -------------------------------------------------------------------------


def _with_imports(text: str, first_party: str) -> str:
    """Each block of imports sorted, without those that bring nothing that is named."""
    lines = text.splitlines(keepends=True)
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for block in reversed(list(_blocks(tree))):
        first, last = block[0].lineno - 1, block[-1].end_lineno
        lines[first:last] = [sorted_imports(block, used, first_party)]
    return "".join(lines)


_Import = ast.Import | ast.ImportFrom


def _blocks(tree: ast.Module) -> Iterator[list[_Import]]:
    """The import statements of a module that stand together."""
    block: list[_Import] = []
    for statement in tree.body:
        if isinstance(statement, _Import):
            block.append(statement)
        elif block:
            yield block
            block = []
    if block:
        yield block


def sorted_imports(block: list[_Import], used: set[str], first_party: str) -> str:
    """The statements as isort has them, a group for each origin."""
    whole: dict[str, ast.alias] = {}
    members: dict[str, dict[str, ast.alias]] = {}
    for statement in block:
        for name in statement.names:
            if (name.asname or name.name.partition(".")[0]) not in used:
                continue
            if isinstance(statement, ast.Import):
                whole[ast.unparse(name)] = name
            else:
                held = members.setdefault(statement.module or "", {})
                held[ast.unparse(name)] = name
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for _, text in sorted((one.name.lower(), text) for text, one in whole.items()):
        groups[_origin(text.split()[0], first_party)].append(f"import {text}\n")
    for module in sorted(members, key=str.lower):
        names = sorted(members[module], key=_member)
        line = fold_import(module, names)
        groups[_origin(module, first_party)].append(line)
    return "\n".join("".join(group) for group in groups.values() if group)


def fold_import(module: str, names: list[str]) -> str:
    """The statement that takes these names from a module."""
    line = f"from {module} import {', '.join(names)}\n"
    if len(line) <= WIDTH + 1:
        return line
    members = "".join(f"    {name},\n" for name in names)
    return f"from {module} import (\n{members})\n"


def _origin(module: str, first_party: str) -> int:
    top = module.partition(".")[0]
    return 0 if top in sys.stdlib_module_names else 1 + (top == first_party)


def _member(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions."""
    word = name.split()[0]
    kind = 0 if word.isupper() and len(word) > 1 else 1 if word[0].isupper() else 2
    return kind, word.lower()


# ---- lines ---------------------------------------------------------------------------


def _folded(text: str) -> Iterator[str]:
    """The lines: broken where one is too long, joined where all fit in one."""
    lines = text.splitlines(keepends=True)
    done = 0
    for first, last, commented in _statements(text):
        yield from lines[done:first]
        own = lines[first:last]
        yield "".join(map(_part_in_form, own)) if commented else _in_form(own)
        done = last
    yield from lines[done:]


def _statements(text: str) -> Iterator[tuple[int, int, bool]]:
    """The lines of each simple statement or head of a block, and whether a comment
    stands in it; none that has a text of several lines.
    """
    first, plain, commented = 0, True, False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            continue
        if token.type == tokenize.NEWLINE:
            if plain and first:
                yield first - 1, token.start[0], commented
            first, plain, commented = 0, True, False
        elif token.type == tokenize.COMMENT:
            commented = bool(first)
        elif token.type != tokenize.ENDMARKER:
            first = first or token.start[0]
            plain = plain and token.start[0] == token.end[0]


def _in_form(lines: list[str]) -> str:
    """A statement from its lines."""
    given = "".join(lines)
    indent = len(given) - len(given.lstrip(" "))
    words = [line.strip() for line in lines]
    joined = re.sub(r"(?<=[(\[{]) | (?=[)\]}])", "", " ".join(words))
    longest = max(len(line.rstrip("\n")) for line in lines)
    if len(lines) > 1 and words[-2].endswith(","):
        return "".join(_part_in_form(line) for line in lines)
    if len(lines) > 1 and indent + len(joined) <= WIDTH:
        return f"{' ' * indent}{joined}\n" if _by_brackets(joined) else given
    if len(lines) > 1 or longest <= WIDTH:
        return given
    head = re.match(r"([\w.\[\], ]+) = (?=\S)", joined)
    if head:
        return assign(head[1], joined[head.end() :], indent)
    return fold(joined, indent)


def _part_in_form(line: str) -> str:
    """A line of a display or a call that has a line for each part."""
    part = line.strip()
    if len(line) <= WIDTH + 1 or not part.endswith(",") or part.startswith("#"):
        return line
    return fold(part, len(line) - len(line.lstrip(" ")))


def _by_brackets(line: str) -> bool:
    """Whether brackets that held several lines are those of a call or a display."""
    return not re.search(r"(= |return |in |if )\(", line)


# ---- blank lines ---------------------------------------------------------------------


def spaced(text: str) -> str:
    """Two blank lines around what a module defines, one inside, no others."""
    held = _inside_texts(text)
    lines = text.strip("\n").splitlines()
    made: list[str] = []
    blank = 0
    offset = len(text) - len(text.lstrip("\n"))
    within = False  # a definition of the module
    for number, line in enumerate(lines):
        if number + offset in held:
            made += [""] * blank + [line]
            blank = 0
            continue
        if not line:
            blank += 1
            continue
        made += [""] * _blanks(made, lines[number:], blank, within) + [line]
        blank = 0
        if not line.startswith((" ", ")", "]", "}", "#")):
            within = bool(_BLOCK.match(line))
    return "\n".join(made) + "\n"


def _blanks(made: list[str], rest: list[str], blank: int, within: bool) -> int:
    """How many blank lines come before the first of the rest."""
    line, before = rest[0], made[-1] if made else ""
    if not made:
        return 0
    if line.startswith(" "):
        return 0 if before.endswith((":", "(", "[", "{")) else min(blank, 1)
    if line.startswith((")", "]", "}")):
        return 0
    if before.startswith(("#", "@")):
        return 2 if blank and _BLOCK.match(line) else min(blank, 2)
    following = next((one for one in rest if not one.startswith("#")), "")
    if within or _BLOCK.match(following):
        return 2
    return min(blank, 1 if before.startswith(("import ", "from ")) else 2)


def _inside_texts(text: str) -> set[int]:
    """The numbers of lines that begin inside a string."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        number
        for token in tokens
        if token.type == tokenize.STRING
        for number in range(token.start[0], token.end[0])
    }
