"""Published models from the sizes that the package ships: parameters, and products by hand."""

from __future__ import annotations

import pytest

from energy import Attention, Conventions
from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import Shape, read_shape
from neurt.families.parameters import parameters
from neurt.loading.published import published, published_id
from neurt.loading.source import read_config, resolve


def shape_of(name: str) -> Shape:
    shape = resolve(name).shape
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    ("name", "total"),
    [
        # Parameters of the files on the hub (their `model.safetensors.index.json`).
        ("Llama-3.1-8B-Instruct", 8_030_261_248),
        ("Llama-3.1-70B-Instruct", 70_553_706_496),
        ("Qwen3-8B", 8_190_735_360),
        ("Qwen3-32B", 32_762_123_264),
        # 62 x (5376 x (32 + 16 + 16 + 32) x 128 + 3 x 5376 x 21504 + 4 x 5376 + 2 x 128)
        # + 262208 x 5376 + 5376, of the language model alone
        ("gemma-3-27b-it", 27_009_346_304),
    ],
)
def test_parameters_are_those_that_were_published(name: str, total: int) -> None:
    found = parameters(shape_of(name))
    assert found.total == found.active == total


# Of the linear layers for each token, the head included: L (d (H + 2 KV) D + H D d + 3 d I) + V d.
#   Llama 3.1 8B: 32 x (4096 x (32 + 16) x 128 + 4096^2 + 3 x 4096 x 14336) + 128256 x 4096
#     = 32 x 218,103,808 + 525,336,576
#   Qwen3 8B: 36 x (4096 x 48 x 128 + 4096^2 + 3 x 4096 x 12288) + 151936 x 4096
#     = 36 x 192,937,984 + 622,329,856
#   Gemma 3 27B: 62 x (5376 x (32 + 32) x 128 + 32 x 128 x 5376 + 3 x 5376 x 21504)
#     + 262208 x 5376 = 62 x 412,876,800 + 1,409,630,208
LINEAR = {
    "Llama-3.1-8B-Instruct": 7_504_658_432,
    "Qwen3-8B": 7_568_097_280,
    "gemma-3-27b-it": 27_007_991_808,
}


@pytest.mark.parametrize("name", LINEAR)
def test_prefill_is_the_closed_form(name: str) -> None:
    shape, tokens = shape_of(name), 2048
    counts = plan_asa(shape, prefill(tokens, batch=2))
    # Q K^T and A V: each query with each key, in all heads and layers.
    core = 2 * 2 * tokens**2 * shape.layers * shape.heads * shape.head_width
    assert counts.dense_macs == 2 * tokens * LINEAR[name] + core
    assert counts.total(Op.WEIGHT_READ) == LINEAR[name]


@pytest.mark.parametrize("name", ["Llama-3.1-8B-Instruct", "Qwen3-8B"])
def test_decode_is_the_closed_form(name: str) -> None:
    shape, context = shape_of(name), 4096
    counts = plan_asa(shape, decode(context, batch=3))
    core = 2 * 3 * context * shape.layers * shape.heads * shape.head_width
    assert counts.dense_macs == 3 * LINEAR[name] + core
    assert counts.total(Op.WEIGHT_READ) == LINEAR[name]
    cached = 2 * shape.layers * shape.kv_heads * shape.head_width  # K and V of a token
    assert counts.total(Op.KV_READ) == 3 * context * cached
    assert counts.total(Op.KV_WRITE) == 3 * cached


def test_windows_are_taken_off_products_and_cache_of_the_layers_that_have_one() -> None:
    # Gemma 3: every sixth of 62 layers sees everything, 10 of them; 52 see 1,024 tokens.
    shape, width = shape_of("gemma-3-27b-it"), 2 * 32 * 128  # of Q K^T and A V, all heads
    assert sum(kind.mixer.window is None for kind in shape.each) == 10
    causal = Conventions(Attention.CAUSAL)
    # S = 4096: 4096 x 4097 / 2 = 8,390,656 pairs; 1024 x 1025 / 2 + 3072 x 1024 = 3,670,528.
    core = (10 * 8_390_656 + 52 * 3_670_528) * width
    counts = plan_asa(shape, prefill(4096), causal)
    assert counts.dense_macs == 4096 * LINEAR["gemma-3-27b-it"] + core
    # A token after 4,095: 4,096 keys, or 1,024.
    counts = plan_asa(shape, decode(4096), causal)
    assert counts.dense_macs == LINEAR["gemma-3-27b-it"] + (10 * 4096 + 52 * 1024) * width
    assert counts.total(Op.KV_READ) == 2 * (10 * 4096 + 52 * 1024) * 16 * 128


def test_a_published_model_is_known_by_its_id_and_by_the_last_part_of_it() -> None:
    for hub_id in published():
        last = hub_id.rpartition("/")[2]
        assert published_id(hub_id) == published_id(last) == hub_id
        config = read_config(published()[hub_id])
        assert config["_name_or_path"] == hub_id
    assert published_id("Qwen/Qwen3-8C") is published_id("8B") is None
    assert resolve("Qwen3-8B").hub_id == "Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("changed", "positions"),
    [
        ({}, 4096),
        ({"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, 16_384),
        ({"rope_scaling": {"type": "dynamic", "factor": 2}}, 8192),
        (
            {
                "rope_scaling": {
                    "rope_type": "yarn",
                    "factor": 4.0,
                    "original_max_position_embeddings": 4096,
                }
            },
            16_384,
        ),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 4096),  # it has all already
        ({"max_sequence_length": 8192}, 8192),
        ({"max_sequence_length": 2048}, 4096),
    ],
    ids=str,
)
def test_a_context_that_a_configuration_extends_is_planned(
    changed: dict[str, object], positions: int
) -> None:
    sizes = {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "vocab_size": 11,
        "max_position_embeddings": 4096,
    }
    assert read_shape(sizes | changed, "mine").positions == positions
