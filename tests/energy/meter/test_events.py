from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from builders import refused
from hypothesis import example, given, settings
from hypothesis import strategies as st

from energy import EventError, Levels, count_events

SPIKES = [Levels.BINARY, Levels.TERNARY, Levels.BURST, Levels.POWER]
FLOATS = [torch.float32, torch.float64, torch.bfloat16]
LARGEST, SMALLEST = 2.0**127, 2.0**-126  # normal powers of two in float32


def is_power_of_two(value: float) -> bool:
    """By definition: a fraction with one bit set, above or below the line."""
    if not math.isfinite(value):
        return False
    above, below = Fraction(value).as_integer_ratio()
    return abs(above).bit_count() == 1 and below.bit_count() == 1


#: Whether a value is a level, and how many events it is.
RULES: dict[Levels, Callable[[float], int | None]] = {
    Levels.BINARY: lambda x: int(x) if x in (0, 1) else None,
    Levels.TERNARY: lambda x: abs(int(x)) if x in (-1, 0, 1) else None,
    # a burst of n units is n events
    Levels.BURST: lambda x: abs(int(x)) if x in range(-7, 8) else None,
    # float32 has no exponents below -126 without a mantissa, so a smaller one is no event
    Levels.POWER: lambda x: (
        0 if x == 0 else 1 if is_power_of_two(x) and abs(x) >= SMALLEST else None
    ),
}


def expected(levels: Levels, values: list[float]) -> int | None:
    events = [RULES[levels](value) for value in values]
    return None if None in events else sum(event or 0 for event in events)


@pytest.mark.parametrize(
    ("levels", "values", "events"),
    [
        (Levels.BINARY, [0, 1, 1, 0], 2),
        (Levels.BINARY, [0, 0], 0),
        (Levels.BINARY, [-0.0, 1], 1),
        (Levels.TERNARY, [-1, 0, 1, -1], 3),
        (Levels.TERNARY, [-0.0, -1, 1], 2),
        (Levels.BURST, [-7, 0, 3, -0.0, 1], 11),  # 7 + 3 + 1
        (Levels.BURST, [7, 7], 14),
        (Levels.POWER, [-4, 0, 4096, 1, -0.0], 3),
        (Levels.POWER, [0, -0.0], 0),
        (Levels.ANALOG, [0, 0.3, -5], 3),  # each slot is multiplied, zero or not
    ],
)
@pytest.mark.parametrize("dtype", [*FLOATS, torch.int64])
def test_events_by_hand(
    levels: Levels, values: list[float], events: int, dtype: torch.dtype
) -> None:
    assert count_events(torch.tensor(values).to(dtype), levels, "x") == events


@pytest.mark.parametrize("dtype", FLOATS)
def test_powers_of_two_reach_to_the_ends_of_the_exponent(dtype: torch.dtype) -> None:
    values = torch.tensor([LARGEST, -LARGEST, SMALLEST, -SMALLEST, 0, 1], dtype=torch.float64)
    assert count_events(values.to(dtype), Levels.POWER, "x") == 5


@pytest.mark.parametrize(
    "stranger",
    [3.0, 0.75, math.inf, -math.inf, math.nan, 1 + 2**-23, 2.0**-149, 2.0**-130],
    ids=["3", "3/4", "inf", "-inf", "nan", "1 + ulp", "smallest subnormal", "subnormal"],
)
def test_what_is_no_power_of_two_is_refused(stranger: float) -> None:
    with pytest.raises(EventError, match=r"layer 'x' takes spikes, but 1 of 3 .* powers of two"):
        count_events(torch.tensor([stranger, 2, 0]), Levels.POWER, "x")


@pytest.mark.parametrize("levels", SPIKES)
@pytest.mark.parametrize("stranger", [math.nan, math.inf, -math.inf, 1e30 * 1.1])
@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_not_finite_is_refused_and_counted(
    levels: Levels, stranger: float, dtype: torch.dtype
) -> None:
    operand = torch.tensor([[0.0, 1.0], [stranger, stranger]]).to(dtype)
    with pytest.raises(EventError, match="layer 'x' takes spikes, but 2 of 4 inputs are not "):
        count_events(operand, levels, "x")


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([Levels.TERNARY, Levels.BURST, Levels.POWER]),
    st.lists(st.sampled_from([-4.0, -1.0, 0.0, 1.0, 2.0]), min_size=12, max_size=12),
    st.sampled_from(["transposed", "strided", "expanded"]),
)
def test_events_are_counted_in_any_memory_layout(
    levels: Levels, values: list[float], layout: str
) -> None:
    operand = torch.tensor(values).reshape(3, 4)
    if levels is Levels.TERNARY:
        operand = operand.sign()
    operand = {
        "transposed": operand.T,
        "strided": operand[:, ::2],
        "expanded": operand.unsqueeze(0).expand(3, 3, 4),
    }[layout]
    assert count_events(operand, levels, "x") == expected(levels, operand.flatten().tolist())


@pytest.mark.parametrize("levels", Levels)
def test_a_tensor_without_entries_holds_no_events(levels: Levels) -> None:
    assert count_events(torch.zeros(0, 4), levels, "x") == 0


@pytest.mark.parametrize(
    ("levels", "values", "strangers", "allowed", "low", "high"),
    [
        (Levels.BINARY, [0.5, 1, -2, 0], 2, "not 0 or 1 ", "-2", "1"),
        (Levels.BINARY, [-1, 1, 0, 0], 1, "not 0 or 1 ", "-1", "1"),
        (Levels.BINARY, [0.25, 0.5, 0.75, 0], 3, "not 0 or 1 ", "0", "0.75"),
        (Levels.BINARY, [1.0000001, 1, 1, 0], 1, "not 0 or 1 ", "0", "1"),
        (Levels.BINARY, [256, 1, 1, 0], 1, "not 0 or 1 ", "0", "256"),
        (Levels.TERNARY, [-1, 1, 0, 2], 1, "not -1, 0 or 1 ", "-1", "2"),
        (Levels.TERNARY, [-0.5, 1, 0, -1], 1, "not -1, 0 or 1 ", "-1", "1"),
        (Levels.BURST, [8, 1, 0, -7], 1, "not whole numbers from -7 to 7 ", "-7", "8"),
        (Levels.BURST, [0.5, 6.5, 0, -263], 3, "not whole numbers from -7 to 7 ", "-263", "6.5"),
        (Levels.POWER, [3, 0.1, 0, -4], 2, "not 0 or signed powers of two ", "-4", "3"),
    ],
)
def test_a_value_that_is_no_level_is_refused_with_the_range(
    levels: Levels, values: list[float], strangers: int, allowed: str, low: str, high: str
) -> None:
    said = refused(EventError, count_events, torch.tensor(values), levels, "encoder")
    message = said
    assert f"layer 'encoder' takes spikes, but {strangers} of 4 inputs" in message
    assert allowed in message
    assert f"(range {low} .. {high})" in message


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(SPIKES),
    st.lists(
        st.floats(width=32)
        | st.integers(-9, 9).map(float)
        | st.sampled_from([-1.0, 0.0, -0.0, 1.0])
        | st.integers(-149, 127).map(lambda exponent: 2.0**exponent),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([torch.float32, torch.float64]),
)
@example(Levels.BURST, [263.0], torch.float32)  # 7 after a byte has overflowed
@example(Levels.BINARY, [257.0], torch.float32)
@example(Levels.TERNARY, [255.0], torch.float32)
def test_events_are_accepted_exactly_where_every_value_is_a_level(
    levels: Levels, values: list[float], dtype: torch.dtype
) -> None:
    operand, events = torch.tensor(values, dtype=dtype), expected(levels, values)
    if events is None:
        with pytest.raises(EventError, match="layer 'x'"):
            count_events(operand, levels, "x")
    else:
        assert count_events(operand, levels, "x") == events


@pytest.mark.parametrize("levels", Levels)
def test_the_number_of_events_is_a_python_integer(levels: Levels) -> None:
    assert type(count_events(torch.tensor([1.0, 0.0]), levels, "x")) is int


def test_events_beyond_what_a_float_can_count() -> None:
    # 2^24 + 1 unit events, one more than float32 can tell apart
    operand = torch.ones(2**24 + 1, dtype=torch.int8)
    assert count_events(operand, Levels.BINARY, "x") == 2**24 + 1


def test_a_tensor_that_changed_in_place_is_counted_again() -> None:
    operand = torch.ones(2, 3)
    assert count_events(operand, Levels.BINARY, "x") == 6
    operand[0] = 0
    assert count_events(operand, Levels.BINARY, "x") == 3
    operand[0, 0] = 0.5
    with pytest.raises(EventError):
        count_events(operand, Levels.BINARY, "x")


@pytest.mark.parametrize("levels", SPIKES)
def test_counting_leaves_the_operand_alone(levels: Levels) -> None:
    operand = torch.tensor([[1.0, 0, 1], [0, 1, 1]]).T
    before, version = operand.clone(), operand._version
    count_events(operand, levels, "x")
    assert torch.equal(operand, before)
    assert operand._version == version


@pytest.mark.parametrize(
    ("wide", "narrow", "values"),
    [
        (Levels.TERNARY, Levels.BINARY, [1.0, -1.0]),
        (Levels.BURST, Levels.TERNARY, [2.0, -3.0]),
        (Levels.POWER, Levels.BURST, [0.5, 8.0]),
        (Levels.BURST, Levels.POWER, [3.0, 5.0]),
    ],
)
def test_spikes_of_one_kind_are_not_taken_for_another(
    wide: Levels, narrow: Levels, values: list[float]
) -> None:
    assert count_events(torch.tensor(values), wide, "x") > 0
    with pytest.raises(EventError):
        count_events(torch.tensor(values), narrow, "x")


def test_a_tensor_that_was_counted_and_then_changed_is_counted_again() -> None:
    spikes = torch.tensor([0.0, 1.0, 1.0])
    assert count_events(spikes, Levels.BINARY, "x") == 2
    assert count_events(spikes, Levels.BINARY, "x") == 2
    spikes[0] = 1
    assert count_events(spikes, Levels.BINARY, "x") == 3
    spikes[0] = -1
    assert count_events(spikes, Levels.TERNARY, "x") == 3
    with pytest.raises(EventError):
        count_events(spikes, Levels.BINARY, "x")


def test_a_tensor_of_inference_mode_is_counted() -> None:
    with torch.inference_mode():
        assert count_events(torch.ones(3), Levels.BINARY, "x") == 3
