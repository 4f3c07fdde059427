"""What the panel changes of a machine gives the bills that Python makes on such a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from browsers import link_of
from page_bills import compare

from energy import Counts, saving
from hwmodels import Encoding, Fusion, HardwareProfile, Op, Room, load_profile
from hwmodels.machine import Widths
from hwmodels.prices import Bandwidth, StaticPower, Throughput
from reports import Run
from reports.page.data import page_data
from reports.page.page import page

if TYPE_CHECKING:
    from playwright.sync_api import Page

Evaluate = Callable[[str, Any], Any]
Opened = Callable[..., "Page"]
Change = Callable[[HardwareProfile], dict[str, object]]

CITED: dict[str, Any] = {"source": "made up", "evidence": "unverified"}
#: Every level holds 256 bytes at most, so that what moves depends on room, order and widths.
SMALL = "memory.sram.capacity=0.000244140625"


def smaller(profile: HardwareProfile) -> dict[str, object]:
    level = profile.memory["sram"].model_copy(update={"capacity_bytes": 256})
    return {"memory": profile.memory | {"sram": level}}


def delivered(profile: HardwareProfile) -> dict[str, object]:
    assert profile.delivery is not None
    keys = {"pj_per_byte": 2.5, "mac_reuse": 1, "event_reuse": 16}
    return {"delivery": profile.delivery.model_copy(update=keys)}


def timed(profile: HardwareProfile) -> dict[str, object]:
    rates = {Op.MAC: 100e9, Op.AC: 50e9, Op.SHIFT_AC: 50e9}
    bandwidth = {"sram": 1e9, "dram": 1e8}
    return {
        "throughput": {op: Throughput(per_second=x, **CITED) for op, x in rates.items()},
        "bandwidth": {x: Bandwidth(bytes_per_second=b, **CITED) for x, b in bandwidth.items()},
        "static_power": StaticPower(watts=2, **CITED),
    }


WIDTHS = Widths(weights=4.156, activations=16, vectors=12, kv=8, accumulators=24)
MACHINES: dict[str, tuple[str, Change]] = {
    "widths": (
        "&".join(f"widths.{x}={bits}" for x, bits in WIDTHS.model_dump().items()),
        lambda _: {"widths": WIDTHS},
    ),
    "capacity": (SMALL, smaller),
    "room": (
        f"{SMALL}&room=fixed-order",
        lambda it: smaller(it) | {"room": Room.FIXED_ORDER},
    ),
    **{
        encoding: (f"encoding={encoding}", lambda _, x=encoding: {"encoding": x})
        for encoding in Encoding
        if encoding is not Encoding.CHEAPEST
    },
    "unfused": ("accounting=unfused", lambda _: {"fusion": Fusion.UNFUSED}),
    "delivery": (
        "delivery.pj_per_byte=2.5&delivery.mac_reuse=1&delivery.event_reuse=16",
        delivered,
    ),
    "time": (
        "throughput.mac=100&throughput.ac=50&throughput.shift_ac=50&bandwidth.sram=1"
        "&bandwidth.dram=0.1&static_power=2",
        timed,
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_of_the_panel_has_the_bills_of_python(
    evaluate: Evaluate, make_run: Callable[..., Run], name: str
) -> None:
    run, (link, change) = make_run("45nm"), MACHINES[name]
    [before] = run.estimates.values()
    machine = load_profile("45nm").model_copy(update=change(load_profile("45nm")))
    after = replace(run, profiles=(machine,)).estimates["45nm"]
    compare(evaluate, run, *after, link)
    if name == Encoding.ADDRESSES:  # the cheapest here: one slot of eight spikes
        return
    assert [x.energy_pj() for x in before] != pytest.approx([x.energy_pj() for x in after])


def stored(counts: Counts, **bits: float | None) -> Counts:
    return replace(counts, layers=tuple(replace(row, **bits) for row in counts.layers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("link", "left"),
    [("", {}), ("widths.weights=8", {"weight_bits": None}), ("widths.kv=8", {})],
)
def test_a_width_replaces_that_of_the_checkpoint(
    evaluate: Evaluate, make_run: Callable[..., Run], link: str, left: dict[str, None]
) -> None:
    run = make_run("45nm")
    both = [stored(x, weight_bits=4.156, vector_bits=16.0) for x in (run.asa, run.ssa)]
    quantised = replace(run, asa=both[0], ssa=both[1])
    # As the flag --widths does: rows that said their own width say none then.
    asa, ssa = (stored(x, **left) for x in both)
    operand, _, bits = link.removeprefix("widths.").partition("=")
    widths = Widths(**{operand: float(bits)}) if link else Widths()
    machine = load_profile("45nm").model_copy(update={"widths": widths})
    expected = replace(run, asa=asa, ssa=ssa, profiles=(machine,)).estimates["45nm"]
    compare(evaluate, quantised, *expected, link)
    [weights] = [x for x in knobs_of(evaluate, quantised) if x["key"] == "widths.weights"]
    assert (weights["value"], weights["missing"]) == (None, "as stored")


def knobs_of(evaluate: Evaluate, run: Run) -> list[dict[str, Any]]:
    script = """(data) => knobs.of(data, data.profiles[0])
      .map(({ key, group, value, missing }) => ({ key, group, value, missing }))"""
    found: list[dict[str, Any]] = evaluate(script, page_data(run))
    return found


def test_what_one_price_pays_for_has_no_knob(
    evaluate: Evaluate, make_run: Callable[..., Run]
) -> None:
    def groups(hw: str) -> set[str]:
        return {x["group"] for x in knobs_of(evaluate, make_run(hw))}

    assert groups("45nm") == {"spikes", "prices", "memory", "widths", "delivery", "time"}
    # Everything is inside of TrueNorth's one price, and Loihi has none for what moves.
    assert load_profile("truenorth").scope == "all_in"
    assert groups("truenorth") == groups("loihi") == {"prices", "time"}


def test_the_panel_says_what_it_has_changed(opened: Opened, run: Run) -> None:
    tab = opened(page(run))
    before = tab.locator("#readout").inner_text()
    tab.get_by_label("KV cache", exact=True).fill("4")
    tab.get_by_label("In memory", exact=True).select_option("packed")
    tab.get_by_label("events per fetch", exact=True).fill("1")
    assert tab.locator("#readout").inner_text() != before
    changed = tab.locator(".changes").all_inner_texts()
    assert changed == ["1 changed", "", "", "1 changed", "1 changed", ""]
    hash_ = link_of(tab)
    assert hash_ == "#delivery.event_reuse=1&encoding=packed&widths.kv=4"
    assert (
        "changed: KV cache 32 bits → 4 bits, In memory cheapest → packed, events per fetch "
        "2048 → 1." in tab.locator("#state").inner_text()
    )
    tab.get_by_label("accumulators", exact=True).fill("3.7")  # no number of bits
    assert tab.get_by_label("accumulators", exact=True).get_attribute("aria-invalid") == "true"
    tab.get_by_label("weights", exact=True).fill("33")  # wider than the arithmetic
    assert link_of(tab) == hash_
    tab.get_by_label("weights", exact=True).press("Escape")
    # Both ends of the whole bill are in sight, and time once every rate is known.
    cards = tab.locator(".card").first.inner_text()
    assert "All priced, fused" in cards
    assert "All priced, unfused" in cards
    assert "Time at the bound" not in tab.locator("#state").inner_text()
    for op in ("mac", "ac", "shift_ac"):
        if (rate := tab.get_by_label(f"{op} rate", exact=True)).count():
            rate.fill("92")
    assert "Time at the bound fused: ASA " in tab.locator("#state").inner_text()
    tab.get_by_role("button", name="Reset", exact=True).click()
    assert tab.locator("#readout").inner_text() == before


def test_both_ends_are_those_of_python(opened: Opened, run: Run) -> None:
    [(asa, ssa), *_] = run.estimates.values()
    tab = opened(page(run))
    cards = tab.locator(".card").first.inner_text().replace("−", "-")
    for accounting in ("compute", "fused", "unfused"):
        part = saving(asa, ssa, accounting)
        assert part.saving is not None
        assert f"saves {100 * part.saving:.1f}\xa0%" in cards


def test_bars_have_a_line_at_the_other_end(opened: Opened, run: Run) -> None:
    [asa, ssa], *_ = run.estimates.values()
    tab = opened(page(run))
    tab.evaluate("page.draw()")
    shapes = tab.evaluate("document.getElementById('plot-layers').layout.shapes")
    # Two layers: the analog line of each left of its middle, the spiking one right of it.
    by_depth = [
        [
            sum(x.total_pj for x in bill.under("unfused").layers if x.count.label.depth == depth)
            for depth in range(2)
        ]
        for bill in (asa, ssa)
    ]
    assert [shape["x0"] for shape in shapes] == [-0.375, 0.625, 0, 1]
    assert [shape["y0"] for shape in shapes] == pytest.approx(
        [pj / 1e3 for side in by_depth for pj in side]  # in nJ
    )
    tab.get_by_label("Accounting").select_option("compute")
    tab.evaluate("page.draw()")
    assert tab.evaluate("document.getElementById('plot-layers').layout.shapes") == []
