"""What holds for every code: levels, signs, units, types, and what the plan takes it for."""

from __future__ import annotations

import math

import pytest
import torch
from codes import LARGEST, SPIKING, TIMESTEPS, coder, inputs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from energy import EventError, count_events, count_pass
from neurt.spiking.config import Code
from neurt.spiking.synapse import EventConv1D

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
