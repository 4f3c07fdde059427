from __future__ import annotations

from typing import Any

import pytest
import torch
from decoders import model_of, tiny
from transformers import DynamicCache, PreTrainedModel

from energy import Attention, Conventions, Counts, count_pass, exposed_attention
from energy.formulas.experts import expected_experts
from hwmodels import Op


def count(model: PreTrainedModel, queries: int, attention: Attention) -> Counts:
    """Of 2 sequences of 11 tokens, or of their last ones behind a cache of the others."""
    ids = torch.arange(22, device=model.device).reshape(2, 11)
    cache: Any = DynamicCache(config=model.config)
    with torch.no_grad():
        if queries < 11:
            model(input_ids=ids[:, :-queries], past_key_values=cache)
    with exposed_attention(model, partial=True):
        return count_pass(
            model,
            lambda: model(input_ids=ids[:, 11 - queries :], past_key_values=cache),
            variant="asa",
            conventions=Conventions(attention),
            loose=True,
        )


def without_weights(kind: str) -> PreTrainedModel:
    with torch.device("meta"):
        model = model_of(tiny(kind))
    model.set_attn_implementation("eager")
    return model


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma2", "qwen3", "falcon"])
@pytest.mark.parametrize("queries", [11, 1])
@pytest.mark.parametrize("attention", Attention)
def test_no_dense_count_depends_on_a_weight(kind: str, queries: int, attention: Attention) -> None:
    found = count(without_weights(kind), queries, attention)
    assert found.layers == count(model_of(tiny(kind)), queries, attention).layers


def test_of_experts_the_expected_number_is_read() -> None:
    model = without_weights("mixtral")
    model.set_experts_implementation("batched_mm")
    ops = count(model, 1, Attention.FULL).layer("model.layers.0.mlp.experts.down_proj").ops
    # 2 tokens, 2 of 4 experts each, of 48 x 32
    assert ops[Op.MAC] == 2 * 2 * 48 * 32
    assert ops[Op.WEIGHT_READ] == expected_experts(4, 2, 2) * 48 * 32 == 3 * 48 * 32
