"""Graphs that other libraries export give the spikes that their own networks give.

The networks, their export and their run are theirs; nothing of it was written here.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from exported import Exported

from neurt.nir.network import nir_network

nir = pytest.importorskip("nir")


@torch.no_grad()
def test_the_spikes_are_those_of_the_library(exported: Exported) -> None:
    theirs = torch.stack(exported.loop(exported.net, exported.x))
    assert 0 < theirs.count_nonzero() < theirs.numel()  # a silent network would show nothing
    network = nir_network(exported.graph, exporter=exported.exporter)
    assert torch.equal(network(exported.x), theirs)
    assert torch.equal(network(exported.x), theirs)  # and nothing is left over of the first run


@torch.no_grad()
def test_membranes_are_those_of_the_library(membranes: Exported) -> None:
    theirs = torch.stack(membranes.loop(membranes.net, membranes.x))
    ours = nir_network(membranes.graph, exporter=membranes.exporter)(membranes.x)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_file_gives_the_spikes_of_the_graph(exported: Exported, tmp_path: Path) -> None:
    if exported.exporter == "norse":
        pytest.skip("nir 1.0.8 cannot write the parameters without a shape that Norse exports")
    nir.write(tmp_path / "net.nir", exported.graph)
    read = nir_network(tmp_path / "net.nir", exporter=exported.exporter)
    given = nir_network(exported.graph, exporter=exported.exporter)
    assert torch.equal(read(exported.x), given(exported.x))
    assert read.late == given.late


@torch.no_grad()
def test_another_convention_gives_other_spikes(exported: Exported) -> None:
    # Resets of snnTorch, thresholds of SpikingJelly, units of Norse: each is needed.
    if exported.exporter == "nir":
        pytest.skip("written by hand in the convention of NIR, so that no other one is left out")
    theirs = torch.stack(exported.loop(exported.net, exported.x))
    dt_s = 1e-8 if exported.exporter == "norse" else None  # at the usual one it is refused
    other = nir_network(exported.graph, exporter="nir", dt_s=dt_s)
    assert not torch.equal(other(exported.x), theirs)
