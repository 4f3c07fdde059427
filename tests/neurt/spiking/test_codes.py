"""Each code beside its published rule, written a second time for one value in exact fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from energy import EventError, Tally, count_events, count_pass
from hwmodels import Op
from neurt.spiking.coder import CANDIDATES, Coder
from neurt.spiking.codes import (
    Burst,
    Exact,
    MultiThreshold,
    SignedIF,
    SuccessiveApproximation,
    make_coder,
)
from neurt.spiking.config import Calibrate, Code, Coded, SpikingConfig
from neurt.spiking.neuron import calibrating
from neurt.spiking.pow2 import PowerOfTwo
from neurt.spiking.synapse import EventConv1D

SPIKING = [code for code in Code if code is not Code.EXACT]
RANGED = [Code.SIGNED_IF, Code.BURST, Code.MULTI_THRESHOLD, Code.SAR]
LARGEST = 2.0**127  # a larger float32 has no power of two above it
HALF = Fraction(1, 2)


def coder(
    code: Code,
    timesteps: int,
    thresholds: list[float] | None = None,
    dtype: torch.dtype = torch.float32,
    channels: int = 1,
) -> Coder:
    made = make_coder(
        len(thresholds) if thresholds else channels,
        SpikingConfig(code=code, timesteps=timesteps, calibrate=Calibrate.MSE),
        Coded.FEEDFORWARD,
    )
    made.threshold.data = made.threshold.data.to(dtype)
    if thresholds:
        made.threshold.copy_(torch.tensor(thresholds, dtype=dtype))
    return made


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


# What holds for every code

TIMESTEPS = [1, 2, 5, 16]
EDGES = [
    *(0.0, -0.0, 1e-45, -1e-45, 1e-40, 1.1754944e-38, 1e-30, 1e-19, 1e-3, 0.1),
    *(0.25, 0.4999, 0.5, 0.75, 1.0, 1.4999, 1.5, 3.0, 7.5, 15.5, 15.6, 127.5, 128.0, 1e4),
    *(2.0**24 + 2, 1e10, 1e20, 1e30, LARGEST, 1.4 * LARGEST),
]
#: From the smallest that calibration gives to the largest that a float32 activation could ask for.
THRESHOLDS = [2.0**-63, 1e-3, 0.3, 1.0, 3.0, 1e19]


@pytest.mark.parametrize("timesteps", TIMESTEPS)
@pytest.mark.parametrize("code", SPIKING)
def test_events_are_always_levels(code: Code, timesteps: int) -> None:
    x = torch.tensor(EDGES + [-edge for edge in EDGES])
    grid = x[:, None].expand(len(x), len(THRESHOLDS))
    neuron = coder(code, timesteps, THRESHOLDS)
    with torch.no_grad():
        events = neuron(grid)
    assert events.shape == (timesteps, *grid.shape)
    assert count_events(events, code.levels, "x") > 0
    assert not bool(events[:, x == 0].any())  # silent


@pytest.mark.parametrize("code", SPIKING)
@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(-LARGEST, LARGEST, width=32), min_size=1, max_size=6),
    st.floats(2.0**-60, 2.0**60, width=32),
    st.integers(1, 9),
)
def test_any_float_becomes_levels(
    code: Code, values: list[float], threshold: float, timesteps: int
) -> None:
    neuron = coder(code, timesteps, [threshold] * len(values))
    with torch.no_grad():
        events = neuron(torch.tensor(values))
    count_events(events, code.levels, "x")


@pytest.mark.parametrize("code", SPIKING)
@pytest.mark.parametrize("timesteps", [1, 4])
def test_nan_does_not_pass_for_events(code: Code, timesteps: int) -> None:
    model = nn.Sequential(nn.Identity(), coder(code, timesteps, [1.0, 1.0]))
    with pytest.raises(EventError, match="layer '1'"):
        count_pass(model, lambda: model(torch.tensor([[0.5, math.nan]])), variant="ssa")


def inputs(rows: int = 50, channels: int = 6, seed: int = 0) -> Tensor:
    wide = torch.tensor([1.0, 1.0, 3.0, 10.0, 0.1, 100.0])[:channels]
    return wide * torch.randn(rows, channels, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("timesteps", TIMESTEPS)
@pytest.mark.parametrize("code", Code)
def test_the_opposite_value_has_the_opposite_events(code: Code, timesteps: int) -> None:
    neuron, x = coder(code, timesteps, THRESHOLDS), inputs()
    assert torch.equal(neuron(-x), -neuron(x))


@pytest.mark.parametrize("timesteps", TIMESTEPS)
@pytest.mark.parametrize("factor", [2.0**-20, 4.0, 2.0**20])
@pytest.mark.parametrize("code", Code)
def test_a_code_knows_no_units(code: Code, factor: float, timesteps: int) -> None:
    thresholds, x = [0.1, 0.3, 1.0, 3.0, 0.7, 1.3], inputs()
    neuron = coder(code, timesteps, thresholds)
    scaled = coder(code, timesteps, [factor * threshold for threshold in thresholds])
    assert torch.equal(scaled.decode(scaled(factor * x)), factor * neuron.decode(neuron(x)))
    if neuron.scale is not None:  # the size is in the weights, so the events are the same
        assert torch.equal(scaled(factor * x), neuron(x))


@pytest.mark.parametrize("code", Code)
def test_each_channel_and_token_is_coded_by_itself(code: Code) -> None:
    neuron, x = coder(code, 3, THRESHOLDS), inputs(12)
    whole = neuron(x.view(2, 6, 6))
    assert whole.shape == (3, 2, 6, 6)
    for row in range(12):
        for channel in range(6):
            alone = coder(code, 3, [THRESHOLDS[channel]])(x[row, channel : channel + 1])
            assert torch.equal(alone[:, 0], whole[:, row // 6, row % 6, channel])


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_events_have_the_type_of_the_input(code: Code, dtype: torch.dtype) -> None:
    neuron = coder(code, 4, [1.0, 0.5], dtype)
    events = neuron(torch.tensor([[0.3, -1.7], [4.0, 0.0]]).to(dtype))
    assert events.dtype == dtype
    count_events(events, code.levels, "x")


@pytest.mark.parametrize("rows", [2, 40])
@pytest.mark.parametrize("code", Code)
def test_the_next_layer_receives_the_decoded_value(code: Code, rows: int) -> None:
    torch.manual_seed(0)
    neuron = coder(code, 4, [0.3, 0.5, 1.0, 3.0, 0.1, 2.0])
    layer = EventConv1D(5, 6, neuron.levels, accumulate=True)
    nn.init.normal_(layer.bias)
    events = neuron(inputs(rows))
    expected = neuron.decode(events) @ layer.weight + layer.bias
    torch.testing.assert_close(layer(events, neuron.scale), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("code", Code)
def test_a_coder_is_what_the_plan_takes_it_for(code: Code) -> None:
    neuron = coder(code, 2)
    assert type(neuron).__name__ == code.kind
    assert neuron.levels is code.levels
    assert neuron.averages is code.averages


# Gradients


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("code", Code)
def test_the_gradient_passes_straight_through(code: Code, trained: bool) -> None:
    neuron = coder(code, 4, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    neuron.threshold.requires_grad_(trained)
    x, weights = inputs().requires_grad_(), inputs(seed=1)
    (neuron.decode(neuron(x)) * weights).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weights)


@pytest.mark.parametrize("code", RANGED)
def test_the_threshold_learns_from_what_is_clipped(code: Code) -> None:
    # Of 10^6 thresholds all but the range is lost: d value / d threshold = (value - x) / threshold.
    neuron = coder(code, 4, [1.0])
    neuron.threshold.requires_grad_(True)
    x = torch.tensor([1e6])
    value = neuron.decode(neuron(x))
    value.sum().backward()
    assert neuron.threshold.grad is not None
    assert neuron.threshold.grad.item() == pytest.approx(value.item() - 1e6, rel=1e-4)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("timesteps", [1, 4])
@pytest.mark.parametrize("code", Code)
def test_training_sees_the_events_that_inference_sends(
    code: Code, timesteps: int, trained: bool
) -> None:
    neuron = coder(code, timesteps, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    neuron.threshold.requires_grad_(trained)
    x = inputs()
    with torch.no_grad():
        plain = neuron(x)
        plain_value = neuron.decode(plain)
    events = neuron(x.clone().requires_grad_())
    assert events.requires_grad
    assert torch.equal(events, plain)
    # bit for bit, the sign of zero aside
    value = neuron.decode(events.detach()) + 0.0
    assert torch.equal(value.view(torch.int32), (plain_value + 0.0).view(torch.int32))


@pytest.mark.parametrize("code", Code)
def test_inference_keeps_no_graph(code: Code) -> None:
    neuron = coder(code, 4, [0.5] * 6)
    neuron.threshold.requires_grad_(True)
    neuron.watched = True
    with torch.no_grad():
        events = neuron(inputs().requires_grad_())
    assert events.grad_fn is None
    # Who watches hears of the events without gradients too; analog values are no events.
    assert (neuron.activity is None) == (code is Code.EXACT)
    assert neuron.activity is None or neuron.activity.grad_fn is None


@pytest.mark.parametrize("code", SPIKING)
@pytest.mark.parametrize("timesteps", [1, 4])
def test_activity_is_what_is_counted_per_value(code: Code, timesteps: int) -> None:
    neuron = coder(code, timesteps, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    x = inputs()
    neuron(x)
    assert neuron.activity is None
    neuron.watched = True
    events = neuron(x)
    assert neuron.activity is not None
    counted = count_events(events.detach(), code.levels, "x")
    assert counted > 0
    assert neuron.activity.item() == pytest.approx(counted / x.numel(), rel=1e-5)


@pytest.mark.parametrize("code", SPIKING)
def test_a_higher_threshold_would_be_sparser_and_activity_says_so(code: Code) -> None:
    neuron = coder(code, 4, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    neuron.threshold.requires_grad_(True)
    neuron.watched = True
    neuron(inputs())
    assert neuron.activity is not None
    neuron.activity.backward()
    assert neuron.threshold.grad is not None
    assert bool((neuron.threshold.grad < 0).all())


# Calibration


@pytest.mark.parametrize(
    ("code", "share"),
    [
        (Code.SIGNED_IF, 1.0),
        (Code.BURST, 1 / 7),
        (Code.SAR, 1 / 15),  # T = 4: 15 thresholds are the low range
    ],
)
def test_the_range_reaches_to_the_quantile(code: Code, share: float) -> None:
    samples = torch.arange(1.0, 101).unsqueeze(1)
    made = make_coder(1, SpikingConfig(code=code, input_quantile=0.9), Coded.FEEDFORWARD)
    assert made.find_threshold(samples).item() == pytest.approx(90 * share)


def test_multi_threshold_reaches_to_the_largest_input() -> None:
    samples = torch.arange(1.0, 101).unsqueeze(1)
    made = make_coder(
        1,
        SpikingConfig(code=Code.MULTI_THRESHOLD, input_quantile=0.9, threshold=1.5),
        Coded.FEEDFORWARD,
    )
    assert made.find_threshold(samples).item() == pytest.approx(1.5 * 100 / 128)


@pytest.mark.parametrize("timesteps", [1, 4])
@pytest.mark.parametrize("code", RANGED)
def test_the_threshold_with_the_least_squared_error_is_found(code: Code, timesteps: int) -> None:
    samples = inputs(200)
    samples[0] *= 20  # outliers
    neuron = coder(code, timesteps, channels=6)

    def errors(threshold: Tensor) -> Tensor:
        neuron.threshold.copy_(threshold)
        return (neuron.decode(neuron(samples)) - samples).square().sum(0)

    with torch.no_grad():
        found = errors(neuron.find_threshold(samples))
        largest = samples.abs().amax(0)
        for candidate in CANDIDATES:
            tried = errors(largest * candidate / neuron.range_in_thresholds)
            assert bool((found <= tried * (1 + 1e-5)).all()), candidate


@pytest.mark.parametrize("calibrate", Calibrate)
@pytest.mark.parametrize("code", Code)
def test_a_silent_channel_stays_silent_and_finite(code: Code, calibrate: Calibrate) -> None:
    made = make_coder(2, SpikingConfig(code=code, calibrate=calibrate), Coded.FEEDFORWARD)
    x = torch.zeros(10, 2)
    x[:, 1] = 1.0
    with calibrating(made):
        events = made(x)
    assert bool(torch.isfinite(made.threshold).all())
    assert bool((made.threshold > 0).all())
    assert not bool(events[..., 0].any())
    assert made.decode(events)[0, 1].item() == pytest.approx(1.0, abs=0.2)


def test_exact_needs_no_threshold_and_no_energy() -> None:
    neuron = coder(Code.EXACT, 4, channels=3)
    assert torch.equal(neuron.find_threshold(inputs(5, 3)), torch.ones(3))
    assert neuron.scale is None
    model = nn.Sequential(neuron)
    (row,) = count_pass(model, lambda: model(torch.ones(2, 3)), variant="ssa").layers
    assert row.tally == Tally()
    assert row.ops[Op.NEURON_UPDATE] == 0


@pytest.mark.parametrize("timesteps", [1, 3, 8])
def test_exact_sends_equal_parts_whose_sum_is_the_value(timesteps: int) -> None:
    x = inputs()
    events = coder(Code.EXACT, timesteps, channels=6)(x)
    torch.testing.assert_close(events, (x / timesteps).expand_as(events))
    torch.testing.assert_close(events.sum(0), x, rtol=1e-6, atol=0)


# The factory


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.SIGNED_IF, SignedIF),
        (Code.BURST, Burst),
        (Code.MULTI_THRESHOLD, MultiThreshold),
        (Code.SAR, SuccessiveApproximation),
        (Code.POW2, PowerOfTwo),
        (Code.EXACT, Exact),
    ],
)
def test_a_coder_is_made_from_the_choices_of_its_block(code: Code, kind: type[Coder]) -> None:
    spiking = SpikingConfig(
        timesteps=7,
        code=code,
        attention_code=Code.SIGNED_IF,
        threshold=1.5,
        attention_threshold=0.5,
        input_quantile=0.8,
        surrogate_alpha=3.0,
    )
    feedforward = make_coder(5, spiking, Coded.FEEDFORWARD)
    attention = make_coder(6, spiking, Coded.ATTENTION)
    assert type(feedforward) is kind
    assert type(attention) is SignedIF
    for made, channels, factor in ((feedforward, 5, 1.5), (attention, 6, 0.5)):
        assert (made.channels, made.timesteps, made.factor) == (channels, 7, factor)
        assert (made.quantile, made.alpha) == (0.8, 3.0)
        assert torch.equal(made.threshold, torch.ones(channels))
