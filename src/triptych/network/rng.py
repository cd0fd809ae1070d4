"""Random numbers as pure functions of their names.

Nothing here has a state to save: a stream is found again from its key, so any initial
value, any epoch's order and any dropout mask can be drawn without drawing what came
before it.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """The generator that belongs to `seed` and `key`, such as `stream(0, "order",
    epoch)`.

    Philox is counter-based (Salmon et al., 2011): its 128-bit key is the hash of the
    words, so streams of different words are independent. Equal arguments give equal
    numbers in every process and thread.
    """
    words = "/".join(str(word) for word in (seed, *key))
    digest = hashlib.blake2b(words.encode(), digest_size=16).digest()
    return np.random.Generator(
        np.random.Philox(key=np.frombuffer(digest, dtype=np.uint64))
    )
