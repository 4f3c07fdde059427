from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hwmodels import (
    Encoding,
    Fusion,
    HardwareProfile,
    Op,
    Room,
    catalog,
    load_profile,
    profile_names,
)
from reports.hardware.profile import list_profiles, print_profile, profile_table
from reports.hardware.whole_chip import costs_table

BUILTIN = tuple(profile_names())
OF_OPERATIONS = [name for name in BUILTIN if load_profile(name).whole_chip is None]
PARTS = {op for op in Op if op.alike is not None}


def listed() -> dict[str, list[str]]:
    # The cells of the list, by the name of the profile.
    return {row[0]: row for row in list_profiles()[0].cells()}


def shown(profile: HardwareProfile) -> str:
    out = io.StringIO()
    print_profile(profile, Console(file=out, width=600, highlight=False))
    return out.getvalue()


def test_every_profile_has_a_row() -> None:
    assert list(listed()) == profile_names()
    assert set(BUILTIN) <= set(listed())


def test_a_row_has_title_precision_three_prices_and_scope() -> None:
    rows = listed()
    # A leaky neuron of 45nm is charged by its parts: 3 x 0.9 + 3.7 + 0.9 pJ.
    assert rows["45nm"][1:] == [
        *("fp32", "4.6", "0.9", "7.3", "per_term"),
        *("45 nm digital CMOS, FP32 (Horowitz 2014)", ""),
    ]
    # 3 x 0.1 + 0.2 + 0.1
    assert rows["45nm-int8"][4] == "0.6"
    # No MAC on Loihi, and neurons are inside the all-in price of TrueNorth.
    assert rows["loihi"][2:5] == ["-", "23.6", "81"]
    assert rows["truenorth"][2:6] == ["-", "26", "included", "all_in"]


def test_a_conflict_of_sources_is_listed_by_its_factor() -> None:
    # 450 pJ in one source, 10 in the other
    assert listed()["spinnaker2-hoppner2019"][7] == "ac differs x45"


@pytest.fixture
def broken_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    info = tmp_path / "broken_chips-1.0.dist-info"
    info.mkdir()
    (tmp_path / "broken_chips.py").write_text("1 / 0\n", encoding="utf-8")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: broken-chips\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        "[neurt_energy.hardware]\nfragile = broken_chips:chip\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sources: Any = catalog._sources
    sources.cache_clear()
    yield
    sources.cache_clear()
    sys.modules.pop("broken_chips", None)


@pytest.mark.usefixtures("broken_plugin")
def test_a_plug_in_that_fails_is_named_and_the_others_are_listed() -> None:
    table, left_out = list_profiles()
    assert {row[0] for row in table.rows} == set(BUILTIN)
    assert left_out == [
        "hardware profile 'fragile' of the plug-in 'broken_chips:chip' failed: "
        "ZeroDivisionError: division by zero"
    ]


@pytest.mark.parametrize("name", OF_OPERATIONS)
def test_every_number_is_shown_with_its_evidence_and_source(name: str) -> None:
    profile = load_profile(name)
    text = shown(profile)
    rows = {row[0]: row for row in profile_table(profile).cells()}
    assert f"{profile.name}: {profile.title}" in text
    assert f"dataflow {profile.dataflow}: {profile.dataflow.definition}" in text
    for op, price in profile.prices.items():
        cells = rows[op.value]
        note = f" ({price.note})" if price.note else ""
        assert [cells[0], cells[1], cells[3]] == [op.value, f"{price.pj:g}", price.evidence.value]
        assert cells[4].startswith(price.source + note)
        for other in price.others:
            assert f"{other.pj:g} pJ, {other.source}" in cells[4]
    for level, memory in profile.memory.items():
        assert memory.source in rows[f"{level}, per byte"][4]
    for assumption in profile.assumptions:
        assert f"- {assumption}" in text
    for op, reason in profile.included.items():
        [line] = [line for line in text.splitlines() if line.endswith(f": {reason}")]
        assert op.value in line.removesuffix(f": {reason}").split(", ")
    for figure in profile.system:
        assert f"{figure.value:g} {figure.unit}, {figure.what}" in text


@pytest.mark.parametrize("name", ["h100", "b200"])
def test_the_prices_of_a_whole_chip_are_shown_with_what_they_are_worth(name: str) -> None:
    profile = load_profile(name)
    chip, text = profile.whole_chip, shown(profile)
    assert chip is not None
    [source] = {cost.source for _, cost in chip.costs}
    assert f"source: {source}" in text
    assert f"boundary: {chip.boundary}" in text
    assert all(found.model in text for found in chip.left_out)
    assert len(costs_table(chip).rows) == len(list(chip.costs))
    assert "without a price" not in text


@pytest.mark.parametrize("name", OF_OPERATIONS)
def test_what_has_no_price_is_listed(name: str) -> None:
    profile = load_profile(name)
    unpriced = {op for op in Op if not profile.is_priced(op)}
    [line] = [line for line in shown(profile).splitlines() if line.startswith("without a price: ")]
    listed = {Op(word) for word in line.removeprefix("without a price: ").split(", ")}
    # What is left out never happens there: a neuron by the other way of charging it, and hops and
    # deliveries of a machine that has no cores or no buffer beside the adders.
    assert listed <= unpriced
    assert unpriced - listed <= {Op.NEURON_UPDATE, *PARTS, Op.SPIKE_HOP, Op.DELIVERY}


CITED = {"source": "a bench", "evidence": "measured"}


def mine(**changed: Any) -> HardwareProfile:
    keys = {"name": "mine", "title": "A chip", "precision": "fp32", "value_bytes": 4, "prices": {}}
    return HardwareProfile.model_validate(keys | changed)


def test_a_memory_level_lists_its_buffers_its_size_and_its_prices() -> None:
    profile = mine(
        memory={
            "sram": {"curve": [[8192, 1.25], [2**20, 12.5]], "capacity_bytes": 2**21, **CITED},
            "dram": {"read_pj_per_byte": 2, "write_pj_per_byte": 3, "spread": [1, 2], **CITED},
            "flash": {"read_pj_per_byte": 9, "write_pj_per_byte": 9, **CITED},
        },
        placement={"weights": ["sram", "dram"], "state": "sram"},
    )
    text = shown(profile)
    assert profile_table(profile).cells() == [
        ["sram, per byte", "8 KiB: 1.25\n1 MiB: 12.5", "", "measured", "a bench"],
        ["dram, per byte", "2 / 3", "2 to 4 / 3 to 6", "measured", "a bench"],
        ["flash, per byte", "9", "", "measured", "a bench"],
    ]
    assert "sram of 2 MiB: weights, state" in text
    assert "dram: weights" in text
    assert "flash: unused" in text
    assert "weights: in sram, else in dram" in text
    assert "room by-need: " in text
    assert "state: in" not in text


def test_what_sources_disagree_on_is_said() -> None:
    others = [{"pj": 10, "source": "another"}]
    price = {"pj": 450, "spread": [0.5, 2], "others": others, "note": "early", **CITED}
    text = shown(mine(prices={"ac": price}))
    says = "a bench (early). Sources conflict by a factor of 45; others: 10 pJ, another"
    assert says in text
    assert " 225 to 900 " in text


def test_what_a_chip_holds_and_does_is_shown() -> None:
    text = shown(
        mine(
            throughput={"mac": {"per_second": 1e12, **CITED}},
            memory={"dram": {"read_pj_per_byte": 2, "write_pj_per_byte": 3, **CITED}},
            bandwidth={"dram": {"bytes_per_second": 2e9, **CITED}},
            core={"synapses": 2**20, "neurons": 1024, "note": "of 128", **CITED},
            system=[{"what": "gpt2", "value": 3, "unit": "mJ/token", **CITED}],
        )
    )
    assert "throughput 1e+12 mac per second (measured; a bench)" in text
    assert "bandwidth of dram 2e+09 bytes per second (measured; a bench)" in text
    assert "no throughput" not in text
    assert "core of 1,048,576 synapses, 1,024 neurons (measured; a bench (of 128))" in text
    assert "measured system, not part of a bill: 3 mJ/token, gpt2 (measured; a bench)" in text


def test_what_a_machine_stores_and_fetches_is_shown() -> None:
    level = {"read_pj_per_byte": 2, "write_pj_per_byte": 3, **CITED}
    fetch = {"pj_per_byte": 1.25, "mac_reuse": 2048, "event_reuse": 1, "reuse_range": [1, 4096]}
    text = shown(
        mine(
            memory={"dram": level},
            placement={"weights": "dram"},
            fusion="fused",
            encoding="bitmap",
            widths={"weights": 4.156, "accumulators": 24},
            delivery={**fetch, **CITED},
        )
    )
    for rule in (Fusion.FUSED, Encoding.BITMAP, Room.BY_NEED):
        assert f" {rule}: {rule.definition}" in text
    assert "bits of weights 4.156, activations 32, vectors 32, kv 32, accumulators 24" in text
    assert (
        "delivery 1.25 pJ per byte fetched beside the adders, for 2048 multiply-accumulates or 1 "
        "events, from 1 to 4096 of either (measured; a bench)"
    ) in text
    assert "no throughput: latency, and what follows from it, is unknown" in text
    # where nothing lies anywhere, nothing has a width
    assert "bits of" not in shown(mine())


def test_static_power_and_node_are_shown_where_known() -> None:
    loihi = shown(load_profile("loihi"))
    assert "static power 0.104 W (unverified; 3.34 W over 32 chips" in loihi
    assert "14 nm, 1-9 bit weights, 1 bytes per value, per_term" in loihi
    assert "unknown node" in shown(load_profile("kerasspiking-gpu"))
    assert "static power" not in shown(load_profile("45nm"))


def test_square_brackets_in_a_citation_are_shown_as_they_are() -> None:
    price = {"pj": 1, "source": "[smith2020] table [i], [/tmp]", "evidence": "measured"}
    profile = HardwareProfile.model_validate(
        {
            "name": "mine",
            "title": "mine [draft]",
            "precision": "fp32",
            "value_bytes": 4,
            "prices": {"mac": price},
            "assumptions": ["as in [smith2020]"],
        }
    )
    text = shown(profile)
    assert "[smith2020] table [i], [/tmp]" in text
    assert "mine: mine [draft]" in text
    assert "- as in [smith2020]" in text
