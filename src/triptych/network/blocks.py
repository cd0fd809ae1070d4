"""Layers and blocks of layers, as an architecture file lists them, grown into nodes.

A block is defined once, with arguments, and stands wherever a layer can::

    [blocks.bottleneck]
    filters = 64                  # an argument and its default
    stride = 1

    [[blocks.bottleneck.layers]]  # its first layer reads what the block reads: "input"
    kind = "conv"
    filters = "4 * filters"       # computed from the arguments
    kernel = 1

    [[layers]]
    name = "stage2.block1"        # its layers: "stage2.block1.conv1" ...
    block = "bottleneck"
    filters = 128
    repeat = 4                    # the number at the end of its name counts on
"""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from triptych.errors import ArchitectureError, did_you_mean, quote
from triptych.files import LEVELS, from_table
from triptych.network.graph import Block, Node
from triptych.network.layers import VOCABULARY, Layer
from triptych.network.names import INPUT, LONGEST, check_argument_name

Value = int | float | bool | str
Table = Mapping[str, object]

BLOCK_INPUT = "input"
"""What the layers of a block call that which the block reads."""

MOST_NODES = 10_000
"""Layers of a network: with more, a number was mistyped."""

SHORT = {
    "batch_norm": "bn",
    "max_pool": "pool",
    "average_pool": "pool",
    "global_average_pool": "pool",
}
"""Kinds whose layers go by a shorter name when none is given."""


@dataclass(frozen=True)
class Definition:
    """A block's arguments with their defaults, and its layers as the file has them."""

    arguments: Mapping[str, Value]
    layers: Sequence[Table]


@dataclass
class Scope:
    """Where layers stand: in the network, or in one place of a block."""

    prefix: str = ""
    outputs: dict[str, str] = field(default_factory=lambda: {INPUT: INPUT})
    """By the name that layers here call it: the node whose output it is."""
    above: str = INPUT
    arguments: Mapping[str, Value] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    depth: int = 0

    def name(self, layer: Layer, given: str | None) -> str:
        """The name of a layer: the one given, or its kind and number."""
        stem = SHORT.get(layer.kind, layer.kind)
        self.counts[stem] += 1
        own = f"{stem}{self.counts[stem]}"
        if own in VOCABULARY or stem[-1].isdigit():
            # The sixth ReLU is no ReLU6, nor the first ReLU6 a relu61.
            own = f"{stem}_{self.counts[stem]}"
        return given or own

    def place(self, name: str, output: str) -> None:
        """The next to read is `output`, called by that name from now on."""
        self.outputs[name] = self.above = output


class Growth:
    """The nodes of a network while its tables are read."""

    def __init__(self, network: str, definitions: Mapping[str, Definition]) -> None:
        self.network, self.definitions = network, definitions
        self.nodes: list[Node] = []
        self.places: dict[str, list[str]] = {}
        """By block: where it stands."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every block that stands somewhere."""
        return tuple(Block(name, tuple(at)) for name, at in self.places.items())

    def read(self, tables: Sequence[Table], scope: Scope, within: str = "") -> None:
        """Add the layers and blocks of these tables; raises ArchitectureError."""
        for number, table in enumerate(tables, 1):
            given = table.get("name")
            which = f"layer {quote(given)}" if given else f"layer number {number}"
            label = f"{self.network}: {within}{which}"
            if given is not None and not isinstance(given, str):
                raise ArchitectureError(f"{label}: its name must be a string")
            if "block" in table:
                self._block(label, table, given, scope)
            else:
                self._layer(label, table, given, scope)

    def add(
        self,
        layer: Layer,
        given: str | None,
        inputs: tuple[str, ...] | None,
        scope: Scope,
    ) -> None:
        """One more layer, which reads the one above it unless it names its inputs."""
        if len(self.nodes) == MOST_NODES:
            raise ArchitectureError(f"{self.network}: more than {MOST_NODES:,} layers")
        own = scope.name(layer, given)
        known = scope.outputs
        read = tuple(known.get(name, name) for name in inputs or ())
        node = Node(f"{scope.prefix}{own}", layer, read or (scope.above,))
        self.nodes.append(node)
        scope.place(own, node.name)

    def _layer(self, label: str, table: Table, given: str | None, scope: Scope) -> None:
        fields = {
            key: computed(value, scope.arguments, label)
            for key, value in table.items()
            if key not in ("name", "inputs")
        }
        kind = fields.pop("kind", None)
        if not isinstance(kind, str) or kind not in VOCABULARY:
            hint = did_you_mean(str(kind), VOCABULARY)
            raise ArchitectureError(f"{label}: unknown kind {quote(kind)}: {hint}")
        try:
            layer = from_table(VOCABULARY[kind], fields, ArchitectureError)
        except ArchitectureError as reason:
            raise ArchitectureError(f"{label} ({kind}): {reason}") from None
        self.add(layer, given, inputs_of(label, table), scope)

    def _block(self, label: str, table: Table, given: str | None, scope: Scope) -> None:
        block = table["block"]
        if not isinstance(block, str) or block not in self.definitions:
            known = did_you_mean(str(block), self.definitions)
            known = known if self.definitions else "the file defines none"
            raise ArchitectureError(f"{label}: unknown block {quote(block)}: {known}")
        if given is None:
            raise ArchitectureError(f"{label}: a block needs a name, such as 'block1'")
        if scope.depth == LEVELS:
            raise ArchitectureError(f"{label}: blocks nested more than {LEVELS} deep")
        arguments = self._arguments(label, block, table, scope)
        inputs = inputs_of(label, table)
        if inputs is not None and len(inputs) != 1:
            raise ArchitectureError(f"{label}: a block has one input")
        for name in counted(label, given, table.get("repeat", 1)):
            read = scope.outputs.get(inputs[0], inputs[0]) if inputs else scope.above
            inputs = None  # the next one reads this one
            inside = Scope(
                prefix=f"{scope.prefix}{name}.",
                outputs={BLOCK_INPUT: read},
                above=read,
                arguments=arguments,
                depth=scope.depth + 1,
            )
            self.places.setdefault(block, []).append(f"{scope.prefix}{name}")
            self.read(self.definitions[block].layers, inside, f"block {block!r}: ")
            scope.place(name, inside.above)

    def _arguments(
        self, label: str, block: str, table: Table, scope: Scope
    ) -> dict[str, Value]:
        """What a block is given, over its defaults."""
        defaults = self.definitions[block].arguments
        found = dict(defaults)
        for key, value in table.items():
            if key in PLACING:
                continue
            if key not in defaults:
                known = did_you_mean(key, defaults)
                raise ArchitectureError(
                    f"{label}: block {block!r} has no argument {quote(key)}: {known}"
                )
            found[key] = _value(label, key, computed(value, scope.arguments, label))
        return found


PLACING = ("name", "block", "repeat", "inputs", "kind", "layers")
"""What the table of a block says besides its arguments."""


def defined(network: str, tables: Table) -> dict[str, Definition]:
    """The blocks of a file; raises ArchitectureError."""
    found = {}
    for name, table in tables.items():
        label = f"{network}: block {quote(name)}"
        if not isinstance(table, dict):
            raise ArchitectureError(f"{label}: must be a table")
        check_argument_name(label, name)
        layers = table.get("layers")
        if not are_tables(layers) or not layers:
            raise ArchitectureError(
                f"{label}: needs its layers as [[blocks.{name}.layers]] tables"
            )
        arguments = {}
        for key, value in table.items():
            if key != "layers":
                check_argument_name(label, key, PLACING)
                arguments[key] = _value(label, key, value)
        for used in (one["block"] for one in layers if "block" in one):
            if used not in found:
                raise ArchitectureError(
                    f"{label}: uses block {quote(used)}, which is not defined above it"
                )
        found[name] = Definition(arguments, layers)
    return found


def are_tables(value: object) -> TypeGuard[list[Table]]:
    """Whether a value is a list of tables, as `[[layers]]` makes it."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _value(label: str, key: str, value: object) -> Value:
    if not isinstance(value, int | float | str):
        raise ArchitectureError(
            f"{label}: {key} is {quote(value)}, but must be a number, a word, or true "
            "or false"
        )
    return value


def inputs_of(label: str, table: Table) -> tuple[str, ...] | None:
    """The names of what a layer reads, if it says so."""
    inputs = table.get("inputs")
    if inputs is None:
        return None
    if not (isinstance(inputs, list) and all(isinstance(i, str) for i in inputs)):
        raise ArchitectureError(f"{label}: inputs must be a list of layer names")
    return tuple(inputs) or None


def counted(label: str, name: str, times: object) -> list[str]:
    """The names of a block that is repeated: the number at the end counts on."""
    if type(times) is not int or not 1 <= times <= MOST_NODES:
        raise ArchitectureError(
            f"{label}: repeat is {quote(times)}, but must be an integer from 1 to "
            f"{MOST_NODES:,}"
        )
    if times == 1:
        return [name]
    ending = re.search(r"(?<=\D)[1-9][0-9]{0,5}$", name)
    if ending is None:
        raise ArchitectureError(
            f"{label}: what is repeated needs a number at the end of its name, such as "
            "'block1'"
        )
    stem, first = name[: ending.start()], int(ending[0])
    return [f"{stem}{number}" for number in range(first, first + times)]


# ---- arguments -----------------------------------------------------------------------

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def computed(value: object, arguments: Mapping[str, Value], label: str) -> object:
    """A value in which arguments, and sums and products of them, are computed.

    A text that names no argument, or anything else, stays as it is.
    """
    if isinstance(value, list):
        return [computed(one, arguments, label) for one in value]
    if not isinstance(value, str) or not arguments or len(value) > LONGEST:
        return value
    if value in arguments:
        return arguments[value]
    try:
        tree = ast.parse(value, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return value
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not names or not names <= arguments.keys():
        return value
    try:
        return _number(tree, arguments)
    except (TypeError, ZeroDivisionError):
        raise ArchitectureError(
            f"{label}: cannot compute {quote(value)}: only +, -, * and // of numbers"
        ) from None


def _number(tree: ast.expr, arguments: Mapping[str, Value]) -> float:
    """Raises TypeError for what is no arithmetic."""
    match tree:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            one, other = _number(left, arguments), _number(right, arguments)
            return OPERATORS[type(op)](one, other)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, arguments)
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            given = arguments[name]
            if not isinstance(given, str):
                return given
    raise TypeError
