"""Spikingformer 8-512 at the rates of its published log: every number of that log, term by term."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from energy import Counts, count_module
from energy.network.kind import NeuronKind
from hwmodels import Op
from tests.spiking_transformers import (
    ACCUMULATES,
    ENERGY_MJ,
    MACS,
    PARAMETERS,
    RATES,
    Fires,
    Spikingformer,
    at_printed_rates,
    printed,
    table,
)

T, HEADS, TOKENS, WIDTH = 4, 8, 196, 512
HOW: Any = {"neurons": {Fires: NeuronKind(multi_step=False)}, "timesteps": 1}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return Spikingformer(WIDTH, HEADS, 8, at_printed_rates())


@pytest.fixture(scope="module")
def counts(network: nn.Module) -> Counts:
    """One of four time steps, which are equal on average; with borders, as the log has them."""
    return count_module(network, torch.rand(1, 3, 224, 224), padding="charged", **HOW)


def test_the_definition_is_the_one_of_the_log(network: nn.Module) -> None:
    assert sum(x.numel() for x in network.parameters()) == PARAMETERS
    # What the log prints of layers and of attention is all that it adds up.
    whole = sum(x.accumulates for x in printed().values()) + of_attention()
    assert whole == pytest.approx(ACCUMULATES, abs=0.01)


def of_attention() -> float:
    """The accumulates of both products of attention, from mean rates, in 4 time steps."""
    per_rate = T * TOKENS * WIDTH * (WIDTH // HEADS)
    return per_rate * sum(min(k, v) + q for q, k, v in table(RATES))


def test_each_layer_has_the_printed_products_and_accumulates(counts: Counts) -> None:
    for name, layer in printed().items():
        tally = counts.layer(name).tally
        assert T * tally.dense_macs == layer.dense
        assert Op.MAC not in tally.ops
        # A rate is rounded to whole spikes, each of which reaches so many accumulators.
        reached = tally.dense_macs / tally.slots
        expected = layer.rate * layer.dense / T
        assert tally.ops[Op.AC] == pytest.approx(expected, abs=reached / 2 + 1e-3)


def test_products_of_attention_have_the_printed_accumulates(counts: Counts) -> None:
    ours = sum(x.tally.ops[Op.AC] for x in counts.layers if ".product" in x.name)
    assert len([x for x in counts.layers if ".product" in x.name]) == 16
    # 16 tensors of spikes, each rounded to a spike of 64 accumulators.
    assert T * ours == pytest.approx(of_attention(), abs=T * 16 * 64 / 2)


def test_all_of_it_is_the_printed_total_but_for_biases(counts: Counts) -> None:
    # MACs: the first layer, in 4 time steps, and the head, once; the log adds its 1,000 biases.
    macs = {x.name: x.tally.ops[Op.MAC] for x in counts.layers if x.tally.ops.get(Op.MAC)}
    assert macs.keys() == {"tokenizer.0.conv", "head"}
    assert T * macs["tokenizer.0.conv"] + macs["head"] + 1000 == MACS
    # Accumulates: the log multiplies biases by the rate too, 5,007,428 in all.
    biases = sum(x.rate * x.biases for x in printed().values())
    assert biases == pytest.approx(5_007_428, abs=1)
    accumulates = T * counts.total(Op.AC)
    assert accumulates + biases == pytest.approx(ACCUMULATES, rel=1e-5)
    # 4.6 pJ and 0.9 pJ: with both terms the printed energy, and what they are of it.
    energy_mj = (4.6 * MACS + 0.9 * (accumulates + biases)) * 1e-9
    assert energy_mj == pytest.approx(ENERGY_MJ, rel=1e-5)
    assert (4.6 * 1000 + 0.9 * biases) * 1e-9 == pytest.approx(0.0045113, abs=1e-7)


def test_without_products_of_the_border_it_is_less(network: nn.Module) -> None:
    free = count_module(network, torch.rand(1, 3, 224, 224), **HOW)
    # (3 x 224 - 2)^2 of (3 x 224)^2 taps of the first layer.
    assert free.layer("tokenizer.0.conv").tally.ops[Op.MAC] == 27 * 64 * 670**2 / 9
    assert 0.98 < T * free.total(Op.AC) / ACCUMULATES < 0.99


def test_with_neurons_of_its_own_it_runs_as_it_comes() -> None:
    neuron: Any = pytest.importorskip("spikingjelly.activation_based.neuron")
    torch.manual_seed(0)
    net = Spikingformer(64, 4, 2, lambda _name, _pooled: neuron.LIFNode(tau=2.0, v_threshold=0.3))
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.constant_(module.bias, 0.7)  # so that random weights fire
    counts = count_module(net, torch.rand(1, 3, 64, 64), timesteps=T)
    assert (counts.timesteps, counts.batch) == (T, 1)
    dense = [x.name for x in counts.layers if x.tally.ops.get(Op.MAC)]
    # The head takes the mean over tokens of membranes.
    assert dense == ["tokenizer.0.conv", "head"]
    assert all(x.tally.ops[Op.AC] > 0 for x in counts.layers if ".product" in x.name)
