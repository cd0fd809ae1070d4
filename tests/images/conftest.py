"""Every test here has a cache of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    at = tmp_path / "the cache"
    monkeypatch.setenv("TRIPTYCH_CACHE", str(at))
    return at
