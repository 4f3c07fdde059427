"""A browser for tests of pages, and what is asked of every page in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

#: Each place that the Tab key should reach, in the order of the document; Tabulator decides
#: whether what scrolls in it is one.
CONTROLS = """() => [...document.querySelectorAll(
    "a[href], button, input, select, summary, [tabindex='0']")]
  .filter((one) => !one.disabled && !one.classList.contains("tabulator-tableholder")
    && one.checkVisibility({ visibilityProperty: true }))
  .map((one) => one.outerHTML.slice(0, 120))"""
#: Where the focus is, and the contrast of its outline with the ground; null: in no control.
FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((x) => (x /= 255) <= 0.03928 ? x / 12.92
      : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const ground = (at) => {
    const colour = getComputedStyle(at).backgroundColor;
    return colour.endsWith(", 0)") ? ground(at.parentElement) : colour;
  };
  // An outline inside stands on the element itself.
  const { outlineStyle: style, outlineWidth: width, outlineColor: line, outlineOffset: off }
    = getComputedStyle(one);
  const [a, b] = [light(line), light(ground(parseFloat(off) < 0 ? one : one.parentElement))];
  return { html: one.outerHTML.slice(0, 120), width: style === "none" ? 0 : parseFloat(width),
    contrast: Math.max(a, b) / Math.min(a, b) };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for each file: while it is open, nothing else may run an event loop."""
    if find_spec("playwright") is None:
        pytest.skip("needs the package playwright: pip install 'neurt-energy[test]'")
    if CHROMIUM is None:
        pytest.skip("needs the browser chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox needs rights that a container does not give.
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def violations(tab: Page) -> list[Any]:
    """What axe-core finds, of any impact: rule and elements."""
    tab.evaluate(AXE)
    found = tab.evaluate("() => axe.run({ resultTypes: ['violations'] })")
    return [(x["id"], [node["html"][:200] for node in x["nodes"]]) for x in found["violations"]]


def walked(tab: Page) -> list[Any]:
    """Press Tab from the start of a page until it leaves it, and tell each place of the focus."""
    stops: list[Any] = []
    while (tab.keyboard.press("Tab"), here := tab.evaluate(FOCUSED))[1] is not None:
        stops.append(here)
        assert len(stops) < 300, f"the focus does not leave the page: {stops[-5:]}"
    return stops


def link_of(tab: Page) -> str:
    """The part of the address behind its #, which keeps what is asked; the page need not rest."""
    return str(tab.evaluate("() => { downloads.put(); return location.hash; }"))
