"""SpikingJelly 2.0 estimates the energy of the same layers, by code that nobody here wrote."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lemaire_paper import Conv, dense_conv, spiking_conv, spiking_linear
from torch import Tensor, nn

from energy import Counts, LayerCount, Levels, estimate, formulas
from energy.literature.lemaire import PRINTED, Costs, Terms, dense_linear, piecewise_pj
from energy.literature.lemaire_bill import lemaire
from hwmodels import HardwareProfile

pytest.importorskip("spikingjelly", reason="needs spikingjelly 2.0, see the README")
op_counter: Any = pytest.importorskip(
    "spikingjelly.activation_based.op_counter", reason="needs spikingjelly 2.0, see the README"
)
from spikingjelly.activation_based import layer, neuron  # noqa: E402

NEURONS = {True: neuron.LIFNode, False: neuron.IFNode}
SPIKING = {"step_mode": "m"}
FIRES = {"v_threshold": 0.05, **SPIKING}
ADD_PJ, MAC_PJ, AC_PJ, BYTE_PJ = 0.1, 4.6, 0.9, 24.96


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(3)


class Watched(nn.Module):
    """A layer and its neurons, which remembers how many spikes left."""

    def __init__(self, synapses: nn.Module, neurons: nn.Module) -> None:
        super().__init__()
        self.synapses, self.neurons, self.fired = synapses, neurons, 0

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.neurons(self.synapses(x))
        self.fired = int(out.count_nonzero())
        return out


def spikes(*shape: int, rate: float = 0.4) -> Tensor:
    return (torch.rand(shape) < rate).float()


def theirs(model: nn.Module, x: Tensor) -> Any:
    return op_counter.estimate_lemaire_energy(model, x)


def cited(pj: float) -> dict[str, Any]:
    return {"pj": pj, "source": "SpikingJelly 2.0, SimpleEnergyCostConfig", "evidence": "projected"}


#: Its prices: arithmetic, and one price for each byte of parameters and of neuron state.
SIMPLE = HardwareProfile.model_validate(
    {
        "name": "simple",
        "title": "SpikingJelly's simple energy",
        "precision": "fp32",
        "value_bytes": 4,
        "dataflow": "event-driven",
        "prices": {"mac": cited(MAC_PJ), "ac": cited(AC_PJ)},
        "memory": {
            "flat": {
                "read_pj_per_byte": BYTE_PJ,
                "write_pj_per_byte": BYTE_PJ,
                "source": "SpikingJelly 2.0",
                "evidence": "projected",
            }
        },
        "placement": {"weights": "flat", "state": "flat"},
    }
)


@pytest.mark.parametrize("leak", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [1, 5])
def test_lemaire_of_a_spiking_linear_layer_is_equal(steps: int, bias: bool, leak: bool) -> None:
    model = Watched(layer.Linear(24, 40, bias=bias, **SPIKING), NEURONS[leak](**FIRES))
    x = spikes(steps, 1, 24)
    report = theirs(model, x)
    shape = 24, 40, int(x.sum()), model.fired
    ours = spiking_linear(*shape, timesteps=steps, leak=leak, bias=bias)
    assert model.fired > 0
    assert ours.pj(Costs()) == pytest.approx(report.total_pj, rel=1e-12)
    parts, counts = ours.parts_pj(Costs()), report.counts
    assert parts["operations"] == pytest.approx(report.breakdown_pj["ops_pj"])
    assert parts["in_out"] == pytest.approx(report.breakdown_pj["inout_pj"])
    assert parts["weights"] == pytest.approx(report.breakdown_pj["params_pj"])
    assert parts["potentials"] == pytest.approx(report.breakdown_pj["potential_pj"])
    assert (ours.mac, ours.acc, ours.address_acc, 4 * ours.potentials) == (
        counts["mac"],
        counts["ac"],
        counts["acc_addr"],
        counts["read_potential_bytes"],
    )


def test_lemaire_as_printed_differs_by_the_superfluous_factor_and_the_resets() -> None:
    model = Watched(layer.Linear(24, 40, **SPIKING), neuron.IFNode(**FIRES))
    x = spikes(5, 1, 24)
    report, theta = theirs(model, x), int(x.sum())
    ours = spiking_linear(24, 40, theta, model.fired, timesteps=5, leak=False, variant=PRINTED)
    superfluous = ADD_PJ * theta * 40 * (24 - 1)
    resets = ADD_PJ * model.fired  # Eq. 2.4 as printed has none
    difference = ours.pj(Costs()) - report.total_pj
    assert difference == pytest.approx(superfluous - resets)


@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("bias", [True, False])
def test_lemaire_of_a_dense_linear_layer_differs_in_addressing_and_buffers(
    bias: bool, rows: int
) -> None:
    report = theirs(nn.Linear(24, 40, bias=bias), torch.randn(rows, 24))
    ours = dense_linear(24, 40, rows=rows, bias=bias).pj(Costs())
    # They address each input and each output once; the model, as Qualia has it, each product.
    addressing = ADD_PJ * rows * (24 * 40 - 24 - 40)
    # Their buffers hold the whole batch, ours one vector.
    buffers = sum(
        rows * width * (piecewise_pj(rows * width) - piecewise_pj(width)) for width in (24, 40)
    )
    assert ours - report.total_pj == pytest.approx(addressing - buffers)


CONVS = [
    (Conv((2, 4), (9, 8, 7, 6), 3), {}),
    (Conv((3, 5), (9, 8, 9, 8), 3), {"padding": 1}),
    (Conv((2, 4), (9, 9, 5, 5), 3, stride=2), {"padding": 1}),
    (Conv((2, 4), (9, 8, 7, 6), 3, bias=False), {}),
]


@pytest.mark.parametrize(("conv", "how"), CONVS)
def test_lemaire_of_a_dense_convolution_is_equal(conv: Conv, how: dict[str, int]) -> None:
    model = nn.Conv2d(*conv.channels, conv.kernel, conv.stride, bias=conv.bias, **how)
    report = theirs(model, torch.randn(1, conv.channels[0], *conv.sizes[:2]))
    assert dense_conv(conv).pj(Costs()) == pytest.approx(report.total_pj, rel=1e-12)


@pytest.mark.parametrize("leak", [True, False])
@pytest.mark.parametrize(("conv", "how"), CONVS)
def test_lemaire_of_a_spiking_convolution_is_equal(
    conv: Conv, how: dict[str, int], leak: bool
) -> None:
    synapses = layer.Conv2d(
        *conv.channels, conv.kernel, conv.stride, bias=conv.bias, **how, **SPIKING
    )
    model = Watched(synapses, NEURONS[leak](**FIRES))
    x = spikes(3, 1, conv.channels[0], *conv.sizes[:2])
    report = theirs(model, x)
    ours = spiking_conv(conv, int(x.sum()), model.fired, timesteps=3, leak=leak)
    assert model.fired > 0
    assert ours.pj(Costs()) == pytest.approx(report.total_pj, rel=1e-12)


def counted(x: Tensor, fan_out: int, fired: int) -> Counts:
    steps, _, fan_in = x.shape
    updates = steps * fan_out
    rows = {
        "EventLinear": formulas.event_linear(
            steps,
            fan_in,
            fan_out,
            int(x.sum()),
            bias=True,
            levels=Levels.BINARY,
        ),
        "IF": formulas.neurons(
            updates,
            fired,
            fan_out,
            inputs=updates,
            levels=Levels.BINARY,
            vector=fan_out,
            arithmetic={},
        ),
    }
    layers = tuple(LayerCount(kind, kind, calls=1, tally=tally) for kind, tally in rows.items())
    return Counts("ssa", layers, tokens=1, timesteps=steps)


def test_lemaire_of_a_run_differs_by_the_drive_of_the_neurons() -> None:
    model = Watched(layer.Linear(24, 40, **SPIKING), neuron.IFNode(**FIRES))
    x = spikes(5, 1, 24)
    report = theirs(model, x)
    ours = lemaire(counted(x, 40, model.fired)).energy_pj()
    drive = Terms(acc=200, read_in=200, in_words=40).pj(Costs())  # 5 steps of 40 neurons
    assert ours - report.total_pj == pytest.approx(drive)


def test_simple_energy_of_a_spiking_layer() -> None:
    steps, fan_in, fan_out = 5, 24, 40
    model = Watched(layer.Linear(fan_in, fan_out, **SPIKING), neuron.IFNode(**FIRES))
    x = spikes(steps, 1, fan_in)
    report = op_counter.estimate_simple_energy(model, x)
    bill = estimate(counted(x, fan_out, model.fired), SIMPLE)
    synapses, neurons = bill.layers
    accumulates, updates = int(x.sum()) * fan_out, steps * fan_out

    assert synapses.compute_pj == pytest.approx(AC_PJ * report.counts["synop"])
    # They count the torch operations inside a neuron as accumulates: charge, compare, and two
    # additions of the hard reset. Ours is one neuron update, which these prices do not price.
    theirs_in_neurons = AC_PJ * 4 * updates
    assert bill.energy_pj("compute") - report.energy_compute_pj == pytest.approx(-theirs_in_neurons)
    # A bias is read once per call by us, in each time step by them; the thresholds only by us.
    biases, thresholds = -BYTE_PJ * 4 * (steps - 1) * fan_out, BYTE_PJ * 4 * fan_out
    # Event by event, each accumulate reads and writes its accumulator; they leave that out.
    accumulators = 2 * BYTE_PJ * 4 * accumulates
    assert neurons.total_pj == pytest.approx(
        report.breakdown_pj["neuron_state_memory_pj"] + thresholds
    )
    assert bill.energy_pj() - report.energy_total_pj == pytest.approx(
        biases + thresholds + accumulators - theirs_in_neurons
    )


@pytest.mark.parametrize("rows", [1, 6])
def test_simple_energy_of_a_dense_layer_differs_by_the_reuse_of_weights(rows: int) -> None:
    report = op_counter.estimate_simple_energy(nn.Linear(24, 40), torch.randn(rows, 24))
    tally = formulas.linear(rows, 24, 40, bias=True)
    counts = Counts("asa", (LayerCount("linear", "Linear", calls=1, tally=tally),), tokens=rows)
    bill = estimate(counts, SIMPLE)
    assert bill.energy_pj("compute") == pytest.approx(report.energy_compute_pj)
    # They read weights and biases for each vector, we once per call.
    again = BYTE_PJ * 4 * (rows - 1) * (24 * 40 + 40)
    assert report.energy_total_pj - bill.energy_pj() == pytest.approx(again, abs=1e-6)


def test_of_fused_attention_it_counts_flops_and_no_macs() -> None:
    # What the README says of it. Both products take 2 heads x 8 x 8 pairs x 4 channels x 2 = 1,024
    # multiply-accumulates, 2,048 FLOPs; its energies rest on MACs and accumulates.
    query = torch.rand(1, 2, 8, 4)

    def fused() -> Tensor:
        return nn.functional.scaled_dot_product_attention(query, query, query)

    def apart() -> Tensor:
        return torch.softmax(query @ query.transpose(-1, -2), -1) @ query

    found = {}
    for run in (fused, apart):
        for kind in ("FlopCounter", "MACCounter", "ACCounter"):
            counter = getattr(op_counter, kind)()
            with op_counter.DispatchCounterMode([counter]), torch.no_grad():
                run()
            found[run.__name__, kind] = counter.get_total()
    assert found == {
        ("fused", "FlopCounter"): 2048,
        ("fused", "MACCounter"): 0,
        ("fused", "ACCounter"): 0,
        ("apart", "FlopCounter"): 2048,
        ("apart", "MACCounter"): 1024,
        ("apart", "ACCounter"): 0,
    }
