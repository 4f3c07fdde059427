"""Networks of snnTorch, as its users write them, counted by hand beside their own loops."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import NetworkError, count_module
from hwmodels import Op

snn: Any = pytest.importorskip("snntorch", reason="needs snntorch")
utils: Any = pytest.importorskip("snntorch.utils", reason="needs snntorch")
STEPS = 10


class Net(nn.Module):
    """The network of its tutorial 5: a loop over time inside of forward, states passed along."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(28, 16)
        self.lif1 = snn.Leaky(beta=0.95)
        self.fc2 = nn.Linear(16, 10)
        self.lif2 = snn.Leaky(beta=0.95)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for _ in range(STEPS):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


def spikes_of(net: nn.Module, name: str, *inputs: Any) -> list[Tensor]:
    """What a layer of neurons sends in each call, by a hook of the user's own."""
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _args: Any, out: Any) -> None:
        seen.append((out[0] if isinstance(out, tuple) else out).clone())

    handle = dict(net.named_modules())[name].register_forward_hook(keep)
    with torch.no_grad():
        net(*inputs)
    handle.remove()
    return seen


def test_the_network_of_the_tutorial() -> None:
    net, x = Net(), 3 * torch.rand(4, 28)
    sent = torch.stack(spikes_of(net, "lif1", x))
    counts = count_module(net, x)
    assert (counts.timesteps, counts.batch, counts.tokens) == (STEPS, 4, 4)
    assert [row.name for row in counts.layers] == ["fc1", "lif1", "fc2", "lif2"]
    # The first layer takes the image in each step: 10 x 4 x 28 x 16 MACs.
    assert counts.layer("fc1").tally.ops[Op.MAC] == STEPS * 4 * 28 * 16
    fc2 = counts.layer("fc2").tally
    assert 0 < sent.sum() < sent.numel()
    assert fc2.ops.get(Op.MAC, 0) == 0
    assert fc2.ops[Op.AC] == int(sent.sum()) * 10
    assert fc2.ops[Op.WEIGHT_READ] == 16 * 10  # once for all steps
    lif1 = counts.layer("lif1").tally
    # beta v + x - reset: 2 additions, 1 multiplication, 1 comparison in each of 10 x 4 x 16.
    updates = STEPS * 4 * 16
    assert [lif1.ops[x] for x in (Op.NEURON_UPDATE, Op.NEURON_ADD, Op.NEURON_MUL)] == [
        updates,
        2 * updates,
        updates,
    ]
    assert lif1.ops[Op.SPIKE] == int(sent.sum())
    assert counts.layer("lif2").tally.slots == STEPS * 4 * 10


def test_neurons_that_keep_their_state_in_a_loop_outside() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 5),
        nn.MaxPool2d(2),
        snn.Leaky(beta=0.5, init_hidden=True),
        nn.Flatten(),
        nn.Linear(4 * 12 * 12, 10),
        snn.Leaky(beta=0.5, init_hidden=True, output=True),
    )
    images = 3 * torch.rand(2, 1, 28, 28)

    def forward_pass(net: nn.Module) -> Any:
        return [net(images) for _ in range(STEPS)]

    by_loop = count_module(net, run=forward_pass)
    assert by_loop.timesteps == STEPS
    asked = count_module(net, images, timesteps=STEPS)
    assert [x.tally for x in asked.layers] == [x.tally for x in by_loop.layers]
    spikes = by_loop.layer("2").tally.spikes
    assert spikes > 0
    assert by_loop.layer("4").tally.ops[Op.AC] == 10 * spikes
    assert by_loop.layer("0").tally.ops[Op.MAC] == STEPS * 2 * 4 * 24 * 24 * 25


@pytest.mark.parametrize(
    ("make", "adds", "muls", "states"),
    [
        (lambda: snn.Leaky(beta=0.9), 2, 1, 1),
        (lambda: snn.Lapicque(beta=0.9), 2, 1, 1),
        (lambda: snn.Synaptic(alpha=0.9, beta=0.8), 3, 2, 2),
        (lambda: snn.Alpha(alpha=0.9, beta=0.8), 4, 3, 3),
        (lambda: snn.RLeaky(beta=0.9, linear_features=6), 2, 1, 1),
        (lambda: snn.RSynaptic(alpha=0.9, beta=0.8, linear_features=6), 3, 2, 2),
    ],
    ids=["Leaky", "Lapicque", "Synaptic", "Alpha", "RLeaky", "RSynaptic"],
)
def test_every_kind_of_neuron(make: Any, adds: int, muls: int, states: int) -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron, self.fc = make(), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(self.neuron(x)[0])
            return out

    counts = count_module(One(), 4 * torch.rand(5, 6), timesteps=7)
    tally = counts.layer("neuron").tally
    updates = 7 * 5 * 6
    assert tally.ops[Op.NEURON_UPDATE] == tally.slots == updates
    assert tally.ops[Op.NEURON_ADD] == adds * updates
    assert tally.ops[Op.NEURON_MUL] == muls * updates
    assert tally.ops[Op.STATE_READ] == states * updates
    assert counts.layer("fc").tally.ops[Op.AC] == 3 * tally.spikes > 0


def test_spikes_that_come_back_are_events_of_the_recurrent_layer() -> None:
    net = nn.Sequential(nn.Linear(5, 6), snn.RLeaky(beta=0.9, linear_features=6, init_hidden=True))
    x = 4 * torch.rand(2, 5)
    counts = count_module(net, x, timesteps=STEPS)
    recurrent, sent = counts.layer("1.recurrent").tally, counts.layer("1").tally
    # Step t takes what step t - 1 has sent, and step 0 a state of zeros.
    assert recurrent.slots == STEPS * 2 * 6
    assert recurrent.ops.get(Op.MAC, 0) == 0
    with torch.no_grad():
        utils.reset(net)
        last = [net(x) for _ in range(STEPS)][-1]
        utils.reset(net)
    assert recurrent.ops[Op.AC] == 6 * (sent.spikes - int(last.sum()))


def test_graded_spikes_have_their_size_in_the_weights() -> None:
    net = nn.Sequential(
        snn.Leaky(beta=0.9, init_hidden=True, graded_spikes_factor=0.3), nn.Linear(6, 4)
    )
    counts = count_module(net, 4 * torch.rand(3, 6), timesteps=4)
    assert counts.layer("1").tally.ops[Op.AC] == 4 * counts.layer("0").tally.spikes > 0


def test_a_spiking_lstm_has_products_of_spikes_and_of_analog_states() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif, self.slstm = snn.Leaky(beta=0.5), snn.SLSTM(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            mem, (syn2, mem2) = self.lif.init_leaky(), self.slstm.init_slstm()
            for _ in range(STEPS):
                spk, mem = self.lif(x, mem)
                out, syn2, mem2 = self.slstm(spk, syn2, mem2)
            return out

    counts = count_module(Net(), 2 * torch.rand(2, 4))
    inputs = counts.layer("slstm.lstm_cell.weight_ih").tally
    states = counts.layer("slstm.lstm_cell.weight_hh").tally
    assert inputs.ops[Op.AC] == 12 * counts.layer("lif").tally.spikes > 0
    # The hidden state is a membrane potential: 4 gates x 3 x 3 for each of 2 samples.
    assert states.ops[Op.MAC] == STEPS * 2 * 12 * 3
    assert states.ops.get(Op.AC, 0) == 0


@pytest.mark.skipif(
    version("snntorch").startswith("0."), reason="before 1.0, snnTorch keeps states on the CPU"
)
def test_on_the_meta_device_spikes_have_no_number() -> None:
    net = nn.Sequential(snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(6, 2)).to("meta")
    with pytest.raises(NetworkError, match="takes spikes on the meta device"):
        count_module(net, torch.empty(3, 6, device="meta"), timesteps=1)
