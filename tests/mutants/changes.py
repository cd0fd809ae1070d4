"""How one thing in a framework's file is changed: in what it writes, in what it calls,
in what it maps.

A change takes the framework's imported `run`, through which all its files are found,
and gives the attributes to put in place of their own; it fails if what it means to
change is not there.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

Change = Callable[[ModuleType], dict[str, Any]]


def files_with(name: str, run: ModuleType) -> list[ModuleType]:
    """Those of the framework's files that know such a name: where it is defined, and
    where it is imported.
    """
    files = [
        run,
        *(sys.modules[f"{run.__package__}.{part}"] for part in ("ops", "write")),
    ]
    found = [file for file in files if name in vars(file)]
    assert found, f"nothing to change: no file of {run.__package__} has {name}"
    return found


def known(name: str, run: ModuleType) -> Any:
    """What the framework's files call so; none calls another thing so."""
    values = [vars(file)[name] for file in files_with(name, run)]
    several = f"{name} is several things in {run.__package__}"
    assert all(value is values[0] for value in values), several
    return values[0]


def written(old: str, new: str) -> Change:
    """The emitted source, `old` put as `new` wherever it stands."""

    def change(module: ModuleType) -> dict[str, Any]:
        honest = module.write_network

        def write_network(architecture: Any) -> str:
            text: str = honest(architecture)
            assert old in text, f"nothing to change: {old!r} is not in\n{text}"
            return text.replace(old, new)

        return {"write_network": write_network}

    return change


def rewritten(name: str, *pairs: tuple[str, str]) -> Change:
    """A function or class of the files themselves, with some of its text changed."""

    def change(module: ModuleType) -> dict[str, Any]:
        honest = known(name, module)
        text = inspect.getsource(honest)
        for old, new in pairs:
            assert old in text, f"nothing to change: {old!r} is not in {name}"
            text = text.replace(old, new)
        return _defined(sys.modules[honest.__module__], text, name)

    return change


def _defined(module: ModuleType, text: str, name: str) -> dict[str, Any]:
    """What `text` defines, among the names of the module, to be patched in."""
    namespace = module.__dict__
    honest = namespace[name]
    exec(
        compile(
            f"from __future__ import annotations\n{text}", f"<mutant of {name}>", "exec"
        ),
        namespace,
    )
    changed = namespace[name]
    namespace[name] = honest
    return {name: changed}


def wrapped(name: str, wrap: Callable[[Any], Any]) -> Change:
    """A function of the files, replaced by what `wrap` makes of it."""
    return lambda module: {name: wrap(known(name, module))}


def put(name: str, value: Any) -> Change:
    """A name of the files, given another value."""
    return lambda module: {name: value}


def optimizer(name: str, make: Callable[..., Any]) -> Change:
    """One of the framework's optimizers, made otherwise: `make(honest, *arguments,
    **options)`.
    """

    def change(module: ModuleType) -> dict[str, Any]:
        honest = module.OPTIMIZERS[name]
        return {
            "OPTIMIZERS": module.OPTIMIZERS
            | {name: lambda *a, **o: make(honest, *a, **o)}
        }

    return change


def both(one: Change, other: Change) -> Change:
    """Two places that say one thing."""
    return lambda module: one(module) | other(module)


@contextmanager
def applied(module: ModuleType, change: Change) -> Iterator[None]:
    """The module with the change in place; nothing is remembered before or after."""
    _forget(module)
    with ExitStack() as changes:
        for name, value in change(module).items():
            for file in files_with(name, module):
                changes.enter_context(patch.object(file, name, value))
        yield
    _forget(module)


def _forget(module: ModuleType) -> None:
    for value in vars(module).values():
        if clear := getattr(value, "cache_clear", None):
            clear()
