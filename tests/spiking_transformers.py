"""Spikingformer 8-512, with neurons that fire at the rates of its published log of energies."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

#: What makes the neurons of a place in the network: its name, and whether a pooling follows.
Neurons = Callable[[str, bool], nn.Module]

# What `imagenet/energy_consumption_logs/energy_consumption_of_Spikingformer-8-512_log.txt` of
# https://github.com/zhouchenlin2096/Spikingformer prints, T = 4, 224 x 224, 50,000 images.
PARAMETERS = 29_705_768
MACS = 347_329_512
ACCUMULATES = 6_517_540_940.76244
ENERGY_MJ = 7.463502601886196
#: Accumulates of the convolutions behind the first one.
TOKENIZER = """
955595335.05072
567352732.32666
484860113.01378
239640649.6176
"""
#: Accumulates in each block: Q (and K, and V), projection, both layers of the MLP.
BLOCKS = """
36294116.91444 61324280.75375191 220482576.19735593 27049144.073178384
69456408.22904 63750386.15326336 271977240.84957564 24382872.691673774
70333974.93444 64698661.28045004 286069780.50631315 21054240.395625938
70753376.34792 59901309.59394832 285499925.3133169 15866866.748259844
70549708.47512 43220095.10245547 296846249.11044466 11686697.009903518
73840965.22404 34119884.97298336 296114600.2453734 7834684.814281684
70347337.75776 21999470.950397637 265800897.65919375 4679459.348576994
65288232.60764 19515506.85684756 246475019.74431655 11324371.15425487
"""
#: Firing rates of Q, K and V in each block.
RATES = """
.17230188630104062 .03626344770312309 .06957707978010177
.11627475060462952 .040295450145006184 .07173207724809647
.10669307922124864 .044414592387676234 .07524623577594756
.08188644799470902 .05000199048876763 .0768778057050705
.06365273276925086 .04325467040181161 .07054187965631485
.07711239219903945 .0311313860142231 .07321582739830017
.07023756886482238 .024202287513613703 .07348622434139251
.09727698216676713 .02812242347121239 .07954712931871415
"""


def table(text: str) -> list[list[float]]:
    """The numbers of one of the tables above."""
    return [[float(word) for word in line.split()] for line in text.strip().split("\n")]


class Printed(NamedTuple):
    """What the log says of a layer, in 4 time steps."""

    dense: int  #: products, with those of the border
    biases: int  #: additions of a bias, which the log counts as products too
    accumulates: float

    @property
    def rate(self) -> float:
        """Of its inputs: the log multiplies it by all operations, biases included."""
        return self.accumulates / (self.dense + self.biases)


def printed() -> dict[str, Printed]:
    """The layers that take spikes, by name, at width 512."""
    found = {}
    for at, (accumulates,) in enumerate(table(TOKENIZER)):
        inner, size = 64 << at, 112 >> at
        # 9 taps, to twice as many channels but in the last of them.
        dense = 4 * 9 * inner * min(512, 2 * inner) * size**2
        found[f"tokenizer.{at + 1}.conv"] = Printed(dense, 0, accumulates)
    values = 4 * 196 * 512  # entries of a tensor of tokens, in 4 time steps
    for at, (inputs, projected, first, second) in enumerate(table(BLOCKS)):
        block = f"blocks.{at}"
        for name in "qkv":
            found[f"{block}.{name}.0"] = Printed(512 * values, 0, inputs)
        found[f"{block}.project.0"] = Printed(512 * values, values, projected)
        found[f"{block}.mlp.1"] = Printed(2048 * values, 4 * values, first)
        found[f"{block}.mlp.4"] = Printed(2048 * values, values, second)
    return found


class Fires(nn.Module):
    """Sends as many spikes as a rate says, wherever; or so many that a pooling keeps apart."""

    def __init__(self, rate: float, *, pooled: bool = False) -> None:
        super().__init__()
        self.rate, self.pooled = rate, pooled

    def forward(self, x: Tensor) -> Tensor:
        spikes = torch.zeros_like(x)
        # A window of 3 x 3 at every second place holds one entry whose coordinates are even.
        room = spikes[..., ::2, ::2] if self.pooled else spikes
        slots = prod(room.shape)
        flat = torch.zeros(slots)
        flat[torch.randperm(slots)[: round(self.rate * slots)]] = 1
        room.copy_(flat.view(room.shape))
        return spikes


def at_printed_rates() -> Neurons:
    """Neurons that fire as the log says that the layers behind them saw."""
    layers, rates = printed(), table(RATES)

    def make(name: str, pooled: bool) -> Fires:
        *block, place = name.rsplit(".", 1)
        if place in "qkv":
            return Fires(rates[int(block[0].split(".")[1])]["qkv".index(place)])
        behind = {"input": "q.0", "attention": "project.0", "first": "mlp.1", "second": "mlp.4"}
        return Fires(layers[".".join([*block, behind.get(place, place)])].rate, pooled=pooled)

    return make


class Tokens(nn.Module):
    """A block: spikes of the membrane go through attention and MLP, whose results are added."""

    def __init__(self, width: int, heads: int, neurons: Neurons, name: str) -> None:
        super().__init__()

        def neuron(place: str) -> nn.Module:
            return neurons(f"{name}.{place}", False)

        def linear(inputs: int, outputs: int, *, bias: bool) -> tuple[nn.Module, nn.Module]:
            return nn.Conv1d(inputs, outputs, 1, bias=bias), nn.BatchNorm1d(outputs)

        self.heads = heads
        self.input, self.attention = neuron("input"), neuron("attention")
        self.q, self.k, self.v = (
            nn.Sequential(*linear(width, width, bias=False), neuron(x)) for x in "qkv"
        )
        self.project = nn.Sequential(*linear(width, width, bias=True))
        self.mlp = nn.Sequential(
            *(neuron("first"), *linear(width, 4 * width, bias=True)),
            *(neuron("second"), *linear(4 * width, width, bias=True)),
        )
        #: In the published code, where nothing runs them.
        self.unused = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.input(x)
        q, k, v = (
            part(spikes).unflatten(1, (self.heads, -1)).mT for part in (self.q, self.k, self.v)
        )
        found = (q @ (k.mT @ v)) * 0.125
        x = x + self.project(self.attention(found.mT.flatten(1, 2)))
        out: Tensor = x + self.mlp(x)
        return out


class Spikingformer(nn.Module):
    """One time step of (batch, 3, height, width)."""

    def __init__(self, width: int, heads: int, depth: int, neurons: Neurons) -> None:
        super().__init__()
        widths = [3, *(width >> at for at in (3, 2, 1, 0)), width]
        self.tokenizer = nn.Sequential()
        for at in range(5):
            part = nn.Sequential()
            if at:
                part.add_module("neuron", neurons(f"tokenizer.{at}.conv", True))
                part.add_module("pool", nn.MaxPool2d(3, 2, 1))
            conv = nn.Conv2d(widths[at], widths[at + 1], 3, padding=1, bias=False)
            part.add_module("conv", conv)
            part.add_module("norm", nn.BatchNorm2d(widths[at + 1]))
            self.tokenizer.append(part)
        self.blocks = nn.Sequential(
            *(Tokens(width, heads, neurons, f"blocks.{at}") for at in range(depth))
        )
        self.head = nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.blocks(self.tokenizer(x).flatten(2)).mean(2))
        return out
