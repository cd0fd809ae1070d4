"""Run folders that somebody has tampered with: a stranger's, a disk's, an editor's."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import struct
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kills.images import _Payload, image_file
from tests.kills.killing import NETWORK, Run
from tests.kills.tables import spoil, text
from tests.kills.watching import LIMIT, Tally, Watched, gone, tree
from tests.processes import command

COMMANDS = (
    "predict",
    "evaluate",
    "resume",
    "eject",
    "notebook",
    "predict",
    "certificate",
    "resume",
)
"""What is tried on a run, in turn, after it was listed."""


def flip(rng: random.Random, at: Path, canary: str) -> None:
    data = bytearray(at.read_bytes())
    for _ in range(rng.choice((1, 5, 100)) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    at.write_bytes(data)


def cut(rng: random.Random, at: Path, canary: str) -> None:
    data = at.read_bytes()
    at.write_bytes(data[: rng.randrange(len(data))] if data else b"")


def remove(rng: random.Random, at: Path, canary: str) -> None:
    at.unlink()


def replace(rng: random.Random, at: Path, canary: str) -> None:
    """By something that is no file."""
    at.unlink()
    rng.choice(
        (
            at.mkdir,
            lambda: os.mkfifo(at),
            lambda: at.symlink_to("/dev/zero"),
            lambda: at.symlink_to(at.name),
            lambda: at.symlink_to("/etc/passwd"),
        )
    )()


def change(rng: random.Random, at: Path, canary: str) -> None:
    """One value of a table, or of the header of a file of tensors."""
    if at.suffix == ".toml":
        at.write_bytes(text(rng, spoil(rng, tomllib.loads(at.read_text()), canary)))
    elif at.suffix == ".json":
        at.write_text(
            json.dumps(spoil(rng, json.loads(at.read_text()), canary), default=str)
        )
    elif at.suffix == ".jsonl":
        lines = [
            spoil(rng, json.loads(line), canary) for line in at.read_text().splitlines()
        ]
        at.write_text("".join(json.dumps(line, default=str) + "\n" for line in lines))
    elif at.suffix == ".safetensors":
        data = at.read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = json.dumps(
            spoil(rng, json.loads(data[8 : 8 + length]), canary), default=str
        ).encode()
        claimed = rng.choice((len(header), len(header), len(header), 2**62, 0))
        at.write_bytes(struct.pack("<Q", claimed) + header + data[8 + length :])
    else:
        foreign(rng, at, canary)


def foreign(rng: random.Random, at: Path, canary: str) -> None:
    """Code in the place of data."""
    code = f"import pathlib; pathlib.Path({canary!r}).touch()\n".encode()
    at.write_bytes(
        rng.choice(
            (
                code,
                pickle.dumps(_Payload(canary)),
                b"#!/bin/sh\ntouch '" + canary.encode() + b"'",
            )
        )
    )


MODULES = (
    "numpy", "jax", "torch", "json", "ruff", "sitecustomize", "triptych", "safetensors",
)  # fmt: skip


def company(rng: random.Random, at: Path, canary: str) -> None:
    """Modules beside the run, of names that are imported."""
    code = f"import pathlib; pathlib.Path({canary!r}).touch()\n"
    here = next(folder for folder in at.parents if folder.name.startswith("runs "))
    for folder in {at.parent, at.parents[1], here}:
        for name in MODULES:
            (folder / f"{name}.py").write_text(code)


KINDS: tuple[Callable[[random.Random, Path, str], None], ...] = (
    change, flip, change, cut, remove, replace, change, foreign, company,
)  # fmt: skip


def campaign(seed: int, trials: int, watched: Watched) -> Tally:
    """Each is listed and used for something; it is answered or refused, and only
    `resume` writes to it.
    """
    tally = Tally("run folders")
    base = _base(watched.home)
    for number in range(trials):
        rng = random.Random(f"{seed} runs {number}")
        at = watched.home / f"runs {number}"
        run = at / "runs" / "theirs"
        shutil.copytree(base, run)
        (at / "cat.png").write_bytes(image_file(rng))
        files = sorted(
            path for path in run.rglob("*") if path.is_file() and path.name != ".lock"
        )
        spoiled, make = rng.choice(files), KINDS[number % len(KINDS)]
        make(rng, spoiled, str(watched.canary))
        act = COMMANDS[number % len(COMMANDS)]
        if act == "resume" and spoiled.suffix == ".toml":
            act = "eject"  # a million epochs are a recipe, too
        what = f"run {number} ({make.__name__} {spoiled.relative_to(run)}, {act})"
        before = tree(run)
        watched.judge(tally, what, watched.run(at, "runs"))
        said = watched.run(at, *_words(act, run))
        if watched.judge(tally, what, said, codes=(0, 1, 2)):
            tally.count("refused" if said.code else "answered")
        if canary_in(at, watched.canary):
            tally.fault("executed", f"{what}: foreign code was ejected")
        if act != "resume":
            for name in gone(before, tree(run)):
                tally.fault("lost", f"{what}: {name!r} was changed")
    return tally


def canary_in(folder: Path, canary: Path) -> bool:
    """Whether an ejected program has taken over what was put into the run."""
    return any(
        str(canary) in path.read_text("utf-8", "replace")
        for path in folder.glob("program.*")
    )


def _words(act: str, run: Path) -> list[Any]:
    notebook = ["eject", run, "--framework", "pytorch", "--as", "notebook"]
    return {
        "predict": ["predict", run, "cat.png"],
        "evaluate": ["evaluate", run, "digits"],
        "resume": ["resume", run],
        "eject": ["eject", run, "--framework", "reference", "--out", "program.py"],
        "notebook": [*notebook, "--out", "program.ipynb"],
        "certificate": ["verify", "--certificate", run / "certificate.json"],
    }[act]


def _base(home: Path) -> Path:
    """A run that has ended well."""
    (home / "small.toml").write_text(NETWORK)
    run = Run(home / "run", "reference", home)
    words = [*run.words()]
    words[words.index("6")] = "2"
    subprocess.run(
        command(*words),
        env=run.environment(),
        capture_output=True,
        timeout=4 * LIMIT,
        check=True,
    )
    (home / "run" / ".lock").unlink(missing_ok=True)
    assert (home / "run" / "recipe.toml").exists()
    return run.path
