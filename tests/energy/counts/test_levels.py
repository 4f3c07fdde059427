from __future__ import annotations

import pytest

from energy import Levels
from hwmodels import Op


@pytest.mark.parametrize(
    ("levels", "values", "bits"),
    [
        (Levels.BINARY, 2, 1),
        (Levels.TERNARY, 3, 2),
        (Levels.BURST, 15, 4),  # -7 .. 7
        (Levels.COUNT, 255, 8),  # -127 .. 127
        (Levels.POWER, 1 + 2 * 31, 6),  # nothing, or a sign and one of 31 exponents
    ],
)
def test_a_slot_has_just_enough_bits_for_its_values(levels: Levels, values: int, bits: int) -> None:
    assert levels.bits_per_slot == bits
    assert 2 ** (bits - 1) < values <= 2**bits


def test_an_analog_slot_is_a_32_bit_value() -> None:
    assert Levels.ANALOG.bits_per_slot == 32


def test_an_event_is_added_shifted_and_added_or_multiplied() -> None:
    assert {levels: levels.op for levels in Levels} == {
        Levels.BINARY: Op.AC,
        Levels.TERNARY: Op.AC,
        Levels.BURST: Op.AC,
        Levels.COUNT: Op.AC,
        Levels.POWER: Op.SHIFT_AC,
        Levels.ANALOG: Op.MAC,
    }


def test_levels_are_written_as_words() -> None:
    words = ["binary", "ternary", "burst", "count", "power", "analog"]
    assert [str(levels) for levels in Levels] == words
    assert Levels("power") is Levels.POWER
