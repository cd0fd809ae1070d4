"""Weights of others carried into a network: which family they are of, and whether every
tensor has its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.errors import WeightsError, quote
from triptych.network.architecture import Architecture, Node
from triptych.network.layers import Dense, Shape
from triptych.network.layouts import Array
from triptych.network.pretrained.beside import check_config, read_preprocessing
from triptych.network.pretrained.family import Family, families, same_but_for_ones
from triptych.network.pretrained.origin import Origin
from triptych.network.pretrained.packages import (
    IMAGENET,
    find_package,
    opened_package,
)
from triptych.network.pretrained.stored import Stored, file_hash, opened
from triptych.network.rng import stream
from triptych.network.weights import Weights, initial_distributions, sample

ENOUGH = 0.5
"""A family is recognized by this share of the tensors that its map names, at least."""

NAMED = 5
"""The most tensors of a kind that a message names."""

SPARE = 64_000_000
"""Bytes that an archive of weights may unpack to beside eight numbers of 4 bytes for
each of the network's: a file of Keras may hold the optimizer's state, in float64.
"""


@dataclass(frozen=True)
class Loaded:
    """A network with weights to begin with: float32, by canonical name.

    `architecture` is the one that was asked for, with the fields of layers and the
    mean and std that the weights' origin has.
    """

    architecture: Architecture
    weights: Weights
    origin: Origin


def load(
    asked: str | Path,
    architecture: Architecture,
    ignore: Collection[str] = (),
    seed: int = 0,
) -> Loaded:
    """The network with the weights of a file, or with those of ImageNet.

    `asked` is "imagenet", or a file: safetensors with our names or those of
    torchvision, timm or transformers, or what Keras saved of keras.applications.
    Tensors that are missing, misshapen or not expected are an error, unless their
    names, or patterns such as "head.*", stand in `ignore`; then they are drawn anew
    from `seed`, or left aside. So is a last layer for another number of classes,
    unasked. Raises WeightsError in one line.
    """
    path, imagenet = Path(asked), str(asked) == IMAGENET
    if imagenet:
        package = find_package(architecture.name)
        about = Origin(
            asked=IMAGENET,
            family="",
            sha256=package.sha256,
            source=f"{package.package} {package.version}",
            license=package.license,
            preprocessing=package.preprocessing,
        )
        reading: AbstractContextManager[Stored] = opened_package(package)
    else:
        about = Origin(str(asked), "", file_hash(path), path.name)
        largest = 8 * 4 * architecture.parameter_count + SPARE
        reading = opened(path, largest)
    with reading as stored:
        beside = None if imagenet else path
        return _carried(stored, about, beside, architecture, ignore, seed)


def _carried(
    stored: Stored,
    about: Origin,
    path: Path | None,
    architecture: Architecture,
    ignore: Collection[str],
    seed: int,
) -> Loaded:
    """The tensors of an open file in their places; others may lie beside `path`."""
    family, network, wanted = _recognized(stored, about.asked, architecture)
    shown = family.preprocessing or about.preprocessing
    if path is not None and family.config:
        check_config(path, family.config)
        shown = read_preprocessing(path, network.input_shape[2]) or shown
    if shown is not None:
        network = dataclasses.replace(network, mean=shown.mean, std=shown.std)
    fit = _Fit(stored, family, network, wanted)
    origin = dataclasses.replace(
        about,
        family=family.family,
        preprocessing=shown,
        changed=tuple(changes(architecture, network)),
        replaced=fit.replaced,
        missing=_ignored(fit.missing, ignore),
        misshapen=_ignored(fit.misshapen, ignore),
        unexpected=_ignored(fit.unexpected, ignore),
    )
    fit.check(origin)
    distributions = initial_distributions(network)
    weights: Weights = {}
    for name, (layer, shape) in fit.tensors.items():
        if name in fit.taken:
            parts = [stored.read(part) for part in wanted[name]]
            whole = family.canonical(name, layer, parts)
            weights[name] = _numbers(about.asked, name, whole, shape)
        else:
            weights[name] = sample(distributions[name], stream(seed, "initial", name))
    return Loaded(network, weights, origin)


def _numbers(asked: str, name: str, tensor: Array, shape: Shape) -> NDArray[np.float32]:
    if tensor.dtype.kind != "f":
        raise WeightsError(
            f"{asked}: {name!r} is of type {tensor.dtype}, but weights are floating-"
            "point numbers"
        )
    with np.errstate(over="ignore"):  # found in the next line
        numbers = np.array(tensor.reshape(shape), np.float32, order="C")
    if not np.isfinite(numbers).all():
        raise WeightsError(
            f"{asked}: {name!r} holds values that are no numbers (NaN or infinite); "
            "use a file from before its training diverged"
        )
    return numbers


# ---- which family --------------------------------------------------------------------

Wanted = dict[str, tuple[str, ...]]
"""By canonical tensor: the names of what makes it up in the file."""


def _recognized(
    stored: Stored, asked: str, architecture: Architecture
) -> tuple[Family, Architecture, Wanted]:
    """The family with most of its tensors in the file, its network, and its names."""
    tried: list[tuple[float, str, Family, Architecture, Wanted]] = []
    for family in families():
        network = family.adapted(architecture)
        wanted = family.parts(network)
        if wanted is None:
            continue
        names = {part for parts in wanted.values() for part in parts}
        there = len(names & stored.shapes.keys())
        said = f"{there} of the {len(names)} of {family.family}"
        tried.append((there / len(names), said, family, network, wanted))
    share, _, family, network, wanted = max(tried, key=lambda one: one[0])
    if share < ENOUGH:
        some = ", ".join(map(quote, sorted(stored.shapes)[:3])) or "none"
        raise WeightsError(
            f"{asked}: holds no weights that are known to be of {architecture.name}: "
            f"of {len(stored.shapes)} tensors ({some} ...) it has "
            f"{', '.join(one[1] for one in tried)}; "
            "choose the network that they are of"
        )
    return family, network, wanted


def changes(asked: Architecture, network: Architecture) -> Iterable[str]:
    """How `network` differs from `asked`, whose layers have the same names."""
    seen: dict[str, int] = {}
    for before, after in zip(asked.nodes, network.nodes, strict=True):
        for one in dataclasses.fields(before.layer):
            old, new = (getattr(node.layer, one.name) for node in (before, after))
            if old != new:
                said = f"{before.layer.kind}: {one.name} is {new!r} instead of {old!r}"
                seen[said] = seen.get(said, 0) + 1
    for said, count in seen.items():
        yield f"{said}, in {count} layer{'s' * (count > 1)}"
    for name in ("mean", "std"):
        if getattr(asked, name) != getattr(network, name):
            yield f"{name} of the images is {_plain(getattr(network, name))}"


def _plain(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


# ---- whether everything has its place ------------------------------------------------


class _Fit:
    """How the tensors of a file fit a network: each is taken, or listed as what is
    wrong with it.
    """

    def __init__(
        self, stored: Stored, family: Family, network: Architecture, wanted: Wanted
    ) -> None:
        self.stored, self.family, self.wanted = stored, family, wanted
        self.tensors = {
            f"{node.name}.{tensor}": (node.layer, shape)
            for node in network.nodes
            for tensor, shape in network.tensors_of(node).items()
        }
        self.taken: set[str] = set()
        self.missing: list[str] = []
        self.misshapen: list[str] = []
        for name, (layer, shape) in self.tensors.items():
            if any(part not in stored.shapes for part in wanted[name]):
                self.missing.append(name)
                continue
            found = family.shape(layer, [stored.shapes[part] for part in wanted[name]])
            if found is not None and same_but_for_ones(found, shape):
                self.taken.add(name)
            else:
                self.misshapen.append(name)
        self.replaced = self._head(network.nodes[-1])
        used = {part for parts in wanted.values() for part in parts}
        self.unexpected = [
            name
            for name in sorted(stored.shapes)
            if name not in used and not _listed(name, family.skip)
        ]

    def _head(self, last: Node) -> tuple[str, ...]:
        """The tensors of the last layer if they are those of another number of classes;
        they are not misshapen then.
        """
        head = [f"{last.name}.kernel", f"{last.name}.bias"]
        head = [name for name in head if name in self.tensors]
        if not isinstance(last.layer, Dense) or self.misshapen[-len(head) :] != head:
            return ()
        kernel = self.family.shape(
            last.layer, [self.stored.shapes[part] for part in self.wanted[head[0]]]
        )
        inputs = self.tensors[head[0]][1][0]
        if kernel is None or not same_but_for_ones(kernel, (inputs, kernel[-1])):
            return ()
        del self.misshapen[-len(head) :]
        return tuple(head)

    def check(self, origin: Origin) -> None:
        """Raise WeightsError, naming what is wrong and not ignored."""
        wrong = []
        for what, names, ignored in (
            ("missing", self.missing, origin.missing),
            ("of another shape", self.misshapen, origin.misshapen),
            ("not expected", self.unexpected, origin.unexpected),
        ):
            left = [name for name in names if name not in ignored]
            if left:
                wrong.append(f"{len(left)} {what}: {self._some(left)}")
        if wrong:
            raise WeightsError(
                f"{origin.asked}: has the names of {origin.family}, but does not fit "
                f"the network: {'; '.join(wrong)}; choose the network that it is of, "
                "or name the tensors to ignore"
            )

    def _some(self, names: Sequence[str]) -> str:
        """The first of these tensors, with their shapes where both are known."""
        said = [self._one(name) for name in names[:NAMED]]
        more = len(names) - len(said)
        return ", ".join(said) + (f" and {more} more" if more else "")

    def _one(self, name: str) -> str:
        if name not in self.misshapen:
            return quote(name)
        layer, shape = self.tensors[name]
        found = [self.stored.shapes[part] for part in self.wanted[name]]
        whole = self.family.shape(layer, found) or " + ".join(map(str, found))
        return f"{name!r} ({whole} instead of {shape})"


def _ignored(names: Iterable[str], ignore: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if _listed(name, ignore))


def _listed(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
