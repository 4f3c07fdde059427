"""What every coder does, on the simplest one: round to whole thresholds, all in the first step."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from energy import EventError, Levels, count_pass
from hwmodels import Op
from neurt.spiking.coder import CANDIDATES, Coder
from neurt.spiking.neuron import NeuronError, calibrating

STEPS = 2


class Rounding(Coder):
    """At most 3 units of either sign in the first of two time steps."""

    levels = Levels.BURST
    averages = False

    @property
    def range_in_thresholds(self) -> float:
        return 3.0

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        units = (x / threshold).round().clamp(-3, 3)
        return torch.stack([units, torch.zeros_like(units)])


class RoundingMean(Rounding):
    """The same units, of which each is worth a T-th of the threshold."""

    averages = True


def coder(
    channels: int = 1, quantile: float | None = 1.0, kind: type[Coder] = Rounding, **how: float
) -> Coder:
    return kind(channels, STEPS, quantile=quantile, **how)


def squared_errors(samples: list[float], factor: float) -> float:
    """Error of the toy code, by hand: `factor` of the largest sample is 3 thresholds."""
    largest = max(abs(x) for x in samples)
    threshold = largest * factor / 3
    coded = [max(-3, min(3, round(x / threshold))) * threshold for x in samples]
    return sum((x - y) ** 2 for x, y in zip(samples, coded, strict=True))


# Calibration


def test_the_full_range_is_at_the_quantile_of_the_magnitudes_of_each_channel() -> None:
    samples = torch.tensor([[1.0, -10], [-2, 20], [3, -30], [4, 40]])
    # the second and the fourth of four magnitudes are 3 thresholds
    assert coder(2, 0.5).find_threshold(samples).tolist() == pytest.approx([2 / 3, 20 / 3])
    assert coder(2, 1.0).find_threshold(samples).tolist() == pytest.approx([4 / 3, 40 / 3])
    assert coder(2, 0.01).find_threshold(samples).tolist() == pytest.approx([1 / 3, 10 / 3])


@pytest.mark.parametrize("quantile", [0.5, None])
def test_the_factor_widens_the_thresholds(quantile: float | None) -> None:
    samples = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    plain = coder(3, quantile).find_threshold(samples)
    wide = coder(3, quantile, factor=1.75).find_threshold(samples)
    assert torch.equal(wide, 1.75 * plain)


def test_candidates_are_half_octaves_from_the_largest_input_down() -> None:
    assert len(CANDIDATES) == 17
    assert CANDIDATES[0] == 1
    assert CANDIDATES[-1] == pytest.approx(1 / 256)
    ratios = [b / a for a, b in pairwise(CANDIDATES)]
    assert ratios == pytest.approx([math.sqrt(0.5)] * 16)


SAMPLES = st.lists(st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=12)


@settings(deadline=None, max_examples=60)
@given(SAMPLES)
def test_no_candidate_has_a_smaller_squared_error_than_the_one_chosen(
    samples: list[float],
) -> None:
    found = (
        coder(1, None).find_threshold(torch.tensor(samples, dtype=torch.float64)[:, None]).item()
    )
    largest = max(abs(x) for x in samples)
    chosen = squared_errors(samples, 3 * found / largest)
    least = min(squared_errors(samples, factor) for factor in CANDIDATES)
    assert chosen <= least * (1 + 1e-6) + 1e-9


def test_the_least_squared_error_is_found_for_each_channel_by_itself() -> None:
    samples = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
    samples[0, 1] = 50.0  # an outlier, that only its channel pays for
    together = coder(3, None).find_threshold(samples)
    alone = torch.cat([coder(1, None).find_threshold(samples[:, i : i + 1]) for i in range(3)])
    assert torch.equal(together, alone)


def test_an_outlier_is_clipped_where_that_costs_less() -> None:
    # 999 values of 1 and one of 2: clipping the outlier to 1 costs 1; keeping it means steps of
    # 2/3, in which each of the many is off by 1/3: 999 / 9.
    samples = torch.ones(1000, 1)
    samples[0] = 2.0
    (threshold,) = coder(1, None).find_threshold(samples).tolist()
    assert threshold <= 1 / 2 + 1e-6  # 3 thresholds do not reach 2, or 1 is a whole number of them
    assert coder(1, 1.0).find_threshold(samples).item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", [Rounding, RoundingMean])
@pytest.mark.parametrize("quantile", [0.9, None])
def test_thresholds_follow_the_scale_of_the_input(
    kind: type[Coder], quantile: float | None
) -> None:
    samples = torch.randn(64, 5, generator=torch.Generator().manual_seed(2))
    found = coder(5, quantile, kind).find_threshold(samples)
    assert torch.equal(coder(5, quantile, kind).find_threshold(8 * samples), 8 * found)


def test_calibration_takes_the_mean_over_the_inputs_it_sees_and_codes_with_it() -> None:
    neuron = coder(1, 1.0)
    with calibrating(neuron):
        assert neuron(torch.tensor([[3.0]]))[0].item() == 3  # threshold 1
        assert neuron(torch.tensor([[9.0]]))[0].item() == 3  # threshold (1 + 3) / 2, clipped
        neuron(torch.tensor([[12.0]]))  # (1 + 3 + 4) / 3
    assert neuron.threshold.item() == pytest.approx(8 / 3)
    neuron(torch.tensor([[100.0]]))
    assert neuron.threshold.item() == pytest.approx(8 / 3)  # not after the block


def test_leading_dimensions_are_all_samples() -> None:
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    one, flat = coder(5, 0.7), coder(5, 0.7)
    with calibrating(one), calibrating(flat):
        one(x)
        flat(x.reshape(24, 5))
    assert torch.equal(one.threshold, flat.threshold)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_names_the_layer(bad: float) -> None:
    model = nn.Sequential(nn.Identity(), coder(2))
    with calibrating(model), pytest.raises(NeuronError, match=r"layer '1' .* not finite"):
        model(torch.tensor([[1.0, bad]]))


@pytest.mark.parametrize("quantile", [0.5, None])
def test_a_coder_of_one_channel_ignores_zeros(quantile: float | None) -> None:
    dense, padded = coder(1, quantile), coder(1, quantile)
    x = torch.rand(30, 1, generator=torch.Generator().manual_seed(4)) + 0.1
    with calibrating(dense), calibrating(padded):
        dense(x)
        padded(torch.cat([x, torch.zeros(70, 1)]))
    assert torch.equal(dense.threshold, padded.threshold)


@pytest.mark.parametrize("quantile", [0.5, None])
def test_zeros_count_where_there_are_several_channels(quantile: float | None) -> None:
    neuron = coder(2, 0.5)
    with calibrating(neuron):
        neuron(torch.tensor([[0.0, 0], [0, 0], [3, 6]]))
    # the second of three magnitudes is 0: silent but for the outlier
    assert neuron.threshold.tolist() == [pytest.approx(0, abs=1e-9)] * 2


@pytest.mark.parametrize("quantile", [0.5, None])
def test_a_coder_of_one_channel_that_saw_only_zeros_stays_finite(quantile: float | None) -> None:
    neuron = coder(1, quantile)
    with calibrating(neuron):
        assert torch.equal(neuron(torch.zeros(4, 1)), torch.zeros(STEPS, 4, 1))
    assert bool(torch.isfinite(neuron.threshold).all())


# Values and gradients


@pytest.mark.parametrize(
    ("kind", "threshold", "scale"), [(Rounding, 3.0, 3.0), (RoundingMean, 3.0, 1.5)]
)
def test_a_unit_is_worth_the_threshold_or_a_share_of_it(
    kind: type[Coder], threshold: float, scale: float
) -> None:
    neuron = coder(2, kind=kind)
    neuron.threshold.fill_(threshold)
    assert neuron.scale is not None
    assert neuron.scale.tolist() == [scale] * 2
    events = torch.tensor([[[2.0, -1]], [[1.0, 0]]])
    assert neuron.decode(events).tolist() == [[3 * scale, -scale]]


def test_the_gradient_of_the_threshold_is_that_of_a_learned_step_size() -> None:
    # value = clamp(round(x / t)) t with the rounding straight through:
    # d value / d t = units - x / t where the code is off, whether by rounding or by clipping.
    neuron = coder(3)
    neuron.threshold.requires_grad_(True)
    x = torch.tensor([[0.6, -2.9, 8.0]], requires_grad=True)
    neuron.decode(neuron(x)).sum().backward()
    assert neuron.threshold.grad is not None
    # round(0.6) - 0.6, round(-2.9) + 2.9, 3 - 8
    assert neuron.threshold.grad.tolist() == pytest.approx([0.4, -0.1, -5.0], abs=1e-6)


def test_thresholds_are_frozen_parameters_unless_somebody_trains_them() -> None:
    neuron = coder(3)
    assert [name for name, _ in neuron.named_parameters()] == ["threshold"]
    assert not neuron.threshold.requires_grad
    x = torch.ones(2, 3, requires_grad=True)
    neuron(x).sum().backward()
    assert neuron.threshold.grad is None


def test_activity_falls_with_a_higher_threshold_and_rises_with_the_input() -> None:
    neuron = coder(2)
    neuron.watched = True
    neuron.threshold.requires_grad_(True)
    x = torch.tensor([[0.7, -1.9]])
    neuron(x)
    assert neuron.activity is not None
    neuron.activity.backward()
    # log2(1 + |x| / t) has the slope -|x| / t^2 / (1 + |x| / t) / ln 2; t = 1, mean of 2 values
    expected = [-size / (1 + size) / math.log(2) / 2 for size in (0.7, 1.9)]
    assert neuron.threshold.grad is not None
    assert neuron.threshold.grad.tolist() == pytest.approx(expected)


# Counting


def test_counts_of_a_coder_are_its_updates_and_its_events() -> None:
    neuron = coder(3)
    model = nn.Sequential(neuron)
    x = torch.tensor([[0.2, 1.2, -2.0], [9.0, -0.4, 0.6]])
    (row,) = count_pass(model, lambda: model(x), variant="ssa").layers
    assert row.ops[Op.NEURON_UPDATE] == row.tally.slots == STEPS * 6
    assert row.ops[Op.SPIKE] == row.tally.spikes == 7  # units of the bursts
    assert row.ops[Op.SPIKE_WRITE] == STEPS * 6
    assert row.ops[Op.VECTOR_READ] == 3
    assert row.tally.levels is Levels.BURST
    # This coder does not say what its steps are made of: 3 additions and more, as a leaky neuron
    parts = [row.ops[op] for op in (Op.NEURON_ADD, Op.NEURON_MUL, Op.NEURON_CMP)]
    assert parts == [3 * STEPS * 6, STEPS * 6, STEPS * 6]
    assert row.tally.dense_macs == 0


def test_counting_names_a_coder_that_sends_something_else() -> None:
    class Broken(Rounding):
        def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
            return super().encode(x, threshold) + 0.25

    model = nn.Sequential(nn.Identity(), Broken(2, STEPS, quantile=1.0))
    with pytest.raises(EventError, match="layer '1' takes spikes"):
        count_pass(model, lambda: model(torch.ones(1, 2)), variant="ssa")


def test_a_coder_says_what_it_is() -> None:
    assert "3, quantile=0.5" in repr(coder(3, 0.5))
