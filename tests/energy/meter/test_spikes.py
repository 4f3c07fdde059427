from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from energy import Counts, DenseSpikesWarning, MatMul, count_pass, counting
from energy.meter.spikes import Arrivals

Neuron = Callable[[Tensor], Tensor]


class Network(nn.Module):
    """Two dense layers with neurons between them, over 5 time steps of a constant current."""

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.neuron, self.second = nn.Linear(8, 16), neuron, nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.second(self.neuron(self.first(x))) for _ in range(5)])


class Fires(nn.Module):
    def __init__(self, spikes: Neuron) -> None:
        super().__init__()
        self.spikes = spikes

    def forward(self, x: Tensor) -> Tensor:
        return self.spikes(x)


def binary(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def ternary(x: Tensor) -> Tensor:
    return x.round().clamp(-1, 1)


def count(model: nn.Module) -> Counts:
    x = 3 * torch.rand(3, 8, generator=torch.Generator().manual_seed(1))
    return count_pass(model, lambda: model(x), variant="ssa")


@pytest.mark.parametrize("spikes", [binary, ternary])
def test_a_dense_layer_that_takes_spikes_is_named(spikes: Neuron) -> None:
    with pytest.warns(DenseSpikesWarning, match=r"layer 'second' took nothing but .*MatMul"):
        counts = count(Network(Fires(spikes)))
    assert counts.dense_macs == 5 * 3 * (8 * 16 + 16 * 4)  # what was counted stays


def test_the_warning_is_one_sentence_however_many_layers_take_spikes() -> None:
    layers = [nn.Sequential(nn.Linear(8, 8), Fires(binary)) for _ in range(4)]
    with pytest.warns(DenseSpikesWarning) as caught:
        count(nn.Sequential(*layers))
    [one] = caught
    assert str(one.message).startswith("layer '1.0' (and 2 more) took")
    assert len(str(one.message)) <= 300


@pytest.mark.parametrize(
    "values",
    [torch.relu, torch.zeros_like, torch.ones_like, lambda x: 2 * binary(x), torch.tanh],
    ids=["relu", "silent", "constant", "of size two", "analog"],
)
def test_other_values_pass_without_a_word(values: Neuron) -> None:
    count(Network(Fires(values)))  # a warning is an error here


def test_spikes_that_turn_analog_later_are_none() -> None:
    model = Network(Fires(lambda x: x))
    with counting(model):
        model.second(torch.eye(16))
        model.second(torch.full((3, 16), 0.5))


def test_a_product_that_declares_its_spikes_passes() -> None:
    class Declared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.product = torch.rand(8, 4), MatMul("left")

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.product(binary(x - 1.5), self.weight)
            return out

    assert count(Declared()).dense_macs == 3 * 8 * 4


def test_an_analog_layer_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Tensor] = []
    see = Arrivals.see

    def watched(arrived: Arrivals, inputs: Tensor) -> None:
        looks.append(inputs)
        see(arrived, inputs)

    monkeypatch.setattr(Arrivals, "see", watched)
    count(Network(nn.ReLU()))
    assert len(looks) == 2  # of 10 calls of 2 layers


@pytest.fixture(params=["snntorch", "spikingjelly"])
def neuron(request: pytest.FixtureRequest) -> Iterator[nn.Module]:
    if request.param == "snntorch":
        yield pytest.importorskip("snntorch").Leaky(beta=0.9, init_hidden=True)
        return
    name = "spikingjelly.activation_based.neuron"
    yield pytest.importorskip(name, reason="needs spikingjelly, see the README").LIFNode()


def test_neurons_of_other_libraries(neuron: nn.Module) -> None:
    with pytest.warns(DenseSpikesWarning, match="layer 'second' took nothing but"):
        count(Network(neuron))


def test_neurons_of_other_libraries_whose_spikes_are_pooled(neuron: nn.Module) -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif, self.readout = neuron, nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.readout(nn.functional.avg_pool1d(self.lif(x), 2))
            return out

    with pytest.warns(DenseSpikesWarning, match="layer 'lif' is a neuron of s"):
        count(Pooled())


@pytest.mark.parametrize(
    ("module", "library"),
    [
        ("norse.torch.module.snn", "norse"),
        ("sinabs.layers.lif", "sinabs"),
        ("lava.lib.dl.slayer.neuron.cuba", "lava"),
        ("bindsnet.network.nodes", "bindsnet"),
    ],
)
def test_neurons_are_known_by_where_they_come_from(module: str, library: str) -> None:
    base = type("Base", (nn.Identity,), {"__module__": module})
    kind = type("Own", (base,), {"__module__": "somebody.elses"})
    with pytest.warns(DenseSpikesWarning, match=rf"layer 'neuron' is a neuron of {library} \(Own"):
        count(Network(kind()))


def test_a_module_with_a_name_like_that_is_none() -> None:
    kind = type("Layer", (nn.Identity,), {"__module__": "sinabs.layers.lifeguard"})
    count(Network(kind()))


def test_the_warning_can_be_an_error_or_silenced() -> None:
    model = Network(Fires(binary))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DenseSpikesWarning)
        count(model)
    with pytest.raises(DenseSpikesWarning):  # pytest's filter
        count(model)
