from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels import Evidence, Op, ProfileError, load_profile, profile_names, with_constants
from hwmodels.constants import Setting
from hwmodels.keys import has_constant

PRICED = [
    name
    for name in profile_names()
    if load_profile(name).scope == "per_term" and load_profile(name).prices
]


def test_a_price_that_is_set_rests_on_nothing_but_that() -> None:
    own = load_profile("45nm")
    changed = with_constants(own, {"prices.mac": "500 fJ"})
    price = changed.prices[Op.MAC]
    assert (price.pj, price.source, price.evidence) == (0.5, "set for one run", Evidence.UNVERIFIED)
    assert "Horowitz" in price.note
    assert price.spread is None
    # The name, by which bills say what they are, is no longer that of the package.
    assert changed.name == "45nm+set"
    assert changed.title.endswith("prices.mac.pj = 0.5 in place of 4.6 set for one run")
    assert changed.assumptions[-1] == "prices.mac.pj = 0.5 in place of 4.6: set for one run."
    back = changed.model_copy(
        update={"name": own.name, "title": own.title, "assumptions": own.assumptions}
    )
    assert back.model_copy(update={"prices": own.prices}) == own


def test_a_number_may_bring_its_source_and_evidence() -> None:
    keys = {"prices.mac": 1, "prices.mac.source": "table 4", "prices.mac.evidence": "measured"}
    price = with_constants(load_profile("45nm"), keys).prices[Op.MAC]
    assert (price.source, price.evidence) == ("table 4", Evidence.MEASURED)


def test_of_a_level_of_memory_what_is_not_set_keeps_its_source() -> None:
    own = load_profile("45nm").memory["sram"]
    level = with_constants(load_profile("45nm"), {"memory.sram.capacity": "4MiB"}).memory["sram"]
    assert level.capacity_bytes == 4 * 2**20
    assert level.source == f"{own.source}; capacity_bytes set for one run"
    assert (level.evidence, level.curve, level.spread) == (own.evidence, own.curve, own.spread)


def test_one_price_of_a_level_is_that_of_reads_and_writes_in_place_of_a_curve() -> None:
    level = with_constants(load_profile("45nm"), {"memory.sram": "64 pJ / 64 bit"}).memory["sram"]
    assert (level.read_pj_per_byte, level.write_pj_per_byte, level.curve) == (8, 8, ())
    assert level.capacity_bytes == 24 * 2**20
    assert level.evidence is Evidence.UNVERIFIED


def test_a_reuse_that_was_chosen_has_no_range() -> None:
    fetch = with_constants(load_profile("45nm"), {"delivery.mac_reuse": 1}).delivery
    assert fetch is not None
    assert (fetch.mac_reuse, fetch.event_reuse, fetch.reuse_range) == (1, 2048, None)


def test_a_number_that_is_not_there_is_added_and_no_longer_included() -> None:
    profile = with_constants(load_profile("45nm"), {"prices.spike": 2, "static_power": "104 mW"})
    assert profile.prices[Op.SPIKE].pj == 2
    assert Op.SPIKE not in profile.included
    assert profile.static_power is not None
    assert profile.static_power.watts == 0.104


@pytest.mark.parametrize(
    ("name", "constants", "says"),
    [
        ("45nm", {"prices.mc": 1}, "no constant of '45nm'; did you mean 'prices.mac'?"),
        ("45nm", {"memory.srm": 1}, "did you mean 'memory.sram'?"),
        ("45nm", {"prices.mac": 4.6}, "prices.mac of '45nm' is that already"),
        ("45nm", {"prices.mac": "1 pJ/bit"}, "'prices.mac.pj' (= '1 pJ/bit'): must be a number"),
        ("45nm", {"prices.mac": "1 pJ/SOP"}, "is the energy of another operation, ac"),
        ("45nm", {"prices.mac": "cheap"}, "must be a number, or an energy with its unit"),
        ("45nm", {"prices.mac.source": "x"}, "set prices.mac beside it"),
        ("45nm", {"prices.mac": 1, "prices.mac.pj": 2}, "prices.mac.pj is set twice"),
        ("45nm", {"prices.spike_hop": 1}, "no effect on '45nm': without [core] no spike is routed"),
        ("45nm", {"memory.sram.read": 1}, "or a curve of"),
        ("truenorth", {"prices.mac": 1}, "an all_in profile has one price"),
        ("h100", {"prices.mac": 1}, "were fitted together"),
    ],
)
def test_what_is_no_constant_or_changes_nothing_is_one_line(
    name: str, constants: dict[str, object], says: str
) -> None:
    with pytest.raises(ProfileError, match=re.escape(says)) as error:
        with_constants(load_profile(name), constants)
    assert "\n" not in str(error.value)


@given(st.data())
def test_only_what_is_set_changes(data: st.DataObject) -> None:
    own = load_profile(data.draw(st.sampled_from(PRICED)))
    op = data.draw(st.sampled_from(sorted(own.prices)))
    pj = data.draw(st.floats(1e-6, 1e9).filter(lambda pj: pj != own.prices[op].pj))
    changed = with_constants(own, {f"prices.{op}": f"{pj!r} pJ"})
    assert changed.prices[op].pj == pj
    same = set(own.prices) - {op}
    assert {key: changed.prices[key] for key in same} == {key: own.prices[key] for key in same}
    for field in ("memory", "placement", "delivery", "core", "included", "throughput"):
        assert getattr(changed, field) == getattr(own, field)
    assert changed.model_fields_set == own.model_fields_set | {"assumptions"}


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("prices.mac=0.5pJ", Setting("prices.mac", "0.5pJ")),
        ("prices.mac = 2", Setting("prices.mac", 2)),
        ("core.neurons=1e3", Setting("core.neurons", 1000.0)),
        ("45nm:prices.mac=1", Setting("prices.mac", 1, "45nm")),
        ("chip.toml:int8:prices.mac=1", Setting("prices.mac", 1, "chip.toml:int8")),
        ("prices.mac.source=a = b", Setting("prices.mac.source", "a = b")),
    ],
)
def test_a_setting_is_read(text: str, setting: Setting) -> None:
    assert Setting.parse(text) == setting


@pytest.mark.parametrize("text", ["", "prices.mac", "prices.mac=", "=1", "45nm:=1"])
def test_a_setting_has_a_key_and_a_value(text: str) -> None:
    with pytest.raises(ProfileError, match="must be KEY=VALUE"):
        Setting.parse(text)


def test_a_curve_is_set_as_points_in_place_of_one_price_or_another_curve() -> None:
    points = "8KiB: 1.25pJ/byte, 1MiB:0.3 pJ/bit"
    level = with_constants(load_profile("45nm"), {"memory.sram.curve": points}).memory["sram"]
    assert level.curve == ((8192, 1.25), (1 << 20, 2.4))  # 0.3 pJ x 8 bits
    assert level.capacity_bytes == load_profile("45nm").memory["sram"].capacity_bytes
    dram = with_constants(load_profile("45nm"), {"memory.dram.curve": points}).memory["dram"]
    assert (dram.curve, dram.read_pj_per_byte, dram.write_pj_per_byte) == (level.curve, None, None)
    plain = with_constants(load_profile("45nm"), {"memory.sram.curve": "1024:2,2048:3"})
    assert plain.memory["sram"].curve == ((1024, 2), (2048, 3))
    assert len(plain.title) < 200
    for words in ("3", "8KiB", "8KiB:", ":3"):
        with pytest.raises(ProfileError, match="a curve is SIZE:ENERGY of each array"):
            with_constants(load_profile("45nm"), {"memory.sram.curve": words})
    with pytest.raises(ProfileError, match="sizes of the curve must increase"):
        with_constants(load_profile("45nm"), {"memory.sram.curve": "2048:3,1024:2"})
    with pytest.raises(ProfileError, match="a curve and to one price; leave one"):
        with_constants(
            load_profile("45nm"), {"memory.sram.curve": "2048:3", "memory.sram": "1 pJ/byte"}
        )


def test_a_level_with_a_curve_has_a_number_that_may_be_set() -> None:
    assert has_constant(load_profile("45nm"), "memory.sram")
    assert has_constant(load_profile("45nm"), "memory.dram.curve")
    assert not has_constant(load_profile("45nm"), "memory.dram.capacity")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("value_bytes", "take a profile of that precision"),
        ("precision", "a file that extends this one"),
        ("widths.weights", "is said by --widths"),
        ("room", "is said by --room"),
        ("placement.weights", "write a file"),
    ],
)
def test_what_is_set_elsewhere_says_where(key: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        with_constants(load_profile("45nm"), {key: 2})
