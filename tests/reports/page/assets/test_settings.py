from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reports import Run
from reports.page.data import page_data

Evaluate = Callable[[str, Any], Any]

PARSED = "([data, text]) => settings.parsed(data, text)"
LINK = "([data, text]) => settings.link(data, settings.parsed(data, text).chosen)"
PROFILE = "([data, text]) => settings.profile(data, settings.parsed(data, text).chosen)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hw=loihi",
        "hw=45nm-int8&dataflow=stepwise&accounting=compute&timesteps=8&rate=0.5&prices.mac=2.5",
        "rate=1.37&memory.dram.read=0&memory.sram.curve=2",
        "accounting=unfused&delivery.mac_reuse=1&encoding=bitmap&room=fixed-order&widths.kv=4",
    ],
)
def test_a_link_carries_the_settings(evaluate: Evaluate, run: Run, text: str) -> None:
    assert evaluate(LINK, [page_data(run), text]) == text


@pytest.mark.parametrize(
    "text",
    [
        "hw=tpu",
        "dataflow=sideways",
        "dataflow=constructor",
        "phase=0",  # the run has one phase
        "accounting=creative",
        "timesteps=0",
        "timesteps=2.5",
        "timesteps=",
        "rate=-1",
        "rate=lots",
        "prices.mac=NaN",
        "prices.mac=-1",
        "prices.mac=",
        "prices.weight_read_values=1",
        "prices.__proto__=1",
        "memory.attic.read=1",
        "memory.sram.capacity=0",
        "memory.sram.read=1",  # it has a curve
        "accounting=full",  # at which end?
        "encoding=morse",
        "room=constructor",
        "widths.weights=0",
        "widths.weights=33",  # wider than the arithmetic
        "widths.accumulators=3.7",
        "widths.spikes=4",
        "delivery.event_reuse=0.5",
        "bandwidth.attic=1",
        "bandwidth.dram=0",
    ],
)
def test_what_a_link_cannot_mean_is_named_and_left_out(
    evaluate: Evaluate, run: Run, text: str
) -> None:
    found = evaluate(PARSED, [page_data(run), text])
    assert found["unknown"] == [text.partition("=")[0]]
    assert found["chosen"] == evaluate(PARSED, [page_data(run), ""])["chosen"]


def test_a_changed_number_says_what_it_was(evaluate: Evaluate, run: Run) -> None:
    text = "prices.mac=2.5&memory.dram.read=100&memory.sram.curve=2&memory.sram.capacity=1"
    found = evaluate(PROFILE, [page_data(run), text])
    [original] = [p for p in page_data(run)["profiles"] if p["name"] == "45nm"]
    mac, dram, sram = found["prices"]["mac"], found["memory"]["dram"], found["memory"]["sram"]
    assert (mac["pj"], mac["evidence"]) == (2.5, "unverified")
    assert mac["source"] == (
        f"changed on a page of neurt-energy from 4.6 pJ ({original['prices']['mac']['source']})"
    )
    assert (dram["read_pj_per_byte"], dram["write_pj_per_byte"]) == (100, 162.5)
    assert dram["source"].startswith("changed on a page of neurt-energy from read 162.5 pJ/B (")
    # twice 1.25, 2.5 and 12.5 pJ per byte
    assert [pj for _, pj in sram["curve"]] == [2.5, 5.0, 25.0]
    assert sram["capacity_bytes"] == 2**20
    assert found["name"] == "45nm-what-if"
    assert "prices.mac from 4.6 pJ to 2.5 pJ" in found["assumptions"][-1]


def test_a_machine_says_what_it_was(evaluate: Evaluate, run: Run) -> None:
    text = "accounting=unfused&encoding=packed&delivery.mac_reuse=1&delivery.event_reuse=8"
    found = evaluate(PROFILE, [page_data(run), f"{text}&widths.vectors=16&bandwidth.dram=25.6"])
    assert (found["fusion"], found["encoding"]) == ("unfused", "packed")
    assert found["widths"] == {"accumulators": 32, "vectors": 16}
    assert found["delivery"]["source"].startswith(
        "changed on a page of neurt-energy from mac_reuse 2048, event_reuse 2048 (Horowitz"
    )
    assert found["bandwidth"]["dram"] == {
        "bytes_per_second": 25.6e9,
        "source": "changed on a page of neurt-energy from none",
        "evidence": "unverified",
        "note": "",
    }
    assert found["assumptions"][-2:] == [
        "The fusion was changed on a page of neurt-energy from fused to unfused.",
        "Changed on a page of neurt-energy: encoding from cheapest to packed; "
        "widths.vectors from as values to 16 bits; delivery.mac_reuse from 2048 to 1; "
        "delivery.event_reuse from 2048 to 8; bandwidth.dram from none to 25.6 GB/s.",
    ]


def test_an_unpriced_operation_can_be_given_a_price(evaluate: Evaluate, run: Run) -> None:
    found = evaluate(PROFILE, [page_data(run), "hw=loihi&prices.mac=5"])
    assert found["prices"]["mac"] == {
        "pj": 5,
        "source": "changed on a page of neurt-energy from no price",
        "evidence": "unverified",
        "note": "",
        "others": [],
    }
