from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.each import EACH, ENERGY_EACH, energy_of
from hwmodels.ops import Op
from hwmodels.units import (
    DATA,
    DATA_RATE,
    ENERGY,
    ENERGY_PER_BYTE,
    LENGTH,
    POWER,
    RATE,
    Quantity,
)

QUANTITIES = (DATA, ENERGY, ENERGY_PER_BYTE, LENGTH, POWER, RATE)
FINITE = st.floats(min_value=0, allow_nan=False, allow_infinity=False)


@given(FINITE, st.sampled_from(QUANTITIES))
def test_a_number_with_the_unit_of_its_key_is_that_number(value: float, what: Quantity) -> None:
    assert float(what.read(f"{value!r} {what.unit}")) == value


@given(st.decimals(0, 10**9, allow_nan=False, places=6))
def test_a_prefix_moves_the_point_and_nothing_else(value: object) -> None:
    # Decimal arithmetic: 81e-12 J is 81 pJ exactly.
    assert ENERGY.read(f"{value}e-12 J") == ENERGY.read(f"{value} pJ")
    assert ENERGY.read(f"{value} nJ") == ENERGY.read(f"{value}e3 pJ")


@given(FINITE.filter(lambda value: value < 1e300), st.sampled_from(["pJ/bit", "nJ/byte"]))
def test_an_energy_per_bit_is_eight_times_as_much_per_byte(value: float, unit: str) -> None:
    factor = {"pJ/bit": 8, "nJ/byte": 1000}[unit]
    assert float(ENERGY_PER_BYTE.read(f"{value!r} {unit}")) == pytest.approx(value * factor)


@pytest.mark.parametrize(
    ("what", "text", "value"),
    [
        (ENERGY, "0.9 pJ", 0.9),
        (ENERGY, "0.9pJ", 0.9),
        (ENERGY, " +.9  picojoule ", 0.9),
        (ENERGY, "81e-12 J", 81),
        (ENERGY, "1 pW*s", 1),
        (ENERGY_PER_BYTE, "20.3 pJ/bit", 162.4),
        (ENERGY_PER_BYTE, "162.5 pJ / byte", 162.5),
        (ENERGY_PER_BYTE, "1 µJ/KiB", 1e6 / 1024),
        (DATA, "1 MiB", 2**20),
        (DATA, "2 kB", 2000),
        (DATA, "4 bit", 0.5),
        (DATA, "4 bytes", 4),
        (POWER, "104 mW", 0.104),
        (RATE, "1e12/s", 10**12),
        (RATE, "3 1/s", 3),
        (RATE, "3 s^-1", 3),
        (RATE, "1.4 GHz", 1.4e9),
        (ENERGY_PER_BYTE, "512 pJ / 64 bit", 64),  # 512 x 8 / 64
        (ENERGY_PER_BYTE, "1.2 nJ per 32 B", 37.5),  # 1200 / 32
        (ENERGY_PER_BYTE, "200 fJ/bit", 1.6),
        (DATA_RATE, "34 GB/s", 34 * 10**9),
        (DATA_RATE, "400 Gbit/s", 5 * 10**10),
        (DATA_RATE, "34e9/s", 34 * 10**9),
        (ENERGY_EACH, "0.9 pJ/SOP", 0.9),
        (ENERGY_EACH, "4.6pJ per MAC", 4.6),
        (ENERGY_EACH, "23.6 pJ / synaptic operations", 23.6),
        (ENERGY_EACH, "81 fJ/neuron_update", 0.081),
        (ENERGY_EACH, "5 pJ/1 MAC", 5),
        (LENGTH, "45 nm", 45),
        (LENGTH, "0.18 µm", 180),
    ],
)
def test_a_data_sheet_is_read(what: Quantity, text: str, value: float) -> None:
    assert what.read(text) == value


@pytest.mark.parametrize("value", [4, 0.9, True, None, ["1 pJ"]])
def test_what_is_no_string_is_passed_on(value: object) -> None:
    assert ENERGY.read(value) is value


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (ENERGY, "0.9 pJ/bit"),  # pint's own bit is a pure number
        (ENERGY_EACH, "0.9 pJ/bit"),
        (ENERGY_EACH, "5 pJ / 8 bit"),
        (ENERGY_EACH, "0.5 pJ/FLOP"),  # of which a MAC is one, or two
        (ENERGY, "0.9 pJ/SOP"),
        (ENERGY_PER_BYTE, "0.9 pJ/SOP"),
        (ENERGY_PER_BYTE, "512 pJ/access"),
        (ENERGY_PER_BYTE, "512 pJ / 0 bit"),
        (ENERGY_PER_BYTE, "0.9 pJ"),
        (ENERGY, "0.9 W"),
        (RATE, "1 Gbit/s"),
        (DATA, "45 nm"),
        (ENERGY, "0.9"),
        (ENERGY, "pJ"),
        (ENERGY, ""),
        (ENERGY, "cheap"),
        (ENERGY, "nan pJ"),
        (ENERGY, "inf pJ"),
        (ENERGY, "9**9**9**9 pJ"),
        (ENERGY, "1 pJ**9**9"),
        (ENERGY, "(1 + 1) pJ"),
        (ENERGY, "1 pJ" + "*s" * 99),
        (ENERGY, "1" * 99 + " pJ"),
        (RATE, "1e9999/s"),
        (ENERGY, "٣ pJ"),  # digits that people do not write in a data sheet
        (ENERGY, "1e-400 pJ"),  # no float holds it, and it is no zero
    ],
)
def test_what_is_no_such_quantity_is_refused(what: Quantity, text: str) -> None:
    rule = f'must be a number, or {what.kind} with its unit such as "{what.example}"'
    with pytest.raises(ValueError, match=rule):
        what.read(text)


@pytest.mark.parametrize("unit", ["pj", "KB", "op", "nan", "pJ*inf", "percent", "degC", "barn"])
def test_an_unknown_unit_is_named(unit: str) -> None:
    with pytest.raises(ValueError, match=f"its unit '{unit.replace('*', '.')}' is not known"):
        ENERGY.read(f"1 {unit}")


@pytest.mark.parametrize("what", QUANTITIES)
def test_each_example_is_valid(what: Quantity) -> None:
    assert what.read(what.example) > 0


def test_numbers_without_a_unit_do_not_load_pint() -> None:
    script = (
        "import sys, hwmodels\n"
        "for name in hwmodels.profile_names(): hwmodels.load_profile(name)\n"
        "print('pint' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True
    )
    assert run.stdout.split() == ["False"]


def test_an_access_of_unknown_width_is_no_price_of_a_byte() -> None:
    with pytest.raises(ValueError, match="one word may have any number of bits"):
        ENERGY_PER_BYTE.read("512 pJ/word")


def test_an_energy_of_another_operation_is_refused() -> None:
    assert energy_of(Op.AC, "0.9 pJ/SOP") == energy_of(Op.SHIFT_AC, "0.9 pJ per event") == 0.9
    with pytest.raises(ValueError, match="is the energy of another operation, ac; mac is one"):
        energy_of(Op.MAC, "0.9 pJ/SOP")


@pytest.mark.parametrize("name", EACH)
def test_each_name_of_an_operation_is_understood_in_the_plural_and_in_capitals(name: str) -> None:
    op = EACH[name][0]
    assert {energy_of(op, f"2 pJ/{x}") for x in (name, f"{name}s", name.upper())} == {2}
