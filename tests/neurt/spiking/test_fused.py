"""Kernels give the events of the steps, bit for bit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from neurt.spiking import fused
from neurt.spiking.coder import Coder
from neurt.spiking.codes import Burst, MultiThreshold, SignedIF, SuccessiveApproximation
from neurt.spiking.fused import Call, NotFusedWarning, power_below, run
from neurt.spiking.neuron import LIF
from neurt.spiking.pow2 import PowerOfTwo, power_below_

SHAPES = ((2, 5, 24), (1, 3, 7, 24))


@pytest.fixture(autouse=True)
def no_refusal() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotFusedWarning)
        yield


def every_float() -> Tensor:
    # Each exponent and sign with random mantissas, subnormals and both zeros among them.
    draw = torch.Generator().manual_seed(0)
    heads = torch.arange(-(2**8), 2**8).repeat_interleave(64) << 23
    bits = heads | torch.randint(2**23, heads.shape, generator=draw)
    x = torch.cat([bits.to(torch.int32), torch.tensor([0, -(2**31)], dtype=torch.int32)])
    x = x.view(torch.float32)
    return x[x.isfinite()]


def test_power_below_is_that_of_the_bits() -> None:
    x = every_float()
    compiled = run(Call(power_below, (x,)))
    assert compiled is not None
    for power in (power_below(x), compiled):
        assert torch.equal(power, power_below_(x.clone()))


@pytest.mark.parametrize("kind", [SignedIF, Burst, MultiThreshold, PowerOfTwo])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_fused_coder_sends_the_same_events(kind: type[Coder], shape: tuple[int, ...]) -> None:
    coder = kind(24, 4, quantile=0.99)
    draw = torch.Generator().manual_seed(1)
    x = 3 * torch.randn(shape, generator=draw)
    coder.threshold.copy_(torch.rand(24, generator=draw) + 0.05)
    with torch.no_grad():
        stepwise = coder(x)
        coder.fused = True
        assert torch.equal(coder(x), stepwise)


def test_kernels_are_not_fewer_than_a_sweep_has_kinds_of_inputs() -> None:
    # Torch keeps so many kernels for a piece of code, and then ends in an error: here 1.
    with torch._dynamo.config.patch(recompile_limit=1):
        for timesteps, shape in ((2, (2, 5, 24)), (3, (2, 5, 24)), (3, (2, 3, 7, 24))):
            x = torch.randn(shape, generator=torch.Generator().manual_seed(timesteps))
            args = ((x,), (torch.ones(24), timesteps), None)
            events = run(Call(fused.region(fused.signed_if), args))
            assert events is not None
            assert torch.equal(events, fused.region(fused.signed_if)(*args))


def test_the_second_zone_and_the_ceiling_are_those_of_the_steps() -> None:
    coder = PowerOfTwo(24, 4, quantile=None)
    coder.resolution, coder.ceiling = 0.25, 0.5
    x = torch.randn(3, 5, 24, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        stepwise = coder(x)
        coder.fused = True
        assert torch.equal(coder(x), stepwise)


def test_a_fused_lif_sends_the_same_spikes() -> None:
    neuron = LIF(24, quantile=0.99, alpha=2.0, tau=2.0)
    currents = torch.randn(4, 2, 5, 24, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        neuron.threshold.fill_(0.4)
        stepwise = neuron(currents)
        neuron.fused = True
        assert torch.equal(neuron(currents), stepwise)
    assert 0 < stepwise.mean() < 1


def test_gradients_are_those_of_the_steps() -> None:
    grads = []
    for on in (False, True):
        coder = PowerOfTwo(24, 4, quantile=None)
        coder.fused = on
        x = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(4)).requires_grad_()
        coder(x).square().sum().backward()
        grads.append(x.grad)
    assert grads[0] is not None
    assert torch.equal(*grads)


def test_a_code_without_a_kernel_runs_step_by_step() -> None:
    coder = SuccessiveApproximation(24, 4, quantile=0.99)
    coder.fused = True
    with torch.no_grad():
        assert torch.equal(coder(torch.ones(1, 24)).sum(0), torch.ones(1, 24))


def test_where_torch_cannot_compile_the_steps_run_and_it_is_said_once() -> None:
    def opaque(x: Tensor) -> Tensor:
        return x.new_tensor(x.tolist())  # leaves the graph

    with pytest.warns(NotFusedWarning, match="opaque runs step by step, since torch cannot"):
        assert run(Call(opaque, (torch.ones(3),))) is None
    assert run(Call(opaque, (torch.ones(3),))) is None
    fused._REFUSED.discard(opaque)
