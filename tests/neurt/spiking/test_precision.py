"""Events are made in FP32, whatever the precision of the model: they differ where inputs do."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.loading.placement import Placement, place
from neurt.spiking.coder import Coder
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Code, Coded, DeadZone, Form, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.neuron import LIF
from neurt.spiking.precision import coded_in, summed_in, widest

HALVES = (torch.bfloat16, torch.float16)
CPU = torch.device("cpu")
#: Codes that count in steps of one size, with that step in thresholds at T time steps.
UNIFORM = {Code.SIGNED_IF: lambda t: 1 / t, Code.BURST: lambda t: 1 / t, Code.SAR: lambda _t: 1.0}


def coder(code: Code, timesteps: int) -> Coder:
    made = make_coder(1, SpikingConfig(code=code, timesteps=timesteps), Coded.FEEDFORWARD)
    with torch.no_grad():
        made.threshold.fill_(0.37)
    return made


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("code", Code)
@torch.no_grad()
def test_a_value_of_half_precision_is_coded_as_the_same_value_in_full(
    code: Code, dtype: torch.dtype
) -> None:
    x = torch.linspace(-3, 3, 4001)[:, None].to(dtype)
    made = coder(code, 4)
    events = made(x)
    assert events.dtype is dtype
    expected = made(x.float())
    # Units and powers of two are in every precision; an analog T-th is rounded.
    assert torch.equal(events, expected.to(dtype))
    if code is not Code.EXACT:
        assert torch.equal(events.float(), expected)


@given(
    st.sampled_from(sorted(UNIFORM)),
    st.integers(1, 8),
    st.floats(-0.25, 0.25, width=32),
    st.floats(-0.25, 0.25, width=32),
)
@torch.no_grad()
def test_levels_differ_by_no_more_than_the_steps_between_the_inputs(
    code: Code, timesteps: int, x: float, moved: float
) -> None:
    # The level is a staircase of x with steps of one, each a distance q after the last, so an
    # interval of length |dx| holds at most ceil(|dx| / q) of them. Rounding in FP32 moves the
    # place of a step by far less than a thousandth of q.
    made = coder(code, timesteps)
    q = UNIFORM[code](timesteps) * float(made.threshold)
    both = torch.tensor([[x], [x + moved]])
    low, high = made(both).sum(0)[:, 0]
    distance = abs(float(both[1] - both[0]))
    assert abs(float(high - low)) <= math.ceil(distance / q + 1e-3)


@given(st.integers(1, 6), st.floats(-8, 8, width=32), st.floats(-1, 1, width=32))
@torch.no_grad()
def test_greedy_values_differ_by_no_more_than_the_inputs_and_both_errors(
    timesteps: int, x: float, moved: float
) -> None:
    # |d(x') - d(x)| <= |x' - x| + |x - d(x)| + |x' - d(x')|, and of what is above the dead zone
    # a third is left after each event, so an error is at most max(zone, |x| / 3^T).
    made = coder(Code.POW2, timesteps)
    both = torch.tensor([[x], [x + moved]])
    coded = made.decode(made(both))
    zone = float(made.threshold)
    most = [max(zone, abs(float(value)) / 3**timesteps) for value in both[:, 0]]
    distance = abs(float(both[1] - both[0]))
    assert abs(float(coded[1] - coded[0])) <= (distance + sum(most)) * (1 + 1e-5)


@pytest.mark.parametrize("dtype", HALVES)
@torch.no_grad()
def test_leaky_neurons_integrate_in_full(dtype: torch.dtype) -> None:
    neuron = LIF(3, quantile=0.9, alpha=2.0, tau=2.0)
    currents = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    spikes = neuron(currents)
    assert spikes.dtype is dtype
    assert torch.equal(spikes.float(), neuron(currents.float()))


def inputs_and_events(model: nn.Module, ids: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    found: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = [
        module.register_forward_hook(
            lambda _m, args, out, name=name: found.update({name: (args[0].float(), out.float())})
        )
        for name, module in model.named_modules()
        if isinstance(module, Coder)
    ]
    model(ids, use_cache=False)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.BURST])
@torch.no_grad()
def test_spikes_of_a_model_differ_where_what_its_coders_see_does(
    tiny_gpt2: PreTrainedModel, token_ids: Tensor, dtype: torch.dtype, code: Code
) -> None:
    # The same thresholds in both models; layer by layer the bound above, from what arrived there.
    chosen = SpikingConfig(form=Form.SOFTMAX, code=code, timesteps=4)
    full = convert(tiny_gpt2, chosen, [token_ids])
    half = copy.deepcopy(full)
    place(half, Placement(CPU, dtype))
    assert {p.dtype for p in half.parameters()} == {dtype, torch.float32}
    differ = 0
    seen = inputs_and_events(half, token_ids)
    for name, (x, events) in inputs_and_events(full, token_ids).items():
        step = full.get_submodule(name).threshold / 4
        if full.get_submodule(name).arranged is not None:
            continue
        other, sent = seen[name]
        if other.shape != x.shape:
            continue
        levels, those = events.sum(0), sent.sum(0)
        most = ((x - other).abs() / step + 1e-3).ceil()
        assert bool(((levels - those).abs() <= most).all()), name
        differ += int((levels != those).sum())
    assert differ  # else nothing was compared


@pytest.mark.parametrize("dead_zone", [DeadZone.LOSS, DeadZone.OUTPUT])
@torch.no_grad()
def test_dead_zones_found_in_bf16_are_those_of_fp32(
    tiny_gpt2: PreTrainedModel, token_ids: Tensor, dead_zone: DeadZone
) -> None:
    # The labels of the curvature are drawn on the CPU from one seed, so what differs is rounding:
    # 2^-9 of each value and of each gradient, some of it averaged away. Stated: 5 % at most.
    chosen = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, dead_zone=dead_zone)
    full = convert(tiny_gpt2, chosen, [token_ids])
    narrow = copy.deepcopy(tiny_gpt2)
    place(narrow, Placement(CPU, torch.bfloat16))
    half = convert(narrow, chosen, [token_ids])
    zones = {n: p for n, p in full.named_parameters() if n.endswith("threshold")}
    for name, zone in zones.items():
        found = half.get_parameter(name)
        assert found.dtype is torch.float32
        assert torch.allclose(found, zone, rtol=0.05), name


def test_long_sums_are_as_wide_as_the_device_allows() -> None:
    assert summed_in(torch.device("cuda", 1)) is torch.float64
    assert summed_in(torch.device("mps")) is torch.float32  # Metal has no double
    assert widest(torch.ones(1)).dtype is torch.float64
    assert coded_in(torch.float64) is torch.float64
