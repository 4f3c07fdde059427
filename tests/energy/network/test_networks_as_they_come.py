"""Whatever a network does: the right numbers or one clear line, and nothing left behind."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import energy
from energy import (
    DenseSpikesWarning,
    NetworkError,
    NeuronError,
    NeuronKind,
    UncountedOperation,
    count_module,
)
from energy.meter.meter import NoModelError
from energy.network.count import Asked, count_network
from hwmodels import Op


class LIF(nn.Module):
    """A user's own neuron, with a state that it keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("v", torch.zeros(1))
        self.history: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        self.v = self.v + (x - self.v) / 2
        spike = (self.v > 0.3).to(x.dtype)
        self.v = self.v * (1 - spike)
        self.history.append(float(spike.mean()))
        self.seen = True
        return spike


class OverTime(nn.Module):
    """The same over a leading dimension."""

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0.3).to(x.dtype)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif, self.fc2 = nn.Linear(6, 8), LIF(), nn.Linear(8, 2)

    def forward(self, x: Tensor, steps: int = 5) -> Tensor:
        out: Tensor = sum(self.fc2(self.lif(self.fc1(x))) for _ in range(steps))  # type: ignore[assignment]
        return out


OWN: dict[type, str] = {LIF: "binary"}
X = 3 * torch.rand(4, 6, generator=torch.Generator().manual_seed(1))


@contextmanager
def left_as_it_was(net: nn.Module) -> Iterator[None]:
    """Fails if anything of a module is another than before."""

    def looks(module: nn.Module) -> dict[str, Any]:
        own = dict(vars(module))
        own["_buffers"] = dict(own["_buffers"])
        own["_parameters"], own["_modules"] = dict(own["_parameters"]), dict(own["_modules"])
        return {key: copy.copy(value) for key, value in own.items()}

    before = [looks(module) for module in net.modules()]
    values = {key: value.clone() for key, value in net.state_dict().items()}
    fast = torch.backends.mha.get_fastpath_enabled()
    yield
    after = [looks(module) for module in net.modules()]
    for one, other in zip(before, after, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            same = one[key] is other[key] or str(one[key]) == str(other[key])
            assert same, key
    assert all(torch.equal(value, values[key]) for key, value in net.state_dict().items())
    assert torch.backends.mha.get_fastpath_enabled() == fast
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


def test_a_network_is_left_as_it_was() -> None:
    net = Net().train()
    net.fc1.eval()
    net(X)  # neurons have a state that is no rest
    with left_as_it_was(net):
        first = count_module(net, X, neurons=OWN)
    assert (net.training, net.fc1.training, len(net.lif.history)) == (True, False, 5)
    with left_as_it_was(net):
        again = count_module(net, X, neurons=OWN)
    assert [x.tally for x in first.layers] == [x.tally for x in again.layers]


def test_a_network_that_raises_is_left_as_it_was() -> None:
    class Breaks(Net):
        def forward(self, x: Tensor, steps: int = 5) -> Tensor:
            super().forward(x, 2)
            raise RuntimeError("in the middle")

    net = Breaks().train()
    with left_as_it_was(net), pytest.raises(RuntimeError, match="in the middle"):
        count_module(net, X, neurons=OWN)

    class InTheNeuron(LIF):
        def forward(self, x: Tensor) -> Tensor:
            super().forward(x)
            raise RuntimeError("inside of a neuron")

    net.lif = InTheNeuron()
    with left_as_it_was(net), pytest.raises(RuntimeError, match="inside of a neuron"):
        count_module(net, X, neurons=OWN)
    net.lif = LIF()
    assert count_module(Net(), X, neurons=OWN).timesteps == 5  # nothing lingers


def test_declared_and_undeclared_spikes_in_one_network() -> None:
    net = nn.Sequential(nn.Linear(6, 8), LIF(), nn.Linear(8, 8), OverTime(), nn.Linear(8, 2))
    with pytest.warns(DenseSpikesWarning, match=r"layer '4' took .* neurons=\{OverTime: \"bin"):
        counts = count_module(net, X, timesteps=3, neurons=OWN)
    assert counts.layer("2").tally.ops[Op.AC] == 8 * counts.layer("1").tally.spikes
    assert counts.layer("4").tally.ops[Op.MAC] == 3 * 4 * 8 * 2


def test_a_layer_that_is_used_twice_and_one_that_is_skipped() -> None:
    class Reuses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.a, self.b, self.unused = nn.Linear(6, 6), LIF(), LIF(), nn.Linear(9, 9)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(5):
                out = self.fc(self.b(self.fc(self.a(self.fc(x)))))
            return out

    counted = count_network(Reuses(), (X,), Asked(neurons=OWN))
    fc, sent = counted.ssa.layer("fc"), [counted.ssa.layer(x).tally.spikes for x in "ab"]
    # Three times in each of 5 steps: once with the input, twice with spikes. A call is one of all
    # steps, which read the weights once.
    assert fc.calls == 3
    assert fc.tally.ops[Op.MAC] == 5 * 4 * 36
    assert fc.tally.ops[Op.AC] == 6 * sum(sent) > 0
    assert fc.tally.ops[Op.WEIGHT_READ] == 3 * 36
    assert counted.asa.layer("fc").tally.ops[Op.MAC] == 3 * 4 * 36
    assert [row.name for row in counted.ssa.layers] == ["fc", "a", "b"]


def test_states_that_are_returned_and_given_back() -> None:
    class Returns(nn.Module):
        def forward(self, x: Tensor, v: Tensor | None = None) -> tuple[Tensor, Tensor]:
            v = x if v is None else 0.5 * v + x
            return (v > 1).float(), v

    class Passes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.fc = Returns(), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            v = None
            for _ in range(4):
                z, v = self.cell(x, v)
                out = self.fc(z)
            assert v is not None
            return out, v

    counts = count_module(Passes(), X, neurons={Returns: "binary"})
    assert counts.timesteps == 4
    assert counts.layer("fc").tally.ops[Op.AC] == 2 * counts.layer("cell").tally.spikes > 0


def test_time_steps_are_found_or_given_and_disagreement_is_an_error() -> None:
    net = Net()
    assert count_module(net, X, neurons=OWN).timesteps == 5
    assert count_module(net, X, timesteps=5, neurons=OWN).timesteps == 5
    with pytest.raises(
        NetworkError, match=r"timesteps \(= 4\) was given, but neurons 'lif' took 5"
    ):
        count_module(net, X, timesteps=4, neurons=OWN)
    with pytest.raises(NetworkError, match=r"timesteps \(= 0\) must be a whole number from 1 on"):
        count_module(net, X, timesteps=0, neurons=OWN)


def test_of_an_unknown_leading_dimension_the_caller_says_whether_it_is_time() -> None:
    net = nn.Sequential(OverTime(), nn.Linear(6, 2))
    how: Any = {"neurons": {OverTime: "binary"}}
    with pytest.raises(NetworkError, match=r"'0' ran once, .* is 4, .* timesteps=4 if it is, and"):
        count_module(net, X, **how)
    assert count_module(net, X, timesteps=4, **how).timesteps == 4
    assert count_module(net, X, timesteps=1, **how).timesteps == 1
    three = count_module(net, X, timesteps=3, **how)  # each call is one step
    assert (three.timesteps, three.layers[0].tally.ops[Op.NEURON_UPDATE]) == (3, 3 * X.numel())


def test_other_time_steps_in_another_call_are_one_line() -> None:
    kind = NeuronKind(multi_step=True)
    net = nn.Sequential(OverTime(), nn.Linear(6, 2))
    with pytest.raises(NetworkError, match="took 2 and 3 time steps in different calls"):
        count_module(
            net,
            run=lambda net: [net(torch.rand(steps, 1, 6)) for steps in (2, 3)],
            neurons={OverTime: kind},
        )


def test_two_inferences_add_up() -> None:
    net = Net()
    one = count_module(net, X, neurons=OWN)
    two = count_module(net, run=lambda net: [net(X), net(X)], neurons=OWN)
    assert (two.timesteps, two.tokens, two.batch) == (5, 8, 4)
    assert two.layer("fc1").tally.ops[Op.MAC] == 2 * one.layer("fc1").tally.ops[Op.MAC]
    assert two.layer("fc1").tally.ops[Op.WEIGHT_READ] == 2 * 48


def test_what_was_compiled_is_run_as_it_was_written() -> None:
    net, whole = Net(), Net()
    whole.load_state_dict(net.state_dict())
    expected = [x.tally for x in count_module(net, X, neurons=OWN).layers]
    compiled: Any = torch.compile(whole)
    assert [x.tally for x in count_module(compiled, X, neurons=OWN).layers] == expected
    whole.fc1.compile()
    assert [x.tally for x in count_module(whole, X, neurons=OWN).layers] == expected
    inside = nn.Sequential(compiled)
    counts = count_module(inside, X, neurons=OWN)
    assert [x.tally for x in counts.layers] == expected


def test_a_scripted_network_is_one_line() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(6, 2)))
    with pytest.raises(NetworkError, match=r"layer 'the network itself' is scripted by torch.jit"):
        count_module(scripted, X)


def test_on_the_meta_device_dense_layers_are_counted_and_spikes_are_one_line() -> None:
    dense = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)).to("meta")
    x = torch.empty(4, 6, device="meta")
    assert count_module(dense, x).dense_macs == 4 * (48 + 16)
    with pytest.raises(NetworkError, match="takes spikes on the meta device"):
        count_module(nn.Sequential(OverTime(), dense), x, neurons={OverTime: "binary"})


def test_a_lazy_layer_is_one_line() -> None:
    with pytest.raises(NetworkError, match=r"layer '0' \(LazyLinear\) has no weights until it has"):
        count_module(nn.Sequential(nn.LazyLinear(3)), X)


def test_what_cannot_be_counted_is_one_line() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Bilinear(6, 6, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(x, x)
            return out

    with pytest.raises(UncountedOperation, match="layer 'layer' multiplies with _trilinear, wh"):
        count_module(Twice(), X)
    with pytest.raises(UncountedOperation, match="the model itself' multiplies with addmm, which"):
        count_module(nn.Linear(6, 2), X.to_sparse())
    with pytest.raises(NoModelError, match="is none; give the network itself"):
        count_module(lambda x: x, X)  # type: ignore[arg-type]
    for key in ("padding", "batch_norm"):
        with pytest.raises(NetworkError, match=rf"{key} \(= 'maybe'\) must be"):
            count_module(Net(), X, neurons=OWN, **{key: "maybe"})


def test_neurons_that_never_ran_are_one_line() -> None:
    class Skips(Net):
        def forward(self, x: Tensor, steps: int = 5) -> Tensor:
            out: Tensor = self.fc1(x)
            return out

    with pytest.raises(NeuronError, match="class LIF were declared, but none of them ran: 'lif'"):
        count_module(Skips(), X, neurons=OWN)
    with pytest.raises(NeuronError, match="class OverTime were declared, but the network holds no"):
        count_module(Net(), X, neurons={OverTime: "binary", LIF: "binary"})
    for wrong, why in (
        ({LIF: "binray"}, "send no 'binray'; .* did you mean 'binary'"),
        ({"LIF": "binary"}, "'LIF' is no class of torch.nn.Module"),
        ("LIF", r"must say what each class sends, such as neurons=\{MyLIF"),
    ):
        with pytest.raises(NeuronError, match=why):
            count_module(Net(), X, neurons=wrong)  # type: ignore[arg-type]


def test_neurons_are_registered_for_good() -> None:
    @energy.neuron.register(levels="ternary", dynamics="IF", multi_step=False)
    class Signed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.round().clamp(-1, 1)

    class Derived(Signed):
        pass

    net = nn.Sequential(Derived(), nn.Linear(6, 2))
    counts = count_module(net, 2 * X - 3, timesteps=1)
    neurons = counts.layer("0").tally
    assert counts.layer("1").tally.ops[Op.AC] == 2 * neurons.spikes > 0
    assert (neurons.levels, neurons.ops[Op.NEURON_ADD]) == ("ternary", 2 * 24)
    assert Op.NEURON_MUL not in neurons.ops
    with pytest.raises(NeuronError, match=r"dynamics 'LFI' are not known; .* did you mean 'LIF'"):
        energy.neuron.register(dynamics="LFI")


def test_a_batch_norm_is_folded_where_it_can_be() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.BatchNorm2d(2)
    )
    x = torch.rand(3, 1, 6, 6)
    folded, counted = (count_module(net, x, batch_norm=x_) for x_ in ("folded", "counted"))
    elements = 3 * 2 * 4 * 4
    assert folded.layer("1").tally.ops == {Op.VECTOR_READ: 2}
    for row in (folded.layer("3"), counted.layer("3"), counted.layer("1")):
        assert row.tally.ops[Op.MUL] == row.tally.ops[Op.ADD] == elements


@pytest.mark.parametrize(
    ("layer", "macs", "inputs"),
    [
        (nn.RNN(5, 7), 7 * (5 + 7), "weight_ih_l0"),
        (nn.LSTM(5, 7), 4 * 7 * (5 + 7), "weight_ih"),
        (nn.GRU(5, 7), 3 * 7 * (5 + 7), "weight_ih_l0"),
        (nn.LSTM(5, 7, num_layers=2, bidirectional=True), 8 * 7 * (5 + 7) + 8 * 7 * (14 + 7), ""),
        (nn.LSTMCell(5, 7), 4 * 7 * (5 + 7), "weight_ih"),
    ],
    ids=["RNN", "LSTM", "GRU", "deep LSTM", "LSTMCell"],
)
def test_recurrent_layers(layer: nn.Module, macs: int, inputs: str) -> None:
    cell = isinstance(layer, nn.LSTMCell)
    x = torch.rand(2, 5) if cell else torch.rand(6, 2, 5)
    rows = 2 if cell else 12
    assert count_module(layer, x).total(Op.MAC) == rows * macs
    if not inputs:
        return
    net = nn.Sequential(OverTime(), layer)
    how: Any = {"neurons": {OverTime: "binary"}, "timesteps": 1}
    counts = count_module(net, x, **how)
    spikes, tally = counts.layer("0").tally.spikes, counts.layer(f"1.{inputs}").tally
    assert tally.ops[Op.AC] == spikes * tally.dense_macs // x.numel()


def test_an_attention_of_torch_is_built_of_products() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.rand(3, 5, 8)
    for weights in (True, False):
        counts = count_module(attention, x, x, x, None, weights)
        # Q, K, V and the output: 4 x 8 x 8 for each of 15 tokens; two products of 3 x 5 x 5 x 8.
        assert counts.total(Op.MAC) == 15 * 4 * 64 + 2 * 3 * 25 * 8
        assert counts.total(Op.EXP) == 3 * 2 * 25
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    assert count_module(encoder, x).total(Op.MAC) == 15 * (4 * 64 + 2 * 128) + 2 * 3 * 25 * 8


def test_an_embedding_is_looked_up() -> None:
    net = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    counts = count_module(net, torch.tensor([[1, 2, 8]]))
    assert counts.layer("0").tally.ops[Op.VECTOR_READ] == 3 * 4
    assert counts.layer("1").tally.ops[Op.MAC] == 3 * 8


def test_a_layer_of_ones_own_has_a_row_for_each_thing_that_it_does() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(8, 6))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x.relu(), self.weight).relu()

    counts = count_module(nn.Sequential(Own()), X)
    macs = {row.name: row.tally.ops.get(Op.MAC, 0) for row in counts.layers}
    assert macs == {"0": 0, "0.linear": 4 * 48, "0.relu.2": 0}
    assert counts.total(Op.CMP) == 4 * (6 + 8)


def test_samples_of_several_batches_are_added() -> None:
    net = Net()

    def both(net: Any) -> None:
        for x in (X, X[:3]):
            net.lif.v = torch.zeros(1)
            net(x)

    counts = count_module(net, run=both, neurons=OWN)
    assert (counts.timesteps, counts.batch, counts.tokens) == (5, 4, 7)
    assert counts.layer("fc1").tally.ops[Op.MAC] == 5 * 7 * 48
    step = nn.Sequential(nn.Linear(6, 8), LIF())
    loop = lambda net: [net(x) for x in (X, X, X)]  # noqa: E731
    assert count_module(step, run=loop, neurons=OWN).timesteps == 3
    # Each call is a step: three inferences of one step, if the caller says so.
    one = count_module(step, run=loop, neurons=OWN, timesteps=1)
    assert (one.timesteps, one.tokens) == (1, 12)
    over = nn.Sequential(OverTime(), nn.Linear(6, 2))
    how: Any = {"neurons": {OverTime: "binary"}, "timesteps": 5}
    axis = count_module(over, run=lambda net: [net(torch.rand(5, n, 6)) for n in (2, 3)], **how)
    assert (axis.timesteps, axis.tokens) == (5, 5)
    assert count_module(nn.Linear(6, 2), X).tokens == 4


def test_inputs_that_are_spikes_in_a_loop_outside() -> None:
    net = nn.Sequential(nn.Linear(6, 8), LIF())
    frames = (torch.rand(3, 4, 6) < 0.4).float()
    counts = count_module(
        net, run=lambda net: [net(x) for x in frames], neurons=OWN, input_levels="binary"
    )
    assert counts.layer("0").tally.ops[Op.AC] == 8 * int(frames.sum())


def test_what_is_written_into_a_tensor_of_somebody_else_is_followed() -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron, self.fc = OverTime(), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            spikes = self.neuron(x)
            both = torch.empty(4, 6)
            torch.add(spikes, spikes, out=both)
            first = self.fc(both)
            torch.mul(spikes, x, out=both)
            out: Tensor = self.fc(both) + first
            return out

    counts = count_module(Writes(), X, neurons={OverTime: "binary"}, timesteps=1)
    tally = counts.layer("fc").tally
    assert tally.ops[Op.AC] == 2 * 2 * int((X > 0.3).sum())  # once, with 2 events in each
    assert tally.ops[Op.MAC] == 4 * 12


def test_in_inference_mode_too() -> None:
    net = Net()
    expected = [row.tally for row in count_module(net, X, neurons=OWN).layers]
    with torch.inference_mode():
        assert [row.tally for row in count_module(net, X, neurons=OWN).layers] == expected


def test_operations_in_a_loop_over_time_are_one_row_for_all_steps() -> None:
    class Loops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif, self.fc = LIF(), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            total = (x * x).sum(0)  # before the loop
            for _ in range(5):
                spikes = self.lif(self.fc(x * 2))
                total = total + (spikes.mT @ spikes).tanh().sum(0) + (x.mT @ x).sum(0)
            return total

    counted = count_network(Loops(), (X,), Asked(neurons=OWN))
    names = [row.name for row in counted.ssa.layers]
    assert [name for name in names if "product" in name] == ["product", "product.2"]
    spiking, analog = (counted.ssa.layer(name).tally for name in ("product", "product.2"))
    # 6 x 4 @ 4 x 6 in each of 5 steps; the analog network does each once.
    assert spiking.dense_macs == analog.ops[Op.MAC] == 5 * 144
    assert counted.asa.layer("product").tally.ops[Op.MAC] == 144
    assert counted.asa.layer("product.2").tally.ops[Op.MAC] == 144
    assert counted.asa.layer("tanh").tally.ops[Op.EXP] == 36


def test_a_hook_on_all_modules_is_seen_as_one_on_a_layer_is() -> None:
    def doubles(module: nn.Module, _: object, out: Tensor) -> Tensor | None:
        return 2 * out if isinstance(module, nn.Linear) else None

    net, x = nn.Sequential(nn.Linear(6, 4)), torch.rand(3, 6)
    ways = (net[0].register_forward_hook, nn.modules.module.register_module_forward_hook)
    for register in ways:
        handle = register(doubles)  # type: ignore[operator]
        try:
            counts = count_module(net, x)
        finally:
            handle.remove()
        assert counts.total(Op.MUL) == 3 * 4  # each of 4 outputs of 3 samples, doubled


def test_a_count_inside_of_a_count_is_refused_and_leaves_nothing() -> None:
    net, x = nn.Sequential(nn.Linear(6, 4)), torch.rand(3, 6)
    with pytest.raises(NetworkError, match="a network is being counted already"):
        count_module(net, run=lambda net: count_module(net, x))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    assert count_module(net, x).total(Op.MAC) == 3 * 24  # operations are seen as before
