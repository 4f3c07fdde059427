"""The page of configurations on paper: light, whole, and as wide as a page."""

from __future__ import annotations

import pytest
from browsers import browser as browser
from config_pages import Opened
from config_pages import opened as opened
from config_pages import text as text

#: A4 without margins: 210 - 2 x 12 mm at 96 pixels per 25.4 mm.
PAPER = {"width": 703, "height": 1000}
PRINT = "(what) => dispatchEvent(new Event(`${what}print`))"
WIDE = """() => [...document.querySelectorAll("header *, main *")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))"""
FOLDED = "() => document.querySelectorAll('main details:not([open])').length"
GROUND = "() => getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize("link", ["", "#model=deepseek-ai/DeepSeek-V3&phase=request&hw=7nm-hbm2"])
def test_on_paper_nothing_is_dark_cut_or_folded(opened: Opened, link: str) -> None:
    tab = opened(link, viewport=PAPER, color_scheme="dark")
    ground, folded = tab.evaluate(GROUND), tab.evaluate(FOLDED)
    assert folded == 1  # what each operation is
    tab.emulate_media(media="print")
    tab.evaluate(PRINT, "before")
    assert tab.evaluate(WIDE) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]
    assert tab.evaluate(FOLDED) == 0
    assert tab.evaluate(GROUND) in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    assert not tab.locator("#form").is_visible()
    tab.evaluate(PRINT, "after")
    tab.emulate_media(media="screen")
    assert (tab.evaluate(GROUND), tab.evaluate(FOLDED)) == (ground, folded)
