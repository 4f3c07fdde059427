"""What counting a spiking network costs, beside SpikingJelly's own counters: SEW-ResNet-18, T = 4.

    python benchmarks/network_overhead.py [--pairs 15] [--size 224] [--batch 1]

Needs spikingjelly 2.0. Prints for each counter the median seconds of the bare and of the counted
pass, of the clock and of all cores together, and the median of the ratio pair by pair.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import sys
from types import ModuleType
from typing import Any

import torch
from counting_overhead import pairs
from torch import nn

from energy import count_module


def network() -> nn.Module:
    """SEW-ResNet-18 with random weights that fire, multi-step."""
    if "torchvision" not in sys.modules:  # a downloader that is not used here
        downloads: Any = ModuleType("torchvision._internally_replaced_utils")
        downloads.load_state_dict_from_url = None
        sys.modules |= {"torchvision": ModuleType("torchvision"), downloads.__name__: downloads}
    from spikingjelly.activation_based import functional, neuron, surrogate
    from spikingjelly.activation_based.model import sew_resnet

    made: nn.Module = sew_resnet.sew_resnet18(
        pretrained=False,
        cnf="ADD",
        spiking_neuron=neuron.IFNode,
        surrogate_function=surrogate.ATan(),
    )
    functional.set_step_mode(made, "m")
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return made.eval()


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=1)
    asked = parser.parse_args()
    torch.manual_seed(0)
    net, x = network(), torch.rand(4, asked.batch, 3, asked.size, asked.size)
    from spikingjelly.activation_based import functional, op_counter

    def bare() -> None:
        functional.reset_net(net)
        net(x)

    def ours() -> None:
        functional.reset_net(net)
        count_module(net, x)

    def theirs() -> None:
        functional.reset_net(net)
        with op_counter.DispatchCounterMode([op_counter.SynOpCounter(), op_counter.MACCounter()]):
            net(x)

    rate = count_module(net, x).spike_rate
    print(
        f"SEW-ResNet-18, T = 4, batch {asked.batch}, {asked.size} x {asked.size}, "
        f"{100 * (rate or 0):.1f} % spikes"
    )
    for name, counted in (("energy.count_module", ours), ("SynOpCounter, MACCounter", theirs)):
        print(f"{name}:")
        pairs(bare, counted, asked.pairs)


if __name__ == "__main__":
    main()
