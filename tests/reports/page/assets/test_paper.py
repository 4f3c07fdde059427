"""The page on paper and without scripts, and what its pictures leave free."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from energy import Label
from reports import Run
from reports.page.page import page
from reports.run.steps import StepCount

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opened = Callable[..., "Page"]

#: A4 without margins: 210 - 2 x 12 mm at 96 pixels per 25.4 mm.
PAPER = {"width": 703, "height": 1000}
PRINTED = "() => dispatchEvent(new Event('beforeprint'))"
WIDE = """() => [...document.querySelectorAll('main section:not(#layers) *')]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))"""


@pytest.fixture
def stepped(run: Run) -> Run:
    """With spikes in each of two time steps: 2 and 6 of 8 slots."""
    steps = [StepCount("h.0.attn.neuron", Label("attention", "neuron", 0), 0, 2, 8)]
    return replace(run, steps=(*steps, steps[0]._replace(step=1, spikes=6)))


def test_on_paper_every_table_is_whole(opened: Opened, stepped: Run) -> None:
    tab = opened(page(stepped), viewport=PAPER, color_scheme="dark")
    tab.emulate_media(media="print")
    tab.evaluate(PRINTED)
    tab.wait_for_timeout(200)
    text = tab.locator("main").inner_text()
    for row in stepped.asa.layers:
        assert row.name in text
    for words in (
        *("5 to 95 %", "25.00 %", "75.00 %", "50.00 %", "operand delivery", "INT8 ANN, INT8 SNN"),
        *("Horowitz", "What each operation is", "multiply-accumulates", "Energy per new token"),
    ):
        assert words in text, words
    assert tab.locator("#print-layers tbody tr").count() == 2 * len(stepped.asa.layers)
    assert tab.evaluate(WIDE) == []
    for control in (".what-if", "#theme", ".tools", "#table-layers", ".modebar-container"):
        assert not tab.locator(control).first.is_visible(), control
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.evaluate("() => dispatchEvent(new Event('afterprint'))")
    tab.emulate_media(media="screen")
    assert tab.locator("#print-layers").inner_text() == ""
    assert tab.evaluate("document.documentElement.dataset.theme") is None
    assert not tab.evaluate("document.querySelector('main details').open")


def test_a_printer_gets_pages(opened: Opened, run: Run, tmp_path: Path) -> None:
    tab = opened(page(run))
    tab.evaluate("() => addEventListener('beforeprint', () => (window.asked = true))")
    made = tab.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    assert tab.evaluate("window.asked")
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", made)
    # The layers lie on their side.
    sideways = [float(width) > float(height) for width, height in boxes]
    assert 4 < len(boxes) < 30
    assert any(sideways)
    assert not all(sideways)


def test_no_legend_is_under_a_toolbar(opened: Opened, run: Run) -> None:
    tab = opened(page(run), viewport={"width": 1300, "height": 900})
    tab.evaluate("page.draw()")
    for name in ("layers", "components", "rate"):
        plot = tab.locator(f"#plot-{name}")
        plot.scroll_into_view_if_needed()
        plot.hover()
        tab.wait_for_timeout(400)
        tools = plot.locator(".modebar").bounding_box()
        caption = tab.locator(f"figure:has(#plot-{name}) figcaption p").bounding_box()
        assert tools is not None
        assert caption is not None
        for entry in plot.locator(".legend .traces").all():
            box = entry.bounding_box()
            assert box is not None
            assert box["y"] >= tools["y"] + tools["height"]
        assert caption["x"] + caption["width"] <= tools["x"]


def test_without_scripts_the_tables_of_the_run_are_there(opened: Opened, run: Run) -> None:
    tab = opened(page(run), java_script_enabled=False)
    text = tab.locator("body").inner_text()
    assert "What is saved, and how far constants move it" in text
    assert "operand delivery" in text
    assert "The panel and the pictures need JavaScript" in text
    assert "What if" not in text
    assert "Energy of each component" not in text
