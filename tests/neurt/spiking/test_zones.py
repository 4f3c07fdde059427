"""Two zones: the first decides what is silent, the second where the digits of the others end."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurt.spiking.config import Coded, SpikingConfig
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.pow2 import PowerOfTwo

Converted = Callable[..., SpikingLanguageModel]
VALUES = st.floats(-(2.0**40), 2.0**40, width=32)
ZONES = st.floats(2.0**-20, 2.0**20, width=32)
RESOLUTIONS = st.sampled_from([1.0, 0.75, 0.5, 0.3, 0.0625])


def coder(
    timesteps: int, zone: float, resolution: float, dtype: torch.dtype = torch.float32
) -> PowerOfTwo:
    made = PowerOfTwo(1, timesteps, quantile=None)
    made.threshold.data = torch.tensor([zone], dtype=dtype)
    made.resolution = resolution
    return made


@torch.no_grad()
def events_of(neuron: PowerOfTwo, x: float) -> list[float]:
    sent: list[float] = neuron(torch.tensor([x], dtype=neuron.threshold.dtype))[:, 0].tolist()
    return sent


@settings(deadline=None, max_examples=200)
@given(VALUES, ZONES, RESOLUTIONS, st.integers(1, 9))
def test_a_value_is_silent_or_coded_down_to_the_second_zone(
    x: float, zone: float, resolution: float, timesteps: int
) -> None:
    events = events_of(coder(timesteps, zone, resolution), x)
    if abs(x) < zone:
        assert not any(events)
        return
    rest = abs(Fraction(x) - sum(Fraction(event) for event in events))
    # A float just below a boundary may round onto it: one part in 2^24 more than a third.
    third = abs(Fraction(x)) / 3**timesteps * Fraction(1 + 2**-20)
    second = float(torch.tensor(zone) * resolution)  # as float32 has it
    assert rest < Fraction(second) or rest <= third
    sent = [event for event in events if event]
    assert events[: len(sent)] == sent  # no event follows a silent step
    assert all(abs(a) >= 2 * abs(b) for a, b in pairwise(sent))


def test_by_hand() -> None:
    # 11 with zones 4 and 1: 8, then 3 -> 4, then -1 -> -1, then nothing is left
    assert events_of(coder(4, 4.0, 0.25), 11.0) == [8, 4, -1, 0]
    # with one zone of 4 the 3 is too little
    assert events_of(coder(4, 4.0, 1.0), 11.0) == [8, 0, 0, 0]
    # 3.9 is silent for good, though it is above the second zone
    assert events_of(coder(4, 4.0, 0.25), 3.9) == [0, 0, 0, 0]


@settings(deadline=None, max_examples=100)
@given(VALUES, ZONES, RESOLUTIONS, st.integers(1, 6))
def test_training_codes_as_counting_does(
    x: float, zone: float, resolution: float, timesteps: int
) -> None:
    neuron = coder(timesteps, zone, resolution)
    events, *_ = neuron.encode_differentiably(torch.tensor([x]), neuron.threshold)
    assert events[:, 0].tolist() == events_of(neuron, x)


@pytest.mark.parametrize("x", [0.29, 0.31, -0.45, 1.7])
def test_the_first_decision_gates_all_others_and_their_gradients(x: float) -> None:
    zone, share, alpha, timesteps = 0.3, 0.25, 2.0, 3
    neuron = coder(timesteps, zone, share, torch.float64)
    neuron.threshold.requires_grad_(True)
    value = neuron.decode(neuron(torch.tensor([x], dtype=torch.float64)))
    value.sum().backward()
    # Step 1 sends p_1 g, step t > 1 sends p_t g h_t: g = [|x| >= z], h_t = [|rest| >= share z].
    # d g / d z = -slope(|x| / z - 1) |x| / z^2, d h / d z = -slope(u) |rest| / (share z^2), u being
    # |rest| / (share z) - 1; slope(u) = alpha / 2 / (1 + (pi / 2 alpha u)^2).
    expected, rest, gate = 0.0, x, 0.0
    for step in range(timesteps):
        own = zone if step == 0 else share * zone
        exponent = math.floor(math.log2(abs(rest) * 4 / 3))
        power = math.copysign(2.0**exponent, rest)
        u = abs(rest) / own - 1
        slope = -alpha / 2 / (1 + (math.pi / 2 * alpha * u) ** 2) * abs(rest) / (own * zone)
        fires = float(u >= 0)
        if step == 0:
            gate, of_gate = fires, slope
            expected += power * of_gate
        else:
            expected += power * (of_gate * fires + gate * slope)
            fires *= gate
        rest -= power * fires
    assert neuron.threshold.grad is not None
    assert neuron.threshold.grad.item() == pytest.approx(expected, rel=1e-9)


def test_a_row_of_weights_has_its_zones_below_its_largest() -> None:
    neuron = coder(3, 0.5, 0.25)
    neuron.ceiling = 0.75
    # The first zone ends at 0.75 x 0.2 = 0.15, the second at 0.0375: 0.2 -> 0.25 - 0.0625, then
    # 0.0125 is too little; 0.16 -> 0.125, then 0.035 is; 0.1 is silent.
    rows = neuron(torch.tensor([[0.2, 0.16, 0.1]]))[:, 0]
    assert rows.tolist() == [[0.25, 0.125, 0], [-0.0625, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_stays_so(bad: float) -> None:
    assert not all(map(math.isfinite, events_of(coder(3, 1.0, 0.5), bad)))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_coder_sends_the_same_events() -> None:
    neuron = coder(4, 0.3, 0.1)
    x = torch.randn(20, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        traced = torch.jit.trace(lambda x: neuron.encode(x, neuron.threshold), (x,))
        assert torch.equal(traced(x), neuron(x))


# Which coders have two


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"code": "pow2"}, {"feedforward": 0.5, "attention": 0.5, "product": 1, "head": 0.5}),
        ({"code": "sar", "attention_code": "pow2"}, {"attention": 0.5}),
        ({"code": "pow2", "timesteps": 1}, {}),  # no digit follows the first
    ],
)
def test_inputs_of_linear_layers_have_them(
    choices: dict[str, Any], expected: dict[str, float]
) -> None:
    spiking = SpikingConfig.model_validate(choices | {"resolution": 0.5})
    for coded in Coded:
        assert spiking.resolution_of(coded) == expected.get(coded, 1.0)


def test_a_conversion_hands_them_to_its_coders(converted: Converted) -> None:
    model = converted(form="softmax", code="pow2", resolution=0.5)
    found = {
        name.rpartition(".")[2]: module.resolution
        for name, module in model.named_modules()
        if isinstance(module, PowerOfTwo)
    }
    inputs = dict.fromkeys(("encoder", "mix_encoder", "hidden_encoder"), 0.5)
    assert found == inputs | {"query_encoder": 1.0, "weight_encoder": 1.0}


def test_products_have_a_factor_of_their_own() -> None:
    spiking = SpikingConfig(threshold=2.0)
    assert {spiking.threshold_of(coded) for coded in Coded} == {2.0}
    spiking = SpikingConfig(threshold=2.0, attention_threshold=3.0)
    assert [spiking.threshold_of(coded) for coded in Coded] == [2, 3, 3, 2]
    spiking = SpikingConfig(
        threshold=2.0, attention_threshold=3.0, product_threshold=4.0, head_threshold=5.0
    )
    assert [spiking.threshold_of(coded) for coded in Coded] == [2, 3, 4, 5]


def test_a_finer_second_zone_comes_closer(converted: Converted, token_ids: torch.Tensor) -> None:
    exact = converted(form="softmax", code="exact")(token_ids).logits
    off = [
        (converted(form="softmax", code="pow2", threshold=4.0, timesteps=6, resolution=share))(
            token_ids
        )
        .logits.sub(exact)
        .norm()
        for share in (1.0, 0.1)
    ]
    assert off[1] < off[0]
