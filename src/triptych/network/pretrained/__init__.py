"""Weights that come from somewhere: from a package, from a file of another library, or
from a run, carried into a network by name, with a record of their origin.
"""

from __future__ import annotations

from triptych.network.pretrained.carrying import Loaded, changes, load
from triptych.network.pretrained.origin import Origin, Preprocessing
from triptych.network.pretrained.packages import IMAGENET, known_packages, missing

__all__ = [
    "IMAGENET",
    "Loaded",
    "Origin",
    "Preprocessing",
    "changes",
    "known_packages",
    "load",
    "missing",
]
