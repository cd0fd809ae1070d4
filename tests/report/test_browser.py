"""The page in a real browser, opened as a file, as its readers do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.commands.bench.making import made_up

from triptych import verify
from triptych.commands.bench.page import write_page
from triptych.commands.replay import page as replay_page
from triptych.report import certificate as certificate_page
from triptych.running.folder import RunFolder
from triptych.running.result import Result

from .conftest import altered_page
from .making import made_up_replay, of_four

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
NEEDED = "the pages' tests need Chromium (on Debian: apt-get install chromium)"
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true",
    reason=f"{NEEDED}; with CI=true they fail instead",
)

CONTRASTS = """() => {
  const channels = text => {
    const options = {willReadFrequently: true};
    const canvas = document.createElement('canvas').getContext('2d', options);
    canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) =>
    [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = element => {
    const own = channels(getComputedStyle(element).backgroundColor);
    if (own[3] === 1) return own;
    const parent = element.parentElement;
    return over(own, parent ? ground(parent) : [255, 255, 255, 1]);
  };
  const light = color => color.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const worst = {};
  for (const element of document.querySelectorAll('body *')) {
    const texts = [...element.childNodes].filter(n => n.nodeType === 3);
    const text = texts.map(n => n.data).join('').trim();
    if (!text || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), below = ground(element);
    const ink = element.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(over(channels(ink), below)), light(below)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const what = `${element.tagName} ${element.className} ${text.slice(0, 30)}`;
    if (contrast < 4.5) worst[what] = contrast;
  }
  return worst;
}"""

PHONE_FAULTS = r"""() => {
  for (const fold of document.querySelectorAll('details')) fold.open = true;
  const found = [], width = document.documentElement.clientWidth;
  const say = (what, e) => {
    const text = e.textContent.trim().slice(0, 60);
    found.push(`${what}: <${e.tagName} ${e.className}> ${text}`);
  };
  const shown = e => e.checkVisibility() && e.getBoundingClientRect().width > 1;
  if (document.documentElement.scrollWidth > width)
    found.push('the page is wider than the screen');

  for (const e of document.querySelectorAll('main *, header *')) {
    if (!shown(e) || e.closest('svg, .hidden, .upright')) continue;
    if (!shown(e.closest('thead') ?? e)) continue;
    if (e.getBoundingClientRect().right > width + .5) say('beyond the screen', e);
    const block = getComputedStyle(e).display !== 'inline';
    const inside = block && e.scrollWidth > e.clientWidth + 1;
    if (inside && !e.querySelector(':scope > .upright'))
      say('cut or to be scrolled', e);
  }

  // Of what is each cell? Its row has a heading, and so has it: its own, or one in a
  // row of headings.
  for (const cell of document.querySelectorAll('tbody td, .bars td.number')) {
    if (!shown(cell) || !/\w/.test(cell.textContent)) continue;
    const row = cell.closest('tr').querySelector('th'), table = cell.closest('table');
    if (!row || !shown(row) || !row.innerText.trim()) say('no name', cell);
    const head = table.tHead?.rows[0].cells[cell.cellIndex];
    if (!head || cell.classList.contains('undone')) continue;
    const label = cell.querySelector('.label');
    const named = label && shown(label) && label.innerText.trim().length > 1;
    if (!named && !(shown(table.tHead) && shown(head))) say('no heading', cell);
  }
  for (const line of document.querySelectorAll('.said'))
    if (shown(line) && !shown(line.querySelector('.who'))) say('no name', line);

  // A word on two lines that had room on one, and is no part of something longer than a
  // line, such as a path.
  const body = document.querySelector('body');
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const words = /\p{L}[\p{L}\p{N}_]*|((?<!\p{L})[+-])?\d[\d.,]*(e[+-]?\d+)?/gu;
  while (texts.nextNode()) {
    const text = texts.currentNode, parent = text.parentElement;
    if (!shown(parent) || parent.closest('svg, style, .hidden, .upright')) continue;
    let block = parent;
    while (getComputedStyle(block).display.startsWith('inline'))
      block = block.parentElement;
    const pieces = (start, end) => {
      const range = document.createRange();
      range.setStart(text, start); range.setEnd(text, end);
      return [...range.getClientRects()];
    };
    const fits = parts =>
      parts.reduce((sum, part) => sum + part.width, 0) < block.clientWidth - 24;
    for (const word of text.data.matchAll(words)) {
      const end = word.index + word[0].length, parts = pieces(word.index, end);
      if (new Set(parts.map(part => Math.round(part.top / 4))).size < 2) continue;
      const before = text.data.slice(0, word.index).match(/\S*$/)[0].length;
      const after = text.data.slice(end).match(/^\S*/)[0].length;
      if (fits(pieces(word.index - before, end + after)))
        say(`"${word[0]}" is broken`, parent);
    }
  }
  return found;
}"""
"""What a reader on a phone would miss, each in a line; every fold is open."""


@dataclass
class Visit:
    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.fail(NEEDED)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture(params=["digits", "traps"])
def address(request: pytest.FixtureRequest) -> str:
    run: RunFolder = request.getfixturevalue(request.param)
    return (run.path / "report.html").as_uri()


def visit(browser: Any, address: str, width: int, scheme: str = "light") -> Visit:
    page = browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    seen = Visit(page)
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return seen


def test_opens_without_errors_or_requests(browser: Any, address: str) -> None:
    seen = visit(browser, address, 1280)
    assert seen.console == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [address]
    assert seen.page.evaluate("[...document.images].length > 5")
    assert seen.page.evaluate(
        "[...document.images].every(image => image.naturalWidth > 0)"
    )


@pytest.mark.parametrize("width", [320, 390, 1000, 1180, 1920])
def test_does_not_scroll_sideways(browser: Any, address: str, width: int) -> None:
    page = visit(browser, address, width).page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        "width => [...document.querySelectorAll('section > *, header > *')]"
        ".filter(e => e.getBoundingClientRect().right > width + 0.5)"
        ".map(e => e.outerHTML.slice(0, 80))",
        width,
    )
    assert beyond == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(browser: Any, address: str, scheme: str) -> None:
    page = visit(browser, address, 1280, scheme).page
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground != "rgb(255, 255, 255)") == (scheme == "dark")
    assert page.evaluate(CONTRASTS) == {}


def test_sources_stand_side_by_side_on_a_wide_screen_and_below_each_other_on_a_phone(
    browser: Any, address: str
) -> None:
    tops = (
        "[...document.querySelectorAll('.sources article')]"
        ".map(e => e.getBoundingClientRect().top)"
    )
    wide = visit(browser, address, 1280).page.evaluate(tops)
    narrow = visit(browser, address, 390).page.evaluate(tops)
    assert len(wide) > 1
    assert len(set(wide)) == 1
    assert narrow == sorted(set(narrow))


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1280, "light")])
def test_the_page_of_a_bench(
    browser: Any, tmp_path: Path, ranked: bool, width: int, scheme: str
) -> None:
    address = write_page(tmp_path, made_up(ranked)).as_uri()
    seen = visit(browser, address, width, scheme)
    assert seen.console == []
    assert seen.requests == [address]
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    assert seen.page.evaluate(CONTRASTS) == {}
    names = seen.page.evaluate(
        "[...document.querySelector('tbody').rows].map(row => row.cells[0].innerText)"
    )
    shown = (
        ["PyTorch", "Keras on JAX", "Keras"]
        if ranked
        else ["Keras", "PyTorch", "Keras on JAX"]
    )
    assert [name.strip() for name in names] == shown
    marks = seen.page.evaluate(
        "[...document.querySelectorAll('figure')].map(f => f.innerText)"
    )
    assert len(marks) == 4
    assert "450" in marks[0]  # the axis reaches as far as the figures


@pytest.fixture(scope="session")
def pages(
    digits: RunFolder, traps: RunFolder, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The address of one of each kind of page."""
    at = {kind: tmp_path_factory.mktemp(kind) for kind in ("proof", "bench", "replay")}
    proof = verify(
        "lenet",
        frameworks=["pytorch"],
        image_size=16,
        steps=2,
        precision="float32",
        probes=False,
        out=at["proof"],
    )
    written = {
        "report": digits.path / "report.html",
        "report of traps": traps.path / "report.html",
        "certificate of a run": traps.path / "certificate.html",
        "certificate": certificate_page.write_page(
            at["proof"], of_four(proof.certificate)
        ),
        "bench": write_page(at["bench"], made_up(ranked=True)),
        "replay": replay_page.write_page(at["replay"], made_up_replay(at["replay"])),
    }
    return {kind: path.as_uri() for kind, path in written.items()}


KINDS = (
    "report",
    "report of traps",
    "certificate of a run",
    "certificate",
    "bench",
    "replay",
)


@pytest.mark.parametrize("width", [360, 414])
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_phone_all_is_named_and_nothing_cut(
    browser: Any, pages: dict[str, str], kind: str, width: int
) -> None:
    assert visit(browser, pages[kind], width).page.evaluate(PHONE_FAULTS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_page_can_be_read_on_a_phone(
    browser: Any, pages: dict[str, str], kind: str, scheme: str
) -> None:
    assert visit(browser, pages[kind], 360, scheme).page.evaluate(CONTRASTS) == {}


@pytest.mark.parametrize("width", [800, 1180, 1440])
@pytest.mark.parametrize("kind", KINDS)
def test_no_table_is_cut_on_a_larger_screen(
    browser: Any, pages: dict[str, str], kind: str, width: int
) -> None:
    cut = (
        "[...document.querySelectorAll('table, .scroll, pre')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    page = visit(browser, pages[kind], width).page
    assert page.evaluate(cut) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_sources_are_folded_and_open_without_cutting_a_line(
    browser: Any, address: str
) -> None:
    page = visit(browser, address, 1280).page
    sources = page.locator(".sources pre.code").all()
    assert sources
    assert not any(source.is_visible() for source in sources)
    for summary in page.locator(".sources summary").all():
        summary.click()
    for source in sources:
        assert source.is_visible()
        assert source.evaluate(
            "e => [e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight]"
        ) == [
            0,
            0,
        ]
        copied = source.evaluate(
            "e => (getSelection().selectAllChildren(e), getSelection().toString())"
        )
        assert copied.strip() == source.evaluate("e => e.textContent").strip()


def test_printed_sources_are_open(browser: Any, address: str) -> None:
    page = visit(browser, address, 1280).page
    page.emulate_media(media="print")
    assert all(
        source.is_visible() for source in page.locator(".sources pre.code").all()
    )


def test_a_matrix_without_room_is_a_list_on_a_phone(
    browser: Any, digits: RunFolder, tmp_path: Path
) -> None:
    def change(result: Result, path: Path) -> None:
        result.images.classes = [
            f"a handwritten digit {number}" for number in range(10)
        ]

    altered_page(digits, tmp_path, change)
    address = (tmp_path / "altered" / "report.html").as_uri()
    phone, desk = (visit(browser, address, width).page for width in (360, 1280))
    for page, matrix in ((phone, False), (desk, True)):
        assert page.locator(".matrix").first.is_visible() is matrix
        assert page.get_by_label("Largest confusions").is_visible() is not matrix
    assert phone.evaluate(PHONE_FAULTS) == []
