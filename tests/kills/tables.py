"""Hostile TOML files: networks and recipes that do not fit, overflow, nest, or carry
code in their words.
"""

from __future__ import annotations

import copy
import random
import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from tests.kills.watching import Tally, Watched

from triptych.network.zoo import FROM_SCRATCH
from triptych.running.plan import read_recipe
from triptych.running.recipe import NOTEBOOKS

NUMBERS = (
    -1, 0, 1, 2, 3, 10**6, 10**9, 2**63 - 1, -(2**63), 0.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip


def words(canary: str) -> tuple[str, ...]:
    """Words that do harm where they are taken for more than words."""
    code = f"import pathlib; pathlib.Path({canary!r}).touch()"
    return (
        "", " ", "\0", "a\nb", "\x1b[31mred", "[red]x[/]", "<script>alert(1)</script>",
        "x" * 5000, "é", f'"""\n{code}\n"""', f"'''\n{code}\n'''", f"\n{code}\n#",
        f"x'); {code} #", f'x"); {code} #',
        f"{{__import__('os').system('touch {canary}')}}", f"$(touch {canary})",
        f"{code}", "\\", '\\"""', "../../x", "/etc/passwd", "lambda", "class", "self",
        "import", "None", "__init__", "x.y", "conv1", "日本語", "input", "forward",
        "nan", "%s%n", "{{ 7*7 }}", "\u202e", "\ud7ff", "0x7", "1e9", "true",
    )  # fmt: skip


def value(rng: random.Random, canary: str, depth: int = 0) -> Any:
    """Anything that TOML can hold."""
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind < 2:
        return rng.choice(NUMBERS)
    if kind < 5:
        return rng.choice(words(canary))
    if kind == 5:
        return rng.random() < 0.5
    if kind == 6:
        return [value(rng, canary, depth + 1) for _ in range(rng.randrange(5))]
    if kind == 7:
        return {f"k{n}": value(rng, canary, depth + 1) for n in range(rng.randrange(3))}
    return [rng.choice(NUMBERS)] * rng.choice((1, 2, 3, 4, 1000))


def spoil(rng: random.Random, table: Any, canary: str) -> Any:
    """`table` with one thing changed, taken out, added or doubled, at any depth."""
    table = copy.deepcopy(table)
    way: list[tuple[Any, Any]] = []
    spot = table
    while isinstance(spot, dict | list) and spot and (not way or rng.random() < 0.7):
        key = rng.choice(list(spot) if isinstance(spot, dict) else range(len(spot)))
        way.append((spot, key))
        spot = spot[key]
    holder, key = way[-1]
    act = rng.randrange(8)
    if act == 0:
        del holder[key]
    elif act == 1 and isinstance(holder, list):
        holder.insert(0, copy.deepcopy(holder[key]))
    elif act == 2 and isinstance(holder, dict):
        holder[rng.choice(words(canary)) or "epoks"] = value(rng, canary)
    elif act == 3 and isinstance(holder[key], int | float):
        holder[key] = rng.choice(NUMBERS)
    elif act == 4 and isinstance(holder[key], str):
        holder[key] = rng.choice(words(canary))
    else:
        holder[key] = value(rng, canary)
    return table


def text(rng: random.Random, table: Any) -> bytes:
    """As TOML, now and then damaged."""
    try:
        data = bytearray(tomli_w.dumps(table).encode("utf-8", "surrogatepass"))
    except Exception:  # noqa: BLE001 - then it is written as it looks
        data = bytearray(repr(table).encode("utf-8", "replace"))
    if rng.random() < 0.15 and data:
        del data[rng.randrange(len(data)) :]
    elif rng.random() < 0.1 and data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif rng.random() < 0.05:
        data = bytearray(b"a = " + b"[" * 100_000)
    return bytes(data)


def networks(seed: int, trials: int, watched: Watched) -> Tally:
    """Each is shown, or refused in a line; its source, if any, is the reference's."""
    tally = Tally("network files")
    base = [tomllib.loads(make().to_toml()) for make in FROM_SCRATCH.values()]
    for number in range(trials):
        rng = random.Random(f"{seed} networks {number}")
        table = rng.choice(base)
        for _ in range(rng.choice((1, 1, 2, 4))):
            table = spoil(rng, table, str(watched.canary))
        at = _file(watched.home / f"networks {number}", "mine.toml", text(rng, table))
        what = f"network {number}"
        said = watched.run(at.parent, "show", at.name, "--toml")
        if not watched.judge(tally, what, said):
            continue
        tally.count("shown" if said.code == 0 else "refused")
        if said.code == 0:
            source = watched.run(at.parent, "show", at.name, "--framework", "reference")
            watched.judge(tally, what, source)
            if source.code == 0:
                _run_source(tally, what, source.out, watched.canary)
    return tally


def recipes(seed: int, trials: int, watched: Watched) -> Tally:
    """Each is read up to where its images are looked for, which are not there, or
    refused in a line.
    """
    tally = Tally("recipe files")
    whole = {
        "images": "sports", "network": "mlp", "frameworks": ["pytorch"], "epochs": 3,
        "batch_size": 32, "image_size": 32, "fit": "crop", "seed": 1,
        "precision": "float32",
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "augmentation": {"flip": True, "shift": 0.1},
        "schedule": {"name": "cosine", "learning_rate": 0.01},
    }  # fmt: skip
    base = [whole, *(read_recipe(Path(name)) for name in NOTEBOOKS)]
    for number in range(trials):
        rng = random.Random(f"{seed} recipes {number}")
        table = rng.choice(base)
        for _ in range(rng.choice((1, 1, 2, 4))):
            table = spoil(rng, table, str(watched.canary))
        at = _file(watched.home / f"recipes {number}", "mine.toml", text(rng, table))
        said = watched.run(at.parent, "compare", "nowhere", "--recipe", at.name)
        what = f"recipe {number}"
        if watched.judge(tally, what, said, codes=(2,)):
            read = "there is no folder or archive 'nowhere'" in said.err
            tally.count("read" if read else "refused")
        if left := {path.name for path in at.parent.iterdir()} - {at.name}:
            tally.fault("lost", f"{what}: left {left} behind")
    return tally


def campaign(seed: int, trials: int, watched: Watched) -> list[Tally]:
    """Half of them networks, half recipes."""
    return [
        networks(seed, trials - trials // 2, watched),
        recipes(seed, trials // 2, watched),
    ]


def _file(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir()
    (folder / name).write_bytes(data)
    return folder / name


def _run_source(tally: Tally, what: str, source: str, canary: Path) -> None:
    """What is shown is what runs: it defines functions, and does nothing else."""
    try:
        exec(compile(source, "network.py", "exec"), {"__name__": "network"})
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked for
        tally.fault(
            "tracebacks", f"{what}: its source: {type(error).__name__}: {error}"
        )
    if canary.exists():
        tally.fault("executed", f"{what}: its source holds foreign code")
        canary.unlink()
