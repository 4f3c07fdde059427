import pytest
import torch
from torch import Tensor, nn

from energy import Levels, count_events, count_pass
from hwmodels import Op
from neurt.spiking.neuron import LIF, NeuronError, calibrating, lif_step, repeat_over_time


def run(step: object, inputs: list[float], *rest: float) -> list[tuple[float, float]]:
    v = torch.zeros(1)
    found = []
    for x in inputs:
        s, v = step(v, torch.tensor([x]), torch.ones(1), *rest)  # type: ignore[operator]
        found.append((s.item(), round(v.item(), 6)))
    return found


def test_lif_by_hand() -> None:
    # v <- v + (x - v) / 2, threshold 1, soft reset:
    # 0.9; (0.9 + 1.8) / 2 = 1.35 -> spike, 0.35; (0.35 + 1.8) / 2 = 1.075 -> spike, 0.075
    assert run(lif_step, [1.8, 1.8, 1.8], 2.0, 2.0) == [(0, 0.9), (1, 0.35), (1, 0.075)]


def test_saturated_neuron_fires_every_step() -> None:
    spikes = LIF(3, quantile=1.0, alpha=2.0, tau=2.0)(torch.full((5, 2, 3), 7.0))
    assert torch.equal(spikes, torch.ones(5, 2, 3))


def test_every_call_starts_from_rest() -> None:
    neuron = LIF(4, quantile=0.9, alpha=2.0, tau=2.0)
    x = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(neuron(x), neuron(x))


def test_calibration_sets_the_quantile_per_channel_and_averages_over_inputs() -> None:
    neuron = LIF(2, quantile=0.5, alpha=2.0, tau=2.0)
    first = torch.tensor([[[1.0, -10], [2, 20], [3, -30], [4, 40]]])  # (T=1, 4 samples, 2)
    with calibrating(neuron):
        neuron(first)
        assert neuron.threshold.tolist() == [2, 20]  # 2nd smallest of 4 magnitudes
        neuron(first * 3)
    assert neuron.threshold.tolist() == [4, 40]  # mean of (2, 6) and of (20, 60)
    neuron(first * 100)
    assert neuron.threshold.tolist() == [4, 40]  # not after the block


def test_calibration_refuses_values_that_are_not_finite() -> None:
    neuron = LIF(2, quantile=0.5, alpha=2.0, tau=2.0)
    with calibrating(neuron), pytest.raises(NeuronError, match="not finite"):
        neuron(torch.tensor([[[1.0, float("nan")]]]))


def test_calibration_ends_when_the_body_raises() -> None:
    neuron = LIF(2, quantile=0.5, alpha=2.0, tau=2.0)
    with pytest.raises(KeyError), calibrating(neuron):
        raise KeyError
    assert neuron.calibrations == -1


def test_the_layer_that_is_not_finite_is_named() -> None:
    model = nn.Sequential(nn.Identity(), LIF(2, quantile=0.5, alpha=2.0, tau=2.0))
    with calibrating(model), pytest.raises(NeuronError, match="layer '1'"):
        model(torch.tensor([[[1.0, float("inf")]]]))


def test_silent_channel_stays_silent_and_finite() -> None:
    neuron = LIF(2, quantile=0.99, alpha=2.0, tau=2.0)
    x = torch.zeros(4, 10, 2)
    with calibrating(neuron):
        assert torch.equal(neuron(x), torch.zeros_like(x))
    assert bool((neuron.threshold > 0).all())


def test_the_threshold_is_a_frozen_parameter_that_can_be_trained() -> None:
    neuron = LIF(3, quantile=1, alpha=2, tau=2)
    assert [name for name, _ in neuron.named_parameters()] == ["threshold"]
    assert torch.equal(neuron.threshold, torch.ones(3))
    x = torch.full((4, 2, 3), 0.9)
    assert not neuron(x).requires_grad
    neuron.threshold.requires_grad_(True)
    neuron(x).sum().backward()
    assert neuron.threshold.grad is not None
    assert bool((neuron.threshold.grad < 0).all())  # a higher threshold fires less


def test_activity_is_the_number_of_spikes_per_value_while_watched() -> None:
    neuron = LIF(3, quantile=1.0, alpha=2.0, tau=2.0)
    x = torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(0))
    neuron(x)
    assert neuron.activity is None
    neuron.watched = True
    spikes = neuron(x)
    assert neuron.activity is not None
    # 4 steps of 15 values
    assert neuron.activity.item() == pytest.approx(count_events(spikes, Levels.BINARY, "x") / 15)


def test_spikes_are_the_same_with_and_without_gradients() -> None:
    neuron = LIF(3, quantile=1.0, alpha=2.0, tau=2.0)
    neuron.threshold.requires_grad_(True)
    x = 3 * torch.randn(6, 20, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = neuron(x)
    assert plain.grad_fn is None
    assert torch.equal(neuron(x.clone().requires_grad_()), plain)


def test_gradient_reaches_input_and_membrane_but_not_through_the_reset() -> None:
    neuron = LIF(1, quantile=1.0, alpha=2.0, tau=2.0)
    x = torch.full((3, 1), 1.8, requires_grad=True)
    neuron(x).sum().backward()
    assert x.grad is not None
    # Every input feeds its own and all later potentials, each halved per step: all slopes > 0,
    # and the earliest input has the most paths relative to its own step.
    assert bool((x.grad > 0).all())


def test_counts_of_a_neuron_layer() -> None:
    x = torch.randn(4, 3, 8, 5, generator=torch.Generator().manual_seed(0)) * 2
    spikes: list[Tensor] = []
    model = nn.Sequential(LIF(5, quantile=1, alpha=2, tau=2))
    counts = count_pass(model, lambda: spikes.append(model(x)), variant="ssa")
    (row,) = counts.layers
    updates = 4 * 3 * 8 * 5  # time steps x batch x tokens x channels
    assert row.ops[Op.NEURON_UPDATE] == row.tally.slots == updates
    fired = sum(1 for s in spikes[0].flatten().tolist() if s != 0)
    assert row.ops[Op.SPIKE] == row.tally.spikes == fired
    assert row.ops[Op.STATE_READ] == row.ops[Op.STATE_WRITE] == updates
    assert row.ops[Op.SPIKE_WRITE] == updates
    assert (row.tally.levels, row.tally.channels) == (Levels.BINARY, 5)
    assert row.tally.dense_macs == 0


def test_doubling_the_timesteps_doubles_the_updates() -> None:
    neuron = nn.Sequential(LIF(5, quantile=1, alpha=2, tau=2))

    def updates(timesteps: int) -> int:
        x = torch.ones(timesteps, 3, 5)
        return count_pass(neuron, lambda: neuron(x), variant="ssa").total(Op.NEURON_UPDATE)

    assert updates(8) == 2 * updates(4)


def test_a_quantile_is_one_of_what_is_not_zero() -> None:
    # 4, 1, 3, 2 among eight zeros: the 0.5 quantile is the 2nd of 4, so 2. One value: itself. A
    # silent channel: the median of the others, 2 and 7, of which torch takes the lower.
    channels = [[4, 0, 1, 0, 0, 3, 0, 0, -2, 0, 0, 0], [0] * 11 + [-7], [0] * 12]
    neuron = LIF(3, quantile=0.5, alpha=2.0, tau=2.0)
    neuron.calibrations = 0
    neuron.calibrate(torch.tensor(channels, dtype=torch.float32).T.reshape(3, 4, 3))
    assert neuron.threshold.tolist() == [2, 7, 2]


def test_neurons_that_hear_nothing_at_all_keep_a_threshold_of_one() -> None:
    neuron = LIF(2, quantile=0.5, alpha=2.0, tau=2.0)
    neuron.calibrations = 0
    neuron.calibrate(torch.zeros(3, 4, 2))
    assert neuron.threshold.tolist() == [1, 1]


def test_repeating_shares_the_memory() -> None:
    x = torch.rand(2, 3)
    repeated = repeat_over_time(x, 4)
    assert repeated.shape == (4, 2, 3)
    assert repeated.data_ptr() == x.data_ptr()
    assert repeated.stride() == (0, *x.stride())
    assert all(torch.equal(step, x) for step in repeated)
