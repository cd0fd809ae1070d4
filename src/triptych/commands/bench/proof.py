"""The certificate without which nothing is ranked: found, and held against what was
measured.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from triptych.commands.bench.measuring import OPTIMIZER
from triptych.commands.bench.result import Measured
from triptych.equality.certificate import Certificate, read_certificate, verdict_of
from triptych.errors import TriptychError
from triptych.frameworks import registry
from triptych.network.architecture import Architecture, from_toml
from triptych.running.exam import REFERENCE
from triptych.running.folder import RUNS

PLACES = ("*/certificate.json", "*/proof/certificate.json")
"""Where runs and proofs leave certificates, below the folder of all runs."""


@dataclass(frozen=True)
class Needed:
    """What a certificate has to be about; the number of classes, the last layer's only,
    may differ.
    """

    architecture: Architecture
    precision: str
    frameworks: Mapping[str, Measured | None]
    """Those to be ranked; None for one of which only the name is known so far."""

    def mismatch(self, path: Path, certificate: Certificate) -> str | None:
        """The first thing in which the certificate differs, in words; None if it proves
        what is needed.
        """
        if contradictions := certificate.contradictions():
            return f"contradicts its own figures: {contradictions[0]}"
        if (network := _network(path, certificate)) is None:
            return (
                "does not say which network it is about; "
                "for one that does: triptych verify"
            )
        ours, theirs = (
            self.architecture,
            network.adapted(classes=self.architecture.classes),
        )
        if theirs.input_shape != ours.input_shape:
            return f"is about images of {_size(theirs)}, not of {_size(ours)}"
        if (theirs.nodes, theirs.mean, theirs.std) != (ours.nodes, ours.mean, ours.std):
            return f"is about a network other than {ours.name}, whatever its name"
        if certificate.precision != self.precision:
            return f"is about {certificate.precision}, not {self.precision}"
        trained = {
            one.training.split()[-1] for one in certificate.quantities if one.training
        }
        if OPTIMIZER.name not in trained:
            return f"is not about training with {OPTIMIZER.name}"
        for name, measured in self.frameworks.items():
            if wrong := self._wrong(certificate, name, measured):
                return wrong
        return None

    def _wrong(
        self, certificate: Certificate, name: str, measured: Measured | None
    ) -> str | None:
        """Why a certificate says nothing, or nothing good, of what was measured."""
        subject = certificate.frameworks.get(name)
        title = registry.find(name).title
        if subject is None or subject.status != "answered":
            return f"says nothing about {title}"
        others = {REFERENCE, *self.frameworks}
        own = [
            one
            for one in certificate.quantities
            if one.framework == name and one.against in others
        ]
        if (verdict := verdict_of(own, {name: subject})) != "equal":
            return f"says about {title}: {verdict}"
        if measured is None:
            return None
        proved = certificate.versions.get(name, {})
        for package, here in measured.versions.items():
            if proved.get(package) != here:
                return (
                    f"is about {title} with {package} "
                    f"{proved.get(package, 'unknown')}, not {here} as here"
                )
        if subject.device != measured.device:
            return f"is about {title} on {subject.device}, not on {measured.device}"
        return None


def find_certificate(needed: Needed, root: Path = RUNS) -> Path | None:
    """The newest certificate under `root` that proves what is needed."""
    found: list[tuple[str, Path]] = []
    for path in (path for place in PLACES for path in root.glob(place)):
        try:
            certificate = read_certificate(path)
            if needed.mismatch(path, certificate) is None:
                found.append((certificate.made, path))
        except TriptychError:
            continue  # damaged, or of another make: it proves nothing
    return max(found)[1] if found else None


def verify_command(network: str, image_size: int | None, needed: Needed) -> str:
    """What makes the certificate that is needed."""
    words = ["triptych", "verify", network]
    words += ["--image-size", str(image_size)] if image_size is not None else []
    words += ["--precision", needed.precision]
    if set(needed.frameworks) != set(registry.DEFAULT):
        words += ["--frameworks", ",".join(needed.frameworks)]
    return shlex.join(words)


def _network(path: Path, certificate: Certificate) -> Architecture | None:
    """The network of a proof; that of a comparison lies beside its certificate."""
    if certificate.asked is not None:
        return from_toml(certificate.asked.network)
    beside = path.with_name("network.toml")
    return from_toml(beside) if beside.is_file() else None


def _size(architecture: Architecture) -> str:
    height, width, _ = architecture.input_shape
    return f"{width} x {height} pixels"
