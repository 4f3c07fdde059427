"""Graphs that other libraries export give the spikes that their own networks give.

The networks, their export and their run are theirs; nothing of it was written here.
"""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neurt.nir.file import read_nir
from neurt.nir.given import graph_of
from neurt.nir.network import NIRNetwork

nir = pytest.importorskip("nir")
pytest.importorskip("nirtorch")

STEPS, SAMPLES = 40, 3
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of nirtorch and norse
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def witness(module: str) -> Any:
    if os.environ.get("CI"):  # there the command of the README installs it: absence is a failure
        return importlib.import_module(module)
    return pytest.importorskip(
        module, reason=f"a witness is absent: pip install --no-deps {module}"
    )


def events(*shape: int) -> Tensor:
    return (torch.rand(STEPS, SAMPLES, *shape) < 0.4).float()


def check_same(graph: Any, theirs: Tensor, x: Tensor, exporter: str) -> NIRNetwork:
    assert 0 < theirs.count_nonzero() < theirs.numel()  # a silent network would show nothing
    network = NIRNetwork(graph_of(graph), exporter)
    assert torch.equal(network(x), theirs)
    return network


# snnTorch ----------------------------------------------------------------------------------------

snn = pytest.importorskip("snntorch")
#: NIR resets at once and to a value; snnTorch does by default neither.
AS_NIR = {"reset_mechanism": "zero", "reset_delay": False}
RESETS = pytest.mark.parametrize(
    ("resets", "exporter"), [(AS_NIR, "nir"), ({}, "snntorch")], ids=["zero", "subtract"]
)


def exported_by_snntorch(net: nn.Module, *sample: int) -> Any:
    from snntorch.export_nir import export_to_nir

    return export_to_nir(net, torch.rand(1, *sample), ignore_dims=[0])


def run_snntorch(net: nn.Module, x: Tensor) -> Tensor:
    from snntorch import utils

    utils.reset(net)
    with torch.no_grad():
        return torch.stack([net(step)[0] for step in x])


@RESETS
def test_linear_layers_of_snntorch(resets: Any, exporter: str, tmp_path: Path) -> None:
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
    x = events(3, 4)
    theirs = run_snntorch(net, x)
    network = check_same(graph, theirs, x, exporter)
    # Through a file, as `nir` writes it: the same.
    nir.write(tmp_path / "net.nir", graph)
    again = NIRNetwork(read_nir(tmp_path / "net.nir"), exporter)
    assert torch.equal(again(x), theirs)
    assert again.inputs == network.inputs == {"input": (3, 4)}


@RESETS
def test_convolutions_of_snntorch(resets: Any, exporter: str) -> None:
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
    x = events(2, 6, 6)
    check_same(graph, run_snntorch(net, x), x, exporter)


class Recurrent(nn.Module):
    """A network of snnTorch that keeps its states outside, as its export needs it."""

    def __init__(self, kind: Any, states: int, **how: Any) -> None:
        super().__init__()
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


@pytest.mark.parametrize(
    ("kind", "states", "how", "exporter"),
    [
        (snn.RLeaky, 2, {"beta": 0.9, **AS_NIR}, "nir"),
        (snn.RLeaky, 2, {"beta": 0.9}, "snntorch"),
        # RSynaptic of snnTorch 1.0 resets nothing if it is told to do so at once.
        (snn.RSynaptic, 3, {"alpha": 0.5, "beta": 0.9}, "snntorch"),
    ],
    ids=["RLeaky zero", "RLeaky subtract", "RSynaptic subtract"],
)
def test_recurrent_layers_of_snntorch(kind: Any, states: int, how: Any, exporter: str) -> None:
    net = Recurrent(kind, states, **how)
    x, state, theirs = events(12), None, []
    with torch.no_grad():
        for step in x:
            spikes, state = net(step, state)
            theirs.append(spikes)
    network = check_same(exported_by_snntorch(net, 12), torch.stack(theirs), x, exporter)
    assert network.late == {"spiking.w_rec": ["spiking.lif"]}  # spikes come back a step later


# SpikingJelly ------------------------------------------------------------------------------------


def test_networks_of_spikingjelly() -> None:
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
    graph = export_to_nir(net, torch.rand(1, 2, 6, 6))
    x = events(2, 6, 6)
    functional.reset_net(net)
    with torch.no_grad():
        theirs = torch.stack([net(step) for step in x])
    check_same(graph, theirs, x, "spikingjelly")
    # NIR fires only above the threshold, SpikingJelly at it too.
    assert not torch.equal(NIRNetwork(graph_of(graph), "nir")(x), theirs)


# Norse -------------------------------------------------------------------------------------------


def run_norse(net: Any, x: Tensor) -> Tensor:
    state, sent = None, []
    with torch.no_grad():
        for step in x:
            spikes, state = net(step, state)
            sent.append(spikes)
    return torch.stack(sent)


@pytest.fixture(scope="module")
def norse() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return witness("norse.torch")


def test_spikes_of_norse(norse: Any) -> None:
    net = norse.SequentialState(
        nn.Linear(12, 8),
        norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.1))),
        nn.Linear(8, 6),
        norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(0.2))),
        nn.Linear(6, 4),
        norse.IAFCell(norse.IAFParameters(v_th=torch.tensor(0.8))),
    )
    x = events(12)
    check_same(norse.to_nir(net, torch.rand(1, 12)), run_norse(net, x), x, "norse")


def test_membranes_of_norse(norse: Any) -> None:
    box = norse.LIBoxCell(norse.LIBoxParameters(v_leak=torch.tensor(0.5)))
    net = norse.SequentialState(nn.Linear(12, 4), box)
    x = events(12)
    network = NIRNetwork(graph_of(norse.to_nir(net, torch.rand(1, 12))), "norse")
    torch.testing.assert_close(network(x), run_norse(net, x), rtol=0, atol=1e-6)
