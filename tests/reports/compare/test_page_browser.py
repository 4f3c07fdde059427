"""The page of runs side by side in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import CONTROLS, PHONE, WIDE, violations, walked

from reports import Run
from reports.compare.against import measures
from reports.compare.comparison import Comparison, compare_runs
from reports.compare.page import comparison_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Numbers that stand on more lines than they are written on.
WRAPPED = """() => [...document.querySelectorAll("td.number")].filter((cell) => {
  const lines = 1 + cell.querySelectorAll("br").length;
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > lines;
}).map((cell) => cell.innerText)"""
DELTAS = "() => [...document.querySelectorAll('[data-against]')].map((cell) => cell.innerText)"
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture
def comparison(make_run: Callable[..., Run]) -> Comparison:
    runs = {"a": make_run("45nm", "loihi"), "b": make_run("45nm", tokens=8, model="x" * 80)}
    return compare_runs(runs)


@pytest.fixture
def tab(browser: Browser, comparison: Comparison, tmp_path: Path) -> Iterator[Page]:
    heard: list[str] = []
    path = tmp_path / "compare.html"
    path.write_text(comparison_page(comparison, comparison.plot()), encoding="utf-8")
    tab = browser.new_page(viewport=WIDE)  # type: ignore[arg-type]
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.goto(path.as_uri())
    yield tab
    tab.close()
    assert heard == []


def test_axe_finds_nothing_and_only_tables_scroll(tab: Page) -> None:
    for viewport in (WIDE, PHONE):
        tab.set_viewport_size(viewport)  # type: ignore[arg-type]
        assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        assert tab.evaluate(WRAPPED) == []
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert violations(tab) == [], (viewport, scheme)
    scrolls = "document.querySelector('.compare').scrollWidth > innerWidth"
    assert tab.evaluate(scrolls)  # on the phone, within its box
    captions = "[...document.querySelectorAll('table')].map((table) => !!table.caption.innerText)"
    assert tab.evaluate(captions) == [True, True]


def test_any_row_can_be_the_one_that_others_are_held_against(
    tab: Page, comparison: Comparison
) -> None:
    cells = [one.cells for one in measures(comparison)]
    chosen = tab.get_by_label("Against", exact=True)
    assert chosen.input_value() == "a, 45nm"
    for place in range(3):
        chosen.select_option(index=place)
        expected = [column[row].against[place] for row in range(3) for column in cells]
        assert tab.evaluate(DELTAS) == expected
    assert tab.locator("#against-heading").inner_text() == "Each run against b"
    assert tab.get_by_role("columnheader", name="against b").count() == len(cells)


def test_the_keyboard_reaches_every_control_in_both_themes(tab: Page) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        tab.reload()
        stops = walked(tab)
        assert [stop["html"] for stop in stops] == tab.evaluate(CONTROLS)
        assert [stop for stop in stops if stop["width"] < 2 or stop["contrast"] < 3] == []
        grounds.append(tab.evaluate(GROUND))
    assert grounds == ["rgb(255, 255, 255)", "rgb(18, 22, 29)"]
    tab.locator("#theme").press("Enter")  # from that of the system to light
    assert tab.evaluate(GROUND) == grounds[0]


def test_paper_is_light_and_has_the_whole_tables(tab: Page, tmp_path: Path) -> None:
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate(GROUND) == "rgb(255, 255, 255)"
    assert not tab.get_by_label("Against", exact=True).is_visible()
    cut = """() => [...document.querySelectorAll(".scroll")]
      .filter((box) => getComputedStyle(box).overflowX !== "visible").length"""
    assert tab.evaluate(cut) == 0


def test_the_longest_names_fit_on_paper(
    browser: Browser, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    names = ("runs/2026-11-29_decode_context_8192_attention_alone", "a name " * 9, "x" * 70)
    found = compare_runs(
        {
            name: make_run("45nm", "7nm", model=f"model-{'y' * 20 * i}", tokens=4 + i, layers=1)
            for i, name in enumerate(names)
        }
    )
    path = tmp_path / "compare.html"
    path.write_text(comparison_page(found, found.plot()), encoding="utf-8")
    # A4 within its margins at 96 pixels per 25.4 mm: 210 - 2 x 12 mm upright, 297 - 2 x 10 mm
    # on its side, which the table of all numbers is on.
    tab = browser.new_page(viewport={"width": 703, "height": 1000})
    tab.goto(path.as_uri())
    tab.emulate_media(media="print")
    wide = "(kind) => document.querySelector(kind).getBoundingClientRect().width"
    assert tab.evaluate(wide, ".against") <= 703
    tab.set_viewport_size({"width": 1047, "height": 700})
    assert tab.evaluate(wide, ".compare") <= 1047
    assert tab.evaluate(WRAPPED) == []
    broken = """() => [...document.querySelectorAll("thead th:not(.delta)")].filter((cell) => {
      const range = document.createRange();
      return cell.firstChild.data.split(/[ -]/).some((word) => {
        const start = cell.firstChild.data.indexOf(word);
        range.setStart(cell.firstChild, start);
        range.setEnd(cell.firstChild, start + word.length);
        return range.getClientRects().length > 1;
      });
    }).map((cell) => cell.innerText)"""
    assert tab.evaluate(broken) == []  # headings break between words, names anywhere
    tab.close()
