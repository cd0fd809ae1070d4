"""Where weights come from: what a run says of them, and what they expect of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from triptych.files import from_table


@dataclass(frozen=True)
class Preprocessing:
    """What the network was shown when its weights were trained.

    It saw (pixel / 255 - mean) / std, with one number per channel. What nobody says is
    None: image_size is (height, width); `crop` is the share of the shorter side that
    "crop" keeps.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: tuple[int, int] | None = None
    resize: Literal["bilinear", "bicubic"] | None = None
    fit: Literal["crop", "squash"] | None = None
    crop: float | None = None


@dataclass(frozen=True)
class Origin:
    """Which weights a network began with: TOML and JSON hold it as a table.

    Tensors are named as in the network, except for the `unexpected`, which bear the
    names of the file.
    """

    asked: str
    """As it was given: "imagenet", or a path."""
    family: str
    """Whose names the tensors had: "torchvision", "transformers", "triptych" ..."""
    sha256: str
    """Of the file that was read."""
    source: str
    """The package with its version, or the file's name."""
    license: str | None = None
    """As the package states it; None for a file, which does not say."""
    preprocessing: Preprocessing | None = None
    changed: tuple[str, ...] = ()
    """How the layers differ from the network that was asked for, a sentence each."""
    replaced: tuple[str, ...] = ()
    """Drawn anew: the last layer is for another number of classes."""
    missing: tuple[str, ...] = ()
    """Drawn anew, as allowed: the file lacks them."""
    misshapen: tuple[str, ...] = ()
    """Drawn anew, as allowed: the file has them in another shape."""
    unexpected: tuple[str, ...] = ()
    """Left aside, as allowed: the network has no such tensors."""

    def to_table(self) -> dict[str, object]:
        """What `from_table` reads back; without what is None."""
        table = dataclasses.asdict(self)
        table["preprocessing"] = self.preprocessing and {
            key: value
            for key, value in dataclasses.asdict(self.preprocessing).items()
            if value is not None
        }
        return {key: value for key, value in table.items() if value is not None}

    @classmethod
    def from_table(cls, table: Mapping[str, object]) -> Origin:
        """The origin of a table from TOML or JSON; raises UsageError."""
        return from_table(cls, table)
