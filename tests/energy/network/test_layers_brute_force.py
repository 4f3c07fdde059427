"""Accumulates of each kind of layer, against the layer itself with weights of one.

A layer whose weights are all 1, without a bias, adds each event once to each accumulator that it
reaches: what comes out is, all together, the number of accumulates.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from energy import Counts, count_module
from energy.formulas.convolution import Convolution
from hwmodels import Op


class Sends(nn.Module):
    """A neuron that sends what it is given, and is declared to send spikes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def count(layer: nn.Module, spikes: Tensor, levels: str = "binary", **how: Any) -> Counts:
    return count_module(
        nn.Sequential(Sends(), layer), spikes, timesteps=1, neurons={Sends: levels}, **how
    )


def by_ones(layer: Any, spikes: Tensor) -> int:
    with torch.no_grad():
        layer.weight.fill_(1)
        if layer.bias is not None:
            layer.bias.zero_()
        return round(float(layer(spikes.abs().double()).sum()))


def drawn(data: st.DataObject, shape: tuple[int, ...], low: int = 0, high: int = 1) -> Tensor:
    seed = data.draw(st.integers(0, 2**20))
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high + 1, shape, generator=generator).float()


CONVOLUTIONS = [
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
]


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Any, tuple[int, ...]]:
    """A convolution, and the shape of an input that it takes."""
    kind = draw(st.sampled_from(CONVOLUTIONS))
    dimensions = int(kind.__name__[-2])
    groups = draw(st.integers(1, 3))
    inputs, outputs = (groups * draw(st.integers(1, 2)) for _ in range(2))
    each = [
        (
            draw(st.integers(1, 3)),  # kernel
            draw(st.integers(1, 3)),  # stride
            draw(st.integers(0, 2)),  # padding
            draw(st.integers(1, 2)),  # dilation
        )
        for _ in range(dimensions)
    ]
    kernel, stride, padding, dilation = (tuple(x) for x in zip(*each, strict=True))
    transposed = "Transpose" in kind.__name__
    if transposed:  # what is cut off the output may be no more than there is
        padding = tuple(
            min(p, (k - 1) * d // 2) for p, k, d in zip(padding, kernel, dilation, strict=True)
        )
    more: dict[str, Any] = {}
    if transposed:
        most = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
        more["output_padding"] = tuple(draw(st.integers(0, n)) for n in most)
    layer = kind(
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
        **more,
    ).double()
    reach = [(k - 1) * d + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    low = [1] * dimensions if transposed else [max(1, r) for r in reach]
    size = [n + draw(st.integers(0, 4)) for n in low]
    return layer, (draw(st.integers(1, 2)), inputs, *size)


@settings(deadline=None, max_examples=150)
@given(convolutions(), st.data())
def test_accumulates_of_a_convolution(
    case: tuple[Any, tuple[int, ...]], data: st.DataObject
) -> None:
    layer, shape = case
    spikes = drawn(data, shape)
    expected, everywhere = by_ones(layer, spikes), by_ones(layer, torch.ones(shape))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))  # counted in two ways
    tally = count(layer.to(dtype), spikes.to(dtype)).layer("1").tally
    assert tally.ops.get(Op.AC, 0) == expected
    assert tally.ops.get(Op.MAC, 0) == 0
    assert tally.dense_macs == everywhere  # a machine blind to spikes, borders left out too
    assert tally.spikes == int(spikes.sum())
    assert tally.slots == spikes.numel()


@settings(deadline=None, max_examples=60)
@given(convolutions(), st.data())
def test_products_with_the_border_are_charged_as_torch_counts_them(
    case: tuple[Any, tuple[int, ...]], data: st.DataObject
) -> None:
    layer, shape = case
    spikes = drawn(data, shape).double()
    tally = count(layer, spikes, padding="charged").layer("1").tally
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        layer(spikes)
    assert tally.dense_macs == flops.get_total_flops() // 2


@pytest.mark.parametrize("levels", ["binary", "ternary", "burst", "count"])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_accumulates_of_a_linear_layer(levels: str, data: st.DataObject) -> None:
    low, high = {"binary": (0, 1), "ternary": (-1, 1), "burst": (-7, 7), "count": (-127, 127)}[
        levels
    ]
    lead = data.draw(st.lists(st.integers(1, 3), max_size=2))
    fan_in, fan_out = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    spikes = drawn(data, (2, *lead, fan_in), low, high)
    layer = nn.Linear(fan_in, fan_out, bias=data.draw(st.booleans())).double()
    expected = by_ones(layer, spikes)
    tally = count(layer, spikes.double(), levels).layer("1").tally
    assert tally.ops.get(Op.AC, 0) == expected
    assert tally.dense_macs == spikes.numel() * fan_out
    assert tally.ops[Op.WEIGHT_READ] == fan_in * fan_out


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_accumulates_of_a_product_of_two_tensors(data: st.DataObject) -> None:
    # From 2 on, since einsum multiplies along a dimension of 1 entry by entry.
    batch, rows, inner, columns = (data.draw(st.integers(2, 4)) for _ in range(4))
    left, right = drawn(data, (batch, rows, inner)), drawn(data, (batch, inner, columns))
    first, second = data.draw(st.sampled_from([(True, True), (True, False), (False, True)]))

    class Multiplies(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = (Sends() if x else nn.Tanh() for x in (first, second))

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            form = "bij,bjk->bik"
            return torch.einsum(form, self.left(a), self.right(b))

    counts = count_module(Multiplies(), left, right, timesteps=1, neurons={Sends: "binary"})
    [tally] = [x.tally for x in counts.layers if x.kind == "Product"]
    # Each event of the left meets all columns, each one of the right all rows; of two operands of
    # spikes the one streams that causes less.
    costs = [int(left.sum()) * columns] * first + [int(right.sum()) * rows] * second
    assert tally.ops.get(Op.AC, 0) == min(costs)
    assert tally.dense_macs == batch * rows * inner * columns


def test_an_event_reaches_what_the_formula_of_lemaire_says() -> None:
    # Equation 1.4: ceil(k / S)^2 Co accumulators for each event: ceil(3 / 2)^2 x 5 = 20.
    shape = Convolution((8, 8), (4, 4), (3, 3), (2, 2), (1, 1), (1, 1), 2, 5)
    assert (shape.fan_out(padded=True) == 20).all()
    # Without the border: rows of odd index are read once or twice.
    assert shape.fan_out()[0, 0] == 5
    assert shape.fan_out()[1, 1] == 20


@pytest.mark.parametrize(
    "turned",
    [
        lambda x: x.transpose(2, 3),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x.view(2, 6, 4, 3),
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x.flip(3),
    ],
    ids=["transposed", "permuted", "viewed", "channels last", "flipped"],
)
@pytest.mark.parametrize("high", [1, 3])
def test_positions_are_those_of_the_tensor_that_arrives(turned: Any, high: int) -> None:
    class Turns(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = turned(x)
            return out

    spikes = torch.zeros(2, 4, 6, 3)
    spikes[:, :, 0, 1] = high  # in one corner, where borders matter
    arriving = turned(spikes)
    layer = nn.Conv2d(arriving.shape[1], 5, (3, 1), padding=(1, 0), stride=(2, 1))
    expected = by_ones(layer.double(), arriving)
    net = nn.Sequential(Sends(), Turns(), layer.float())
    levels = "binary" if high == 1 else "burst"
    counts = count_module(net, spikes, timesteps=1, neurons={Sends: levels})
    assert counts.layer("2").tally.ops[Op.AC] == expected


@torch.no_grad()
def test_a_part_that_is_expanded_to_as_many_entries_is_counted_by_itself() -> None:
    class Sign(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0).float()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sign, self.conv = Sign(), nn.Conv2d(2, 2, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            y = self.sign(x)
            return self.conv(y[:1].expand_as(y))

    torch.manual_seed(0)
    x = torch.randn(3, 2, 4, 4)
    counts = count_module(Net(), x, neurons={Sign: "binary"}, timesteps=1)
    # The first sample three times, each event to 2 accumulators; not the events of all three.
    assert counts.layer("conv").tally.spikes == 3 * int((x[:1] > 0).sum())
    assert counts.layer("conv").tally.spikes != int((x > 0).sum())


@torch.no_grad()
def test_a_linear_layer_costs_the_same_however_its_input_lies_in_memory() -> None:
    layer, x = nn.Sequential(nn.Linear(8, 3)), torch.rand(5, 4, 8)
    moved = x.transpose(0, 1).contiguous().transpose(0, 1)  # the same values
    assert count_module(layer, moved).layers == count_module(layer, x).layers


@torch.no_grad()
def test_a_layer_with_a_hook_of_somebody_else_is_seen_inside() -> None:
    torch.manual_seed(0)
    net, x = (
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 3)),
        torch.rand(1, 2, 8, 8),
    )
    expected = count_module(net, x)
    handle = net[0].register_forward_hook(lambda module, args, out: out.relu())
    hooked = count_module(net, x)
    handle.remove()
    for name in ("0", "1", "2"):
        assert hooked.layer(name).tally.dense_macs == expected.layer(name).tally.dense_macs
    assert any(layer.label.component == "activation" for layer in hooked.layers)
