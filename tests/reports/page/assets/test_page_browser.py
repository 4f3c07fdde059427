"""The page in a browser: it opens from disk, and every control does what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from browsers import PHONE, link_of

from energy import estimate, saving
from energy.bill.layer import ACCOUNTINGS
from hwmodels import Dataflow, load_profile
from reports import Run
from reports.page.page import page

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opened = Callable[..., "Page"]

#: Draw all that is out of sight too.
DRAWN = "async () => { page.draw(); await new Promise((done) => setTimeout(done, 150)); }"

SAVING = """() => {
  const view = page.view();
  return settings.saved(page.data, view, view.accounting).saving;
}"""
OUTSIDE = """() => [...document.querySelectorAll("main > *, .card, .plot, .knob, .actions")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))"""
SAVINGS = (
    "() => Tabulator.findTable('#table-savings')[0].getData('active').map((row) => row.asa_pj)"
)
LAYERS = """() => Tabulator.findTable('#table-layers')[0].getData('active')
  .map((row) => [row.variant, row.layer])"""
TRACES = """() => document.getElementById('plot-layers').data
  .map((trace) => [trace.name, trace.offsetgroup])"""


def model_saving(tab: Page) -> float:
    tab.wait_for_timeout(50)
    return float(tab.evaluate(SAVING))


def test_nothing_overflows_on_a_phone(opened: Opened, make_run: Callable[..., Run]) -> None:
    tab = opened(page(make_run("45nm", model="a" * 80, weights="b" * 80)), viewport=PHONE)
    tab.locator("#panel > summary").click()
    tab.evaluate(DRAWN)
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert tab.evaluate(OUTSIDE) == []


def test_names_with_markup_are_text(opened: Opened, make_run: Callable[..., Run]) -> None:
    run = make_run("45nm", model="</script><img src=x onerror='window.hurt=1'>", weights="<b>w</b>")
    evil = "<img src=x onerror='window.hurt=1'></script>"
    sides = []
    for counts in (run.asa, run.ssa):
        first, *rest = counts.layers
        label = replace(first.label, component=evil)
        layers = (replace(first, name=evil, kind=evil, label=label), *rest)
        sides.append(replace(counts, layers=layers))
    name = "a&lt;img&gt;' onclick='x"  # one that a profile may have
    keys = load_profile("45nm").model_dump() | {"name": name, "title": evil, "assumptions": (evil,)}
    profile = type(run.profiles[0]).model_validate(keys)
    tab = opened(page(replace(run, asa=sides[0], ssa=sides[1], profiles=(profile,))))
    tab.evaluate(DRAWN)
    assert tab.evaluate("[window.hurt, document.images.length]") == [None, 0]
    assert evil in tab.locator("#table-layers").inner_text()
    assert evil in tab.locator("#assumptions").inner_text()
    assert tab.locator("#hw option").inner_text() == evil
    assert tab.locator("#hw option").get_attribute("value") == name


def test_tables_sort_by_keyboard_and_filter(opened: Opened, run: Run) -> None:
    tab = opened(page(run))
    tab.evaluate(DRAWN)
    heading = tab.locator("#table-savings").get_by_role("button", name="ASA (nJ)")
    heading.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_timeout(100)
    assert tab.evaluate(SAVINGS) == sorted(tab.evaluate(SAVINGS), reverse=True)
    tab.keyboard.press("Enter")
    tab.wait_for_timeout(100)
    assert tab.evaluate(SAVINGS) == sorted(tab.evaluate(SAVINGS))
    tab.get_by_label("Variant").select_option("ssa")
    tab.locator("#find-layers").fill("h.1 c_attn")
    tab.wait_for_function(f"({LAYERS})().length === 1")
    assert tab.evaluate(LAYERS) == [["ssa", "h.1.attn.c_attn"]]
    assert tab.locator("#layers-count").inner_text().startswith("1 of ")
    # Sorted and filtered tables are priced again too.
    before = tab.locator("#table-layers .tabulator-row").inner_text()
    tab.locator("#prices-ac-number").fill("9")
    tab.locator("#table-layers").scroll_into_view_if_needed()
    tab.wait_for_timeout(300)
    assert tab.locator("#table-layers .tabulator-row").inner_text() != before
    assert tab.evaluate(SAVINGS) == sorted(tab.evaluate(SAVINGS))


def test_each_control_prices_again_as_python_does(
    opened: Opened, make_run: Callable[..., Run]
) -> None:
    run = make_run("45nm", "7nm")
    tab = opened(page(run))

    def expected(hw: str, accounting: str = "fused", dataflow: Dataflow | None = None) -> Any:
        profile = load_profile(hw)
        sides = [estimate(counts, profile, dataflow=dataflow) for counts in (run.asa, run.ssa)]
        return pytest.approx(saving(*sides, accounting).saving, rel=1e-9)

    assert model_saving(tab) == expected("45nm")
    tab.get_by_label("Precision").select_option("45nm-int8")
    assert model_saving(tab) == expected("45nm-int8")
    tab.get_by_label("Hardware").select_option("7nm")
    assert model_saving(tab) == expected("7nm")
    tab.get_by_label("Dataflow").select_option("event-driven")
    assert model_saving(tab) == expected("7nm", dataflow=Dataflow.EVENT_DRIVEN)
    tab.get_by_label("Accounting").select_option("compute")
    assert model_saving(tab) == expected("7nm", "compute", Dataflow.EVENT_DRIVEN)
    # The panel has all accountings side by side: both ends of the whole bill, then MACs and ACs.
    shown = tab.locator("#readout tbody tr").first.inner_text().split("\t")
    order = ("fused", "unfused", "compute")
    assert {*order} == {*ACCOUNTINGS}
    whole = [expected("7nm", x, Dataflow.EVENT_DRIVEN) for x in order]
    assert shown[0] == "Model"
    for cell, share in zip(shown[1:], whole, strict=True):
        found = re.fullmatch(r"saves ([\d.]+)\s%|costs ([\d.]+)\s% more", cell)
        assert found is not None
        signed = float(found[1]) if found[1] else -float(found[2])
        assert signed / 100 == pytest.approx(share.expected, abs=5.1e-4)
    before = model_saving(tab)
    tab.get_by_label("Spike rate", exact=True).fill("0.5")
    fewer = model_saving(tab)
    assert fewer > before
    tab.get_by_label("Time steps T", exact=True).fill("8")  # as many events as before
    assert model_saving(tab) == pytest.approx(before, rel=1e-9)
    tab.get_by_label("Spike rate, slider").focus()
    tab.keyboard.press("ArrowLeft")
    assert tab.get_by_label("Spike rate", exact=True).input_value() == "0.49"
    assert model_saving(tab) > before
    tab.get_by_role("button", name="Reset", exact=True).click()
    assert model_saving(tab) == expected("45nm")
    assert tab.get_by_label("Hardware").input_value() == "45nm"
    assert tab.get_by_label("ac", exact=True).input_value() == "0.9"


def test_phases_can_be_seen_alone(opened: Opened, request_run: Run) -> None:
    tab = opened(page(request_run))
    whole = request_run.estimates["45nm"]
    assert model_saving(tab) == pytest.approx(saving(*whole, "fused").saving, rel=1e-9)
    tab.get_by_label("Phase", exact=True).select_option("decode (prefill)")
    alone = request_run.phase_estimates["45nm"][1]
    assert model_saving(tab) == pytest.approx(saving(*alone, "fused").saving, rel=1e-9)


def test_a_link_restores_the_settings(opened: Opened, run: Run) -> None:
    text = page(run)
    tab = opened(text)
    tab.get_by_label("Precision").select_option("45nm-int8")
    tab.get_by_label("Dataflow").select_option("stepwise")
    tab.get_by_label("mac", exact=True).fill("0.7")
    tab.get_by_label("Time steps T", exact=True).fill("6")
    found, link = model_saving(tab), link_of(tab)
    again = opened(text, link)
    assert model_saving(again) == found
    assert again.get_by_label("mac", exact=True).input_value() == "0.7"
    again.get_by_role("link", name="Skip to the results").focus()
    again.keyboard.press("Enter")  # does not lose them
    assert again.evaluate("location.hash") == link
    assert again.evaluate("document.activeElement.id") == "main"
    lost = opened(text, "#hw=tpu&rate=2")
    assert lost.get_by_text("The link names hw, which this page does not have").is_visible()
    assert lost.get_by_label("Spike rate", exact=True).input_value() == "2"


def test_the_theme_can_be_chosen(opened: Opened, run: Run) -> None:
    tab = opened(page(run), color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = tab.evaluate(ground)
    tab.get_by_role("button", name="Theme: auto").click()
    assert tab.evaluate(ground) != dark
    tab.get_by_role("button", name="Theme: light").click()
    assert tab.evaluate(ground) == dark


def test_the_pictures_show_both_variants_in_every_accounting(opened: Opened, run: Run) -> None:
    tab = opened(page(run), "#accounting=compute")
    tab.evaluate(DRAWN)
    assert ["Q, K, V projections", "asa"] in tab.evaluate(TRACES)
    assert ["Q, K, V projections", "ssa"] in tab.evaluate(TRACES)
    tab.get_by_label("Accounting").select_option("unfused")
    tab.evaluate(DRAWN)
    assert ["memory traffic", "ssa"] in tab.evaluate(TRACES)
    assert (
        json.loads(tab.evaluate("JSON.stringify(document.getElementById('plot-rate').data[0].x)"))[
            0
        ]
        == 0
    )


def test_a_side_without_a_price_has_no_saving(opened: Opened, run: Run) -> None:
    tab = opened(page(run), "#hw=loihi")
    tab.evaluate(DRAWN)
    card = tab.locator(".card").first.inner_text()
    assert "not known: no price for mac" in card
    assert "Outside of the layers" in tab.locator("#picture-note").inner_text()
    assert "No saving is known" in tab.locator("#rate-note").inner_text()
    assert "ASA: mac ×" in tab.locator("#unpriced").inner_text()
    assert tab.get_by_label("Time steps T", exact=True).is_visible()
    assert not tab.get_by_text("Widths of operands").is_visible()
    tab.locator("#panel").get_by_label("mac", exact=True).fill("100")
    assert model_saving(tab) is not None
    assert "saves" in tab.locator(".card .big").first.inner_text()
