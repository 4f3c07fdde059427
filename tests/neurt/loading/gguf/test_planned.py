"""Architectures that are planned from a GGUF file: the plan is that of the `config.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gguf_files import write_tiny
from tiny_models import MIXTURES, TINY, tiny_model

from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import read_shape
from neurt.loading.gguf.contents import GGUFError
from neurt.loading.gguf.file import load_gguf
from neurt.loading.source import resolve
from neurt.loading.widths import checkpoint_widths

_SIZES = {
    **{"embedding_length": 32, "block_count": 2, "context_length": 64},
    **{"attention__head_count": 4, "attention__head_count_kv": 2, "feed_forward_length": 48},
}
_WINDOW = {"attention__key_length": 10, "attention__sliding_window": 4}
_FALCON = {**_SIZES, "feed_forward_length": 128}
_CHOSEN = {"expert_count": 4, "expert_used_count": 2}
_LATENT = {
    **{"attention__head_count_kv": 1, "attention__key_length": 20, "attention__value_length": 16},
    **{"attention__key_length_mla": 10, "attention__value_length_mla": 10},
    **{"attention__kv_lora_rank": 16, "rope__dimension_count": 4, "expert_shared_count": 2},
    **{"expert_feed_forward_length": 24, "leading_dense_block_count": 1},
}
_STATES = {
    **{"ssm__conv_kernel": 4, "ssm__state_size": 6, "ssm__inner_size": 64},
    **{"ssm__time_step_rank": 8, "ssm__group_count": 2},
}

#: What llama.cpp's converter writes of the tiny models, and what of these a file cannot say (and a
#: model that is in a file has not).
WRITTEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "gemma": ({**_SIZES, "attention__key_length": 12}, {}),
    "gemma2": ({**_SIZES, **_WINDOW}, {}),
    "gemma3": ({**_SIZES, **_WINDOW, "block_count": 6}, {}),
    "phi": ({**_SIZES, "rope__dimension_count": 4}, {}),
    "phi3": (_SIZES, {}),
    "phi3, partly rotated": (
        {**_SIZES, "rope__dimension_count": 4, "attention__sliding_window": 4},
        {},
    ),
    "gpt_neox": ({**_SIZES, "rope__dimension_count": 2}, {}),
    "gpt_neox, all rotated": ({**_SIZES, "rope__dimension_count": 8}, {}),
    "falcon": ({**_FALCON, "attention__head_count_kv": 1}, {}),
    "falcon, several cached heads": (_FALCON, {}),
    "falcon, one norm": (_FALCON, {}),
    "bloom": ({**_SIZES, "feed_forward_length": 128}, {}),
    "olmo": (_SIZES, {}),
    "olmo2": (_SIZES, {}),
    "olmo3": ({**_SIZES, "block_count": 4, "attention__sliding_window": 4}, {}),
    "granite": (_SIZES, {}),
    "smollm3": ({**_SIZES, "block_count": 4}, {}),
    "cohere": (_SIZES, {}),
    "cohere, normed": (_SIZES, {}),
    "cohere2": ({**_SIZES, **_WINDOW, "block_count": 4}, {}),
    "stablelm": ({**_SIZES, "rope__dimension_count": 2}, {}),
    "stablelm, parallel": ({**_SIZES, "rope__dimension_count": 2}, {}),
    "starcoder2": (_SIZES, {"sliding_window": None}),
    "starcoder2, no bias": (_SIZES, {}),
    "mixtral": ({**_SIZES, **_CHOSEN}, {"sliding_window": None}),
    "qwen2_moe": (
        {
            **{**_SIZES, **_CHOSEN, "expert_feed_forward_length": 24},
            "expert_shared_feed_forward_length": 40,
        },
        {"use_sliding_window": False},
    ),
    "qwen3_moe": (
        {**_SIZES, **_CHOSEN, "attention__key_length": 8, "expert_feed_forward_length": 24},
        {"norm_topk_prob": True},
    ),
    "qwen3_next": (
        {
            **{**_SIZES, **_CHOSEN, "attention__key_length": 16, "rope__dimension_count": 4},
            **{"expert_feed_forward_length": 24, "expert_shared_feed_forward_length": 40},
            **{"ssm__conv_kernel": 3, "ssm__state_size": 6, "ssm__group_count": 2},
            **{"ssm__time_step_rank": 4, "ssm__inner_size": 40, "full_attention_interval": 2},
        },
        {},
    ),
    "olmoe": ({**_SIZES, **_CHOSEN}, {}),
    "gpt_oss": (
        {
            **{**_SIZES, **_WINDOW, **_CHOSEN, "expert_feed_forward_length": 48},
            "context_length": 131_072,  # to which its configuration extends it
        },
        {},
    ),
    "llama4_text": (
        {
            **{**_SIZES, **_CHOSEN, "block_count": 4, "attention__key_length": 10},
            **{"expert_feed_forward_length": 24, "interleave_moe_layer_step": 1},
        },
        {"attention_chunk_size": 8192},
    ),
    "deepseek_v3": (
        {
            **{**_SIZES, **_CHOSEN, **_LATENT, "attention__q_lora_rank": 12},
            **{"expert_group_count": 2, "expert_group_used_count": 1, "expert_gating_func": 2},
            **{"expert_weights_scale": 2.5, "expert_weights_norm": True},
        },
        {},
    ),
    "deepseek_v2": (
        {
            **{**_SIZES, **_CHOSEN, **_LATENT, "attention__q_lora_rank": 12},
            **{"expert_group_count": 2, "expert_group_used_count": 1, "expert_gating_func": 1},
            "expert_weights_scale": 16.0,
        },
        {},
    ),
    "mamba2": ({**_SIZES, **_STATES}, {}),
    "nemotron_h": (
        {
            **{**_SIZES, **_STATES, "ssm__inner_size": 80, "block_count": 4},
            **{"attention__head_count_kv": [0, 0, 2, 0], "feed_forward_length": [0, 48, 0, 0]},
            "attention__key_length": 12,
        },
        {},
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_plan_of_a_file_is_that_of_its_configuration(kind: str, tmp_path: Path) -> None:
    metadata, sizes = WRITTEN[kind]
    model = tiny_model(kind, **sizes)
    path = write_tiny(model, tmp_path / "tiny.gguf", **metadata)
    shape = resolve(str(path)).shape
    expected = read_shape(model.config.to_dict(), "it")
    assert shape == expected
    for what in (prefill(9), decode(6, batch=2)):
        assert plan_asa(shape, what).layers == plan_asa(expected, what).layers


@pytest.mark.parametrize("kind", WRITTEN)
def test_each_layer_has_the_width_of_its_tensors(kind: str, tmp_path: Path) -> None:
    metadata, sizes = WRITTEN[kind]
    path = write_tiny(tiny_model(kind, **sizes), tmp_path / "tiny.gguf", **metadata)
    source = resolve(str(path))
    assert source.shape is not None
    widths = checkpoint_widths(source)
    for row in plan_asa(source.shape, prefill(3)).layers:
        if row.ops.get(Op.WEIGHT_READ):
            assert widths.of_row(row).weights == 32, row.name


def test_each_family_with_an_architecture_is_tried() -> None:
    tried = {kind.partition(",")[0] for kind in WRITTEN}
    # Of these llama.cpp has no architecture, or none whose metadata say all: named in the table.
    unsaid = {"gptj", "opt", "bamba", "falcon_h1", "granitemoehybrid", "qwen3_5_text", "zamba2"}
    assert {kind.partition(",")[0] for kind in {**TINY, **MIXTURES}} - tried <= unsaid | {
        "qwen3",
        "qwen3_5_moe_text",
    }


def test_weights_of_a_file_that_is_planned_are_not_run(tmp_path: Path) -> None:
    path = write_tiny(tiny_model("gemma"), tmp_path / "tiny.gguf", **WRITTEN["gemma"][0])
    with pytest.raises(GGUFError, match=r"is a 'gemma', of which a plan can be made; to run it"):
        load_gguf(path)


@pytest.mark.parametrize(
    ("kind", "changed", "sentence"),
    [
        ("gemma", {"feed_forward_length": 50}, r"hold 21,824 values, where a gemma of its sizes"),
        ("gemma2", {"attention__sliding_window": "all"}, "it must be one positive integer"),
        ("nemotron_h", {"feed_forward_length": [0, 48]}, "it must be 4 whole numbers, one a layer"),
        ("nemotron_h", {"expert_count": 4}, "with experts, whose sizes a GGUF file does not say"),
        ("qwen2_moe", {"expert_used_count": 0}, "it must be one positive integer"),
    ],
)
def test_what_a_file_cannot_mean_is_refused(
    kind: str, changed: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    metadata, sizes = WRITTEN[kind]
    model = tiny_model(kind, **sizes)
    path = write_tiny(model, tmp_path / "tiny.gguf", **{**metadata, **changed})
    with pytest.raises(GGUFError, match=sentence):
        resolve(str(path))
