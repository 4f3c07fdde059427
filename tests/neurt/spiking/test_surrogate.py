import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurt.spiking.surrogate import atan_primitive, spike


def test_forward_is_a_step_that_fires_at_zero() -> None:
    x = torch.tensor([-1.0, -1e-7, 0.0, 1e-7, 3.0])
    assert spike(x).tolist() == [0, 0, 1, 1, 1]
    assert spike(x.requires_grad_()).tolist() == [0, 0, 1, 1, 1]


@settings(deadline=None)
@given(x=st.floats(-3, 3), alpha=st.floats(0.5, 5))
def test_gradient_is_the_finite_difference_of_the_smooth_primitive(x: float, alpha: float) -> None:
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    spike(point, alpha).backward()
    step = 1e-6
    high, low = (
        atan_primitive(torch.tensor(x + d, dtype=torch.float64), alpha) for d in (step, -step)
    )
    assert point.grad is not None
    assert point.grad.item() == pytest.approx(float(high - low) / (2 * step), rel=1e-4)


def test_slope_at_threshold_is_half_alpha() -> None:
    x = torch.zeros(1, requires_grad=True)
    spike(x, 2.0).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0  # alpha / 2


def test_primitive_is_a_smooth_step_from_0_to_1() -> None:
    x = torch.tensor([-1e6, 0.0, 1e6])
    assert torch.allclose(atan_primitive(x, 2.0), torch.tensor([0, 0.5, 1.0]), atol=1e-5)
    # at x = 2 / (pi alpha) the arctangent is pi / 4, so the value is 3/4
    assert float(atan_primitive(torch.tensor(2 / math.pi / 2), 2.0)) == pytest.approx(0.75)
