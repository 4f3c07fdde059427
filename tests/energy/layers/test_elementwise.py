from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb as partly
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as wholly

from energy import Multiply, Rotary


def operands(width: int, rotated: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = ((2, 4, 5, width), (2, 2, 5, width), (2, 5, rotated), (2, 5, rotated))
    query, key, cos, sin = (torch.randn(shape, generator=random) for shape in shapes)
    return query, key, cos, sin


def test_rotary_is_that_of_llama_to_the_bit() -> None:
    given = operands(8, 8)
    assert all(map(torch.equal, Rotary()(*given), wholly(*given)))


def test_channels_beyond_the_table_pass() -> None:
    given = operands(8, 4)
    query, key = Rotary()(*given)
    assert all(map(torch.equal, (query, key), partly(*given)))
    assert torch.equal(query[..., 4:], given[0][..., 4:])


def test_a_quarter_turn_by_hand() -> None:
    # Channels 0 and 2, 1 and 3 are pairs; (a, b) turned by 90 degrees is (-b, a).
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 1, 4)
    query, key = Rotary()(x, 2 * x, torch.zeros(1, 1, 4), torch.ones(1, 1, 4))
    assert query.flatten().tolist() == [-3, -4, 1, 2]
    assert key.flatten().tolist() == [-6, -8, 2, 4]


def test_a_rotation_of_ones_own_is_called() -> None:
    given = operands(8, 8)
    query, key = Rotary(lambda query, key, cos, sin: (query + 1, key - 1))(*given)
    assert torch.equal(query, given[0] + 1)
    assert torch.equal(key, given[1] - 1)


@pytest.mark.parametrize("module", [Rotary(), Multiply()])
def test_they_have_no_state(module: torch.nn.Module) -> None:
    assert module.state_dict() == {}


def test_multiply() -> None:
    left, right = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -4.0])
    assert Multiply()(left, right).tolist() == [3, -8]
