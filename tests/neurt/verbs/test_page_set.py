"""Constants that are set on the page of configurations are those of `plan --set`."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsers import browser as browser
from browsers import link_of
from config_pages import UNITS, Opened, agree
from config_pages import opened as opened
from config_pages import text as text

from neurt.browser.models import models

SET = (
    ("45nm", {"prices.mac": 0.5}),
    ("45nm", {"prices.mac": 0.25, "prices.ac": 3.0, "delivery.mac_reuse": 7.0}),
    ("45nm", {"memory.dram.read": 20.0, "memory.dram.write": 40.0, "memory.sram.capacity": 1.5}),
    ("7nm-hbm2", {"bandwidth.hbm2": 50.0, "memory.sram.capacity": 100.0}),
)


def test_bills_are_those_of_plan_with_the_constants_set(opened: Opened, tmp_path: Path) -> None:
    assert {key for _, constants in SET for key in constants} == {*UNITS}
    drawn = [
        {"model": "", "config": models()[name], "hw": hw, "set": constants, **passes}
        for hw, constants in SET
        for name, passes in (
            ("gpt2-small", {"phase": "request", "prompt": 90, "generate": 9}),
            ("Qwen/Qwen3-8B", {"phase": "decode", "context": 900}),
        )
    ]
    agree(opened(), drawn, tmp_path / "config.json")


def test_a_constant_is_typed_kept_by_the_link_and_said(opened: Opened) -> None:
    tab = opened("#hw=45nm")
    first = tab.locator("#cards").inner_text()
    tab.get_by_text("Other prices and constants").click()
    tab.get_by_label("mac, pJ", exact=True).fill("0.5")
    changed = tab.locator("#cards").inner_text()
    assert changed != first
    assert "Changed on a page of neurt-energy: prices.mac from 4.6 pJ to 0.5 pJ" in (
        tab.locator("#assumptions").inner_text()
    )
    again = opened(link_of(tab))
    assert again.locator("#cards").inner_text() == changed
    again.get_by_text("Other prices and constants").click()
    assert again.get_by_label("mac, pJ", exact=True).input_value() == "0.5"
    again.get_by_label("mac, pJ", exact=True).fill("")
    assert again.locator("#cards").inner_text() == first
    tab.get_by_label("Hardware").select_option("7nm")  # the constants of another machine
    assert "prices" not in link_of(tab)
    assert tab.get_by_label("mac, pJ", exact=True).input_value() == ""


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("prices.mac=-1", "prices.mac: a number from 0 to 1,000,000,000,000,000 pJ."),
        ("prices.mca=1", "prices.mca is no constant of 45nm that can be set here"),
        ("widths.kv=8", "widths.kv is no constant of 45nm that can be set here"),
    ],
)
def test_a_constant_that_is_none_is_refused(opened: Opened, link: str, sentence: str) -> None:
    tab = opened(f"#{link}")
    assert sentence in tab.locator("#fault").inner_text()
    assert not tab.locator("#results").is_visible()
