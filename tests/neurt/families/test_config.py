"""What a `config.json` may say: each value has its type and its bounds."""

from __future__ import annotations

from typing import Any

import pytest
from builders import refused
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import MIXTURES, TINY
from tiny_models import SIZES as OF_ALL

from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import Shape, ShapeError, read_shape
from neurt.families.parameters import parameters

CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_layer": 2, "n_embd": 8, "n_head": 2, "n_positions": 16, "vocab_size": 11},
    "llama": {
        "num_hidden_layers": 2,
        "hidden_size": 8,
        "num_attention_heads": 2,
        "intermediate_size": 12,
        "vocab_size": 11,
        "max_position_embeddings": 16,
    },
    "opt": {
        "num_hidden_layers": 2,
        "hidden_size": 8,
        "num_attention_heads": 2,
        "ffn_dim": 12,
        "vocab_size": 11,
        "max_position_embeddings": 16,
    },
}
SIZES = [(kind, key) for kind, config in CONFIGS.items() for key in config]


def read(kind: str, **changed: Any) -> Shape:
    return read_shape({"model_type": kind} | CONFIGS[kind] | changed, "m")


@pytest.mark.parametrize("value", [0, -1, 2.0, 1.5, "2", True, [2], {}, 1e30], ids=repr)
@pytest.mark.parametrize(("kind", "key"), SIZES)
def test_a_size_is_an_integer_from_1(kind: str, key: str, value: object) -> None:
    said = refused(ShapeError, read, kind, **{key: value})
    assert said == f"model 'm': '{key}' (= {value!r}) must be an integer >= 1"


@pytest.mark.parametrize("value", [10**9 + 1, 10**30, 10**400], ids=["billion", "1e30", "1e400"])
@pytest.mark.parametrize(("kind", "key"), SIZES)
def test_a_size_has_a_bound(kind: str, key: str, value: int) -> None:
    said = refused(ShapeError, read, kind, **{key: value})
    bound = "1,000" if "layer" in key else "1,000,000,000"
    assert said.startswith(f"model 'm': '{key}' (= 1")
    assert said.endswith(f") must be at most {bound}; no model has more")
    assert len(said) < 300


def test_a_thousand_layers_are_planned_and_one_more_is_not() -> None:
    counts = plan_asa(read("llama", num_hidden_layers=1_000), prefill(4))
    assert counts.layers[-1].name == "lm_head"
    # Of a layer: 2 norms, 4 projections, rotary, scores, softmax, mix, 3 of the feed-forward, its
    # activation and product, 2 residual additions; beside the layers an embedding, the angles, a
    # norm and the head.
    assert len(counts.layers) == 1_000 * (2 + 4 + 4 + 3 + 2 + 2) + 4
    assert "must be at most 1,000" in refused(ShapeError, read, "llama", num_hidden_layers=1_001)


FLAGS = [
    ("gpt2", "tie_word_embeddings", True),
    ("llama", "tie_word_embeddings", False),
    ("llama", "attention_bias", False),
    ("llama", "mlp_bias", False),
    ("llama", "use_sliding_window", False),
    ("opt", "enable_bias", True),
    ("opt", "tie_word_embeddings", True),
]


@pytest.mark.parametrize("value", ["false", "true", 0, 1, 0.0, [], {}], ids=repr)
@pytest.mark.parametrize(("kind", "key", "default"), FLAGS)
def test_a_flag_is_true_or_false(kind: str, key: str, default: bool, value: object) -> None:
    # "false" in quotation marks is a text, and a text is true.
    assert refused(ShapeError, read, kind, **{key: value}) == (
        f"model 'm': '{key}' (= {value!r}) must be true or false, without quotation marks"
    )
    assert read(kind, **{key: default}) == read(kind)


@pytest.mark.parametrize(("kind", "key", "default"), FLAGS)
def test_null_for_a_flag_is_false_unless_the_default_is_true(
    kind: str, key: str, default: bool
) -> None:
    if default:
        assert "must be true or false" in refused(ShapeError, read, kind, **{key: None})
    else:
        assert read(kind, **{key: None}) == read(kind)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("gpt2", "activation_function", None),
        ("gpt2", "activation_function", ["relu"]),
        ("llama", "hidden_act", None),
        ("gpt2", "sliding_window", 4),
        ("opt", "sliding_window", {"rope_type": "dynamic"}),
    ],
)
def test_what_is_equal_to_a_known_value_is_not_yet_it(kind: str, key: str, value: object) -> None:
    assert "has no counting rule" in refused(ShapeError, read, kind, **{key: value})
    assert "'sliding_window'" in refused(ShapeError, read, "llama", sliding_window="4")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rope_scaling": "linear"}, "'rope_scaling' (= 'linear') must be an object or null"),
        ({"rope_parameters": [1]}, "'rope_parameters' (= [1]) must be an object or null"),
        (
            {"rope_scaling": {"rope_type": "spiral"}},
            "'rope_scaling.rope_type' (= 'spiral') must be one of default, linear, dynamic, yarn, "
            "longrope, llama3, proportional",
        ),
        ({"rope_scaling": {"type": 7}}, "'rope_scaling.rope_type' (= 7) must be one of default"),
        ({"rope_parameters": {"rope_type": []}}, "'rope_parameters.rope_type' (= []) must be one"),
        ({"rope_theta": "1e4"}, "'rope_theta' (= '1e4') must be a number > 0"),
        ({"rope_theta": -1}, "'rope_theta' (= -1) must be a number > 0"),
        ({"rms_norm_eps": -1.0}, "'rms_norm_eps' (= -1.0) must be a number > 0"),
        ({"rope_theta": True}, "'rope_theta' (= True) must be a number > 0"),
        (
            {"rope_scaling": {"type": "linear", "factor": 0}},
            "'rope_scaling.factor' (= 0) must be a number > 0",
        ),
    ],
)
def test_the_rotation_is_one_that_is_known(changed: dict[str, Any], said: str) -> None:
    assert refused(ShapeError, read, "llama", **changed).startswith(f"model 'm': {said}")


@pytest.mark.parametrize(
    "changed",
    [
        {"rope_scaling": None},
        {"rope_scaling": {"type": "linear", "factor": 1.0}, "rope_theta": 500000.0},
        {"rope_parameters": {"rope_type": "llama3", "factor": 8, "rope_theta": 10000}},
    ],
)
def test_no_count_depends_on_the_rotation(changed: dict[str, Any]) -> None:
    assert read("llama", **changed) == read("llama")


NONSENSE = (
    *(None, True, False, 0, -1, 1, 2, 3, 2.5, 1e30, 10**9, 10**400, float("inf"), float("nan")),
    *("", "8", "false", "gelu", "silu", "x" * 999, "\x1b[31m\u202e", [], [8], {}, {"type": "yarn"}),
    *([0], [-1], [99], ["full_attention"], ["full_attention", "sliding_attention"], [[]], "M*", 5),
    *({"rope_type": 1, "factor": "2"}, {"rope_theta": None}, ["llama"], "spiking_llama"),
)
KEYS = sorted(
    {key for config in CONFIGS.values() for key in config}
    | {key for _, key, _ in FLAGS}
    | {"model_type", "n_inner", "num_key_value_heads", "head_dim", "sliding_window", "hidden_act"}
    | {"rope_theta", "rope_scaling", "rope_parameters", "activation_function", "_kind"}
)


@given(
    st.sampled_from([*CONFIGS]),
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(NONSENSE), max_size=3),
)
def test_nonsense_is_planned_or_refused_in_one_line(kind: str, changed: dict[str, Any]) -> None:
    try:
        shape, said = read(kind, **changed), ""
    except ShapeError as error:
        shape, said = None, str(error)
    assert len(said) <= 300
    assert said.isprintable()
    if shape is not None:
        assert plan_asa(shape, prefill(4)).dense_macs > 0


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("n_layer", "num_hidden_layers"),
        ("n_embd", "hidden_size"),
        ("n_head", "num_attention_heads"),
        ("n_positions", "max_position_embeddings"),
    ],
)
def test_a_size_of_two_names_has_one_value(key: str, other: str) -> None:
    value = CONFIGS["gpt2"][key]
    assert read("gpt2", **{other: value}) == read("gpt2")  # no contradiction
    said = refused(ShapeError, read, "gpt2", **{other: 48})
    assert said == (
        f"model 'm': '{key}' (= {value}) and '{other}' (= 48) are one size; keep one of them"
    )


#: Keys that only some of the planned families have.
RARE = (
    *("partial_rotary_factor", "layer_types", "sliding_window", "attention_bias", "text_config"),
    *("n_group", "topk_group", "q_lora_rank", "mlp_only_layers", "decoder_sparse_step"),
    *("num_experts", "num_local_experts", "num_experts_per_tok", "rotary_dim", "rotary_pct"),
    *("num_kv_heads", "n_head", "n_layer", "ffn_hidden_size", "hidden_activation"),
    *("attn_logit_softcapping", "sliding_window_pattern", "no_rope_layers", "max_window_layers"),
    *("max_sequence_length", "routed_scaling_factor", "first_k_dense_replace", "topk_method"),
    *("n_shared_experts", "qk_rope_head_dim", "qk_nope_head_dim", "kv_lora_rank", "v_head_dim"),
    *("n_routed_experts", "moe_intermediate_size", "norm_topk_prob", "mlp_bias", "expand"),
    *("num_heads", "state_size", "n_groups", "conv_kernel", "hybrid_override_pattern", "alibi"),
    *("layers_block_type", "mamba_num_heads", "parallel_attn", "new_decoder_architecture"),
    *("num_ln_in_parallel_attn", "multi_query", "use_parallel_residual", "tie_word_embeddings"),
    *("attention_chunk_size", "moe_layers", "shared_expert_intermediate_size", "partial_rotary"),
)


@given(
    st.sampled_from(sorted(TINY | MIXTURES)),
    st.dictionaries(
        st.sampled_from(sorted({*OF_ALL, *RARE, *KEYS} - {"model_type"})),
        st.sampled_from(NONSENSE),
        max_size=3,
    ),
)
def test_nonsense_of_planned_families_is_planned_or_refused_in_one_line(
    kind: str, changed: dict[str, Any]
) -> None:
    model_type, special = (TINY | MIXTURES)[kind]
    old_names = {"n_embd": 32, "n_head": 4, "n_layer": 2}  # of GPT-J
    config = {**OF_ALL, **old_names, **special, "model_type": model_type, **changed}
    try:
        shape, said = read_shape(config, "m"), ""
    except ShapeError as error:
        shape, said = None, str(error)
    assert len(said) <= 300
    assert said.isprintable()
    if shape is not None:
        for what in (prefill(4), decode(70)):
            assert plan_asa(shape, what).dense_macs > 0
        assert parameters(shape).total >= parameters(shape).active > 0
