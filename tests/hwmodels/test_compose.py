from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hwmodels import (
    Buffer,
    Evidence,
    HardwareProfile,
    MemoryLevel,
    Op,
    Price,
    ProfileError,
    load_profile,
    with_prices,
)
from hwmodels.compose import as_table, overlay
from hwmodels.template import PRICED


def price(pj: float, by: str = "a bench") -> dict[str, Any]:
    return {"pj": pj, "source": by, "evidence": "measured"}


def level(pj: float, by: str = "a bench") -> dict[str, Any]:
    flat = {"read_pj_per_byte": pj, "write_pj_per_byte": pj}
    return flat | {"source": by, "evidence": "measured"}


BASE: dict[str, Any] = {
    "name": "base",
    "title": "A base",
    "precision": "fp32",
    "value_bytes": 4,
    "prices": {"mac": price(4.0), "exp": price(9.0)},
    "memory": {"ram": level(1.0), "rom": level(2.0)},
    "placement": {"weights": "rom", "kv_cache": "ram"},
    "included": {"spike": "inside the mac", "state_read_values": "inside the update"},
    "static_power": {"watts": 1.0, "source": "a bench", "evidence": "measured"},
    "system": [{"what": "a", "value": 1, "unit": "J", "source": "b", "evidence": "measured"}],
    "assumptions": ["one"],
}


def laid(**change: Any) -> HardwareProfile:
    whole = overlay(BASE, change, name="child", onto="base")
    return HardwareProfile.model_validate(whole)


def test_nothing_changes_nothing() -> None:
    assert laid() == HardwareProfile.model_validate(BASE)


def test_entries_are_replaced_one_by_one_and_assumptions_appended() -> None:
    mine = laid(
        value_bytes=1,
        prices={"mac": price(1.0)},
        memory={"ram": level(0.5)},
        placement={"weights": "ram"},
        assumptions=["two"],
    )
    assert {op: entry.pj for op, entry in mine.prices.items()} == {Op.MAC: 1.0, Op.EXP: 9.0}
    assert {n: entry.read_pj_per_byte for n, entry in mine.memory.items()} == {"ram": 0.5, "rom": 2}
    assert mine.placement == {Buffer.WEIGHTS: ("ram",), Buffer.KV_CACHE: ("ram",)}
    assert mine.assumptions == ("one", "two")
    assert mine.value_bytes == 1


def test_a_list_of_cited_figures_is_replaced_whole() -> None:
    assert laid(system=[]).system == ()


def test_what_is_priced_is_no_longer_included_and_the_other_way_round() -> None:
    mine = laid(prices={"spike": price(1.0)}, included={"exp": "inside the softmax"})
    assert mine.energy_pj(Op.SPIKE) == 1.0
    assert set(mine.included) == {Op.STATE_READ, Op.EXP}
    assert set(mine.prices) == {Op.MAC, Op.SPIKE}


def test_a_buffer_that_is_placed_is_no_longer_included() -> None:
    assert set(laid(placement={"state": "ram"}).included) == {Op.SPIKE}


def test_a_buffer_is_included_as_a_whole() -> None:
    both = {"weight_read_values": "inside", "vector_read_values": "inside"}
    assert set(laid(included=both).placement) == {Buffer.KV_CACHE}
    with pytest.raises(ValidationError, match=r"included\.weight_read_values is priced as well"):
        laid(included={"weight_read_values": "inside"})


def test_prices_are_taken_out() -> None:
    mine = laid(unpriced=["exp", "weights", "state", "sqrt"])
    assert [op for op in (Op.EXP, Op.WEIGHT_READ, Op.STATE_READ) if mine.is_priced(op)] == []
    assert mine.is_priced(Op.MAC)
    assert mine.is_priced(Op.KV_READ)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prices": {"mac": {"pj": 1.0}}}, "prices.mac replaces that of 'base' whole, so it must"),
        ({"prices": {"mac": {"pj": 1.0}}}, "bring its own 'source' and 'evidence'"),
        ({"prices": {"mac": {"pj": 1.0, "evidence": "derived"}}}, "bring its own 'source'$"),
        ({"memory": {"ram": {"read_pj_per_byte": 1.0}}}, "memory.ram replaces that of 'base'"),
        ({"static_power": {"watts": 2.0}}, "static_power replaces that of 'base'"),
        ({"unpriced": "exp"}, "key 'unpriced' .* must be a list"),
        ({"unpriced": [1]}, "key 'unpriced' .* must be a list"),
        ({"unpriced": ["expo"]}, "unpriced names 'expo', which is neither an operation nor"),
        ({"unpriced": ["kv_read_values"]}, "memory traffic: name its buffer 'kv_cache' instead"),
        ({"unpriced": ["mac"], "prices": {"mac": price(1.0)}}, "'mac' is unpriced and priced"),
        ({"unpriced": ["spike"], "included": {"spike": "in"}}, "'spike' is unpriced and priced"),
        ({"unpriced": ["state"], "placement": {"state": "ram"}}, "'state' is unpriced and priced"),
    ],
)
def test_a_change_that_contradicts_itself_or_cites_nobody(
    change: dict[str, Any], says: str
) -> None:
    with pytest.raises(ProfileError, match=f"^hardware profile 'child': .*{says}"):
        laid(**change)


@pytest.mark.parametrize("table", ["prices", "memory", "placement", "included", "throughput"])
@pytest.mark.parametrize("value", [3, "ram", ["mac"]])
def test_a_table_that_is_none_is_left_to_the_schema(table: str, value: object) -> None:
    with pytest.raises(ValidationError, match=table):
        laid(**{table: value})


def entries(by: str) -> st.SearchStrategy[dict[str, Any]]:
    priced = st.dictionaries(st.sampled_from(PRICED), st.floats(1e-6, 1e6), max_size=6)
    levels = st.dictionaries(st.sampled_from(["l1", "l2", "dram"]), st.floats(1e-6, 1e6))
    powers = st.none() | st.floats(1e-12, 10)
    return st.builds(
        lambda pj, at, watts: {
            "prices": {op: price(x, by) for op, x in pj.items()},
            "memory": {name: level(x, by) for name, x in at.items()},
            "static_power": watts
            if watts is None
            else {"watts": watts, "source": by, "evidence": "measured"},
        },
        priced,
        levels,
        powers,
    )


def cited(table: dict[str, Any]) -> dict[str, Any]:
    found = {f"prices.{op}": entry for op, entry in table.get("prices", {}).items()}
    found |= {f"memory.{name}": entry for name, entry in table.get("memory", {}).items()}
    return found | ({"static_power": table["static_power"]} if table.get("static_power") else {})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 2).flatmap(lambda n: entries(f"file {n}")), min_size=1, max_size=4))
def test_every_number_keeps_the_source_of_the_file_that_set_it(files: list[dict[str, Any]]) -> None:
    whole: dict[str, Any] = {"name": "n", "title": "t", "precision": "p", "value_bytes": 1}
    expected: dict[str, Any] = {}
    for number, table in enumerate(files):
        change = {key: value for key, value in table.items() if value is not None}
        whole = overlay(whole, change, name=f"file {number}", onto="the one before")
        expected |= cited(table)
    whole.setdefault("prices", {})
    assert cited(as_table(HardwareProfile.model_validate(whole))) == expected


def test_a_plug_in_computes_prices_in_a_few_lines() -> None:
    # The energy of an access grows with the square root of the capacity: 2.5 x sqrt(2) pJ at 64 KiB
    def chip(capacity_bytes: int) -> HardwareProfile:
        pj = 2.5 * (capacity_bytes / 32768) ** 0.5
        cites = {"source": "2.5 pJ at 32 KiB, scaled", "evidence": Evidence.DERIVED}
        sram = MemoryLevel(read_pj_per_byte=pj, write_pj_per_byte=pj, **cites)  # type: ignore[arg-type]
        return with_prices(
            load_profile("45nm"),
            {Op.EXP: Price(pj=9.2, **cites)},  # type: ignore[arg-type]
            name="chip",
            memory={"sram": sram},
            assumptions=["SRAM scales with the square root of its capacity."],
        )

    mine = chip(65536)
    base = load_profile("45nm")
    assert mine.memory["sram"].read_pj_per_byte == pytest.approx(2.5 * 2**0.5)
    assert mine.energy_pj(Op.EXP) == 9.2
    assert mine.title == "45 nm digital CMOS, FP32 (Horowitz 2014), changed by chip"
    assert mine.assumptions[: len(base.assumptions)] == base.assumptions
    assert {op: mine.prices[op] for op in base.prices} == base.prices
    assert HardwareProfile.model_validate(as_table(mine)) == mine


def test_a_computed_price_is_checked() -> None:
    nan = Price.model_construct(pj=float("nan"), source="a", evidence=Evidence.DERIVED)
    with pytest.raises(ValidationError, match="finite"):
        with_prices(load_profile("45nm"), {Op.MAC: nan}, name="chip")
