import pytest
import torch

from neurt.spiking.coding import mean_over_time, repeat_over_time


def test_repeating_shares_the_memory() -> None:
    x = torch.rand(2, 3)
    repeated = repeat_over_time(x, 4)
    assert repeated.shape == (4, 2, 3)
    assert repeated.data_ptr() == x.data_ptr()
    assert repeated.stride() == (0, *x.stride())
    assert all(torch.equal(step, x) for step in repeated)


@pytest.mark.parametrize("timesteps", [1, 3, 4])
def test_the_mean_inverts_the_repetition(timesteps: int) -> None:
    x = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mean_over_time(repeat_over_time(x, timesteps)), x)


def test_the_mean_runs_over_the_time_steps() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    assert mean_over_time(x).tolist() == [2.0, 4.0]
