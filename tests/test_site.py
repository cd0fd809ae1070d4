"""The documentation's site: built without a warning, complete, and readable offline."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import triptych

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without the gallery's pages, for which all frameworks would be trained; `make
    docs` has them.
    """
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-D",
         "html_extra_path=site", "-c", "docs", "-d", out / "doctrees", ".",
         out / "html"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out / "html"


def test_every_document_and_notebook_has_its_page(site: Path) -> None:
    documents = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("notebooks/**/*.ipynb"),
    ]
    assert len(documents) > 20
    missing = [
        path
        for path in documents
        if not (site / path.relative_to(ROOT)).with_suffix(".html").is_file()
    ]
    assert missing == []
    assert 'url=docs/index.html"' in (site / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    "name", [*triptych.__all__, "network.layers.Conv", "running.plan.Options"]
)
def test_the_reference_has_every_public_name(name: str, site: Path) -> None:
    name = re.escape(
        name.replace("layers", "network.layers") if name == "layers" else name
    )
    assert re.search(
        rf'id="(?:module-)?triptych\.(errors\.)?{name}"',
        (site / "docs" / "api.html").read_text("utf-8"),
    )


def test_fields_of_results_are_described(site: Path) -> None:
    assert "The run folder." in (site / "docs" / "api.html").read_text("utf-8")


def test_the_gallery_shows_the_pages_that_are_written_for_it() -> None:
    shown = set(
        re.findall(
            r'src="\.\./(\w+)/\w+\.html"',
            (ROOT / "docs" / "gallery.md").read_text("utf-8"),
        )
    )
    written = set(
        re.findall(
            r'out=runs / "(\w+)"', (ROOT / "docs" / "gallery.py").read_text("utf-8")
        )
    )
    assert shown == written != set()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.findall(
            r'<(?:script|img|iframe)[^>]+src="https?://[^"]+"', text
        ), page
        assert not re.findall(
            r'<link[^>]+rel="stylesheet"[^>]+href="https?://[^"]+"', text
        ), page
