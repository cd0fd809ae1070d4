"""What transformers keeps beside the weights: how the network was configured, and what
it was shown.

A file of weights alone does not say either. Where config.json contradicts the map that
the tensors are carried in by, the network would not be the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from triptych.errors import WeightsError, quote
from triptych.files import read_file
from triptych.network.pretrained.origin import Preprocessing

T = TypeVar("T")

CONFIG = "config.json"
IMAGES = "preprocessor_config.json"

SIDES = ("height", "width")

RESIZE: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers for what we know."""


class _Images(msgspec.Struct):
    """The part of preprocessor_config.json that is understood."""

    image_mean: tuple[float, ...] | None = None
    image_std: tuple[float, ...] | None = None
    size: int | dict[str, int | None] | None = None
    resample: int | None = None
    crop_pct: float | None = None
    do_center_crop: bool | None = None
    do_normalize: bool | None = None


def check_config(path: Path, expected: Mapping[str, object]) -> None:
    """Raise WeightsError if config.json beside a file of weights says other than is
    expected; one without a word on it goes by the defaults, which are expected.
    """
    found = _read(path.with_name(CONFIG), dict[str, object]) or {}
    for key, value in expected.items():
        if key in found and found[key] != value:
            raise WeightsError(
                f"{path}: {CONFIG} beside it says that {key} is {quote(found[key])}, "
                f"but weights can be carried in only if it is {quote(value)}: the "
                "network would not compute the same"
            )


def read_preprocessing(path: Path, channels: int) -> Preprocessing | None:
    """What preprocessor_config.json beside a file of weights says; None if there is
    none, or it does not normalize.
    """
    found = _read(path.with_name(IMAGES), _Images)
    if found is None or found.image_mean is None or found.image_std is None:
        return None
    if found.do_normalize is False:
        return None
    mean, std = found.image_mean, found.image_std
    if not (len(mean) == len(std) == channels and min(std) > 0):
        raise WeightsError(
            f"{path}: {IMAGES} beside it must have {channels} numbers in image_mean "
            "and in image_std, the latter above 0; mend or remove it"
        )
    return Preprocessing(
        mean,
        std,
        _size(found.size),
        RESIZE.get(found.resample or 0),
        {True: "crop", False: "squash", None: None}[found.do_center_crop],
        found.crop_pct,
    )


def _size(said: int | dict[str, int | None] | None) -> tuple[int, int] | None:
    """Height and width: one number is the shorter side, and so both after a crop."""
    if isinstance(said, int):
        return said, said
    said = said or {}
    height, width = (said.get(side, said.get("shortest_edge")) for side in SIDES)
    return None if height is None or width is None else (height, width)


def _read(path: Path, kind: type[T]) -> T | None:
    """A JSON file as a `kind`; None if there is none."""
    try:
        return msgspec.json.decode(read_file(path), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, RecursionError) as reason:
        raise WeightsError(
            f"{path}: cannot be read ({reason}); mend or remove it"
        ) from None
