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
        # 8.89B (its model card): 27 x (4480 x (2 x 10240 + 2 x 8 x 128 + 128 + 10240) + 5 x 12288
        # + 3 x 128 + 10240) + 4 x 4480 x (2 x 40 + 2 x 8) x 128 + 25 x 2 x 4480 x 15680
        # + 57 x 4480 + 2 x 131072 x 4480
        ("NVIDIA-Nemotron-Nano-9B-v2", 8_888_227_328),
        # 12.31B (its model card): in the same way of 28, 6 and 28 layers, 5120 wide, 20480 inside
        ("NVIDIA-Nemotron-Nano-12B-v2", 12_310_001_152),
        # 62 x (5376 x (32 + 16 + 16 + 32) x 128 + 3 x 5376 x 21504 + 4 x 5376 + 2 x 128)
        # + 262208 x 5376 + 5376, of the language model alone
        ("gemma-3-27b-it", 27_009_346_304),
    ],
)
def test_parameters_are_those_that_were_published(name: str, total: int) -> None:
    found = parameters(shape_of(name))
    assert found.total == found.active == total


@pytest.mark.parametrize(
    ("name", "total", "active", "stated"),
    [
        # Mixtral: 46.7B parameters in all, of which a token uses 12.9B (arXiv:2401.04088, 2.1)
        ("Mixtral-8x7B-v0.1", 46_702_792_704, 12_879_925_248, 12.9),
        # Qwen3-30B-A3B: 30.5B, 3.3B activated (its model card)
        ("Qwen3-30B-A3B", 30_532_122_624, 3_353_032_704, 3.3),
        # DeepSeek-V3: 671B, 37B activated (arXiv:2412.19437)
        ("DeepSeek-V3", 671_026_404_352, 37_552_282_624, 37),
        # gpt-oss: 20.91B, 3.61B active; 116.83B, 5.13B active, without the table of tokens
        # (arXiv:2508.10925, table 1)
        ("gpt-oss-20b", 20_914_757_184, 4_187_440_704, 3.61),
        ("gpt-oss-120b", 116_829_156_672, 5_711_982_912, 5.13),
    ],
)
def test_parameters_of_mixtures_are_those_that_were_published(
    name: str, total: int, active: int, stated: float
) -> None:
    found = parameters(shape_of(name))
    assert (found.total, found.active) == (total, active)
    if isinstance(stated, int) or name.startswith("gpt-oss"):
        digits = 0 if isinstance(stated, int) else 2
        assert round((found.active - found.looked_up) / 1e9, digits) == stated
    else:
        assert abs(found.active / 1e9 - stated) < 0.1


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


#: Of a mixture, for each token: L (d (H + 2 KV) D + H D d + E d + 3 k d I) + V d.
#:   gpt-oss-20b: 24 x (2880 x (64 + 16) x 64 + 64 x 64 x 2880 + 32 x 2880 + 4 x 3 x 2880^2)
#:     + 201088 x 2880 = 24 x 126,167,040 + 579,133,440
#:   Mixtral: 32 x (4096 x 48 x 128 + 4096^2 + 8 x 4096 + 2 x 3 x 4096 x 14336) + 32000 x 4096
#:     = 32 x 394,297,344 + 131,072,000
#:   Qwen3-30B-A3B: 48 x (2048 x 40 x 128 + 32 x 128 x 2048 + 128 x 2048 + 8 x 3 x 2048 x 768)
#:     + 151936 x 2048 = 48 x 56,885,248 + 311,164,928
MIXED = {
    "gpt-oss-20b": (3_607_142_400, 24 * 3 * 2880**2, 32, 4),
    "Mixtral-8x7B-v0.1": (12_748_587_008, 32 * 3 * 4096 * 14336, 8, 2),
    "Qwen3-30B-A3B": (3_041_656_832, 48 * 3 * 2048 * 768, 128, 8),
}


@pytest.mark.parametrize("name", MIXED)
def test_mixtures_of_experts_are_the_closed_form(name: str) -> None:
    shape, (token, expert, number, chosen) = shape_of(name), MIXED[name]
    heads = 2 * shape.heads * shape.head_width  # Q K^T and A V
    seen = sum(
        min(64, kind.mixer.window.tokens if kind.mixer.window else 64) for kind in shape.each
    )
    counts = plan_asa(shape, decode(64, batch=4))
    assert counts.dense_macs == 4 * (token + seen * heads)
    # Weights of all but the experts, and those of E (1 - (1 - k / E)^4) experts.
    used = number * (1 - (1 - chosen / number) ** 4)
    read = counts.total(Op.WEIGHT_READ)
    assert read == pytest.approx(token - chosen * expert + used * expert, rel=1e-9)
    counts = plan_asa(shape, prefill(100, batch=2))
    assert counts.dense_macs == 200 * token + 2 * shape.layers * heads * 100**2


@pytest.mark.parametrize("name", ["DeepSeek-V3"])
def test_a_latent_cache_is_the_closed_form(name: str) -> None:
    # For each token: 61 layers of 7168 x 1536 + 1536 x 128 x 192 + 7168 x 576 + 128 x 128 x 7168; 3
    # of them 3 x 7168 x 18432, 58 the router 256 x 7168 and 9 experts of 3 x 7168 x 2048; the head
    token = 61 * 170_328_064 + 3 * 396_361_728 + 58 * 398_196_736 + 129_280 * 7168
    # For each key keys and values are made of the latent vector: 512 x 128 x (128 + 128); each
    # pair meets in 128 heads of 192 and 128 channels.
    key, pair = 61 * 16_777_216, 61 * 128 * (192 + 128)
    counts = plan_asa(shape_of(name), decode(1000, batch=2))
    assert counts.dense_macs == 2 * (token + 1000 * key + 1000 * pair)
    # Of each token the cache holds 512 + 64 entries; the expansion reads them, the scores the 64.
    assert counts.total(Op.KV_READ) == 2 * 1000 * 61 * 576
    assert counts.total(Op.KV_WRITE) == 2 * 61 * 576
    counts = plan_asa(shape_of(name), prefill(50), Conventions(Attention.CAUSAL))
    assert counts.dense_macs == 50 * (token + key) + 50 * 51 // 2 * pair


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
