"""Nobody is kept out of the page: axe-core, the keyboard, focus, motion, contrast, words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from browsers import CONTROLS, PHONE, WIDE, link_of, violations, walked

from hwmodels import two_machines
from reports import Run
from reports.page.page import page

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opened = Callable[..., "Page"]

#: Draw all that is out of sight too, with everything unfolded.
WHOLE = """async () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  page.draw();
  await new Promise((done) => setTimeout(done, 150));
}"""
COLOUR = "getComputedStyle(document.querySelector('.small')).color"


@pytest.fixture(params=["profile", "plan", "network"])
def any_run(request: pytest.FixtureRequest, make_run: Callable[..., Run], network_run: Run) -> Run:
    if request.param == "network":
        return network_run
    weights = "mine" if request.param == "profile" else "none(closed form)"
    return make_run("45nm", "loihi", layers=1, command=request.param, weights=weights)


def test_axe_finds_nothing(opened: Opened, any_run: Run) -> None:
    tab = opened(page(any_run), "#prices.mac=3", viewport=WIDE)
    # A plan and a network differ in words: of them, two looks are enough.
    looks: list[Any] = [(WIDE, "light"), (PHONE, "dark"), (WIDE, "dark"), (PHONE, "light")]
    every = any_run.command == "profile" and not any_run.of_network
    for viewport, scheme in looks if every else looks[:2]:
        tab.set_viewport_size(viewport)
        tab.emulate_media(color_scheme=scheme)
        tab.evaluate(WHOLE)
        assert violations(tab) == [], (viewport, scheme)
    levels = tab.evaluate(
        "() => [...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    tab.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    captions = "() => [...document.querySelectorAll('main table')].map((x) => x.caption?.innerText)"
    assert all(tab.evaluate(captions))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_of_two_machines_has_its_tables_and_nothing_dead(
    opened: Opened, make_run: Callable[..., Run], scheme: str
) -> None:
    pair = replace(make_run(layers=1), profiles=(two_machines("7nm", "loihi"),))
    tab = opened(page(pair), color_scheme=scheme, waits=False)
    for viewport in (WIDE, PHONE):
        tab.set_viewport_size(viewport)  # type: ignore[arg-type]
        assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        assert violations(tab) == [], viewport
        # Text keeps off the edges, as the heading above it does, and captions are in sight whole.
        lefts = "['h1', '.answer'].map((x) => document.querySelector(x).getBoundingClientRect().x)"
        assert len(set(tab.evaluate(lefts))) == 1
        far = """[...document.querySelectorAll('caption > *')].filter((one) =>
          one.getBoundingClientRect().right > innerWidth).length"""
        assert tab.evaluate(far) == 0
    stops = [stop["html"] for stop in walked(tab)]
    assert stops == tab.evaluate(CONTROLS)
    assert not [stop for stop in stops if "<button" in stop or "<select" in stop]
    text = tab.locator("main").inner_text()
    assert "Two machines: what is saved is not known, as MACs or ACs have no price" in text
    assert re.search("SSA without a price on loihi: mac x ", text)
    for of_the_panel in ("What if", "Licences", "`"):
        assert of_the_panel not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(
    opened: Opened, run: Run, scheme: str
) -> None:
    tab = opened(page(run), color_scheme=scheme)
    tab.evaluate(WHOLE)
    stops = walked(tab)
    first = [re.sub(r"<[^>]*>", "", stop["html"]) for stop in stops[:3]]
    assert first == ["Skip to the results", "Theme: auto", "What if"]
    reached = [stop["html"] for stop in stops if "tabulator-tableholder" not in stop["html"]]
    assert reached == tab.evaluate(CONTROLS)
    faint = [stop for stop in stops if stop["width"] < 2 or stop["contrast"] < 3]
    assert faint == []


def test_enter_and_escape_do_what_they_do_elsewhere(opened: Opened, run: Run) -> None:
    tab = opened(page(run))
    tab.evaluate(WHOLE)
    tab.locator("#panel > summary").focus()
    for open_now in (False, True):
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.getElementById('panel').open") is open_now
    box = tab.get_by_label("mac", exact=True)
    box.fill("3")
    box.press("Enter")  # sends no form
    assert "prices.mac=3" in link_of(tab)
    find = tab.locator("#find-layers")
    find.fill("lm_head")
    tab.wait_for_function("document.getElementById('layers-count').innerText.startsWith('2 of')")
    find.press("Escape")
    tab.wait_for_function("!document.getElementById('layers-count').innerText.startsWith('2 of')")


def test_what_is_refused_says_so_and_shows_no_result(opened: Opened, run: Run) -> None:
    tab = opened(page(run))
    tab.evaluate(WHOLE)
    answer, box = tab.locator("#summary-heading"), tab.get_by_label("mac", exact=True)
    before = answer.inner_text()
    box.fill("-3")
    words = "mac: -3 is refused, it must be a number of at least 0 pJ."
    assert box.get_attribute("aria-invalid") == "true"
    described = tab.locator(f"#{box.get_attribute('aria-describedby')}")
    assert described.get_attribute("role") == "alert"
    assert described.inner_text() == words
    assert answer.inner_text() == f"No result: {words}"
    for old in ("#ends", "#cards", "#plot-layers", "#table-savings", "#table-layers", "#constants"):
        assert not tab.locator(old).is_visible(), old
    assert "%" not in tab.locator("#readout").inner_text()
    assert tab.locator("#save-csv").is_disabled()
    steps = tab.get_by_label("Time steps T", exact=True)
    steps.fill("2.5")
    assert "it must be a whole number from 1 to 64" in answer.inner_text()
    steps.fill("")
    assert "Time steps T: it is empty" in answer.inner_text()
    steps.press("Escape")  # back to what is in use
    assert answer.inner_text() == before
    assert [steps.input_value(), box.input_value()] == ["4", "4.6"]
    assert described.inner_text() == ""
    assert box.get_attribute("aria-invalid") is None
    assert tab.locator("#cards").is_visible()
    assert tab.locator("#save-csv").is_enabled()


def test_no_saving_is_negative_in_words(opened: Opened, network_run: Run) -> None:
    tab = opened(page(network_run), "#timesteps=16&rate=2")
    text = tab.locator("section:has(#summary-heading)").inner_text()
    text += tab.locator("#readout").inner_text()
    assert re.search(r"costs [\d.]+\s% more", text)
    assert not re.search(r"[-−]\s?[\d.]+\s?%", text)
    words = "() => [0.309, -0.136, 0.0001, null].map((x) => format.saved(x))"
    assert [text.replace("\xa0", " ") for text in tab.evaluate(words)] == [
        *("saves 30.9 %", "costs 13.6 % more", "costs the same", "not known")
    ]
    ranges = "() => [[-0.2, -0.1], [0.1, 0.2], [-0.1, 0.2]].map((x) => format.between(...x))"
    assert [text.replace("\xa0", " ") for text in tab.evaluate(ranges)] == [
        *("costs 10.0 to 20.0 % more", "saves 10.0 to 20.0 %", "costs 10.0 % more to saves 20.0 %")
    ]


def test_the_wishes_of_the_system_are_kept(opened: Opened, run: Run) -> None:
    tab = opened(page(run), reduced_motion="reduce")
    moves = "getComputedStyle(document.querySelector('.bar')).transitionDuration"
    assert tab.evaluate(moves) == "0s"
    tab.emulate_media(reduced_motion="no-preference")
    assert tab.evaluate(moves) != "0s"
    ink = tab.evaluate("getComputedStyle(document.body).color")
    assert tab.evaluate(COLOUR) != ink
    tab.emulate_media(contrast="more")
    assert tab.evaluate(COLOUR) == ink
