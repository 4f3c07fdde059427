"""Networks of SpikingJelly, single- and multi-step, and its own counter as a witness."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import count_module
from hwmodels import Op

pytest.importorskip("spikingjelly", reason="needs spikingjelly 2.0, see the README")
name = "spikingjelly.activation_based.op_counter"
op_counter: Any = pytest.importorskip(name, reason="needs spikingjelly 2.0, see the README")
from spikingjelly.activation_based import encoding, functional, layer, neuron, surrogate  # noqa: E402

T = 4


class CSNN(nn.Module):
    """The network of its tutorial on convolutional networks, smaller: multi-step."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.conv_fc = nn.Sequential(
            layer.Conv2d(1, channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.MaxPool2d(2, 2),
            layer.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.MaxPool2d(2, 2),
            layer.Flatten(),
            layer.Linear(channels * 4 * 4, 20, bias=False),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.Linear(20, 10, bias=False),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
        )
        functional.set_step_mode(self, step_mode="m")

    def forward(self, x: Tensor) -> Tensor:
        x_seq = x.unsqueeze(0).repeat(T, 1, 1, 1, 1)
        rate: Tensor = self.conv_fc(x_seq).mean(0)
        return rate


def network() -> nn.Module:
    net = CSNN()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.weight.copy_(module.weight.abs())  # so that every layer fires
    return net


def test_the_network_of_the_tutorial() -> None:
    net, x = network(), torch.rand(2, 1, 16, 16)
    counts = count_module(net, x)
    assert (counts.timesteps, counts.batch) == (T, 2)
    part = "conv_fc"
    first, second = (counts.layer(f"{part}.{i}").tally for i in (0, 4))
    # 16 x 16 with a border that is none: (3 x 16 - 2)^2 taps of 46 x 46 for each of 4 channels.
    assert first.ops[Op.MAC] == T * 2 * 4 * 46 * 46
    assert second.ops.get(Op.MAC, 0) == 0
    assert 0 < second.ops[Op.AC] < second.dense_macs == T * 2 * 4 * 4 * 22 * 22
    sent = {i: counts.layer(f"{part}.{i}").tally.spikes for i in (2, 6, 10)}
    assert counts.layer(f"{part}.11").tally.ops[Op.AC] == 10 * sent[10] > 0
    assert counts.layer(f"{part}.1").tally.ops == {Op.VECTOR_READ: 4}  # folded: a bias
    assert counts.layer("mean").tally.ops[Op.ADD] == counts.layer(f"{part}.12").tally.spikes


def test_single_and_multi_step_count_the_same() -> None:
    net, x = network().conv_fc, torch.rand(2, 1, 16, 16)
    by_axis = count_module(net, x.repeat(T, 1, 1, 1, 1))
    functional.set_step_mode(net, "s")
    by_calls = count_module(net, x, timesteps=T)
    assert [row.name for row in by_axis.layers] == [row.name for row in by_calls.layers]
    for one, other in zip(by_axis.layers, by_calls.layers, strict=True):
        assert one.tally == other.tally, one.name
    assert (by_axis.timesteps, by_axis.tokens) == (by_calls.timesteps, by_calls.tokens) == (T, 2)


def test_a_loop_over_time_as_in_its_first_tutorial() -> None:
    net = nn.Sequential(layer.Flatten(), layer.Linear(64, 10, bias=False), neuron.LIFNode(tau=2.0))
    encoder, image = encoding.PoissonEncoder(), torch.rand(3, 8, 8)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.encoder = net, encoder

        def forward(self, x: Tensor) -> Tensor:
            out_fr = torch.zeros(3, 10)
            for _ in range(T):
                out_fr += self.net(self.encoder(x))
            return out_fr / T

    counts = count_module(Whole(), image)
    assert counts.timesteps == T
    linear = counts.layer("net.1").tally
    assert linear.ops[Op.AC] == 10 * counts.layer("encoder").tally.spikes > 0
    assert linear.dense_macs == T * 3 * 64 * 10


def theirs(counter: Any, net: nn.Module, *inputs: Tensor) -> dict[str, int]:
    """What a counter of SpikingJelly counts in a pass, by operation."""
    functional.reset_net(net)
    with torch.no_grad(), op_counter.DispatchCounterMode([counter]):
        net.eval()(*inputs)
    functional.reset_net(net)
    return {str(op): n for op, n in counter.get_counts()["Global"].items()}


def test_its_counter_of_synaptic_operations_agrees() -> None:
    net, x = network().conv_fc, torch.rand(T, 2, 1, 16, 16)
    found = theirs(op_counter.SynOpCounter(), net, x)
    ours = {row.name: row.tally.ops.get(Op.AC, 0) for row in count_module(net, x).layers}
    assert found["aten.convolution.default"] == ours["4"] > 0
    assert found["aten.mm.default"] == ours["9"] + ours["11"] > 0
    # Its ACCounter also has the additions of neurons and of BatchNorm, which are rows of their own
    # here: neuron_add, and nothing for a BatchNorm that is folded.
    more = theirs(op_counter.ACCounter(), net, x)
    assert {op: more[op] for op in found} == found
    assert set(more) - set(found) <= {
        *("aten.native_batch_norm.default", "aten.add.Tensor"),
        *("aten.sub.Tensor", "aten.rsub.Scalar"),
    }


def test_its_counter_of_macs_charges_the_border_of_the_first_layer() -> None:
    net, x = network().conv_fc, torch.rand(T, 2, 1, 16, 16)
    found = theirs(op_counter.MACCounter(), net, x)["aten.convolution.default"]
    # T x 2 x 16 x 16 positions x 9 taps x 4 channels; free borders are 46 x 46 taps instead.
    assert found == T * 2 * 16 * 16 * 9 * 4
    assert count_module(net, x, padding="charged").layer("0").tally.ops[Op.MAC] == found
    assert count_module(net, x).layer("0").tally.ops[Op.MAC] == T * 2 * 4 * 46 * 46


def test_of_two_operands_of_spikes_it_counts_those_that_meet() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k = neuron.IFNode(step_mode="m"), neuron.IFNode(step_mode="m")

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.q(a) @ self.k(b)

    net, q, k = Attends(), 2 * torch.rand(T, 3, 5), 2 * torch.rand(T, 5, 4)
    found = theirs(op_counter.SynOpCounter(), net, q, k)["aten.bmm.default"]
    [product] = [row.tally for row in count_module(net, q, k).layers if row.kind == "Product"]
    # Each event of the sparser side is added to all of its accumulators, whether it meets an event
    # or not: a machine that streams one side does not know the other one before it looks.
    left, right = (row.tally.spikes for row in count_module(net, q, k).layers if row.name in "qk")
    assert product.ops[Op.AC] == min(left * 4, right * 3)
    assert 0 < found < product.ops[Op.AC]


@pytest.mark.parametrize(
    ("make", "adds", "muls", "levels"),
    [
        (lambda: neuron.IFNode(), 2, 0, "binary"),
        (lambda: neuron.LIFNode(), 3, 1, "binary"),
        (lambda: neuron.ParametricLIFNode(), 3, 1, "binary"),
        (lambda: neuron.QIFNode(), 5, 3, "binary"),
        (lambda: neuron.EIFNode(), 5, 3, "binary"),
        (lambda: neuron.IzhikevichNode(), 9, 5, "binary"),
        (lambda: neuron.KLIFNode(), 3, 2, "binary"),
        (lambda: neuron.TernaryIFNode(), 2, 0, "ternary"),
        (lambda: neuron.ILIFNode(), 2, 1, "burst"),
        # With an input that is added whole, (1 - 1 / tau) v + x: one addition less.
        (lambda: neuron.LIFNode(decay_input=False), 2, 1, "binary"),
        (lambda: neuron.ParametricLIFNode(decay_input=False), 2, 1, "binary"),
        (lambda: neuron.KLIFNode(decay_input=False), 2, 2, "binary"),
        (lambda: neuron.TernaryLIFNode(decay_input=False), 2, 1, "ternary"),
        # c = a c + x, v = b v + c, and a reset.
        (lambda: neuron.CUBALIFNode(c_decay=0.5, v_decay=0.5), 3, 2, "binary"),
    ],
    ids=[
        *("IF", "LIF", "PLIF", "QIF", "EIF", "Izhikevich", "KLIF", "TernaryIF", "ILIF"),
        *("whole LIF", "whole PLIF", "whole KLIF", "whole TernaryLIF", "CUBALIF"),
    ],
)
@pytest.mark.parametrize("mode", ["s", "m"])
def test_every_kind_of_neuron(make: Any, adds: int, muls: int, levels: str, mode: str) -> None:
    net = nn.Sequential(make(), layer.Linear(6, 3))
    functional.set_step_mode(net, mode)
    x = 6 * torch.rand(T, 5, 6) - 1
    if mode == "m":
        counts = count_module(net, x)
    else:
        counts = count_module(net, run=lambda net: [net(step) for step in x])
    updates, tally = T * 5 * 6, counts.layer("0").tally
    assert counts.timesteps == T
    assert tally.ops[Op.NEURON_UPDATE] == tally.slots == updates
    assert tally.ops[Op.NEURON_ADD] == adds * updates
    assert tally.ops.get(Op.NEURON_MUL, 0) == muls * updates
    assert tally.levels == levels
    assert counts.layer("1").tally.ops[Op.AC] == 3 * tally.spikes > 0


def test_neurons_that_multiply_over_time() -> None:
    net = nn.Sequential(neuron.PSN(T=T), layer.Linear(6, 3, step_mode="m"))
    counts = count_module(net, 4 * torch.rand(T, 2, 6) - 1)
    assert counts.timesteps == T
    assert counts.layer("0.weight").tally.ops[Op.MAC] == T * T * 2 * 6  # a product over time
    neurons = counts.layer("0").tally
    assert neurons.ops[Op.NEURON_CMP] == neurons.slots == T * 2 * 6
    assert counts.layer("1").tally.ops[Op.AC] == 3 * neurons.spikes > 0


@pytest.mark.parametrize(
    ("name", "adds", "muls"), [("ILCIFNode", 2, 0), ("ILCLIFNode", 2, 1), ("ILCCUBALIFNode", 3, 2)]
)
def test_neurons_with_connections_inside_of_a_layer(name: str, adds: int, muls: int) -> None:
    # v + x; v_decay v + x; c = c_decay c + x, v = v_decay v + c: and a reset each.
    counts = count_module(getattr(neuron, name)(3, 2), torch.rand(T, 5, 6))
    (tally,) = (x.tally for x in counts.layers if x.tally.ops.get(Op.NEURON_UPDATE))
    assert tally.ops[Op.NEURON_ADD] == adds * T * 5 * 6
    assert tally.ops.get(Op.NEURON_MUL, 0) == muls * T * 5 * 6


def test_sums_of_spikes_are_small_whole_numbers() -> None:
    class Block(nn.Module):
        """A block of SEW-ResNet: spikes are added to spikes."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.sn = layer.Conv2d(2, 2, 3, padding=1), neuron.IFNode(v_threshold=0.2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.sn(self.conv(x)) + x
            return out

    net = nn.Sequential(neuron.IFNode(v_threshold=0.5), Block(), Block(), layer.Conv2d(2, 3, 1))
    functional.set_step_mode(net, "m")
    x = torch.rand(T, 1, 2, 6, 6)
    with torch.no_grad():
        functional.reset_net(net)
        arriving = net[:3](x)
        functional.reset_net(net)
    assert set(arriving.unique().tolist()) == {0, 1, 2, 3}
    counts = count_module(net, x)
    tally = counts.layer("3").tally
    assert tally.ops[Op.AC] == 3 * int(arriving.sum())  # a value of 2 is two events
    assert tally.levels == "burst"
    assert counts.layer("1.add").tally.ops.get(Op.ADD, 0) == 0  # two streams of events merge


def test_its_attention_of_spikes_multiplies_spikes_alone() -> None:
    from spikingjelly.activation_based.layer.attention import SpikingSelfAttention

    attention = SpikingSelfAttention(8, 2)
    counts = count_module(attention, 4 * torch.rand(T, 2, 8, 5))
    products = [row.tally for row in counts.layers if row.kind == "Product"]
    assert len(products) == 2
    assert all(x.ops.get(Op.MAC, 0) == 0 for x in products)
    # K and V first, 4 x 4 x 5 in each of 2 heads, then Q: linear in the number of tokens.
    assert [x.dense_macs for x in products] == [T * 2 * 2 * 4 * 4 * 5] * 2
