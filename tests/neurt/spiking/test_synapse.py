from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy import EventError, Levels, count_pass
from hwmodels import Op
from neurt.spiking.synapse import EventConv1D, EventLinear, make_synapse, weights_of


def layer(levels: Levels = Levels.TERNARY, *, accumulate: bool = False) -> EventConv1D:
    torch.manual_seed(0)
    made = EventConv1D(5, 3, levels, accumulate=accumulate)
    nn.init.normal_(made.bias)
    return made


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("rows", [1, 8])
def test_gradients_reach_weight_scale_and_events(accumulate: bool, rows: int) -> None:
    synapse = layer(accumulate=accumulate)
    events = torch.ones(2, rows, 3, requires_grad=True)
    scale = torch.tensor([2.0, 3, 4], requires_grad=True)
    synapse(events, scale).sum().backward()
    by_channel = synapse.weight.detach().sum(1)
    # every event is worth scale_c x the sum of its weights; there are 2 x rows of them
    assert events.grad is not None
    torch.testing.assert_close(events.grad, (scale * by_channel).detach().expand(2, rows, 3))
    assert scale.grad is not None
    torch.testing.assert_close(scale.grad, 2 * rows * by_channel)
    assert synapse.weight.grad is not None
    torch.testing.assert_close(
        synapse.weight.grad, (2 * rows * scale.detach())[:, None].expand(3, 5)
    )


SPIKES = torch.tensor([[[1.0, 0, -1], [0, 0, 1]], [[0, 0, 0], [1, 1, 1]]])


@pytest.mark.parametrize(("accumulate", "results"), [(False, 4), (True, 2)])
def test_counts_events_times_fan_out(accumulate: bool, results: int) -> None:
    model = nn.Sequential(layer(accumulate=accumulate))
    (row,) = count_pass(model, lambda: model(SPIKES), variant="ssa").layers
    assert row.ops[Op.AC] == 30  # (2 + 1 + 0 + 3) events x 5 outputs
    assert row.ops[Op.MAC] == row.ops[Op.SHIFT_AC] == 0
    assert row.tally.dense_macs == 60  # 4 rows x 3 inputs x 5 outputs
    assert (row.tally.spikes, row.tally.slots) == (6, 12)
    assert row.ops[Op.SPIKE_READ] == 12
    assert row.ops[Op.ACTIVATION_WRITE] == results * 5


@pytest.mark.parametrize(
    ("levels", "factor", "op", "accumulates"),
    [
        (Levels.BURST, 3.0, Op.AC, 90),  # 18 unit events x 5
        (Levels.POWER, 0.25, Op.SHIFT_AC, 30),
    ],
)
def test_counts_bursts_by_their_units_and_powers_as_shifts(
    levels: Levels, factor: float, op: Op, accumulates: int
) -> None:
    model = nn.Sequential(layer(levels, accumulate=True))
    (row,) = count_pass(model, lambda: model(factor * SPIKES), variant="ssa").layers
    assert {x: n for x, n in row.ops.items() if x in (Op.MAC, Op.AC, Op.SHIFT_AC)} == {
        op: accumulates
    }
    assert row.ops[Op.SPIKE_READ] == 12
    assert (row.tally.levels, row.tally.channels) == (levels, 3)


def test_analog_input_is_multiplied_in_each_step() -> None:
    model = nn.Sequential(layer(Levels.ANALOG, accumulate=True))
    (row,) = count_pass(model, lambda: model(torch.rand(2, 2, 3)), variant="ssa").layers
    assert row.ops[Op.MAC] == row.tally.dense_macs == 60
    assert row.tally.slots == 0


@pytest.mark.parametrize(
    ("levels", "input_", "allowed"),
    [
        (Levels.TERNARY, [[1.0, 0.5, 0]], "-1, 0 or 1"),
        (Levels.BURST, [[7.0, 8, 0]], "whole numbers from -7 to 7"),
        (Levels.POWER, [[4.0, 3, 0]], "0 or signed powers of two"),
    ],
)
def test_refuses_analog_input_by_name(levels: Levels, input_: Any, allowed: str) -> None:
    model = nn.Sequential(layer(levels))
    with pytest.raises(EventError, match=rf"layer '0' takes spikes, but 1 of 3 .* not {allowed}"):
        count_pass(model, lambda: model(torch.tensor(input_)), variant="ssa")


# The two kinds of linear layer


def twins(
    levels: Levels = Levels.TERNARY, *, accumulate: bool = False, bias: bool = True
) -> tuple[EventLinear, EventConv1D]:
    """The same weights as (out, in) and as (in, out); a `Conv1D` always has a bias."""
    conv = layer(levels, accumulate=accumulate)
    made = EventLinear(5, 3, levels, accumulate=accumulate, bias=bias)
    with torch.no_grad():
        made.weight.copy_(conv.weight.T)
        if bias:
            made.bias.copy_(conv.bias)
        else:
            conv.bias.zero_()
    return made, conv


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_synapse_has_the_parameters_of_the_dense_layer(bias: bool) -> None:
    made, _ = twins(bias=bias)
    dense = nn.Linear(3, 5, bias=bias)
    dense.load_state_dict(made.state_dict())
    x = torch.randn(2, 4, 3)
    torch.testing.assert_close(made(x), dense(x))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("scale", [None, torch.tensor([2.0, 3, 4])])
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("unfolded", [False, True])
@pytest.mark.parametrize("tokens", [1, 2, 9])  # 2 x 1 rows are fewer than 5 outputs, 2 x 9 more
def test_both_kinds_are_the_sum_over_events(
    bias: bool, scale: Tensor | None, accumulate: bool, unfolded: bool, tokens: int
) -> None:
    events = torch.randint(-1, 2, (4, 2, tokens, 3), generator=torch.Generator().manual_seed(1))
    both = twins(accumulate=accumulate, bias=bias)
    expected = torch.zeros(4, 2, tokens, 5)
    for step, row, token, channel in events.nonzero().tolist():
        size = 1.0 if scale is None else float(scale[channel])
        weights = both[1].weight[channel].detach()
        expected[step, row, token] += float(events[step, row, token, channel]) * size * weights
    expected = expected.sum(0) if accumulate else expected
    expected = expected + both[1].bias
    for synapse in both:
        synapse.unfolded = unfolded
        torch.testing.assert_close(synapse(events.float(), scale), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("accumulate", [True, False])
@pytest.mark.parametrize("levels", [Levels.TERNARY, Levels.ANALOG])
def test_both_kinds_are_counted_alike(bias: bool, accumulate: bool, levels: Levels) -> None:
    rows = []
    for synapse in twins(levels, accumulate=accumulate, bias=bias):
        model = nn.Sequential(synapse)
        [row] = count_pass(model, lambda model=model: model(SPIKES), variant="ssa").layers
        rows.append(row)
    linear, conv = rows
    assert linear.ops[Op.MAC] == conv.ops[Op.MAC] == (60 if levels is Levels.ANALOG else 0)
    assert linear.ops[Op.AC] == conv.ops[Op.AC] == (0 if levels is Levels.ANALOG else 30)
    assert linear.tally.dense_macs == conv.tally.dense_macs
    # A bias is where the accumulators start: 5 values to read, and nothing to add.
    expected = {} if bias else {Op.VECTOR_READ: 5}
    differences = {op: conv.ops[op] - linear.ops[op] for op in Op}
    assert {op: n for op, n in differences.items() if n} == expected


@pytest.mark.parametrize("kind", ["Linear", "Conv1D"])
def test_a_synapse_is_made_in_the_place_of_a_dense_layer(kind: str) -> None:
    made = make_synapse(kind, 5, 3, Levels.BURST, bias=True)
    assert isinstance(made, nn.Linear if kind == "Linear" else Conv1D)
    assert made.fan_out_weight.shape == (3, 5)
    assert (made.levels, made.accumulate, made.unfolded) == (Levels.BURST, True, False)
    assert make_synapse("Linear", 5, 3, Levels.BURST, bias=False).bias is None


def test_layers_that_receive_the_same_events_have_one_fan_out() -> None:
    linear, conv = twins()
    weights = weights_of([linear, conv])
    assert torch.equal(weights, torch.cat([conv.weight, conv.weight], dim=1))
    assert not weights.requires_grad
