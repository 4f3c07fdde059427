import torch

from neurt.spiking.neuron import spike


def test_forward_is_a_step_that_fires_at_zero() -> None:
    x = torch.tensor([-1.0, -1e-7, 0.0, 1e-7, 3.0])
    assert spike(x).tolist() == [0, 0, 1, 1, 1]
    assert spike(x.requires_grad_()).tolist() == [0, 0, 1, 1, 1]


def test_slope_at_threshold_is_half_alpha() -> None:
    x = torch.zeros(1, requires_grad=True)
    spike(x, 2.0).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0  # alpha / 2
