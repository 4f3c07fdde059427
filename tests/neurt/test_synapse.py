import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from energy import EventError, Levels, count_pass
from hwmodels import Op
from neurt.synapse import EventConv1D


@pytest.fixture
def layer() -> EventConv1D:
    torch.manual_seed(0)
    return EventConv1D(5, 3, Levels.TERNARY)


def test_has_the_parameters_of_the_dense_layer(layer: EventConv1D) -> None:
    dense = Conv1D(5, 3)
    dense.load_state_dict(layer.state_dict())
    x = torch.randn(2, 4, 3)
    assert torch.allclose(layer(x), dense(x), atol=1e-6)


def test_scale_is_the_size_of_a_spike_per_channel(layer: EventConv1D) -> None:
    spikes = torch.tensor([[1.0, 0, -1]])
    scale = torch.tensor([2.0, 3, 4])
    expected = 2 * layer.weight[0] - 4 * layer.weight[2] + layer.bias
    assert torch.allclose(layer(spikes, scale)[0], expected, atol=1e-6)


def test_counts_events_times_fan_out(layer: EventConv1D) -> None:
    spikes = torch.tensor([[[1.0, 0, -1], [0, 0, 1]], [[0, 0, 0], [1, 1, 1]]])
    model = nn.Sequential(layer)
    (row,) = count_pass(model, lambda: model(spikes), variant="ssa").layers
    assert row.ops[Op.AC] == 30  # (2 + 1 + 0 + 3) events x 5 outputs
    assert row.ops[Op.MAC] == 0
    assert row.tally.dense_macs == 60  # 4 rows x 3 inputs x 5 outputs
    assert (row.tally.spikes, row.tally.slots) == (6, 12)
    assert row.ops[Op.SPIKE_READ] == 3  # 12 slots x 2 bits


def test_refuses_analog_input_by_name(layer: EventConv1D) -> None:
    model = nn.Sequential(layer)
    with pytest.raises(EventError, match=r"layer '0' takes spikes, but 1 of 3 .* not -1, 0 or 1"):
        count_pass(model, lambda: model(torch.tensor([[1.0, 0.5, 0]])), variant="ssa")
