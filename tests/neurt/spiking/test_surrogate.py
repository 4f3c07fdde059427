import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurt.spiking.neuron import lif_step
from neurt.spiking.surrogate import lif_over_time, spike


def test_forward_is_a_step_that_fires_at_zero() -> None:
    x = torch.tensor([-1.0, -1e-7, 0.0, 1e-7, 3.0])
    assert spike(x).tolist() == [0, 0, 1, 1, 1]
    assert spike(x.requires_grad_()).tolist() == [0, 0, 1, 1, 1]


def test_slope_at_threshold_is_half_alpha() -> None:
    x = torch.zeros(1, requires_grad=True)
    spike(x, 2.0).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0  # alpha / 2


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    steps=st.integers(1, 6),
    tau=st.floats(1.1, 8.0),
    alpha=st.floats(0.5, 6.0),
)
def test_neurons_over_time_are_single_steps_with_surrogates_in_units_of_the_threshold(
    seed: int, steps: int, tau: float, alpha: float
) -> None:
    made = torch.Generator().manual_seed(seed)
    currents, weights = torch.randn(2, steps, 2, 3, generator=made, dtype=torch.float64)
    threshold = torch.rand(3, generator=made, dtype=torch.float64) + 0.05
    inputs = (currents.requires_grad_(), threshold.requires_grad_())
    found = lif_over_time(*inputs, tau, alpha)
    v, out = torch.zeros(2, 3, dtype=torch.float64), []
    for current in currents:
        channels = zip(v.unbind(-1), current.unbind(-1), threshold, strict=True)
        stepped = [lif_step(*own, tau, alpha / own[-1].item()) for own in channels]
        spikes, v = (torch.stack(parts, -1) for parts in zip(*stepped, strict=True))
        out.append(spikes)
    expected = torch.stack(out)
    assert torch.equal(found, expected)
    slopes = [torch.autograd.grad((x * weights).sum(), inputs) for x in (found, expected)]
    for mine, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=1e-10)
    with torch.no_grad():
        assert torch.equal(lif_over_time(*inputs, tau, alpha), expected)
