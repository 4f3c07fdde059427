from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2LMHeadModel

from energy import (
    Attention,
    Conventions,
    Counts,
    Levels,
    MatMul,
    check_against_fvcore,
    count_pass,
)
from energy import exposed_attention as exposed
from energy.crosscheck import Disagreement


@pytest.fixture
def input_ids() -> Tensor:
    return torch.randint(0, 101, (2, 7), generator=torch.Generator().manual_seed(1))


def count(
    model: GPT2LMHeadModel, input_ids: Tensor, attention: Attention = Attention.FULL
) -> Counts:
    return count_pass(
        model, lambda: model(input_ids), variant="asa", conventions=Conventions(attention)
    )


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_fvcore_agrees_row_by_row(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor, implementation: str
) -> None:
    tiny_gpt2.set_attn_implementation(implementation)
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        assert check_against_fvcore(tiny_gpt2, input_ids, counts) == []
    assert counts.dense_macs > 0


@pytest.mark.parametrize("name", ["lm_head", "transformer.h.1.attn.core.scores"])
def test_a_count_that_was_tampered_with_is_reported(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor, name: str
) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        layers = tuple(
            replace(x, tally=x.tally._replace(dense_macs=x.tally.dense_macs + 1))
            if x.name == name
            else x
            for x in counts.layers
        )
        found = check_against_fvcore(tiny_gpt2, input_ids, replace(counts, layers=layers))
    honest = counts.layer(name).tally.dense_macs
    assert found == [
        Disagreement(name, honest + 1, honest),
        Disagreement("(total)", counts.dense_macs + 1, counts.dense_macs),
    ]


def test_a_layer_that_was_left_out_shows_in_the_total(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor
) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        [missing] = [x for x in counts.layers if x.name == "lm_head"]
        rest = replace(counts, layers=tuple(x for x in counts.layers if x is not missing))
        found = check_against_fvcore(tiny_gpt2, input_ids, rest)
    assert [row.layer for row in found] == ["(total)"]
    assert found[0].theirs - found[0].ours == missing.tally.dense_macs


def test_fvcore_counts_full_attention(tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids, Attention.CAUSAL)
        found = {row.layer: row for row in check_against_fvcore(tiny_gpt2, input_ids, counts)}
    scores = found["transformer.h.0.attn.core.scores"]
    # 2 sequences x width 32; 1 + .. + 7 of 7 x 7 pairs
    assert (scores.ours, scores.theirs) == (2 * 32 * 28, 2 * 32 * 49)
    assert len(found) == 5  # scores and mix of 2 layers, and the total


def test_fvcore_refuses_a_kernel_that_it_cannot_see_into(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor
) -> None:
    with exposed(tiny_gpt2, fused=True):
        counts = count(tiny_gpt2, input_ids)
        with pytest.raises(RuntimeError, match=r"cannot see into aten::scaled_dot.*fused=False"):
            check_against_fvcore(tiny_gpt2, input_ids, counts)


def test_the_witness_leaves_the_train_flags_alone(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor
) -> None:
    tiny_gpt2.train()
    tiny_gpt2.lm_head.eval()
    with exposed(tiny_gpt2, fused=False):
        flags = [module.training for module in tiny_gpt2.modules()]
        counts = count(tiny_gpt2, input_ids)
        assert check_against_fvcore(tiny_gpt2, input_ids, counts) == []
        assert [module.training for module in tiny_gpt2.modules()] == flags


def test_torch_counts_twice_as_many_flops(tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        with FlopCounterMode(display=False) as theirs:
            tiny_gpt2(input_ids)
    assert theirs.get_total_flops() == 2 * counts.dense_macs


class Folded(nn.Module):
    """Two heads of scores whose 3 time steps are summed before they are multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(101, 8)
        self.scores = MatMul("left", levels=Levels.TERNARY, accumulate=True)

    def forward(self, input_ids: Tensor, use_cache: bool = False) -> SimpleNamespace:
        keys = self.embed(input_ids)
        events = keys.sign().expand(3, *keys.shape)
        return SimpleNamespace(logits=self.scores(events, keys.mT))


def test_steps_that_are_folded_are_seen_by_the_witness_and_stay_folded(input_ids: Tensor) -> None:
    model = Folded()
    counts = count_pass(model, lambda: model(input_ids), variant="ssa")
    assert counts.dense_macs == 3 * 2 * 7 * 8 * 7  # steps x batch x tokens x width x tokens
    assert check_against_fvcore(model, input_ids, counts) == []
    assert model.scores.unfolded is False


def test_steps_are_folded_again_when_the_witness_fails(input_ids: Tensor) -> None:
    model = Folded()
    counts = count_pass(model, lambda: model(input_ids), variant="ssa")
    with pytest.raises(IndexError):
        check_against_fvcore(model, input_ids + 101, counts)
    assert model.scores.unfolded is False
