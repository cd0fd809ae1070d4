"""Two real runs, made once: one on the digits, one on a folder with names that are
traps for a page.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from triptych.commands.compare.comparison import compare
from triptych.commands.compare.page import write_report
from triptych.frameworks import registry
from triptych.running.folder import RunFolder
from triptych.running.records import write_json
from triptych.running.result import Result, read_result

TRAPS = (
    '<b>&"x',
    "{{ 7 * 7 }}",
    "a class whose name is far longer than a phone is wide, and then goes on",
)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """PyTorch finishes, JAX is not installed, TensorFlow's installation is broken."""
    broken = tmp_path_factory.mktemp("broken")
    (broken / "tensorflow.py").write_text(
        "raise ImportError('<i>libcuda</i> & friends are missing')"
    )
    out = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.MonkeyPatch.context() as patch:
        for name, change in (
            ("jax", {"needs": ("no_such_package",)}),
            ("tensorflow", {"needs": (), "environment": {"PYTHONPATH": str(broken)}}),
        ):
            entry = dataclasses.replace(registry.REGISTRY[name], **change)
            patch.setitem(registry.REGISTRY, name, entry)
        compare(
            "digits", frameworks=["pytorch", "jax", "tensorflow"], epochs=1, out=out
        )
    return RunFolder(out)


@pytest.fixture(scope="session")
def traps(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two frameworks finish, in float64; one file is no image."""
    images = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for shade, name in enumerate(TRAPS):
        (images / name).mkdir()
        for i in range(10):
            pixels = (
                generator.normal(80 * shade + 30, 40, (20, 24, 3))
                .clip(0, 255)
                .astype(np.uint8)
            )
            Image.fromarray(pixels).save(images / name / f"{i}.png")
    (images / TRAPS[0] / "no<i>image.png").write_bytes(b"nothing")
    out = tmp_path_factory.mktemp("runs") / 'a <b>run "of" traps'
    frameworks = ["pytorch", "reference"]
    compare(
        images,
        network="lenet",
        image_size=32,
        precision="float64",
        epochs=3,
        frameworks=frameworks,
        out=out,
    )
    return RunFolder(out)


def altered_page(
    run: RunFolder, to: Path, change: Callable[[Result, Path], None]
) -> str:
    """The page of a copy of the run after a change to its result (and folder)."""
    copy = RunFolder(to / "altered")
    shutil.copytree(run.path, copy.path)
    result = read_result(copy)
    change(result, copy.path)
    write_json(copy.path / "result.json", result)
    return write_report(copy).read_text("utf-8")


@pytest.fixture
def altered(
    digits: RunFolder, tmp_path: Path
) -> Callable[[Callable[[Result, Path], None]], str]:
    """The page of the digits' run after a change to its result (and to its folder)."""

    def alter(change: Callable[[Result, Path], None]) -> str:
        return altered_page(digits, tmp_path, change)

    return alter
