from __future__ import annotations

from typing import Any

import pytest
import torch
from decoders import model_of, tiny
from torch import Tensor
from transformers import DynamicCache

from energy import Attention, Conventions, Counts, count_pass, exposed_attention
from energy.formulas.attention import Product
from energy.layers.declared import Reach
from energy.meter.masks import seen_of
from hwmodels import Op

FULL, CAUSAL = Attention.FULL, Attention.CAUSAL
PRODUCT = Product(4, 3, 5, 8, 2, CAUSAL)


def triangle(queries: int = 3, keys: int = 5) -> Tensor:
    return torch.ones(1, 1, queries, keys, dtype=torch.bool).tril(keys - queries)


def test_the_mask_of_a_causal_attention_says_nothing_new() -> None:
    assert seen_of(PRODUCT, Reach(), triangle()) == PRODUCT
    additive = torch.zeros(1, 1, 3, 5).masked_fill(~triangle(), torch.finfo(torch.float32).min)
    assert seen_of(PRODUCT, Reach(), additive) == PRODUCT
    # A cache of fixed length has more keys than there are tokens.
    assert seen_of(PRODUCT, Reach(), torch.cat((triangle(), triangle()), -1)) == PRODUCT


def test_all_pairs_are_counted_whatever_the_mask() -> None:
    full = PRODUCT._replace(attention=FULL)
    assert seen_of(full, Reach(2), triangle()) == full


def test_padding_is_taken_off() -> None:
    mask = triangle().expand(2, -1, -1, -1).clone()
    mask[1, :, :, :2] = False  # the second sequence lacks its first two tokens
    found = seen_of(PRODUCT, Reach(), mask)
    # 3 + 4 + 5 and 1 + 2 + 3 pairs in 2 heads each; 5 and 3 rows in 1 cached head each
    assert (found.pairs, found.cached) == (2 * (12 + 6), (5 + 3) * 8)


def test_each_head_may_have_its_own_mask() -> None:
    mask = triangle().expand(2, 2, -1, -1).clone()
    mask[:, 1, :, 1:] = False  # the second head of each sequence sees the first token alone
    found = seen_of(PRODUCT, Reach(), mask)
    assert (found.pairs, found.cached) == (2 * (12 + 3), 2 * 5 * 8)


def test_without_a_mask_the_declared_window_counts() -> None:
    for mask in (None, torch.ones(1, 1, 3, 5, dtype=torch.bool, device="meta")):
        found = seen_of(PRODUCT, Reach(2), mask)
        assert (found.pairs, found.cached) == (4 * 3 * 2, 2 * 4 * 8)


def count(kind: str, attention: Attention, queries: int, implementation: str, **how: Any) -> Counts:
    """Of 2 sequences of 11 tokens, in the first layer of which a window of 4 or all are seen."""
    model = model_of(tiny(kind, **how))
    model.set_attn_implementation(implementation)
    ids = torch.arange(22).reshape(2, 11)
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        if queries < 11:
            model(input_ids=ids[:, :-queries], past_key_values=cache)
    with exposed_attention(model):
        return count_pass(
            model,
            lambda: model(input_ids=ids[:, 11 - queries :], past_key_values=cache),
            variant="asa",
            conventions=Conventions(attention),
            loose=True,
        )


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize(
    ("queries", "attention", "pairs", "read"),
    [
        (11, CAUSAL, 4 * 5 // 2 + 7 * 4, 11),  # w (w + 1) / 2 + (S - w) w
        (11, FULL, 11 * 11, 11),
        (1, CAUSAL, 4, 4),
        (1, FULL, 4, 4),
    ],
)
def test_a_window_is_taken_off(
    queries: int, attention: Attention, pairs: int, read: int, implementation: str
) -> None:
    counts = count("mistral", attention, queries, implementation)
    for part in ("scores", "mix"):
        row = counts.layer(f"model.layers.0.self_attn.core.{part}")
        # 2 sequences, 4 heads on 2 cached ones, 8 channels
        assert row.ops[Op.MAC] == 2 * 4 * pairs * 8
        assert row.ops[Op.KV_READ] == 2 * 2 * read * 8
        assert row.ops[Op.KV_WRITE] == 2 * 2 * queries * 8
    assert counts.layer("model.layers.0.self_attn.core.softmax").ops[Op.EXP] == 2 * 4 * pairs


@pytest.mark.parametrize(("queries", "local"), [(11, 38), (1, 4)])
def test_windows_belong_to_layers(queries: int, local: int) -> None:
    kinds = ["sliding_attention", "full_attention"]
    counts = count("gemma2", CAUSAL, queries, "eager", layer_types=kinds)
    each = {11: 11 * 12 // 2, 1: 11}[queries]
    found = [
        counts.layer(f"model.layers.{depth}.self_attn.core.scores").ops[Op.MAC]
        for depth in range(2)
    ]
    assert found == [2 * 4 * pairs * 8 for pairs in (local, each)]


def test_attention_sinks_are_counted() -> None:
    counts = count("gpt_oss", CAUSAL, 1, "eager", layer_types=["full_attention"] * 2)
    ops = counts.layer("model.layers.0.self_attn.core.softmax").ops
    # 2 sequences, 4 heads, 11 scores and a sink
    assert (ops[Op.EXP], ops[Op.DIV], ops[Op.VECTOR_READ]) == (8 * 12, 8 * 11, 4)


@pytest.mark.parametrize(("queries", "keys"), [(11, 11), (1, 11)])
def test_a_latent_cache(queries: int, keys: int) -> None:
    counts = count("deepseek_v3", FULL, queries, "sdpa")
    name = "model.layers.0.self_attn"
    # 2 sequences; 16 entries of the latent vector, 8 of the rotated key; 4 heads of 8 + 8 and 8
    assert counts.layer(f"{name}.kv_b_proj").ops[Op.KV_READ] == 2 * keys * 16
    assert counts.layer(f"{name}.kv_b_proj").ops[Op.MAC] == 2 * keys * 16 * 4 * (8 + 8)
    assert counts.layer(f"{name}.core.scores").ops[Op.KV_READ] == 2 * keys * 8
    assert counts.total(Op.KV_READ) == 2 * 2 * keys * (16 + 8)
    assert counts.total(Op.KV_WRITE) == 2 * 2 * queries * (16 + 8)


def test_a_mask_given_by_keyword() -> None:
    counts = count("doge", FULL, 11, "eager")
    assert counts.layer("model.layers.0.self_attn.core.scores").ops[Op.MAC] == 2 * 4 * 11 * 11 * 8
