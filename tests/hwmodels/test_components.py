from __future__ import annotations

import sys
from typing import Any, NamedTuple

import pytest

from hwmodels import Evidence, Op, load_profile, with_prices
from hwmodels.components import ComponentError, component_level, component_price


class Cost(NamedTuple):
    energy: float  # joules


class Memory:
    """Answers like a component of hwcomponents: joules per action, of any number of bits."""

    def __init__(self, width: int, joules: float = 8e-12) -> None:
        self.width, self.joules = width, joules

    def read(self, bits_per_action: int | None = None) -> Cost:
        return Cost(self.joules * (bits_per_action or self.width) / self.width)

    def write(self, bits_per_action: int | None = None) -> Cost:
        return Cost(2 * self.read(bits_per_action).energy)

    def leak(self, cycles: int) -> float:
        return cycles * 1e-15


def test_an_action_is_priced_in_picojoules() -> None:
    price = component_price(Memory, {"width": 64}, "read")
    assert price.pj == pytest.approx(8.0)  # 8e-12 J
    assert price.evidence is Evidence.SIMULATED
    assert price.source.endswith("Memory(width=64), read()")


def test_arguments_of_an_action_are_passed_and_cited() -> None:
    price = component_price(
        Memory, {"width": 64}, "write", evidence=Evidence.DERIVED, note="scaled", bits_per_action=32
    )
    assert price.pj == pytest.approx(8.0)  # 2 x 8 pJ x 32 / 64 bits
    assert price.source.endswith("write(bits_per_action=32)")
    assert (price.evidence, price.note) == (Evidence.DERIVED, "scaled")


@pytest.mark.parametrize("access_bits", [None, 64])
def test_a_memory_is_priced_per_byte(access_bits: int | None) -> None:
    level = component_level(Memory, {"width": 64}, access_bits=access_bits, capacity_bytes=32768)
    # 8 pJ per 64 bits read, 16 pJ written: 1 and 2 pJ per byte
    assert level.read_pj_per_byte == pytest.approx(1.0)
    assert level.write_pj_per_byte == pytest.approx(2.0)
    assert level.capacity_bytes == 32768


def test_a_component_goes_into_a_profile() -> None:
    sram = component_level(Memory, {"width": 64})
    mine = with_prices(load_profile("45nm"), {}, name="mine", memory={"sram": sram})
    assert mine.memory["sram"] == sram
    assert mine.is_priced(Op.WEIGHT_READ)


@pytest.mark.parametrize(
    ("attributes", "action", "says"),
    [
        ({"depth": 64}, "read", r"'Memory' with {'depth': 64} has no energy: TypeError"),
        ({"width": 64}, "erase", r"'Memory' with {'erase': {}} has no energy: AttributeError"),
        ({"width": 64}, "leak", r"'Memory' with {'leak': {}} has no energy: TypeError"),
        ({"width": 64, "joules": -1e-12}, "read", "an energy of -1e-12 J for 'read'; it must be"),
        ({"width": 64, "joules": float("nan")}, "read", "an energy of nan J for 'read'; it must"),
    ],
)
def test_a_component_without_an_energy_is_named(
    attributes: dict[str, Any], action: str, says: str
) -> None:
    with pytest.raises(ComponentError, match=says):
        component_price(Memory, attributes, action)


def test_an_action_that_costs_something_else_than_energy() -> None:
    with pytest.raises(ComponentError, match="'float' object has no attribute 'energy'"):
        component_price(Memory, {"width": 64}, "leak", cycles=3)


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hwcomponents", None)
    with pytest.raises(ComponentError, match=r"'IntAdder' needs the package hwcomponents, .*pip"):
        component_price("IntAdder", {"width": 32, "tech_node": 45e-9}, "add")


@pytest.fixture
def real() -> None:
    if sys.version_info < (3, 12):
        pytest.skip("hwcomponents needs Python 3.12")
    pytest.importorskip("hwcomponents_library", reason="hwcomponents-library is not installed")


@pytest.mark.usefixtures("real")
def test_an_adder_of_the_real_package() -> None:
    price = component_price("AladdinAdder", {"width": 32, "tech_node": 40e-9}, "add")
    assert price.pj == pytest.approx(0.21)  # as its table has it at 32 bits and 40 nm
    assert price.source.startswith("hwcomponents ")
    assert " with hwcomponents_library " in price.source
    assert "AladdinAdder(width=32, tech_node=4e-08), add()" in price.source


@pytest.mark.usefixtures("real")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a file that it leaves open
def test_an_sram_of_cacti_agrees_with_horowitz_within_a_quarter() -> None:
    pytest.importorskip("hwcomponents_cacti", reason="hwcomponents-cacti is not installed")
    attributes = {"size": 32768 * 8, "width": 64, "tech_node": 45e-9}
    try:
        level = component_level("SRAM", attributes, capacity_bytes=32768)
    except ComponentError as error:
        if "GLIBC" in str(error.__cause__) or "CACTI failed" in str(error.__cause__):
            pytest.skip("the CACTI binary of hwcomponents-cacti does not run here")
        raise
    # 20 pJ per 64 bits of a 32 KB cache: 2.5 pJ per byte
    assert level.read_pj_per_byte == pytest.approx(2.5, rel=0.25)


@pytest.mark.usefixtures("real")
def test_the_real_package_has_no_such_component() -> None:
    with pytest.raises(ComponentError, match=r"'FluxCapacitor' with .* has no energy"):
        component_price("FluxCapacitor", {"width": 32}, "add")
