"""Llama 4: chunks, layers that do not rotate, and experts in some layers beside one of all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import MIXTURES, SIZES
from transformers import AutoConfig, AutoModelForCausalLM

from energy import Attention, Conventions, count_pass, exposed_attention
from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import Experts, Shape, ShapeError, names_of, read_shape
from neurt.families.parameters import parameters
from neurt.loading.source import resolve

TINY = {**SIZES, "model_type": "llama4_text", "intermediate_size_mlp": 96, "head_dim": 8}


def shape_of(name: str) -> Shape:
    shape = resolve(name).shape
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        # 48 x (5120 x 56 x 128 + 40 x 128 x 5120 + 16 x 5120 + 17 x 3 x 5120 x 8192 + 2 x 5120)
        #   + 2 x 202048 x 5120 + 5120, of which 15 x 3 x 5120 x 8192 of each layer are not used;
        # 109B and 17B (model card), 0.9B of them the tower of images
        ("Llama-4-Scout-17B-16E", 107_769_861_120, 17_172_894_720),
        # the same with 24 layers of 128 experts, and 24 that are dense: 400B and 17B
        ("Llama-4-Maverick-17B-128E", 400_711_848_960, 17_184_691_200),
    ],
)
def test_parameters_are_those_that_were_published(name: str, total: int, active: int) -> None:
    assert parameters(shape_of(name))[:2] == (total, active)


def test_files_on_the_hub_differ_by_as_many_parameters() -> None:
    # 401,583,781,376 and 108,641,793,536 (`model.safetensors.index.json`), both with one tower.
    scout, maverick = (
        parameters(shape_of(f"Llama-4-{name}-Instruct")).total
        for name in ("Scout-17B-16E", "Maverick-17B-128E")
    )
    assert maverick - scout == 401_583_781_376 - 108_641_793_536


#: Of the linear layers for each token: attention, experts that are used, dense layers, the head.
LINEAR = {
    "Llama-4-Scout-17B-16E": 48 * (62_914_560 + 16 * 5120 + 2 * 3 * 5120 * 8192) + 202_048 * 5120,
    "Llama-4-Maverick-17B-128E": 48 * 62_914_560
    + 24 * (128 * 5120 + 2 * 3 * 5120 * 8192)
    + 24 * 3 * 5120 * 16_384
    + 202_048 * 5120,
}


@pytest.mark.parametrize("name", LINEAR)
def test_products_and_cache_are_the_closed_form(name: str) -> None:
    shape, causal = shape_of(name), Conventions(Attention.CAUSAL)
    width = 2 * 40 * 128  # of Q K^T and A V, all heads
    # Of 48 layers 12 see everything; 36 see 8,192 tokens, and the other 1,808 see each other.
    whole, rest = 8192 * 8193 // 2, 1808 * 1809 // 2
    pairs = 36 * (whole + rest) + 12 * 10_000 * 10_001 // 2
    counts = plan_asa(shape, prefill(10_000), causal)
    assert counts.dense_macs == 10_000 * LINEAR[name] + pairs * width
    # The token at context 10,000 is the 1,808th of its chunk.
    counts = plan_asa(shape, decode(10_000, batch=2), causal)
    seen = 36 * 1808 + 12 * 10_000
    assert counts.dense_macs == 2 * (LINEAR[name] + seen * width)
    assert counts.total(Op.KV_READ) == 2 * seen * 2 * 8 * 128
    # A cache keeps a chunk, in which not all is seen.
    counts = plan_asa(shape, decode(10_000))
    assert counts.total(Op.KV_READ) == (36 * 8192 + 12 * 10_000) * 2 * 8 * 128


def test_layers_are_as_a_configuration_says() -> None:
    config = {**TINY, "num_hidden_layers": 4, "moe_layers": [2], "no_rope_layers": [0, 1, 1, 1]}
    kinds = read_shape(config, "mine").each
    assert [isinstance(kind.feedforward, Experts) for kind in kinds] == [False, False, True, False]
    mixers: list[Any] = [kind.mixer for kind in kinds]
    assert [mixer.rotated for mixer in mixers] == [False, True, True, True]
    assert [mixer.window is None for mixer in mixers] == [True, False, False, False]
    said = {"layer_types": ["chunked_attention"] * 3 + ["full_attention"]}
    mixers = [kind.mixer for kind in read_shape({**config, **said}, "mine").each]
    assert [mixer.window is None for mixer in mixers] == [False, False, False, True]
    inside = {"model_type": "llama4", "text_config": config}
    assert read_shape(inside, "mine") == read_shape(config, "mine")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"attention_chunk_size": None}, "'attention_chunk_size' (= None) must say tokens"),
        ({"attention_chunk_size": 0}, "'attention_chunk_size' (= 0) must be an integer >= 1"),
        ({"moe_layers": "all"}, "'moe_layers' (= 'all') must be a list of the indices of layers"),
        ({"no_rope_layers": [1]}, "'no_rope_layers' (= [1]) must say 1 or 0 for each"),
        ({"layer_types": ["sliding_attention"] * 2}, "must name one of full_attention, chunked_"),
        ({"num_experts_per_tok": 17}, "must be at most 'num_local_experts' (= 16)"),
    ],
)
def test_a_configuration_of_no_model_is_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ShapeError) as refused:
        read_shape({**TINY, **changed}, "mine")
    assert sentence in str(refused.value)


def test_without_weights_the_experts_are_those_that_are_expected() -> None:
    kind, sizes = MIXTURES["llama4_text"]
    config = AutoConfig.for_model(kind, **{**SIZES, **sizes})
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config).eval()
        ids = torch.zeros(2, 9, dtype=torch.long)
    with exposed_attention(model, partial=True):
        found = count_pass(model, lambda: model(ids), variant="asa", label=names_of(kind).label)
    planned = plan_asa(read_shape(config.to_dict(), "it"), prefill(9, batch=2))
    # E (1 - (1 - k / E)^18) experts, which a plan rounds to whole values.
    for row in planned.layers:
        assert found.layer(row.name).ops == pytest.approx(row.ops, rel=1e-3)
