"""Networks of Norse: cells in a loop, layers over time, states returned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import NetworkError, count_module
from hwmodels import Op

pytest.importorskip("nir", reason="needs norse 1.1 and nir, see CONTRIBUTING")
norse: Any = pytest.importorskip("norse.torch", reason="needs norse 1.1, see CONTRIBUTING")
T = 12


class Cells(nn.Module):
    """Its first example: cells, whose states the network passes on."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif = nn.Linear(9, 8), norse.LIFCell(dt=0.1)
        self.fc2, self.li = nn.Linear(8, 3), norse.LICell(dt=0.1)

    def forward(self, x: Tensor) -> Tensor:
        s1 = s2 = None
        voltages = []
        for _ in range(T):
            z, s1 = self.lif(self.fc1(x), s1)
            v, s2 = self.li(self.fc2(z), s2)
            voltages.append(v)
        return torch.stack(voltages)


def test_cells_in_a_loop() -> None:
    counts = count_module(Cells(), 9 * torch.rand(4, 9))
    assert (counts.timesteps, counts.batch) == (T, 4)
    lif, li = (counts.layer(name).tally for name in ("lif", "li"))
    assert counts.layer("fc2").tally.ops[Op.AC] == 3 * lif.spikes > 0
    # i = i + x, v = v + a (i - v), i = b i; threshold; reset: 4 additions, 2 multiplications.
    assert lif.ops[Op.NEURON_ADD] == 4 * T * 4 * 8
    assert lif.ops[Op.STATE_READ] == 2 * T * 4 * 8
    assert (li.slots, li.ops.get(Op.SPIKE, 0)) == (0, 0)  # it is read out
    assert li.ops[Op.NEURON_UPDATE] == T * 4 * 3


def test_layers_over_time_in_a_sequence() -> None:
    net = norse.SequentialState(
        nn.Conv2d(1, 2, 3),
        norse.LIFCell(dt=0.1),
        nn.Flatten(),
        nn.Linear(2 * 36, 5),
        norse.LICell(),
    )
    lifted = norse.SequentialState(
        norse.Lift(net[0]), norse.LIF(dt=0.1), nn.Flatten(2), net[3], norse.LI()
    )
    counts = count_module(lifted, 9 * torch.rand(T, 3, 1, 8, 8))
    assert (counts.timesteps, counts.batch) == (T, 3)
    assert counts.layer("3").tally.ops[Op.AC] == 5 * counts.layer("1").tally.spikes > 0
    with pytest.raises(
        NetworkError, match=r"'1' took one time step and return their state .* `run`"
    ):
        count_module(net, 9 * torch.rand(3, 1, 8, 8), timesteps=T)


def test_a_recurrent_layer_takes_its_own_spikes() -> None:
    net = norse.LIFRecurrent(6, 7, dt=0.1)
    counts = count_module(net, 9 * torch.rand(T, 2, 6))
    inputs, back = (counts.layer(name).tally for name in ("input_weights", "recurrent_weights"))
    assert inputs.ops[Op.MAC] == T * 2 * 6 * 7
    assert back.ops.get(Op.MAC, 0) == 0
    assert back.dense_macs == T * 2 * 7 * 7
    assert 0 < back.ops[Op.AC] <= 7 * counts.layers[-1].tally.spikes


@pytest.mark.parametrize(
    ("name", "adds", "muls"), [("LSNN", 7, 3), ("LIFRefrac", 5, 2), ("LIFBox", 3, 1), ("IAF", 2, 0)]
)
def test_every_kind_of_cell(name: str, adds: int, muls: int) -> None:
    cell = getattr(norse, f"{name}Cell")()

    def run(net: nn.Module) -> None:
        state = None
        for _ in range(T):
            _, state = net(9 * torch.rand(2, 5), state)

    tally = count_module(cell, run=run).layers[0].tally
    assert tally.ops[Op.NEURON_ADD] == adds * T * 2 * 5
    assert tally.ops.get(Op.NEURON_MUL, 0) == muls * T * 2 * 5
