"""Our neurons beside SpikingJelly's and snnTorch's, step by step: nobody here wrote those.

T = 24 time steps of N neurons, from a membrane potential of zero. A membrane is compared after the
reset. Neither package warns when it is imported, so no warning is filtered here.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurt.spiking.codes import SignedIF
from neurt.spiking.neuron import LIF, lif_step
from neurt.spiking.surrogate import spike

TIMESTEPS = 24
THRESHOLD = 0.75  # a sum of powers of two, like the inputs of the exact tests below
Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # (v, x) -> (spikes, v)
Trace = tuple[Tensor, Tensor]  # spikes and membranes, (T, N) each


def witness(module: str, install: str) -> ModuleType:
    if os.environ.get("CI"):  # there the command of the README installs it: absence is a failure
        return importlib.import_module(module)
    return pytest.importorskip(module, reason=f"a witness is absent: pip install {install}")


@pytest.fixture(scope="module")
def jelly() -> ModuleType:
    name = "spikingjelly.activation_based.neuron"
    return witness(name, "loguru && pip install --no-deps spikingjelly==2.0.0")


@pytest.fixture(scope="module")
def atan() -> Any:
    name = "spikingjelly.activation_based.surrogate"
    return witness(name, "loguru && pip install --no-deps spikingjelly==2.0.0").ATan


@pytest.fixture(scope="module")
def leaky() -> Any:
    return witness("snntorch", "snntorch").Leaky


def ours(step: Callable[..., tuple[Tensor, Tensor]], x: Tensor, *rest: float) -> Trace:
    threshold = torch.full(x.shape[1:], THRESHOLD, dtype=x.dtype)
    return unroll(lambda v, current: step(v, current, threshold, *rest), x)


def unroll(step: Step, x: Tensor) -> Trace:
    v, spikes, membranes = torch.zeros_like(x[0]), [], []
    for current in x:
        s, v = step(v, current)
        spikes.append(s)
        membranes.append(v)
    return torch.stack(spikes), torch.stack(membranes)


def jelly_trace(node: Any, x: Tensor) -> Trace:
    """Their layer over time, called with the whole sequence or step by step as it is set to."""
    node.reset()
    if node.step_mode == "m":
        return node(x), node.v_seq
    spikes, membranes = [], []
    for current in x:
        spikes.append(node(current))
        membranes.append(node.v)
    return torch.stack(spikes), torch.stack(membranes)


def jelly_signed_trace(node: Any, x: Tensor) -> Trace:
    """Our signed neuron built from their ternary one.

    TernaryIFNode fires at +-v_threshold and takes v_threshold off, so with v_threshold = half of
    ours it fires where ours does and takes off half as much. The other half arrives one step
    later as an inhibiting current made of its own spikes, detached as the reset is.
    (Two IFNodes on the positive and the negative part of x are not this neuron: each would keep a
    residue that the other's input should have cancelled.)
    """
    node.reset()
    half = THRESHOLD / 2
    s, spikes, membranes = torch.zeros_like(x[0]), [], []
    for current in x:
        s = node(current - half * s.detach())
        spikes.append(s)
        membranes.append(node.v - half * s.detach())
    return torch.stack(spikes), torch.stack(membranes)


def leaky_trace(node: Any, x: Tensor) -> Trace:
    """Their neuron with the reset at the moment of ours.

    snnTorch applies the reset of step t at step t + 1 (`reset_delay`, on by default), after the
    leak: u[t+1] = beta u[t] + i[t+1] - s[t] theta, where ours leaks what is left after the reset:
    v[t+1] = beta (v[t] - s[t] theta) + i[t+1]. Handing (1 - beta) s[t] theta back with the next
    input makes them one recursion , and u - s theta
    is the potential after the reset. `reset_delay=False` is no way out: there a neuron that is
    still above threshold after a reset has theta subtracted once more before it may fire.
    """
    u, s, spikes, membranes = torch.zeros_like(x[0]), torch.zeros_like(x[0]), [], []
    for current in x:
        s, u = node(current + (1 - node.beta) * THRESHOLD * s.detach(), u)
        spikes.append(s)
        membranes.append(u - s.detach() * THRESHOLD)
    return torch.stack(spikes), torch.stack(membranes)


def random_currents(dtype: torch.dtype, scale: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(TIMESTEPS, 64, generator=generator, dtype=torch.float64).to(dtype) * scale


def adversarial_currents(dtype: torch.dtype, gain: float, *, fires_at: float = THRESHOLD) -> Tensor:
    """Currents (T, N) that `gain` takes to and around the potential `fires_at`, in one step.

    With gain = tau (a power of two: the division is exact) a LIF neuron at rest lands on it.
    """
    at = torch.tensor(fires_at, dtype=dtype)
    above, below = (torch.nextafter(at, torch.tensor(end, dtype=dtype)) for end in (9.0, -9.0))
    sign = torch.tensor([1.0, -1.0], dtype=dtype).repeat(TIMESTEPS // 2)
    one = torch.ones(TIMESTEPS, dtype=dtype)
    pulse = torch.zeros(TIMESTEPS, dtype=dtype)
    pulse[0] = 1
    columns = [
        one * at,  # on the threshold, step after step
        pulse * at,
        pulse * above,
        pulse * below,
        -pulse * at,
        -one * at,
        sign * at,
        0 * one,  # silence
        -0.1 * one,  # only ever negative
        1e4 * one,  # saturated, the potential runs away
        -1e4 * one,
        1e4 * sign,
        1e4 * pulse,  # fires on long after the input has ended
        3 * pulse - 0.1 * one,
    ]
    return gain * torch.stack(columns, dim=1)


def assert_same(found: Trace, expected: Trace, *, atol: float = 1e-6) -> None:
    """Spikes equal, membranes within `atol`, and neither is trivially so."""
    assert found[0].any()
    assert not found[0].all()
    assert torch.equal(found[0], expected[0].to(found[0].dtype))
    torch.testing.assert_close(found[1], expected[1], atol=atol, rtol=0)


def gradient(trace: Callable[[Tensor], Trace], x: Tensor) -> Tensor:
    """Gradient through time of a sum of spikes; the weights keep steps from cancelling out."""
    leaf = x.clone().requires_grad_()
    generator = torch.Generator().manual_seed(5)
    weights = torch.rand(x.shape, generator=generator, dtype=torch.float64).to(x.dtype) + 0.5
    (trace(leaf)[0] * weights).sum().backward()
    assert leaf.grad is not None
    assert bool((leaf.grad != 0).any())
    return leaf.grad


# SpikingJelly runs float32 as one registered operator with a backward of its own, and float64 as
# plain autograd; "s" is called once a step and "m" once a sequence. All four are witnesses.
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
MODES = pytest.mark.parametrize("mode", ["s", "m"])


@MODES
@DTYPES
@pytest.mark.parametrize("tau", [1.5, 2.0, 8.0])
@pytest.mark.parametrize("alpha", [2.0, 3.5])
def test_lif_is_spikingjelly_lif(
    jelly: Any, atan: Any, alpha: float, tau: float, dtype: torch.dtype, mode: str
) -> None:
    node = jelly.LIFNode(
        tau=tau,
        decay_input=True,
        v_threshold=THRESHOLD,
        v_reset=None,
        surrogate_function=atan(alpha),
        detach_reset=True,
        step_mode=mode,
        store_v_seq=mode == "m",
    )
    currents = [random_currents(dtype), random_currents(dtype, 20.0)]
    if tau != 1.5:
        currents.append(adversarial_currents(dtype, tau))
    for x in currents:
        assert_same(ours(lif_step, x, tau, alpha), jelly_trace(node, x))
        mine = gradient(lambda x: ours(lif_step, x, tau, alpha), x)
        theirs = gradient(lambda x: jelly_trace(node, x), x)
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


@DTYPES
@pytest.mark.parametrize("tau", [1.5, 2.0])
def test_layers_over_time_are_spikingjelly_multi_step_layers(
    jelly: Any, atan: Any, tau: float, dtype: torch.dtype
) -> None:
    # Whatever the layers do to be fast, they compute their steps: spikes and gradients through time
    soft = {"v_threshold": THRESHOLD, "v_reset": None, "detach_reset": True, "step_mode": "m"}
    x = random_currents(dtype)
    layer = LIF(x.shape[-1], tau=tau, quantile=1.0, alpha=2.0).to(dtype)
    # Ours is as sharp in units of the threshold.
    sharpness = atan(2.0 / THRESHOLD)
    node = jelly.LIFNode(tau=tau, surrogate_function=sharpness, store_v_seq=True, **soft)
    with torch.no_grad():
        layer.threshold.fill_(THRESHOLD)
    spikes, _ = jelly_trace(node, x)
    assert torch.equal(layer(x), spikes)
    with torch.no_grad():
        assert torch.equal(layer(x), spikes)
    mine = gradient(lambda x: (layer(x), x), x)
    theirs = gradient(lambda x: jelly_trace(node, x), x)
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


def test_signed_if_is_spikingjelly_ternary_if_with_feedback(jelly: Any) -> None:
    node = jelly.TernaryIFNode(v_threshold=THRESHOLD / 2, v_reset=None, detach_reset=True)
    coder = SignedIF(64, TIMESTEPS, quantile=1.0)
    # float64: the feedback enters in another order of additions than our reset.
    values = [random_currents(torch.float64)[0]]
    values.append(adversarial_currents(torch.float64, 1.0, fires_at=THRESHOLD / 2)[0])
    for x in values:
        found = coder.encode(x, torch.full_like(x, THRESHOLD))
        expected, _ = jelly_signed_trace(node, x.expand(TIMESTEPS, -1))
        assert found.unique().tolist() == [-1, 0, 1]
        assert torch.equal(found, expected)


def snntorch_neuron(leaky: Any, tau: float, **options: Any) -> Any:
    """`Leaky` as our LIF neuron, in float64."""
    beta = torch.tensor(1 - 1 / tau, dtype=torch.float64)
    return leaky(beta=beta, threshold=THRESHOLD, reset_mechanism="subtract", **options)


@pytest.mark.parametrize("tau", [1.5, 2.0, 8.0])
def test_lif_is_snntorch_leaky(leaky: Any, tau: float) -> None:
    node = snntorch_neuron(leaky, tau)

    def theirs(x: Tensor) -> Trace:
        # v + (x - v) / tau = beta v + x / tau with beta = 1 - 1 / tau: their input is ours / tau.
        return leaky_trace(node, x / tau)

    # scale 20: the potential stays above threshold after a reset
    for x in (random_currents(torch.float64), random_currents(torch.float64, 20.0)):
        assert_same(ours(lif_step, x, tau, 2.0), theirs(x))
        # snnTorch's default surrogate is the same arctangent with alpha = 2.
        mine = gradient(lambda x: ours(lif_step, x, tau, 2.0), x)
        torch.testing.assert_close(mine, gradient(theirs, x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tau", [2.0, 8.0])
def test_adversarial_currents_in_snntorch(leaky: Any, tau: float) -> None:
    # Its own step is strict (next test); given ours, its recursion is compared on the threshold too
    node = snntorch_neuron(leaky, tau, spike_grad=lambda x: (x >= 0).to(x.dtype))
    x = adversarial_currents(torch.float64, tau)
    assert_same(ours(lif_step, x, tau, 2.0), leaky_trace(node, x / tau))


def test_on_the_threshold_spikingjelly_fires_as_we_do_and_snntorch_waits(
    jelly: Any, leaky: Any
) -> None:
    tau = 2.0
    x = torch.tensor([[THRESHOLD], [2**-20]], dtype=torch.float64) * tau
    node = jelly.LIFNode(tau=tau, v_threshold=THRESHOLD, v_reset=None)
    assert ours(lif_step, x, tau, 2.0)[0].flatten().tolist() == [1, 0]
    assert jelly_trace(node, x)[0].flatten().tolist() == [1, 0]
    # Without a reset the potential is at the threshold, 2^-20 is half of what leaks: none fires.
    assert leaky_trace(snntorch_neuron(leaky, tau), x / tau)[0].flatten().tolist() == [0, 0]


# Quarters up to 8 and a threshold in eighths. A LIF step with tau = 2 or 4 adds 1 or 2 bits of
# fraction: 20 steps end with at most 3 + 40 bits of it and a few before the point, of float64's
# 53. So the arithmetic below is exact in any order, and equality is equality, ties included.
QUARTERS = st.lists(st.integers(-32, 32), min_size=20, max_size=20)
EIGHTHS = st.integers(1, 24).map(lambda n: n / 8)


@settings(deadline=None, max_examples=60)
@given(quarters=QUARTERS, threshold=EIGHTHS, tau=st.sampled_from([2.0, 4.0]))
def test_no_sequence_tells_ours_from_spikingjelly(
    jelly: Any, quarters: list[int], threshold: float, tau: float
) -> None:
    x = torch.tensor(quarters, dtype=torch.float64).unsqueeze(1) / 4
    at = torch.tensor([threshold], dtype=torch.float64)
    found = unroll(lambda v, x: lif_step(v, x, at, tau, 2.0), x)
    node = jelly.LIFNode(tau=tau, decay_input=True, v_threshold=threshold, v_reset=None)
    expected = jelly_trace(node, x)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def atan_primitive(x: Tensor, alpha: float) -> Tensor:
    """The smooth step whose slope stands in for the spike's (Fang et al., ICCV 2021, appendix)."""
    return torch.atan(math.pi / 2 * alpha * x) / math.pi + 0.5


ALPHAS = pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 4.0, 10.0])


@ALPHAS
def test_surrogate_gradient_is_the_finite_difference_of_the_primitive(alpha: float) -> None:
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)  # 0 is the 301st
    # Central differences of width h err by h^2 |f'''| / 6, and |f'''| <= alpha (pi alpha / 2)^2
    # (at 0): for alpha = 10 that is 2467, and with h = 1e-5 the error is 4e-8.
    h = 1e-5
    difference = (atan_primitive(x + h, alpha) - atan_primitive(x - h, alpha)) / (2 * h)
    leaf = x.clone().requires_grad_()
    spike(leaf, alpha).sum().backward()
    torch.testing.assert_close(leaf.grad, difference, atol=1e-6, rtol=0)


@ALPHAS
def test_primitive_passes_gradcheck_and_has_the_surrogate_as_its_slope(alpha: float) -> None:
    x = torch.linspace(-3, 3, 61, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: atan_primitive(x, alpha), (x,))
    (slope,) = torch.autograd.grad(atan_primitive(x, alpha).sum(), x)
    (surrogate,) = torch.autograd.grad(spike(x, alpha).sum(), x)
    torch.testing.assert_close(surrogate, slope, atol=1e-12, rtol=0)


@ALPHAS
def test_primitive_and_surrogate_are_spikingjelly_atan(atan: Any, alpha: float) -> None:
    x = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    smooth = atan(alpha, spiking=False)(x)
    torch.testing.assert_close(atan_primitive(x, alpha), smooth, atol=1e-12, rtol=0)
    (mine,) = torch.autograd.grad(spike(x, alpha).sum(), x)
    (theirs,) = torch.autograd.grad(atan(alpha)(x).sum(), x)
    torch.testing.assert_close(mine, theirs, atol=1e-12, rtol=0)
