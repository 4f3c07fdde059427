"""Bytes of the cache, over all that they depend on: what a layer keeps, how wide an entry is."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from builders import chip
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import tiny_model
from transformers import AutoConfig, DynamicCache

from energy import Attention, Conventions, Counts
from energy.bill.traffic import Bits
from hwmodels import Dataflow, Op
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import read_shape

#: Families, and the key of the window or chunk of their local layers.
LOCAL = {
    "llama": None,
    "mistral": "sliding_window",
    "gemma2": "sliding_window",
    "gpt_oss": "sliding_window",  # with sinks, which have no key and no value
    "llama4_text": "attention_chunk_size",
}


def cached_bytes(counts: Counts, kv_bits: float, op: Op) -> float:
    """Bytes that a machine with caches of such a width moves."""
    machine = chip(widths={"kv": kv_bits}, value_bytes=4, precision="fp32")
    rows = counts.columns
    bits = Bits(machine, Dataflow.LAYERWISE.rules).of(rows, op)
    return float(np.sum(rows.op(op) * bits) / 8)


def seen(kind: str, context: int, window: int, attention: Attention) -> int:
    """Tokens that the newest of so many reads, its own among them, in a layer of a kind."""
    if kind == "sliding_attention":
        return min(context, window)
    if kind == "chunked_attention":
        # A mask is only taken off where it is asked for; a chunk is never exceeded.
        return (context - 1) % window + 1 if attention is Attention.CAUSAL else min(context, window)
    return context


BITS = st.sampled_from([4.0, 4.5, 8.0, 16.0, 32.0])
SIZES = st.integers(1, 4)


@settings(max_examples=120, deadline=None)
@given(
    family=st.sampled_from(list(LOCAL)),
    kv_heads=SIZES,
    shared_by=SIZES,
    layers=st.integers(1, 5),
    half_width=st.integers(1, 8),
    window=st.integers(1, 40),
    batch=SIZES,
    context=st.integers(2, 64),
    bits=BITS,
    attention=st.sampled_from(Attention),
)
def test_bytes_of_keys_and_values(
    family: str,
    kv_heads: int,
    shared_by: int,
    layers: int,
    half_width: int,
    window: int,
    batch: int,
    context: int,
    bits: float,
    attention: Attention,
) -> None:
    width, key = 2 * half_width, LOCAL[family]
    sizes: dict[str, Any] = {} if key is None else {key: window}
    config = AutoConfig.for_model(
        family,
        num_hidden_layers=layers,
        num_attention_heads=kv_heads * shared_by,
        num_key_value_heads=kv_heads,
        head_dim=width,
        hidden_size=8 * kv_heads * shared_by,
        intermediate_size=8,
        vocab_size=11,
        max_position_embeddings=128,
        **sizes,
    ).to_dict()
    # Which layers are local is said by transformers; those of Mistral all are.
    default = "full_attention" if key is None else "sliding_attention"
    kinds = config.get("layer_types") or [default] * layers
    shape, convention = read_shape(config, "tiny"), Conventions(attention)
    token = 2 * kv_heads * width * bits / 8  # a key and a value
    reads = sum(seen(kind, context, window, attention) for kind in kinds)
    step = plan_asa(shape, decode(context, batch=batch), convention)
    assert cached_bytes(step, bits, Op.KV_READ) == pytest.approx(batch * token * reads)
    assert cached_bytes(step, bits, Op.KV_WRITE) == pytest.approx(batch * token * layers)
    # A prompt is written once and read once, of its last chunk in layers that have any.
    whole = plan_asa(shape, prefill(context, batch=batch), convention)
    assert cached_bytes(whole, bits, Op.KV_WRITE) == pytest.approx(batch * token * layers * context)
    assert cached_bytes(whole, bits, Op.KV_READ) == pytest.approx(batch * token * layers * context)


@settings(max_examples=40, deadline=None)
@given(
    heads=SIZES,
    rank=st.integers(1, 9),
    half=SIZES,
    batch=SIZES,
    before=st.integers(0, 40),
    queries=st.integers(1, 5),
    bits=BITS,
)
def test_bytes_of_latent_vectors(
    heads: int, rank: int, half: int, batch: int, before: int, queries: int, bits: float
) -> None:
    config = AutoConfig.for_model(
        "deepseek_v3",
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        kv_lora_rank=rank,
        q_lora_rank=4,
        qk_rope_head_dim=2 * half,
        hidden_size=16,
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_group=1,
        topk_group=1,
    ).to_dict()
    keys = before + queries
    counts = plan_asa(read_shape(config, "tiny"), Pass(batch, queries, keys))
    token = 2 * batch * (rank + 2 * half) * bits / 8  # of two layers, whatever the heads
    assert cached_bytes(counts, bits, Op.KV_READ) == pytest.approx(keys * token)
    assert cached_bytes(counts, bits, Op.KV_WRITE) == pytest.approx(queries * token)


@settings(max_examples=40, deadline=None)
@given(heads=SIZES, width=SIZES, state=SIZES, batch=SIZES, tokens=st.integers(1, 40), bits=BITS)
def test_states_have_the_width_of_accumulators(
    heads: int, width: int, state: int, batch: int, tokens: int, bits: float
) -> None:
    config = {
        "model_type": "nemotron_h",
        "hybrid_override_pattern": "MM*",
        "hidden_size": 16,
        "intermediate_size": 8,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "mamba_num_heads": heads,
        "mamba_head_dim": width,
        "ssm_state_size": state,
        "n_groups": 1,
        "conv_kernel": 4,
        "vocab_size": 11,
    }
    counts = plan_asa(read_shape(config, "tiny"), decode(tokens, batch=batch))
    states = 2 * heads * width * state * 32 / 8
    convolved = 2 * 3 * (heads * width + 2 * state) * bits / 8
    attention = 2 * 8 * bits / 8
    read = batch * (states + convolved + tokens * attention)
    assert cached_bytes(counts, bits, Op.KV_READ) == pytest.approx(read)
    written = batch * (states + convolved + attention)
    assert cached_bytes(counts, bits, Op.KV_WRITE) == pytest.approx(written)


made = cache(tiny_model)


@pytest.mark.parametrize("tokens", [2, 3, 9])
@pytest.mark.parametrize(
    "kind",
    ["gemma2", "gemma3", "cohere2", "starcoder2", "gpt_neox", "mixtral", "gpt_oss", "qwen3"],
)
def test_what_a_step_finds_is_what_transformers_keeps(kind: str, tokens: int) -> None:
    model, batch = made(kind), 2
    kept = DynamicCache(config=model.config)
    with torch.no_grad():
        model(torch.full((batch, tokens), 3), past_key_values=kept, use_cache=True)
    held = sum(layer.keys.numel() + layer.values.numel() for layer in kept.layers)
    shape = read_shape(model.config.to_dict(), kind)
    step = plan_asa(shape, decode(tokens + 1, batch=batch))
    assert step.total(Op.KV_READ) - step.total(Op.KV_WRITE) == held
