"""Networks of three libraries, each with its export, its run, and the exporter that it is."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

STEPS, SAMPLES = 40, 3


@dataclass(frozen=True)
class Exported:
    """A network of a library, and the graph that the library exports of it."""

    net: nn.Module
    graph: Any
    x: Tensor  #: what it is given: spikes (T, B, ...)
    loop: Callable[[nn.Module, Tensor], list[Tensor]]  #: how a user of the library runs all steps
    exporter: str


def witness(module: str) -> Any:
    """A library that may be absent, except in CI, where the command of the README installs it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.environ.get("CI"):
            return importlib.import_module(module)
        return pytest.importorskip(module, reason=f"absent: pip install --no-deps {module}")


def events(*shape: int) -> Tensor:
    return (torch.rand(STEPS, SAMPLES, *shape) < 0.4).float()


# snnTorch ----------------------------------------------------------------------------------------

#: NIR resets at once and to a value; snnTorch does by default neither.
AS_NIR = {"reset_mechanism": "zero", "reset_delay": False}


def exported_by_snntorch(net: nn.Module, *sample: int) -> Any:
    from snntorch.export_nir import export_to_nir

    return export_to_nir(net, torch.rand(1, *sample), ignore_dims=[0])


def loop_of_snntorch(net: nn.Module, x: Tensor) -> list[Tensor]:
    from snntorch import utils

    utils.reset(net)
    return [net(step)[0] for step in x]


def loop_with_states(net: nn.Module, x: Tensor) -> list[Tensor]:
    """Of networks that return their states and take them again."""
    state, sent = None, []
    for step in x:
        spikes, state = net(step, state)
        sent.append(spikes)
    return sent


def snntorch_linear(**resets: Any) -> Exported:
    snn = witness("snntorch")
    how = {"init_hidden": True, **resets}
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 8),
        snn.Leaky(beta=torch.linspace(0.5, 0.9, 8), threshold=0.2 * torch.ones(8), **how),
        nn.Linear(8, 4, bias=False),
        snn.Synaptic(
            alpha=0.8 * torch.ones(4),
            beta=0.7 * torch.ones(4),
            threshold=0.3 * torch.ones(4),
            output=True,
            **how,
        ),
    )
    graph = exported_by_snntorch(net, 3, 4)
    exporter = "nir" if resets else "snntorch"
    return Exported(net, graph, events(3, 4), loop_of_snntorch, exporter)


def snntorch_convolutions(**resets: Any) -> Exported:
    snn = witness("snntorch")
    how = {"init_hidden": True, **resets}
    ones = torch.ones(3, 6, 6)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        snn.Leaky(beta=0.9 * ones, threshold=0.4 * ones, **how),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(27, 4, bias=False),
        snn.Leaky(beta=0.9 * torch.ones(4), threshold=0.1 * torch.ones(4), output=True, **how),
    )
    graph = exported_by_snntorch(net, 2, 6, 6)
    exporter = "nir" if resets else "snntorch"
    return Exported(net, graph, events(2, 6, 6), loop_of_snntorch, exporter)


class Recurrent(nn.Module):
    """A network of snnTorch that keeps its states outside, as its export needs it."""

    def __init__(self, kind: Any, states: int, **how: Any) -> None:
        super().__init__()
        snn = witness("snntorch")
        resets = {name: value for name, value in how.items() if name.startswith("reset")}
        self.first = nn.Linear(12, 8)
        self.spiking = kind(linear_features=8, threshold=0.4, **how)
        self.second = nn.Linear(8, 4)
        ones = torch.ones(4)
        self.last = snn.Leaky(beta=0.7 * ones, threshold=0.3 * ones, **resets)
        self.states = states

    def forward(self, x: Tensor, state: Any = None) -> Any:
        before, last = state or ((torch.zeros(len(x), 8),) * self.states, ())
        now = self.spiking(self.first(x), *before)
        spikes, membrane = self.last(self.second(now[0]), *last)
        return spikes, (now, (membrane,))


def snntorch_recurrent(kind: str, states: int, **how: Any) -> Exported:
    net = Recurrent(getattr(witness("snntorch"), kind), states, **how)
    exporter = "nir" if "reset_delay" in how else "snntorch"
    return Exported(net, exported_by_snntorch(net, 12), events(12), loop_with_states, exporter)


# SpikingJelly and Norse --------------------------------------------------------------------------


def spikingjelly_network() -> Exported:
    witness("spikingjelly")
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    net = nn.Sequential(
        layer.Conv2d(2, 3, 3, padding=1, bias=False),
        neuron.IFNode(),
        layer.AvgPool2d(2),
        layer.Flatten(),
        layer.Linear(27, 16),
        neuron.LIFNode(tau=2.0, v_threshold=0.1, v_reset=-0.1),
        layer.Linear(16, 8),
        neuron.LIFNode(tau=4.0, decay_input=False, v_threshold=0.2, v_reset=0.0),
        layer.Linear(8, 4),
        neuron.CUBALIFNode(c_decay=0.5, v_decay=0.6, v_reset=0.0, v_threshold=0.3),
    )
    with torch.no_grad():  # eighths, so that a membrane can be at its threshold exactly
        net[0].weight.copy_((net[0].weight * 8).round() / 8)

    def loop(net: nn.Module, x: Tensor) -> list[Tensor]:
        functional.reset_net(net)
        return [net(step) for step in x]

    graph = export_to_nir(net, torch.rand(1, 2, 6, 6))
    return Exported(net, graph, events(2, 6, 6), loop, "spikingjelly")


def norse_spikes() -> Exported:
    norse = witness("norse.torch")
    net = norse.SequentialState(
        nn.Linear(12, 8),
        norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.1))),
        nn.Linear(8, 6),
        norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(0.2))),
        nn.Linear(6, 4),
        norse.IAFCell(norse.IAFParameters(v_th=torch.tensor(0.8))),
    )
    graph = norse.to_nir(net, torch.rand(1, 12))
    return Exported(net, graph, events(12), loop_with_states, "norse")


def norse_membranes() -> Exported:
    norse = witness("norse.torch")
    box = norse.LIBoxCell(norse.LIBoxParameters(v_leak=torch.tensor(0.5)))
    net = norse.SequentialState(nn.Linear(12, 4), box)
    graph = norse.to_nir(net, torch.rand(1, 12))
    return Exported(net, graph, events(12), loop_with_states, "norse")


NETWORKS: dict[str, Callable[[], Exported]] = {
    "snnTorch, linear, zero": lambda: snntorch_linear(**AS_NIR),
    "snnTorch, linear, subtract": snntorch_linear,
    "snnTorch, convolutions, zero": lambda: snntorch_convolutions(**AS_NIR),
    "snnTorch, convolutions, subtract": snntorch_convolutions,
    "snnTorch, RLeaky, zero": lambda: snntorch_recurrent("RLeaky", 2, beta=0.9, **AS_NIR),
    "snnTorch, RLeaky, subtract": lambda: snntorch_recurrent("RLeaky", 2, beta=0.9),
    # RSynaptic of snnTorch 1.0 resets nothing if it is told to do so at once.
    "snnTorch, RSynaptic": lambda: snntorch_recurrent("RSynaptic", 3, alpha=0.5, beta=0.9),
    "SpikingJelly": spikingjelly_network,
    "Norse": norse_spikes,
}


def quietly(make: Callable[[], Exported]) -> Exported:
    """A network with fixed weights, without the warnings of nirtorch and Norse."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()
