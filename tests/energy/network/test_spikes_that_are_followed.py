"""Which operations carry spikes on, and where they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import Counts, DenseSpikesWarning, EventError, Levels, count_module
from energy.network.arrive import NetworkError
from energy.network.count import Asked, count_network
from energy.network.neurons import NeuronError
from hwmodels import Op


class Fires(nn.Module):
    """A neuron without a state."""

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)


class Through(nn.Module):
    """Neurons, something of their spikes, and a layer that takes what comes out."""

    def __init__(self, use: Callable[..., Tensor], fan_in: int) -> None:
        super().__init__()
        self.neuron, self.other, self.use = Fires(), Fires(), use
        self.fc = nn.Linear(fan_in, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.use(self.neuron(x), self.other(-x)))
        return out


def through(use: Callable[..., Tensor], fan_in: int = 8) -> tuple[Counts, Tensor, Any]:
    """The counts, what arrived at the layer, and where spikes end."""
    net, x = Through(use, fan_in), torch.randn(2, 4, 8)
    arrived: list[Tensor] = []
    net.fc.register_forward_pre_hook(lambda _module, args: arrived.append(args[0].clone()))
    counted = count_network(net, (x,), Asked(1, {Fires: "binary"}))
    return counted.ssa, arrived[0], counted.ends


CARRY: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "nothing": (lambda a, b: a, 8),
    "view": (lambda a, b: a.view(8, 8), 8),
    "reshape": (lambda a, b: a.transpose(0, 1).reshape(8, 8), 8),
    "permute": (lambda a, b: a.permute(1, 2, 0), 2),
    "flatten": (lambda a, b: nn.Flatten()(a), 32),
    "contiguous": (lambda a, b: a.mT.contiguous(), 4),
    "clone": (lambda a, b: a.clone().detach(), 8),
    "casts": (lambda a, b: a.to(torch.float64).bool().float(), 8),
    "index": (lambda a, b: a[:, torch.tensor([2, 0])], 8),
    "mask": (lambda a, b: a[:, torch.tensor([True, False, True, True])], 8),
    "slice": (lambda a, b: a[..., ::2], 4),
    "gather": (lambda a, b: a.index_select(1, torch.tensor([3, 3])), 8),
    "cat": (lambda a, b: torch.cat((a, b), -1), 16),
    "stack": (lambda a, b: torch.stack((a, b)), 8),
    "split": (lambda a, b: torch.cat(a.split(4, -1)[::-1], -1), 8),
    "max pooling": (lambda a, b: nn.MaxPool1d(2)(a), 4),
    "the larger one": (lambda a, b: torch.maximum(a, b), 8),
    "dropout": (lambda a, b: nn.Dropout(0.5).eval()(a), 8),
    "identity": (lambda a, b: nn.Identity()(a), 8),
    "padding": (lambda a, b: nn.functional.pad(a, (1, 1)), 10),
    "circular padding": (lambda a, b: nn.functional.pad(a, (1, 1), mode="circular"), 10),
    "reflection": (lambda a, b: nn.functional.pad(a, (1, 1), mode="reflect"), 10),
    "nearest": (lambda a, b: nn.functional.interpolate(a, scale_factor=2), 16),
    "repeat": (lambda a, b: a.repeat(1, 2, 1), 8),
    "expand": (lambda a, b: a[:, :1].expand(2, 4, 8), 8),
    "roll": (lambda a, b: a.roll(1, -1).flip(1), 8),
    "and": (lambda a, b: a * b.roll(1, 0), 8),
    "sum": (lambda a, b: a + b, 8),
    "sum in place": (lambda a, b: a.clone().add_(b), 8),
    "difference": (lambda a, b: a - b, 8),
    "not": (lambda a, b: (1 - a) * b, 8),
    "scale": (lambda a, b: 0.125 * a, 8),
    "both scaled": (lambda a, b: a / 4 + b * 0.25, 8),
    "relu": (lambda a, b: a.relu(), 8),
    "where": (lambda a, b: torch.where(b > 0, 0, a), 8),
    "masked": (lambda a, b: a.masked_fill(b.bool(), 0), 8),
    "recorded": (lambda a, b: _recorded(a), 8),
    "a mean of one": (lambda a, b: a.unsqueeze(2).mean(2), 8),
    "pooling to its size": (lambda a, b: nn.AdaptiveAvgPool2d((4, 8))(a), 8),
    "tril": (lambda a, b: a.tril(), 8),
    "logical and": (lambda a, b: torch.logical_and(a.bool(), b.roll(1, 0).bool()).float(), 8),
    "logical or": (lambda a, b: torch.logical_or(a, b.roll(1, 0)).float(), 8),
    "bits and": (lambda a, b: (a.bool() & b.roll(1, 0).bool()).float(), 8),
    "bits or": (lambda a, b: (a.bool() | b.roll(1, 0).bool()).float(), 8),
    "bits not": (lambda a, b: (~a.bool()).float(), 8),
    "xor": (lambda a, b: (a.bool() ^ b.roll(1, 0).bool()).float(), 8),
    "not zero": (lambda a, b: (a != 0).float(), 8),
    "both": (lambda a, b: (a + b.roll(1, 0) >= 2).float(), 8),
    "or by clamp": (lambda a, b: (a + b.roll(1, 0)).clamp(0, 1), 8),
    "or by a limit": (lambda a, b: (a + b.roll(1, 0)).clamp(max=1), 8),
    "or by hardtanh": (lambda a, b: nn.functional.hardtanh(a + b, 0, 1), 8),
    "relu6": (lambda a, b: nn.functional.relu6(a + b), 8),
    "leaky relu": (lambda a, b: nn.functional.leaky_relu(a), 8),
    "prelu": (lambda a, b: nn.PReLU()(a), 8),
    "negative": (lambda a, b: b - (-a), 8),
    "sign": (lambda a, b: (a - b).sign(), 8),
    "square": (lambda a, b: (a - b) ** 2, 8),
    "where it spikes": (lambda a, b: torch.where(a > 0, 1.0, 0.0), 8),
    "dropout that goes on": (lambda a, b: nn.functional.dropout(a, 0.5, training=True), 8),
}


def _recorded(a: Tensor) -> Tensor:
    rec = torch.zeros(2, 4, 8)
    for step in range(2):
        rec[step] = a[step]
    return rec


UNITS = {"scale": 0.125, "both scaled": 0.25, "dropout that goes on": 2}


@pytest.mark.parametrize("name", CARRY)
def test_spikes_are_carried_on(name: str) -> None:
    use, fan_in = CARRY[name]
    counts, arrived, ends = through(use, fan_in)
    tally = counts.layer("fc").tally
    unit = UNITS.get(name, 1)
    # A value of n units is n events, each added to 3 accumulators.
    assert tally.ops.get(Op.AC, 0) == 3 * float(arrived.abs().sum()) / unit
    assert tally.ops.get(Op.MAC, 0) == 0
    assert tally.spikes > 0
    assert ends == ()


ENDS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "average pooling": (lambda a, b: nn.AvgPool1d(3, 1, 1)(a), "avg_pool2d"),
    "batch norm": (lambda a, b: nn.BatchNorm1d(4)(a), "native_batch_norm"),
    "layer norm": (lambda a, b: nn.LayerNorm(8)(a), "native_layer_norm"),
    "softmax": (lambda a, b: a.softmax(-1), "_softmax"),
    "analog residual": (lambda a, b: a + torch.linspace(0, 1, 8).sin(), "add"),
    "sigmoid": (lambda a, b: a.sigmoid(), "sigmoid"),
    "a shift": (lambda a, b: a + 0.5, "add"),
    "mean over time": (lambda a, b: a.mean(0), "mean"),
    "different units": (lambda a, b: a + 0.3 * b, "add"),
    "a limit between": (lambda a, b: (a + b).clamp(0, 0.5), "clamp"),
    "a choice of values": (
        lambda a, b: torch.where(a > 0, torch.linspace(0, 1, 8).sin(), 0.0),
        "where",
    ),
    "whole numbers": (lambda a, b: a.long().cumsum(0).float(), "cumsum"),
}


@pytest.mark.parametrize("name", ENDS)
def test_spikes_end_and_the_report_says_where(name: str) -> None:
    use, operation = ENDS[name]
    counts, arrived, ends = through(use)
    tally = counts.layer("fc").tally
    assert tally.ops[Op.MAC] == arrived.numel() * 3
    assert tally.ops.get(Op.AC, 0) == 0
    assert operation in [what for _, what in ends]


@pytest.mark.parametrize(
    ("use", "levels"),
    [
        (lambda a, b: a, Levels.BINARY),
        (lambda a, b: a - b, Levels.TERNARY),
        (lambda a, b: a + b, Levels.BURST),
        (lambda a, b: a + a + a + a + b + b + b + b, Levels.COUNT),
        (lambda a, b: a * b, Levels.BINARY),
        (lambda a, b: torch.zeros(2, 4, 8) + a, Levels.BINARY),
    ],
)
def test_levels_add_up(use: Callable[[Tensor, Tensor], Tensor], levels: Levels) -> None:
    counts, _, _ = through(use)
    assert counts.layer("fc").tally.levels is levels


def test_more_than_127_of_one_value_are_no_events() -> None:
    def many(a: Tensor, b: Tensor) -> Tensor:
        total = a
        for _ in range(127):
            total = total + a
        return total

    counts, arrived, ends = through(many)
    assert counts.layer("fc").tally.ops[Op.MAC] == arrived.numel() * 3
    assert ends == (("the model itself", "add"),)


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
