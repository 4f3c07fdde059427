from __future__ import annotations

from typing import Any

import pytest
from builders import CITED, chip
from pydantic import ValidationError

from hwmodels import Evidence, HardwareProfile, Op, load_profile, profile_names

BUILTIN = profile_names()
TRAFFIC = [op for op in Op if op.buffer is not None]


def profile(**changed: Any) -> HardwareProfile:
    keys: dict[str, Any] = {
        "memory": {
            "ram": {"read_pj_per_byte": 5.0, "write_pj_per_byte": 7.0, **CITED},
            "rom": {"read_pj_per_byte": 1.0, "write_pj_per_byte": 0.0, **CITED},
        },
        "placement": {"kv_cache": "ram", "weights": "rom"},
        "included": {"spike": "inside the mac"},
    }
    return chip({"mac": 2.0, "cmp": 0.0}, **keys | changed)


@pytest.mark.parametrize("name", BUILTIN)
def test_every_number_of_a_builtin_profile_has_a_source_and_evidence(name: str) -> None:
    loaded = load_profile(name)
    numbers = [*loaded.prices.values(), *loaded.memory.values(), *loaded.throughput.values()]
    numbers += [*loaded.system, *filter(None, (loaded.static_power, loaded.core))]
    numbers += [cost for _, cost in loaded.whole_chip.costs] if loaded.whole_chip else []
    assert numbers
    assert all(len(number.source) > 10 for number in numbers)
    assert all(number.evidence in Evidence for number in numbers)
    assert loaded.assumptions


@pytest.mark.parametrize("name", BUILTIN)
def test_every_price_of_a_builtin_profile_is_above_zero(name: str) -> None:
    assert all(entry.pj > 0 for entry in load_profile(name).prices.values())


@pytest.mark.parametrize("name", ["loihi", "truenorth"])
def test_a_spiking_chip_has_no_price_for_dense_work(name: str) -> None:
    assert not load_profile(name).is_priced(Op.MAC)
    assert not load_profile(name).is_priced(Op.KV_READ)


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


def test_traffic_is_priced_where_its_buffer_is_placed_or_included() -> None:
    mine = profile(included={"state_read_values": "inside the mac"})
    priced = {op for op in TRAFFIC if mine.is_priced(op)}
    # placed: the KV cache and weights; included: reads of the state, but not its writes
    assert priced == {
        *(op for op in TRAFFIC if op.buffer in ("kv_cache", "weights")),
        Op.STATE_READ,
    }
    assert mine.energy_pj(Op.STATE_READ) == 0.0
    assert mine.energy_pj(Op.STATE_WRITE) is None


def test_what_is_not_traffic_is_priced_or_included() -> None:
    assert {op for op in Op if op.buffer is None and profile().is_priced(op)} == {
        Op.MAC,
        Op.CMP,
        Op.NEURON_CMP,  # as its like outside of neurons
        Op.SPIKE,
    }


def test_a_level_in_quotes_is_a_list_of_one() -> None:
    assert profile().placement == {"kv_cache": ("ram",), "weights": ("rom",)}
    both = profile(placement={"weights": ["rom", "ram"]})
    assert both.placement == {"weights": ("rom", "ram")}


@pytest.mark.parametrize("levels", [[], ["rom", "disk"]])
def test_a_buffer_is_placed_in_levels_that_there_are(levels: list[str]) -> None:
    with pytest.raises(ValidationError, match=r"placement\.weights names the memory level"):
        profile(placement={"weights": levels})


def test_a_profile_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        profile().name = "yours"  # type: ignore[misc]


def test_a_profile_survives_serialisation() -> None:
    mine = profile(
        static_power={"watts": 0.1, **CITED},
        throughput={"mac": {"per_second": 1e12, **CITED}},
        core={"synapses": 64, "neurons": 8, **CITED},
        system=[{"what": "a model", "value": 3, "unit": "mJ/token", **CITED}],
        dataflow="event-driven",
    )
    assert HardwareProfile.model_validate_json(mine.model_dump_json()) == mine
