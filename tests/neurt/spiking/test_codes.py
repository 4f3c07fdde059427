"""Each code beside its published rule, written a second time for one value in exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from codes import HALF, RANGED, coder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neurt.spiking.config import Code

# The published rules, each for one value x in units of the threshold, as the events of T steps


def signed_if(x: Fraction, timesteps: int) -> list[Fraction]:
    # Owed is the input so far less the spikes so far; half a threshold or more is due.
    sent: list[Fraction] = []
    for step in range(1, timesteps + 1):
        owed = step * x - sum(sent)
        sent.append(Fraction((owed >= HALF) - (owed <= -HALF)))
    return sent


def burst(x: Fraction, timesteps: int) -> list[Fraction]:
    sent: list[Fraction] = []
    for step in range(1, timesteps + 1):
        whole = round(step * x - sum(sent))  # ties to even
        sent.append(Fraction(max(-7, min(7, whole))))
    return sent


def multi_threshold(x: Fraction, timesteps: int) -> list[Fraction]:
    sent: list[Fraction] = []
    for step in range(1, timesteps + 1):
        owed = step * x - sum(sent)
        reached = [2**k for k in range(8) if abs(owed) >= 2**k - HALF]
        sent.append(Fraction(max(reached, default=0)) * (1 if owed > 0 else -1))
    return sent


def sar(x: Fraction, timesteps: int) -> list[Fraction]:
    top = 2**timesteps - 1
    unit = 1 if abs(x) <= top + HALF else 16
    digits = f"{min(round(abs(x) / unit), top):0{timesteps}b}"
    sign = 1 if x >= 0 else -1
    places = reversed(range(timesteps))
    return [Fraction(sign * unit * int(d) * 2**p) for d, p in zip(digits, places, strict=True)]


RULES: dict[Code, Callable[[Fraction, int], list[Fraction]]] = {
    Code.SIGNED_IF: signed_if,
    Code.BURST: burst,
    Code.MULTI_THRESHOLD: multi_threshold,
    Code.SAR: sar,
}


@pytest.mark.parametrize("code", RANGED)
@settings(deadline=None, max_examples=80)
@given(
    sixteenths=st.lists(st.integers(-6000, 6000) | st.integers(-40, 40), min_size=1, max_size=8),
    exponent=st.integers(-6, 6),
    timesteps=st.integers(1, 9),
)
@example(sixteenths=[8, -8, 24, 56, 120, 248], exponent=0, timesteps=4)  # ties and thresholds
@example(sixteenths=[248, 249, 250, 3968, 3969], exponent=0, timesteps=4)  # the ranges of sar
def test_events_are_those_of_the_published_rule(
    code: Code, sixteenths: list[int], exponent: int, timesteps: int
) -> None:
    # Sixteenths of a threshold that is a power of two: the arithmetic is exact in float32.
    threshold = 2.0**exponent
    neuron = coder(code, timesteps, [threshold] * len(sixteenths))
    events = neuron(torch.tensor(sixteenths) / 16 * threshold)
    for channel, n in enumerate(sixteenths):
        expected = [float(event) for event in RULES[code](Fraction(n, 16), timesteps)]
        assert events[:, channel].tolist() == expected, (code, n)


def test_by_hand() -> None:
    # threshold 2, T = 4
    def events(code: Code, x: float) -> list[float]:
        made: list[float] = coder(code, 4, [2.0])(torch.tensor([x])).flatten().tolist()
        return made

    # potentials in thresholds: 0.3; 0.6 fires -> -0.4; -0.1; 0.2
    assert events(Code.SIGNED_IF, 0.6) == [0, 1, 0, 0]
    # 3.3 sends 3 -> 0.3; 3.6 sends 4 -> -0.4; 2.9 sends 3 -> -0.1; 3.2 sends 3
    assert events(Code.BURST, 6.6) == [3, 4, 3, 3]
    # 6.5 is below 8 - 1/2, sends 4 -> 2.5; 9 sends 8 -> 1; 7.5 sends 8 -> -0.5; 6 sends 4
    assert events(Code.MULTI_THRESHOLD, 13.0) == [4, 8, 8, 4]
    # 11.2 -> 11 = 1011 in the low range of 15; 100 -> 6.25 x 16 -> 6 = 0110 in the high one
    assert events(Code.SAR, -22.4) == [-8, 0, -2, -1]
    assert events(Code.SAR, 200.0) == [0, 64, 32, 0]


@settings(deadline=None, max_examples=60)
@given(st.floats(-1, 1), st.integers(1, 32))
def test_signed_if_sends_the_rounded_number_of_spikes(share: float, timesteps: int) -> None:
    events = coder(Code.SIGNED_IF, timesteps, [1.0], torch.float64)(
        torch.tensor([share], dtype=torch.float64)
    )
    assert abs(events.sum().item() - timesteps * share) <= 0.5 + 1e-9


# What an error can be

POSITIVE = st.floats(1e-3, 1e3)


def coded(code: Code, x: float, threshold: float, timesteps: int) -> float:
    neuron = coder(code, timesteps, [threshold], torch.float64)
    return neuron.decode(neuron(torch.tensor([x], dtype=torch.float64))).item()


@pytest.mark.parametrize(("code", "reach"), [(Code.SIGNED_IF, 1), (Code.BURST, 7)])
@settings(deadline=None, max_examples=80)
@given(share=st.floats(-1, 1), threshold=POSITIVE, timesteps=st.integers(1, 16))
def test_unit_spikes_are_off_by_half_a_level_inside_the_range(
    code: Code, reach: int, share: float, threshold: float, timesteps: int
) -> None:
    x = share * reach * threshold
    assert abs(coded(code, x, threshold, timesteps) - x) <= threshold / (2 * timesteps) * (1 + 1e-9)


@settings(deadline=None, max_examples=80)
@given(share=st.floats(0, 1), threshold=POSITIVE, timesteps=st.integers(1, 16))
@example(share=100 / 128, threshold=1.0, timesteps=1)  # 100 sends 64: off by 36
def test_multi_threshold_is_off_by_what_its_potential_keeps(
    share: float, threshold: float, timesteps: int
) -> None:
    # 2^k - 1/2 <= v < 2^(k+1) - 1/2 sends 2^k, which leaves -1/2 <= v - 2^k < (v - 1/2) / 2. From
    # v <- rest + x: rest < (x - 1/2) (1 - 2^-T) after T steps, where that is more than 1/2.
    u = 128 * share
    rest = (u * threshold - coded(Code.MULTI_THRESHOLD, u * threshold, threshold, timesteps)) * (
        timesteps / threshold
    )
    assert -0.5 - 1e-9 <= rest <= max(0.5, (u - 0.5) * (1 - 2.0**-timesteps)) + 1e-9


@settings(deadline=None, max_examples=60)
@given(share=st.floats(-1, 1), threshold=POSITIVE, timesteps=st.integers(1, 16))
def test_multi_threshold_is_off_by_half_a_level_up_to_its_smallest_threshold(
    share: float, threshold: float, timesteps: int
) -> None:
    x = share * threshold
    off = abs(coded(Code.MULTI_THRESHOLD, x, threshold, timesteps) - x)
    assert off <= threshold / (2 * timesteps) * (1 + 1e-9)


@settings(deadline=None, max_examples=120)
@given(share=st.floats(-1, 1), threshold=POSITIVE, timesteps=st.integers(1, 12), wide=st.booleans())
def test_sar_is_off_by_half_its_smallest_digit_in_each_range(
    share: float, threshold: float, timesteps: int, wide: bool
) -> None:
    end = 2**timesteps - 0.5
    x = share * (16 * end if wide else end) * threshold
    smallest = threshold if abs(x) <= end * threshold else 16 * threshold
    assert abs(coded(Code.SAR, x, threshold, timesteps) - x) <= smallest / 2 * (1 + 1e-9)


@settings(deadline=None, max_examples=40)
@given(st.floats(-1e6, 1e6), POSITIVE, st.integers(1, 16))
def test_exact_is_exact(x: float, threshold: float, timesteps: int) -> None:
    assert coded(Code.EXACT, x, threshold, timesteps) == pytest.approx(x, rel=1e-14)


@pytest.mark.parametrize("timesteps", [1, 3, 8])
@pytest.mark.parametrize(
    ("code", "reach"),
    [
        (Code.SIGNED_IF, lambda _: 1),
        (Code.BURST, lambda _: 7),
        (Code.MULTI_THRESHOLD, lambda _: 128),
        (Code.SAR, lambda t: 16 * (2**t - 1)),
    ],
)
def test_beyond_its_range_a_code_sends_its_largest_value(
    code: Code, reach: Callable[[int], int], timesteps: int
) -> None:
    largest = reach(timesteps) * 0.75
    for factor in (1.0, 1.5, 1e6, 1e30):
        assert coded(code, factor * largest, 0.75, timesteps) == largest
        assert coded(code, -factor * largest, 0.75, timesteps) == -largest
