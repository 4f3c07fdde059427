"""The greedy code beside its rule in exact fractions, its dead zones beside what they promise."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from energy import EventError, Levels, count_events
from neurt.spiking.neuron import calibrating
from neurt.spiking.pow2 import (
    DEAD_SHARE,
    DEAD_WEIGHT,
    PowerOfTwo,
    output_dead_zone,
    power_below_,
    relative_dead_zone,
    score_dead_zone,
    weight_dead_zone,
)

LARGEST = 2.0**127


def coder(
    timesteps: int, thresholds: list[float], dtype: torch.dtype = torch.float32, alpha: float = 2.0
) -> PowerOfTwo:
    made = PowerOfTwo(len(thresholds), timesteps, quantile=None, alpha=alpha)
    made.threshold.data = torch.tensor(thresholds, dtype=dtype)
    return made


def nearest_power(size: Fraction) -> Fraction:
    """The power of two nearest to a positive number; of two as near, the larger."""
    exponent = math.floor(math.log2(size))
    candidates = [Fraction(2) ** (exponent + shift) for shift in (-1, 0, 1, 2)]
    return min(candidates, key=lambda power: (abs(power - size), -power))


def greedy(x: Fraction, threshold: Fraction, timesteps: int) -> list[Fraction]:
    """The rule for one value: the signed power nearest to what is left, if that is enough."""
    events = []
    for _ in range(timesteps):
        event = Fraction(0)
        if abs(x) >= threshold:
            event = nearest_power(abs(x)) * (1 if x > 0 else -1)
        events.append(event)
        x -= event
    return events


@settings(deadline=None, max_examples=150)
@given(
    numbers=st.lists(st.integers(-(2**14), 2**14), min_size=1, max_size=8),
    exponent=st.integers(-30, 30),
    sixteenths=st.integers(1, 80),
    timesteps=st.integers(1, 9),
)
@example(numbers=[3, 6, 12, 24, 48, 96, 5, 7], exponent=0, sixteenths=16, timesteps=4)  # half-way
def test_events_are_those_of_the_rule(
    numbers: list[int], exponent: int, sixteenths: int, timesteps: int
) -> None:
    unit = 2.0**exponent  # so that all of it is exact in float32
    threshold = Fraction(sixteenths, 16) * Fraction(unit)
    neuron = coder(timesteps, [float(threshold)] * len(numbers))
    events = neuron(torch.tensor([float(n) * unit for n in numbers]))
    for channel, n in enumerate(numbers):
        expected = greedy(n * Fraction(unit), threshold, timesteps)
        assert events[:, channel].tolist() == [float(event) for event in expected], n


def test_by_hand() -> None:
    # 11: 8 (11 < 12), then 3: 4 (3 is half-way, the larger), then -1: -1, then nothing is left
    assert coder(4, [0.5])(torch.tensor([11.0])).flatten().tolist() == [8, 4, -1, 0]
    # with a threshold of 2, the -1 is too little
    assert coder(4, [2.0])(torch.tensor([11.0])).flatten().tolist() == [8, 4, 0, 0]
    # 0.7 -> 0.5 (below 0.75), 0.2 -> 0.25 (above 0.1875), -0.05 -> -0.0625, 0.0125
    assert coder(3, [0.01])(torch.tensor([-0.7])).flatten().tolist() == [-0.5, -0.25, 0.0625]


@settings(deadline=None, max_examples=200)
@given(
    st.floats(-LARGEST, LARGEST, width=32),
    st.floats(2.0**-63, 2.0**60, width=32),
    st.integers(1, 16),
)
def test_what_is_left_is_small_or_a_third_per_event(
    x: float, threshold: float, timesteps: int
) -> None:
    with torch.no_grad():
        events = coder(timesteps, [threshold])(torch.tensor([x])).flatten().tolist()
    rest = abs(Fraction(x) - sum(Fraction(event) for event in events))
    # A float just below a boundary may round onto it: one part in 2^24 more than a third.
    third = abs(Fraction(x)) / 3**timesteps * Fraction(1 + 2**-20)
    assert rest < max(Fraction(threshold), third) or rest == 0
    sizes = [abs(event) for event in events if event]
    assert all(a >= 2 * b for a, b in pairwise(sizes))  # each is new


@pytest.mark.parametrize("bad", [math.nan, math.inf, 3e38])
def test_what_is_not_finite_or_has_no_power_above_it_is_an_error_while_counting(
    bad: float,
) -> None:
    with torch.no_grad():  # 3e38 is nearest to 2^128, which float32 does not have
        events = coder(2, [1.0])(torch.tensor([bad]))
    with pytest.raises(EventError, match="layer 'x' takes spikes"):
        count_events(events, Levels.POWER, "x")


@pytest.mark.parametrize("timesteps", [1, 4])
def test_below_the_threshold_it_is_silent_and_on_it_it_fires(timesteps: int) -> None:
    threshold = torch.tensor(0.3).item()
    below = threshold * (1 - 2**-23)
    events = coder(timesteps, [threshold])(torch.tensor([[below], [threshold], [-threshold]]))
    assert not bool(events[:, 0].any())
    assert events[0, 1:].flatten().tolist() == [0.25, -0.25]


def test_more_steps_never_come_further_away() -> None:
    x = torch.randn(200, generator=torch.Generator().manual_seed(0)).unsqueeze(1)
    errors = [
        (neuron.decode(neuron(x)) - x).abs()
        for neuron in (coder(timesteps, [0.01]) for timesteps in range(1, 8))
    ]
    for before, after in pairwise(errors):
        assert bool((after <= before).all())


# power_below_


def power_below(x: float) -> float:
    if x == 0:
        return x
    return math.copysign(2.0 ** math.floor(math.log2(abs(x))), x)


VALUES = [0.0, -0.0, 1.0, -1.0, 1.5, 1.9999999, 2.0, -3.0, 0.75, 1.2e-38, -1e38, 6e-20, 127.5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_power_below_is_the_floor_of_the_logarithm(dtype: torch.dtype) -> None:
    x = torch.tensor(VALUES, dtype=dtype)
    expected = [power_below(value) for value in x.tolist()]
    out = power_below_(x)
    assert out is x  # in place
    assert out.tolist() == expected


@settings(deadline=None, max_examples=200)
@given(st.floats(2.0**-126, LARGEST, width=32))
def test_both_ways_to_the_power_below_agree(size: float) -> None:
    narrow = power_below_(torch.tensor([size, -size]))
    wide = power_below_(torch.tensor([size, -size], dtype=torch.float64))
    assert narrow.tolist() == wide.tolist()
    low, high = float(narrow[0]), 2 * float(narrow[0])
    assert low <= size < high


def test_subnormal_values_are_too_small_to_be_sent() -> None:
    # The bits of the exponent of a subnormal are zero; its dead zone is never below 2^-63.
    assert power_below_(torch.tensor([1e-45, -1e-40])).tolist() == [0, 0]


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_coder_sends_the_same_events() -> None:
    neuron = coder(4, [0.1, 0.3, 1.0])
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = neuron(x)
        traced = torch.jit.trace(lambda x: neuron.encode(x, neuron.threshold), (x,))
        assert torch.equal(traced(x), expected)


# Gradients


@pytest.mark.parametrize("x", [0.29, 0.31, -0.35, 1.7])
@pytest.mark.parametrize("timesteps", [1, 3])
def test_the_gradient_of_the_threshold_is_the_surrogate_of_each_decision(
    x: float, timesteps: int
) -> None:
    threshold, alpha = 0.3, 2.0
    neuron = coder(timesteps, [threshold], torch.float64, alpha)
    neuron.threshold.requires_grad_(True)
    value = neuron.decode(neuron(torch.tensor([x], dtype=torch.float64)))
    value.sum().backward()
    # Each step sends p = 2^k if |rest| >= t: d value / d t = sum of p x slope(u) x (-|rest| / t^2)
    # with u = |rest| / t - 1 and slope(u) = alpha / 2 / (1 + (pi / 2 alpha u)^2).
    expected, rest = 0.0, x
    for _ in range(timesteps):
        power = math.copysign(float(nearest_power(Fraction(abs(rest)))), rest)
        u = abs(rest) / threshold - 1
        slope = alpha / 2 / (1 + (math.pi / 2 * alpha * u) ** 2)
        expected -= power * slope * abs(rest) / threshold**2
        rest -= power if u >= 0 else 0.0
    assert neuron.threshold.grad is not None
    assert neuron.threshold.grad.item() == pytest.approx(expected, rel=1e-9)


def test_the_threshold_learns_most_from_values_near_it() -> None:
    gradients = []
    for x in (0.31, 3.1, 31.0):
        neuron = coder(1, [0.3])
        neuron.threshold.requires_grad_(True)
        neuron.watched = True
        neuron(torch.tensor([x]))
        assert neuron.activity is not None
        neuron.activity.backward()
        assert neuron.threshold.grad is not None
        gradients.append(-neuron.threshold.grad.item())
    assert gradients[0] > gradients[1] > gradients[2] > 0


# Dead zones


def samples(rows: int = 300, channels: int = 8) -> Tensor:
    sizes = torch.logspace(-1, 1, channels)
    return sizes * torch.randn(rows, channels, generator=torch.Generator().manual_seed(0))


def test_the_default_dead_zone_is_a_share_of_the_whole_signal() -> None:
    x = samples()
    expected = DEAD_SHARE * math.sqrt(sum(v * v for v in x.flatten().tolist()) / x.numel())
    assert relative_dead_zone(x).tolist() == pytest.approx([expected] * 8, rel=1e-5)
    neuron = PowerOfTwo(8, 4, quantile=0.5, factor=2.0)
    assert neuron.find_threshold(x).tolist() == pytest.approx([2 * expected] * 8, rel=1e-5)


def test_output_dead_zones_blur_the_output_by_their_share_and_all_channels_alike() -> None:
    generator = torch.Generator().manual_seed(1)
    weight, x = torch.randn(8, 5, generator=generator) * torch.logspace(0, 2, 8)[:, None], samples()
    zones = output_dead_zone(weight)(x)
    # An error uniform in +-d has the variance d^2 / 3, and reaches the output through ||W_c||^2.
    at_output = zones.square() / 3 * weight.square().sum(1)
    signal = (x @ weight).square().sum(1).mean()
    torch.testing.assert_close(at_output, at_output.mean().expand(8))
    assert (at_output.sum() / signal).sqrt().item() == pytest.approx(DEAD_SHARE)
    # and it is so for errors that are drawn
    errors = zones * (2 * torch.rand(20000, 8, generator=generator) - 1)
    off = (errors @ weight).square().sum(1).mean()
    assert (off / signal).sqrt().item() == pytest.approx(DEAD_SHARE, rel=0.03)


def test_score_dead_zones_blur_the_scores_by_their_share_of_a_nat() -> None:
    generator = torch.Generator().manual_seed(2)
    head_width, scaling = 4, 0.5
    keys = torch.randn(3, 50, 8, generator=generator) * torch.logspace(-1, 1, 8)
    zones = score_dead_zone(keys, scaling, head_width)(samples())
    errors = zones * (2 * torch.rand(3, 50, 8, generator=generator) - 1)
    # scores of one of two heads: scaling x sum over its 4 channels of error x key
    per_head = [
        (scaling * errors[..., c : c + 4].flatten(0, 1) @ keys[..., c : c + 4].flatten(0, 1).T)
        for c in (0, 4)
    ]
    for off in per_head:
        assert off.square().mean().sqrt().item() == pytest.approx(DEAD_SHARE, rel=0.1)


def test_a_channel_that_nobody_reads_has_a_finite_dead_zone() -> None:
    weight = torch.zeros(3, 2)
    weight[0] = 1.0
    zones = output_dead_zone(weight)(torch.ones(4, 3))
    assert bool(torch.isfinite(zones).all())
    assert bool((zones[1:] > 1e6 * zones[0]).all())  # it is silent
    scores = score_dead_zone(torch.zeros(1, 2, 4), 0.5, 2)(torch.ones(4, 4))
    assert bool(torch.isfinite(scores).all())


def test_softmax_weights_have_a_dead_zone_of_their_own() -> None:
    assert weight_dead_zone(samples()).tolist() == pytest.approx([DEAD_WEIGHT])


def test_calibration_asks_the_dead_zone_that_was_placed() -> None:
    neuron = PowerOfTwo(2, 4, quantile=0.9, factor=0.5)
    neuron.dead_zone = lambda x: x.abs().amax(0)
    with calibrating(neuron):
        neuron(torch.tensor([[1.0, -4.0], [-2.0, 3.0]]))
    assert neuron.threshold.tolist() == [1.0, 2.0]
    assert PowerOfTwo(2, 4, quantile=0.9).dead_zone is relative_dead_zone


# A row that may not be silent


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=6),
    st.floats(2.0**-20, 1, width=32),
    st.floats(0.5, 1.0, width=32),
)
def test_with_a_ceiling_the_largest_of_a_row_is_always_sent(
    row: list[float], threshold: float, ceiling: float
) -> None:
    neuron = coder(3, [threshold])
    neuron.ceiling = ceiling
    with torch.no_grad():
        events = neuron(torch.tensor([row]))
    zone = min(threshold, ceiling * max(row))
    for event, value in zip(events[0, 0].tolist(), row, strict=True):
        if value == 0 or value < zone * (1 - 1e-6):
            assert event == 0
        elif value > zone * (1 + 1e-6) and value >= 2.0**-126:
            assert event in (power_below(4 / 3 * value), power_below(4 / 3 * value * (1 + 1e-6)))
    if max(row) > 2.0**-60:
        assert bool(events.any())
    count_events(events, Levels.POWER, "x")


def test_a_ceiling_belongs_to_each_row() -> None:
    neuron = coder(1, [0.5])
    neuron.ceiling = 0.75
    rows = torch.tensor([[0.25, 0.2, 0.1], [1.0, 0.4, 0.6], [0.0, 0.0, 0.0]])
    # The dead zone ends at 0.1875 in the first row, and at the threshold in the second.
    assert neuron(rows)[0].tolist() == [[0.25, 0.25, 0], [1, 0, 0.5], [0, 0, 0]]


def test_a_silent_row_leaves_the_gradients_finite() -> None:
    neuron = coder(2, [0.5])
    neuron.ceiling = 0.75
    neuron.watched = True
    neuron.threshold.requires_grad_(True)
    x = torch.tensor([[0.0, 0.0], [0.6, 0.1]], requires_grad=True)
    events = neuron(x)
    assert torch.equal(events.detach()[:, 0], torch.zeros(2, 2))
    assert neuron.activity is not None
    (events.sum() + neuron.activity).backward()
    for gradient in (x.grad, neuron.threshold.grad):
        assert gradient is not None
        assert bool(torch.isfinite(gradient).all())
