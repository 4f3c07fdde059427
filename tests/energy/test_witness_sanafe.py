"""SANA-FE 2.2 simulates a spiking network on its own description of Loihi, event by event."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from energy import Counts, Estimate, LayerCount, Levels, Tally, estimate, formulas
from hwmodels import Op, load_profile

sanafe: Any = pytest.importorskip("sanafe", reason="needs sanafe 2.2, see the README")

STEPS, INPUTS, HIDDEN, OUTPUTS = 12, 8, 16, 4
WIDTHS = INPUTS, HIDDEN, OUTPUTS

#: The terms of its description of Loihi, in picojoules.
SYNAPSE, ACCESS, UPDATE, SPIKE_OUT, MESSAGE = 35.5, 51.2, 21.6, 69.3, 111.0
NORTH, EAST = 4.2, 3.0

Array = npt.NDArray[np.float64]


class Network(NamedTuple):
    """Two fully-connected layers of integrate-and-fire neurons, and what is sent into them.

    Weights and thresholds are multiples of 1/64, the resolution of its neurons.
    """

    spikes: Array
    weights: tuple[Array, Array]


@pytest.fixture(scope="module")
def network() -> Network:
    random = np.random.default_rng(0)
    spikes = (random.random((STEPS, INPUTS)) < 0.25).astype(float)
    spikes[-3:] = 0  # so that neurons fall silent
    first, second = (
        random.integers(0, 33, shape) / 64 for shape in ((INPUTS, HIDDEN), (HIDDEN, OUTPUTS))
    )
    return Network(spikes, (first, second))


class Ran(NamedTuple):
    """What happened, by our own simulation.

    Spikes of the three layers, spikes of the second half of the hidden one, updates of neurons
    that have nothing to do.
    """

    fired: tuple[int, int, int]
    hidden_half: int
    idle: int


def simulated(network: Network) -> Ran:
    """Integrate, fire above 1, subtract 1; a neuron is idle with neither potential nor input.

    Spikes of one time step arrive in the next, as they do on Loihi.
    """
    x, trains, idle = network.spikes, [network.spikes], 0
    for weights in network.weights:
        potential, sent = np.zeros(weights.shape[1]), np.zeros((STEPS, weights.shape[1]))
        arriving = np.vstack([np.zeros((1, len(weights))), x[:-1]])
        for step in range(STEPS):
            idle += 0 if arriving[step].any() else int((potential == 0).sum())
            potential += arriving[step] @ weights
            sent[step] = potential > 1
            potential -= sent[step]
        x = sent
        trains.append(x)
    first, hidden, out = (int(train.sum()) for train in trains)
    return Ran((first, hidden, out), int(trains[1][:, HIDDEN // 2 :].sum()), idle)


Places = tuple[tuple[int, ...], ...]
Theirs = Callable[[bool, Places], Any]


@pytest.fixture(scope="module")
def theirs(network: Network) -> Theirs:
    chip_plan = sanafe.load_loihi()  # takes a second

    @cache
    def run(always: bool, places: Places) -> Any:
        return simulated_by_them(chip_plan, network, always, places)

    return run


def simulated_by_them(chip_plan: Any, network: Network, always: bool, places: Places) -> Any:
    """Simulate on tiles; a layer is cut into equal parts, one for each of its places."""
    net = sanafe.Network()
    attributes = {"threshold": 1.0, "reset_mode": "soft", "force_update": always}
    groups = []
    for i, (width, tiles) in enumerate(zip(WIDTHS, places, strict=True)):
        group = net.create_neuron_group(
            f"layer{i}",
            width,
            model_attributes=attributes if i else {},
            soma_hw_name="loihi_lif" if i else "loihi_inputs[0]",
            default_synapse_hw_name="loihi_dense_synapse",
            default_dendrite_hw_name="loihi_dendrites",
        )
        for n in range(width):
            if i == 0:
                spikes = [int(s) for s in network.spikes[:, n]]
                group[n].set_attributes(
                    soma_hw_name=f"loihi_inputs[{n}]", model_attributes={"spikes": spikes}
                )
            group[n].map_to_core(chip_plan.tiles[tiles[n * len(tiles) // width]].cores[0])
        groups.append(group)
    for before, after, weights in zip(groups, groups[1:], network.weights, strict=False):
        before.connect_neurons_dense(after, {"weight": [float(w) for w in weights.ravel()]})
    chip = sanafe.SpikingChip(chip_plan)
    chip.load(net)
    return chip.sim(STEPS, processing_threads=1)


def ours(ran: Ran) -> Estimate:
    """Our estimate from the counts of the same network."""
    rows: list[Tally] = []
    for fan_in, fan_out, events, fired in zip(
        WIDTHS, WIDTHS[1:], ran.fired, ran.fired[1:], strict=False
    ):
        rows += [
            formulas.event_linear(
                STEPS,
                fan_in,
                fan_out,
                events,
                bias=False,
                levels=Levels.BINARY,
            ),
            formulas.neurons(
                STEPS * fan_out,
                fired,
                fan_out,
                inputs=STEPS * fan_out,
                levels=Levels.BINARY,
                vector=fan_out,
                arithmetic={},
            ),
        ]
    layers = tuple(LayerCount(f"{i}", "Layer", calls=1, tally=t) for i, t in enumerate(rows))
    counts = Counts("ssa", layers, tokens=1, timesteps=STEPS)
    return estimate(counts, load_profile("loihi-sanafe"))


def group_pj(bill: Estimate, op: Op) -> float:
    return sum(layer.pj.get(op, 0.0) for layer in bill.layers)


#: Tiles are numbered north to south, four to a column.
APART = ((0,), (1,), (5,))  # one hop north or south, then one east or west


def test_every_term_is_equal_or_explained(network: Network, theirs: Theirs) -> None:
    ran = simulated(network)
    report, bill = theirs(True, APART), ours(ran)
    theirs_pj = {part: 1e12 * joule for part, joule in report["energy"].items()}
    sent, hidden, out = ran.fired
    assert min(ran.fired) > 0
    assert report["spikes"] == sent * HIDDEN + hidden * OUTPUTS

    # Synapses: to the digit.
    assert group_pj(bill, Op.AC) == pytest.approx(theirs_pj["synapse"], rel=1e-9)
    # Neurons: access and update in each step, to the digit; the spike_out of a soma is in our
    # price of a spike, with the message that carries it.
    somas = group_pj(bill, Op.NEURON_UPDATE) + SPIKE_OUT * (hidden + out)
    assert somas == pytest.approx(theirs_pj["soma"], rel=1e-9)
    # Messages: they charge those of the inputs, which no layer of ours sends, and not those of
    # the last layer, which nobody hears.
    unheard = MESSAGE * (out - sent)
    # Hops: theirs go one tile north or south, then one east or west. Ours are the mean over two
    # cores at random on a mesh of 2 x 2, 1 hop, at the mean price of 3.6 pJ.
    hops = 3.6 * (sent + hidden) - NORTH * sent - EAST * hidden
    network_pj = (
        group_pj(bill, Op.SPIKE) - SPIKE_OUT * (hidden + out) + group_pj(bill, Op.SPIKE_HOP)
    )
    assert network_pj - theirs_pj["network"] == pytest.approx(unheard + hops, rel=1e-9)
    # And nothing else.
    assert bill.energy_pj() - theirs_pj["total"] == pytest.approx(unheard + hops, rel=1e-9)


def test_an_idle_neuron_is_only_accessed(network: Network, theirs: Theirs) -> None:
    ran = simulated(network)
    forced, lazy = (theirs(always, APART) for always in (True, False))
    assert ran.idle > 0
    saved_pj = 1e12 * (forced["energy"]["soma"] - lazy["energy"]["soma"])
    # We charge each neuron as updated in each step: the profile says so.
    assert saved_pj == pytest.approx(UPDATE * ran.idle, rel=1e-9)


def test_a_layer_on_two_cores_takes_a_message_for_each(network: Network, theirs: Theirs) -> None:
    ran = simulated(network)
    together, split = (theirs(True, ((0,), hidden, (5,))) for hidden in ((1,), (1, 2)))
    # The second copy of an input spike: a message, and two hops south instead of one. The half of
    # the hidden layer that moved to tile 2 is one hop north further from tile 5.
    moved_pj = 1e12 * (split["energy"]["network"] - together["energy"]["network"])
    copies_pj = ran.fired[0] * (MESSAGE + 2 * NORTH)
    assert moved_pj == pytest.approx(copies_pj + ran.hidden_half * NORTH, rel=1e-9)
    for part in ("synapse", "soma"):
        assert split["energy"][part] == pytest.approx(together["energy"][part], rel=1e-9)


def test_the_profile_holds_the_terms_of_its_description() -> None:
    profile = load_profile("loihi-sanafe")
    prices = {op: profile.prices[op].pj for op in (Op.AC, Op.NEURON_UPDATE, Op.SPIKE)}
    assert prices == pytest.approx(
        {Op.AC: SYNAPSE, Op.NEURON_UPDATE: ACCESS + UPDATE, Op.SPIKE: SPIKE_OUT + MESSAGE}
    )
    assert profile.prices[Op.SPIKE_HOP].pj == pytest.approx((NORTH + EAST) / 2)
