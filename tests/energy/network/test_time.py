"""Which calls are time steps, and which are other uses of a module or loops over other things."""

from __future__ import annotations

from typing import Any

import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

from energy import NetworkError, NeuronError, NeuronKind, count_module
from energy.network.checks import TimeWarning
from energy.network.count import Asked, Counted, count_network
from hwmodels import Op
from tests.energy.network.conftest import Fires

T, BATCH = 4, 3
X = torch.rand(BATCH, 6, generator=torch.Generator().manual_seed(0))
OWN: dict[type, Any] = {Fires: NeuronKind(multi_step=False)}
WHOLE: dict[type, Any] = {Fires: NeuronKind(multi_step=True)}


def counted(net: nn.Module, x: Tensor = X, **how: Any) -> Counted:
    return count_network(net, (x,), Asked(**{"neurons": OWN, **how}))


class Shares(nn.Module):
    """One module of neurons behind two layers, whose states are passed along, as snnTorch does."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.lif = nn.Linear(6, 8), nn.Linear(8, 5), snn.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        mem1 = mem2 = self.lif.init_leaky()
        for _ in range(T):
            spk1, mem1 = self.lif(self.fc1(x) + 0, mem1)
            spk2, mem2 = self.lif(self.fc2(spk1) + 0, mem2)
        return spk2


def test_states_that_are_passed_on_say_which_calls_are_steps() -> None:
    both = counted(Shares(), neurons=None)
    assert (both.ssa.timesteps, both.ssa.batch, both.ssa.tokens) == (T, BATCH, BATCH)
    # 8 and 5 neurons in each of 4 steps; the analog network has a ReLU for each of the 13.
    assert both.ssa.layer("lif").tally.ops[Op.NEURON_UPDATE] == T * BATCH * 13
    assert both.asa.layer("lif").tally.ops[Op.CMP] == BATCH * 13
    assert both.asa.layer("fc1").tally.ops[Op.MAC] == BATCH * 48
    two = count_module(Shares(), run=lambda net: [net(X), net(X)])
    assert (two.timesteps, two.tokens) == (T, 2 * BATCH)


class Stack(nn.Module):
    """One module of neurons behind each layer of a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.fire = nn.ModuleList(nn.Linear(6, 6) for _ in range(5)), Fires()

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(T):
            out = x
            for layer in self.layers:
                out = self.fire(layer(out))
        return out


@pytest.mark.parametrize("given", [None, T])
def test_neurons_behind_several_layers_are_not_several_steps(given: int | None) -> None:
    both = counted(Stack(), timesteps=given)
    assert (both.ssa.timesteps, both.ssa.tokens) == (T, BATCH)
    assert both.ssa.layer("fire").tally.ops[Op.NEURON_UPDATE] == T * 5 * X.numel()
    assert both.asa.layer("fire").tally.ops[Op.CMP] == 5 * X.numel()
    for name in ("layers.0", "layers.4"):
        assert both.asa.layer(name).tally.ops[Op.MAC] == BATCH * 36
    chain = nn.Sequential(nn.Linear(6, 6), fire := Fires(), nn.Linear(6, 6), fire)
    outside = count_module(chain, run=lambda net: [net(X) for _ in range(T)], neurons=OWN)
    assert (outside.timesteps, outside.tokens) == (T, BATCH)


def test_neurons_that_two_places_use_are_one_line_or_as_the_caller_says() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fire, self.fc = Fires(), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fire(x + 0)
            return out + self.fire(self.fc(out) + 0)

    with pytest.raises(NetworkError, match=r"'fire' ran from 2 places .* give timesteps, or each"):
        counted(Two())
    steps = counted(Two(), timesteps=2).ssa  # unrolled by hand
    layers = counted(Two(), timesteps=1).ssa
    assert [(x.timesteps, x.tokens) for x in (steps, layers)] == [(2, BATCH), (1, BATCH)]
    # Where other neurons say how many steps there were, it is as many.
    timed = nn.Sequential(Two(), nn.Linear(6, 6), snn.Leaky(beta=0.9))
    loop = count_module(timed, run=lambda net: [net(X) for _ in range(T)], neurons=OWN)
    assert (loop.timesteps, loop.tokens) == (T, BATCH)


class Heads(nn.Module):
    """As many products as there are steps, before, in and behind the loop over time."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads, self.fire = heads, Fires()
        self.before, self.inside, self.behind = (nn.Linear(6, 6) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.heads):
            x = self.before(x)
        for _ in range(T):
            out = self.fire(self.inside(x))
        for _ in range(self.heads):
            out = self.behind(out).tanh()
        return out


@pytest.mark.parametrize("heads", [1, 3, T, T + 2, 2 * T])
def test_a_loop_outside_of_time_is_none_of_steps(heads: int) -> None:
    both = counted(Heads(heads))
    macs = {x.name: x.tally.ops.get(Op.MAC, 0) for x in both.asa.layers}
    # The analog network makes each product of the two other loops, and one of those over time.
    assert macs["before"] == macs["behind"] == heads * BATCH * 36
    assert macs["inside"] == BATCH * 36
    assert both.asa.layer("tanh").tally.ops[Op.EXP] == heads * X.numel()
    # Of weights, each call reads its own; those inside of time are read once.
    read = {x.name: x.tally.ops.get(Op.WEIGHT_READ, 0) for x in both.ssa.layers}
    assert (read["before"], read["inside"], read["behind"]) == (36 * heads, 36, 36 * heads)


class Parts(nn.Module):
    """Multi-step neurons, and a loop over as many things as there are steps."""

    def __init__(self, use: Any) -> None:
        super().__init__()
        self.fire, self.fc, self.use = Fires(), nn.Linear(6, 6), use

    def forward(self, x: Tensor) -> Any:
        self.fire(x)
        return self.use(self.fc, x)


def analog_macs(use: Any) -> float:
    x = torch.rand(T, BATCH, 6)
    return counted(Parts(use), x, neurons=WHOLE).asa.layer("fc").tally.ops[Op.MAC]


def test_loops_beside_an_axis_of_time() -> None:
    # One step after the other of a tensor of all steps: the analog network makes one.
    assert analog_macs(lambda fc, x: [fc(step) for step in x]) == BATCH * 36
    # Heads, each over all steps: each is made, with one step.
    assert analog_macs(lambda fc, x: [fc(x) for _ in range(T)]) == T * BATCH * 36
    # Something of which nobody can say what it is.
    with pytest.warns(TimeWarning, match=r"layer 'fc' ran as often as there are time steps \(4\)"):
        assert analog_macs(lambda fc, x: [fc(x.mean(0)) for _ in range(T)]) == BATCH * 36


def test_one_step_that_nobody_asked_for_is_warned_of() -> None:
    net = nn.Sequential(Fires(), nn.Linear(6, 2))
    with pytest.warns(TimeWarning, match=r"each neuron of mine took one time step \(T = 1\)") as w:
        count_module(net, X, neurons=OWN, model="mine")
    assert w[0].filename == __file__  # it points at the line that asked
    ways: Any = ({"timesteps": 1}, {"run": lambda net: net(X)})
    for asked in ways:  # warnings are errors here
        assert count_module(net, X, neurons=OWN, **asked).timesteps == 1
    assert count_module(nn.Linear(6, 2), X).timesteps == 1  # no neurons, no time


class Loops(nn.Module):
    """As many steps as its input has, with neurons that keep their state or hand it on."""

    def __init__(self, lif: nn.Module, *, hands_on: bool) -> None:
        super().__init__()
        self.lif, self.hands_on = lif, hands_on

    def forward(self, x: Tensor) -> None:
        mem = self.lif.init_leaky() if self.hands_on else None  # type: ignore[operator]
        for step in x:
            if self.hands_on:
                _, mem = self.lif(step, mem)
            else:
                self.lif(step)


@pytest.mark.parametrize(
    ("net", "how"),
    [
        (Loops(snn.Leaky(beta=0.9), hands_on=True), {}),
        (Loops(snn.Leaky(beta=0.9, init_hidden=True), hands_on=False), {}),
        (Loops(Fires(), hands_on=False), {"neurons": OWN}),
    ],
    ids=["state handed on", "state kept", "no state"],
)
@pytest.mark.parametrize("second", [7, 2 * T])
def test_passes_of_different_steps_are_refused(net: nn.Module, how: Any, second: int) -> None:
    def run(net: nn.Module) -> None:  # 4 and 7 steps are no 5 in each of two passes
        net(X.expand(T, -1, -1))
        net(X.expand(second, -1, -1))

    with pytest.raises(NetworkError, match=f"took 4 and {second} time steps in different calls"):
        count_module(net, run=run, **how)
    again = count_module(net, run=lambda net: [net(X.expand(T, -1, -1)) for _ in range(2)], **how)
    assert (again.timesteps, again.tokens) == (T, 2 * BATCH)


def test_time_as_the_second_dimension_is_given_step_by_step() -> None:
    net = nn.Sequential(nn.Linear(6, 8), Fires(), nn.Linear(8, 2))
    x = torch.randn(BATCH, T, 6, generator=torch.Generator().manual_seed(1))  # as sinabs has it
    steps = counted(net, run=lambda net: [net(step) for step in x.split(1, dim=1)])
    whole = counted(net, x, timesteps=1)
    for name in ("0", "1", "2"):
        assert steps.ssa.layer(name).tally.ops == whole.ssa.layer(name).tally.ops
    # The analog network does a step, of 6 x 8 and 8 x 2 MACs for each sample; not all of them.
    assert steps.asa.total(Op.MAC) == BATCH * 64
    assert whole.asa.total(Op.MAC) == T * BATCH * 64


class Keeps(nn.Module):
    """Neurons that keep their spikes and return nothing, as the nodes of BindsNET do."""

    def forward(self, x: Tensor) -> None:
        self.s = x > 0


class Returns(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.nodes = Keeps()

    def forward(self, x: Tensor) -> Tensor:
        self.nodes(x)
        return self.nodes.s.float()


def test_neurons_that_keep_their_spikes_are_declared_by_what_returns_them() -> None:
    net = nn.Sequential(nn.Linear(6, 8), Returns(), nn.Linear(8, 2))
    with pytest.raises(NeuronError, match=r"'1.nodes' \(Keeps\) were declared, but they return no"):
        count_module(net, X, neurons={Keeps: "binary"}, timesteps=1)
    counts = count_module(net, X, neurons={Returns: NeuronKind(multi_step=False)}, timesteps=T)
    spikes = T * int((net[0](X) > 0).sum())
    assert counts.layer("1").tally.ops[Op.NEURON_UPDATE] == T * BATCH * 8
    assert counts.layer("2").tally.ops[Op.AC] == 2 * spikes > 0
    assert Op.MAC not in counts.layer("2").tally.ops
