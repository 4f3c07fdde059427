"""Operations that a `forward` calls itself, in a loop over time: one row, one analog execution."""

from __future__ import annotations

import snntorch as snn
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, max_pool2d

from energy import Counts, count_module
from energy.network.count import Asked, count_network
from hwmodels import Op
from tests.energy.network.conftest import Fires


class Tutorial(nn.Module):
    """As in tutorial 6 of snnTorch: the pooling is a function."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(1, 2, 3), snn.Leaky(beta=0.9)
        self.fc, self.lif2 = nn.Linear(2 * 3 * 3, 5), snn.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, out = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for _ in range(4):
            spk1, mem1 = self.lif1(max_pool2d(self.conv(x), 2), mem1)
            spk2, mem2 = self.lif2(self.fc(spk1.flatten(1)), mem2)
            out.append(spk2)
        return torch.stack(out)


def test_a_function_in_a_loop_over_time_has_one_row_and_runs_once_in_the_analog_network() -> None:
    counted = count_network(Tutorial(), (torch.rand(3, 1, 8, 8),), Asked())
    assert [layer.name for layer in counted.ssa.layers] == [
        *("conv", "max_pool2d_with_indices", "lif1", "fc", "lif2")
    ]
    # 3 samples x 2 channels x 3 x 3 windows of 4 values, 3 comparisons each; 4 steps against 1.
    pooling = "max_pool2d_with_indices"
    assert counted.ssa.layer(pooling).tally.ops[Op.CMP] == 4 * 3 * 2 * 9 * 3
    assert counted.asa.layer(pooling).tally.ops[Op.CMP] == 3 * 2 * 9 * 3


class Residual(nn.Module):
    """Two sums and a product of spikes with spikes, in each of four steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 8), Fires()
        self.fc2, self.lif2 = nn.Linear(8, 8), Fires()

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.step(x) for _ in range(4)]

    def step(self, x: Tensor) -> Tensor:
        a = self.lif1(self.fc1(x) + x)
        b = self.lif2(self.fc2(a)) + a
        return a.mT @ b


def test_each_place_in_the_code_has_a_row_of_its_own() -> None:
    x = torch.randn(3, 8)
    counted = count_network(Residual(), (x,), Asked(neurons={Fires: "binary"}))
    analog, spiking = counted.asa, counted.ssa
    assert [layer.name for layer in spiking.layers] == [
        *("fc1", "add", "lif1", "fc2", "lif2", "add.2", "product")
    ]
    assert spiking.layer("add").tally.ops[Op.ADD] == 4 * 24
    # The analog network makes each sum once, and one product of (8, 3) by (3, 8).
    assert [analog.layer(name).tally.ops[Op.ADD] for name in ("add", "add.2")] == [24, 24]
    assert analog.layer("product").tally.ops[Op.MAC] == 8 * 3 * 8


def test_rows_are_called_the_same_when_a_network_is_counted_again() -> None:
    class Empty(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    def count() -> Counts:
        x = torch.rand(3, 3)
        return count_module(Empty(), run=lambda net: [net(x) @ x for _ in range(2)])

    # A product outside of all modules, in a loop of two: 2 x 27 MACs in one row.
    for _ in range(2):
        (layer,) = count().layers
        assert layer.name == "product"
        assert layer.tally.ops[Op.MAC] == 2 * 27


def test_a_function_of_weights_is_a_layer_in_every_step() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.lif = nn.Parameter(torch.randn(5, 8)), Fires()

        def forward(self, x: Tensor) -> list[Tensor]:
            return [linear(self.lif(x), self.weight) for _ in range(4)]

    x = torch.randn(3, 8)
    counted = count_network(Functional(), (x,), Asked(neurons={Fires: "binary"}))
    *_, layer = counted.ssa.layers
    # 4 steps of the same spikes, each added to 5 accumulators.
    assert layer.tally.ops[Op.AC] == 4 * 5 * int((x > 0).sum())
    assert counted.asa.layers[-1].tally.ops[Op.MAC] == 3 * 8 * 5
