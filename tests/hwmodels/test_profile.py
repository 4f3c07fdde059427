from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hwmodels import Evidence, HardwareProfile, Op, load_profile

BUILTIN = (
    "45nm",
    "45nm-fp16",
    "45nm-int8",
    "kerasspiking-arm",
    "kerasspiking-cpu",
    "kerasspiking-gpu",
    "loihi",
    "truenorth",
)
DIGITAL = ("45nm", "45nm-fp16", "45nm-int8")
TRAFFIC = [op for op in Op if op.buffer is not None]


def price(pj: float) -> dict[str, object]:
    return {"pj": pj, "source": "a bench", "evidence": "measured"}


def profile(**changed: Any) -> HardwareProfile:
    level = {"source": "a bench", "evidence": "measured"}
    keys: dict[str, Any] = {
        "name": "mine",
        "title": "A chip of mine",
        "precision": "fp32",
        "value_bytes": 4,
        "prices": {"mac": price(2.0), "cmp": price(0.0)},
        "memory": {
            "ram": {"read_pj_per_byte": 5.0, "write_pj_per_byte": 7.0, **level},
            "rom": {"read_pj_per_byte": 1.0, "write_pj_per_byte": 0.0, **level},
        },
        "placement": {"kv_cache": "ram", "weights": "rom"},
        "included": {"spike": "inside the mac"},
    }
    return HardwareProfile.model_validate(keys | changed)


@pytest.mark.parametrize("name", BUILTIN)
def test_a_builtin_profile_is_named_after_its_file(name: str) -> None:
    assert load_profile(name).name == name


@pytest.mark.parametrize("name", BUILTIN)
def test_every_number_of_a_builtin_profile_has_a_source_and_evidence(name: str) -> None:
    loaded = load_profile(name)
    numbers = [*loaded.prices.values(), *loaded.memory.values()]
    numbers += [loaded.static_power] if loaded.static_power else []
    assert numbers
    assert all(len(number.source) > 10 for number in numbers)
    assert all(number.evidence in Evidence for number in numbers)
    assert loaded.assumptions


@pytest.mark.parametrize("name", BUILTIN)
def test_every_price_of_a_builtin_profile_is_above_zero(name: str) -> None:
    assert min(entry.pj for entry in load_profile(name).prices.values()) > 0


@pytest.mark.parametrize(
    ("name", "mac_pj", "ac_pj", "value_bytes"),
    [("45nm", 4.6, 0.9, 4), ("45nm-fp16", 1.5, 0.4, 2), ("45nm-int8", 0.23, 0.03, 1)],
)
def test_the_45_nm_prices_of_horowitz(
    name: str, mac_pj: float, ac_pj: float, value_bytes: int
) -> None:
    loaded = load_profile(name)
    assert loaded.energy_pj(Op.MAC) == mac_pj
    assert loaded.energy_pj(Op.AC) == ac_pj
    assert loaded.value_bytes == value_bytes
    assert loaded.process_nm == 45
    assert loaded.scope == "per_term"


@pytest.mark.parametrize("name", DIGITAL)
def test_derived_45_nm_prices_follow_from_multiply_and_add(name: str) -> None:
    prices = {op: entry.pj for op, entry in load_profile(name).prices.items()}
    multiply, add = prices[Op.MUL], prices[Op.ADD]
    assert prices[Op.MAC] == pytest.approx(multiply + add)
    assert prices[Op.AC] == prices[Op.CMP] == add
    assert prices[Op.NEURON_UPDATE] == pytest.approx(multiply + 4 * add)


@pytest.mark.parametrize(
    ("name", "pj"), [("45nm", 0.9 + 0.03), ("45nm-fp16", 0.4 + 0.03), ("45nm-int8", 0.1 + 0.03)]
)
def test_a_45_nm_shift_is_an_addition_to_the_exponent_and_one_to_the_accumulator(
    name: str, pj: float
) -> None:
    # int8 add 0.03 pJ; an int8 weight that is shifted needs an int32 accumulator, 0.1 pJ
    loaded = load_profile(name)
    assert loaded.energy_pj(Op.SHIFT_AC) == pytest.approx(pj)
    assert Op.AC in loaded.prices
    assert loaded.energy_pj(Op.SHIFT_AC) > loaded.energy_pj(Op.AC)  # type: ignore[operator]


@pytest.mark.parametrize("name", sorted(set(BUILTIN) - set(DIGITAL)))
def test_no_other_hardware_has_a_price_for_a_shift(name: str) -> None:
    assert load_profile(name).energy_pj(Op.SHIFT_AC) is None


def test_the_45_nm_division_is_7_1_multiplications() -> None:
    assert load_profile("45nm").energy_pj(Op.DIV) == pytest.approx(7.1 * 3.7)


@pytest.mark.parametrize("name", DIGITAL)
def test_45_nm_memory_is_priced_per_byte_of_a_64_bit_access(name: str) -> None:
    loaded = load_profile(name)
    for op in TRAFFIC:
        in_dram = op.buffer in ("weights", "kv_cache")
        # 1300 pJ per 8 bytes of DRAM, 100 pJ per 8 bytes of a 1 MB SRAM
        assert loaded.energy_pj(op) == (1300 / 8 if in_dram else 100 / 8)
    assert loaded.memory["dram"].capacity_bytes is None
    assert loaded.memory["sram_1mb"].capacity_bytes == 2**20


@pytest.mark.parametrize("name", DIGITAL)
def test_45_nm_has_no_price_for_exponentials_and_square_roots(name: str) -> None:
    assert load_profile(name).energy_pj(Op.EXP) is None
    assert load_profile(name).energy_pj(Op.SQRT) is None


def test_loihi_prices_events_updates_and_routing() -> None:
    loihi = load_profile("loihi")
    assert loihi.energy_pj(Op.AC) == 23.6  # not 27.1: 3.5 of the same row is nanoseconds
    assert loihi.energy_pj(Op.NEURON_UPDATE) == 81
    assert loihi.energy_pj(Op.SPIKE) == 1.7
    assert {entry.evidence for entry in loihi.prices.values()} == {Evidence.SIMULATED}


@pytest.mark.parametrize("name", ["loihi", "truenorth"])
def test_a_spiking_chip_has_no_price_for_dense_work(name: str) -> None:
    assert load_profile(name).energy_pj(Op.MAC) is None
    assert load_profile(name).energy_pj(Op.KV_READ) is None


def test_truenorth_is_all_in() -> None:
    truenorth = load_profile("truenorth")
    assert truenorth.scope == "all_in"
    assert {op: entry.pj for op, entry in truenorth.prices.items()} == {Op.AC: 26}
    assert truenorth.energy_pj(Op.NEURON_UPDATE) == 0
    assert truenorth.energy_pj(Op.SPIKE) == 0


@pytest.mark.parametrize(
    ("name", "pj"),
    [("kerasspiking-cpu", 8600), ("kerasspiking-gpu", 300), ("kerasspiking-arm", 900)],
)
def test_kerasspiking_charges_one_price_for_synapses_and_neurons(name: str, pj: float) -> None:
    loaded = load_profile(name)
    assert {op: entry.pj for op, entry in loaded.prices.items()} == {
        Op.MAC: pj,
        Op.AC: pj,
        Op.NEURON_UPDATE: pj,
    }


def test_an_operation_is_priced_included_or_unpriced() -> None:
    mine = profile()
    assert mine.energy_pj(Op.MAC) == 2.0
    assert mine.energy_pj(Op.CMP) == 0.0
    assert mine.energy_pj(Op.SPIKE) == 0.0
    assert mine.energy_pj(Op.AC) is None


def test_traffic_costs_what_its_level_costs() -> None:
    mine = profile()
    assert mine.energy_pj(Op.KV_READ) == mine.energy_pj(Op.KV_SPIKE_READ) == 5.0
    assert mine.energy_pj(Op.KV_WRITE) == mine.energy_pj(Op.KV_SPIKE_WRITE) == 7.0
    assert mine.energy_pj(Op.WEIGHT_READ) == mine.energy_pj(Op.VECTOR_READ) == 1.0
    assert mine.energy_pj(Op.STATE_READ) is None


def test_included_traffic_is_free() -> None:
    mine = profile(included={"state_read_bytes": "inside the mac"})
    assert mine.energy_pj(Op.STATE_READ) == 0.0
    assert mine.energy_pj(Op.STATE_WRITE) is None


def test_a_profile_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        profile().name = "yours"  # type: ignore[misc]


def test_a_profile_survives_serialisation() -> None:
    mine = profile(static_power={"watts": 0.1, "source": "a bench", "evidence": "measured"})
    assert HardwareProfile.model_validate_json(mine.model_dump_json()) == mine


@pytest.mark.parametrize("grade", Evidence)
def test_every_grade_of_evidence_is_defined(grade: Evidence) -> None:
    assert grade.definition
    assert [other for other in Evidence if other.definition == grade.definition] == [grade]
