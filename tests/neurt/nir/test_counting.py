"""A network that another library exported counts as the network itself, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from exported import Exported

from energy import LayerCount, count_module
from energy.counts import Counts, Levels
from energy.network.count import Asked, count_network
from hwmodels import Op
from neurt.nir.network import NIRNetwork, nir_network

nir = pytest.importorskip("nir")


def works(rows: Sequence[LayerCount]) -> list[tuple[int, dict[Op, float], int, int]]:
    """What rows do, by number of calls; names and their order are those of each library."""
    found = [
        (x.calls, {op: n for op, n in x.tally.ops.items() if n}, x.tally.spikes, x.tally.slots)
        for x in rows
    ]
    return sorted(found, key=str)


def both(exported: Exported) -> tuple[Counts, Counts]:
    """Of the graph, and of the network that it was exported from."""
    x = exported.x
    network = nir_network(exported.graph, exporter=exported.exporter)
    ours = count_module(network, x, input_levels="binary")
    theirs = count_module(
        exported.net, x, run=lambda net: exported.loop(net, x), input_levels="binary"
    )
    assert (ours.timesteps, ours.batch, ours.tokens) == (len(x), x.shape[1], x.shape[1])
    assert ours.total(Op.AC) > 0
    for op in (Op.SPIKE, Op.NEURON_UPDATE):
        assert ours.total(op) == theirs.total(op)
    return ours, theirs


def test_rows_are_those_of_the_network_itself(exported: Exported) -> None:
    ours, theirs = both(exported)
    rows = [list(side.layers) for side in (ours, theirs)]
    if repeats(exported):
        # It computes its next state twice, its recurrent layer too, and takes one of the two.
        [twice] = [x for x in rows[1] if x.name == "spiking.recurrent"]
        [once] = [x for x in rows[0] if x.name == "spiking.w_rec"]
        assert twice.calls == 2 * once.calls
        assert twice.tally.ops[Op.AC] == 2 * once.tally.ops[Op.AC]
        rows = [[x for x in side if x not in (twice, once)] for side in rows]
    else:
        for op in (Op.AC, Op.MAC):
            assert ours.total(op) == theirs.total(op)
    assert works(rows[0]) == works(rows[1])


def repeats(exported: Exported) -> bool:
    """Whether it is an RLeaky of snnTorch 1.0 that resets to zero."""
    layer = getattr(exported.net, "spiking", None)
    return type(layer).__name__ == "RLeaky" and layer.reset_mechanism == "zero"


def chain(*nodes: object, shape: tuple[int, ...]) -> NIRNetwork:
    names = ["input", *(f"n{at}" for at in range(len(nodes))), "output"]
    whole = (nir.Input(np.array(shape)), *nodes, nir.Output(None))
    edges = list(pairwise(names))
    graph = nir.NIRGraph(dict(zip(names, whole, strict=True)), edges, type_check=False)
    return nir_network(graph)


def spikes(*shape: int) -> torch.Tensor:
    return (torch.rand(10, 2, *shape, generator=torch.Generator().manual_seed(0)) < 0.3).float()


def accumulates(network: NIRNetwork, x: torch.Tensor) -> dict[str, float]:
    counted = count_module(network, x, input_levels="binary")
    return {row.name: row.tally.ops.get(Op.AC, 0) for row in counted.layers}


def test_sums_of_spikes_are_spikes_and_averages_are_none() -> None:
    how = (np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    flat, linear = nir.Flatten(None, 0, -1), nir.Linear(np.ones((3, 4)))
    x = spikes(1, 4, 4)
    sums = accumulates(chain(nir.SumPool2d(*how), flat, linear, shape=(1, 4, 4)), x)
    assert sums["n2"] == 3 * x.sum()  # each spike reaches three outputs, summed or not
    counted = count_network(
        chain(nir.AvgPool2d(*how), flat, linear, shape=(1, 4, 4)), [x], Asked(input_levels="binary")
    )
    assert counted.ends == (("n0", "avg_pool2d"),)
    [row] = [x for x in counted.ssa.layers if x.name == "n2"]
    assert row.tally.ops[Op.MAC] == 10 * 2 * 4 * 3  # steps, samples, inputs, outputs


def test_delays_scales_and_thresholds_keep_spikes() -> None:
    delay = nir.Delay(np.array([1e-4, 3e-4, 1e-4]))
    same, linear = nir.Scale(np.full(3, 2.0)), nir.Linear(np.ones((5, 3)))
    x = spikes(3)
    found = accumulates(chain(delay, same, linear, shape=(3,)), x)
    assert found["n2"] == 5 * (x[:-1, :, [0, 2]].sum() + x[:-3, :, 1].sum())
    found = accumulates(chain(nir.Threshold(np.full(3, 0.5)), linear, shape=(3,)), x)
    assert found["n1"] == 5 * x.sum()  # x > 0.5 is x


def test_a_scale_of_each_entry_ends_spikes() -> None:
    scale, linear = nir.Scale(np.arange(1.0, 4.0)), nir.Linear(np.ones((5, 3)))
    network = chain(scale, linear, shape=(3,))
    counted = count_network(network, [spikes(3)], Asked(input_levels="binary"))
    assert [name for name, _ in counted.ends] == ["n0"]


def test_neurons_without_a_threshold_send_analog_values() -> None:
    full = np.full(3, 1e-3)
    li, linear = nir.LI(full, np.ones(3), np.zeros(3)), nir.Linear(np.ones((5, 3)))
    counted = count_module(chain(li, linear, shape=(3,)), spikes(3), input_levels="binary")
    rows = {row.name: row.tally for row in counted.layers}
    assert rows["n0"].ops[Op.NEURON_UPDATE] == 10 * 2 * 3
    assert Op.NEURON_CMP not in {op for op, n in rows["n0"].ops.items() if n}
    assert rows["n1"].ops[Op.MAC] == 10 * 2 * 3 * 5
    assert rows["n1"].levels in (None, Levels.ANALOG)


@pytest.mark.parametrize(
    ("kind", "whole", "r", "adds", "muls"),
    [  # equations of the classes in `neurt.nir.neurons`; a reset is an addition
        ("IF", True, 1.0, 2, 0),
        ("IF", False, 1.0, 2, 1),
        ("LIF", True, 1.0, 2, 1),
        ("LIF", False, 1.0, 3, 1),
        ("LIF", False, 3.0, 2, 2),
        ("CubaLIF", True, 1.0, 3, 2),
        ("CubaLIF", False, 3.0, 3, 4),
    ],
)
def test_the_arithmetic_of_a_step_is_that_of_the_parameters(
    kind: str, whole: bool, r: float, adds: int, muls: int
) -> None:
    full = {name: np.full(3, 1e-3) for name in ("tau", "tau_mem", "tau_syn")}
    r = (1e4 if kind == "IF" else 10.0) if whole else r  # 1 / dt, tau / dt
    full |= {"r": np.full(3, r), "w_in": np.full(3, 10.0 if whole else 1.0)}
    full |= {"v_leak": np.zeros(3), "v_threshold": np.ones(3), "v_reset": np.zeros(3)}
    node = getattr(nir, kind)
    fields = {name: full[name] for name in node.__dataclass_fields__ if name in full}
    counted = count_module(chain(node(**fields), shape=(3,)), spikes(3), input_levels="binary")
    [row] = [x for x in counted.layers if x.tally.ops.get(Op.NEURON_UPDATE)]
    updates = 10 * 2 * 3
    assert row.tally.ops[Op.NEURON_ADD] == adds * updates
    assert row.tally.ops.get(Op.NEURON_MUL, 0) == muls * updates
    assert row.tally.ops[Op.NEURON_CMP] == updates
