"""What is taken for spikes: what is declared, drawn or verified, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from energy import DenseSpikesWarning, EventError, count_module
from energy.network.arrive import NetworkError
from energy.network.neurons import NeuronError
from hwmodels import Op
from tests.energy.network.conftest import Fires


@pytest.mark.parametrize("levels", ["binary", "ternary"])
def test_spikes_are_verified_where_they_are_sent(levels: str) -> None:
    class Lies(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * (x > 0).float()

    net = nn.Sequential(Lies(), nn.Linear(8, 2))
    with pytest.raises(EventError, match=rf"neurons '0' \(Lies\) are {levels}, but .* 0 to 0.5 "):
        count_module(net, torch.randn(3, 8), timesteps=1, neurons={Lies: levels})


def test_undeclared_spikes_are_warned_of_with_the_line_that_declares_them() -> None:
    net = nn.Sequential(nn.Linear(8, 8), Fires(), nn.Flatten(), nn.Linear(8, 2))
    with pytest.warns(DenseSpikesWarning, match=r"layer '3' .* neurons=\{Fires: \"binary\"\}"):
        counts = count_module(net, torch.randn(5, 8))
    assert counts.layer("3").tally.ops[Op.MAC] == 5 * 8 * 2
    spikes = (torch.rand(5, 8) < 0.5).float()
    with pytest.warns(DenseSpikesWarning, match=r"layer '0' .* input_levels=\"binary\""):
        count_module(nn.Sequential(nn.Linear(8, 8)), spikes)
    counts = count_module(nn.Sequential(nn.Linear(8, 8)), spikes, input_levels="binary")
    assert counts.layers[0].tally.ops[Op.AC] == 8 * int(spikes.sum())


def test_constant_weights_of_zeros_and_ones_are_no_spikes() -> None:
    class Sums(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("adjacency", torch.eye(8))
            self.neuron = Fires()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.neuron(x) @ self.adjacency
            return out

    x = torch.randn(3, 8)
    counts = count_module(Sums(), x, timesteps=1, neurons={Fires: "binary"})
    assert counts.layer("adjacency").tally.ops[Op.AC] == 8 * int((x > 0).sum())
    assert counts.layer("adjacency").tally.ops[Op.WEIGHT_READ] == 64


def test_a_state_of_zeros_is_analog_where_later_states_are() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inputs, self.states = nn.Linear(4, 6), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(2, 6)
            for _ in range(3):
                h = torch.tanh(self.inputs(x) + self.states(h))
            return h

    counts = count_module(Recurrent(), torch.rand(2, 4))
    assert counts.layer("states").tally.ops[Op.MAC] == 3 * 2 * 36
    assert counts.layer("states").tally.ops.get(Op.AC, 0) == 0


def test_a_state_that_is_compared_is_no_spike() -> None:
    """A function that keeps a state of zeros, and compares it, has been declared by nobody."""

    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> None:
            state = torch.zeros(4, 8)
            for _ in range(3):
                self.fc((state > 0.5).float())
                state = state + x

    with pytest.warns(DenseSpikesWarning, match="layer 'fc'"):
        counts = count_module(Functional(), torch.rand(4, 8))
    assert counts.layer("fc").tally.ops[Op.MAC] == 3 * 4 * 8 * 3
    assert counts.layer("fc").tally.ops.get(Op.AC, 0) == 0


def test_what_torch_draws_is_spikes() -> None:
    class Encoded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> None:
            for _ in range(3):
                self.fc(torch.bernoulli(x))

    # A probability of one spikes always: 3 steps x 4 x 8 entries, 3 accumulators each.
    counts = count_module(Encoded(), torch.ones(4, 8))
    assert counts.layer("fc").tally.ops[Op.AC] == 3 * 4 * 8 * 3


def test_transformations_of_torch_func_are_refused_in_one_line() -> None:
    class Mapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return torch.vmap(self.fc)(x)

    with pytest.raises(NetworkError, match=r"layer 'fc' runs inside of torch.func"):
        count_module(Mapped(), torch.rand(4, 8))


def test_neurons_that_return_nothing_are_named() -> None:
    class Silent(nn.Module):
        def forward(self, x: Tensor) -> None: ...

    with pytest.raises(NeuronError, match=r"neurons '0' \(Silent\) .* return nothing"):
        count_module(nn.Sequential(Silent()), torch.rand(4, 8), neurons={Silent: "binary"})
