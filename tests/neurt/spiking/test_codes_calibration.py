"""How a code finds its range, and how it is made from the choices of a conversion."""

from __future__ import annotations

import pytest
import torch
from codes import RANGED, coder, inputs
from torch import Tensor, nn

from energy import Tally, count_pass
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
