"""DeepSeek-V2 and -V3: a cache of latent vectors, and experts beside one that every token passes.

The rotation of V2 is one of complex numbers, of which hooks see the operations and no layer.
"""

from __future__ import annotations

from dataclasses import replace

from energy.formulas.experts import Scoring
from neurt.families.config import Config
from neurt.families.family import Attention, FeedForward, Mixture
from neurt.families.llama import LLAMA
from neurt.families.mixtral import read_chosen, read_groups
from neurt.families.shape import Dense, Experts, LatentAttention, Layer, Shape
from neurt.families.sizes import read_positions


def _read(config: Config, model_type: str) -> Shape:
    later = model_type == "deepseek_v3"
    heads, width = config.size("num_attention_heads"), config.size("hidden_size")
    asked = config.content.get("q_lora_rank", 1536)
    mixer = LatentAttention(
        query_rank=0 if asked is None else config.size("q_lora_rank", 1536),
        rank=config.size("kv_lora_rank", 512),
        nope=config.size("qk_nope_head_dim", 128),
        rotary=config.size("qk_rope_head_dim", 64),
        value=config.size("v_head_dim", 128),
    )
    if mixer.rotary % 2:
        raise config.wrong("qk_rope_head_dim", mixer.rotary, "must be even: channels turn in pairs")
    config.require("mlp_bias", False, None)
    layers, inner = config.layers("num_hidden_layers"), config.size("intermediate_size")
    dense = config.content.get("first_k_dense_replace", 3 if later else 0)
    first = config.size("first_k_dense_replace", 3) if dense else 0
    experts = _experts(config, later=later)
    kinds = tuple(
        Layer(mixer, Dense(inner) if depth < first else experts) for depth in range(layers)
    )
    biased = config.flag("attention_bias", default=False)
    return Shape(
        layers=layers,
        width=width,
        heads=heads,
        inner=inner,
        vocabulary=config.size("vocab_size"),
        positions=read_positions(config, 4096 if later else 2048),
        model_type=model_type,
        head_width=mixer.nope + mixer.rotary,
        activation=config.require("hidden_act", "silu"),
        qkv_bias=biased,
        out_bias=biased,
        ffn_bias=False,
        tied=config.flag("tie_word_embeddings", default=False),
        rotated=mixer.rotary,
        kinds=kinds,
    )


def _experts(config: Config, *, later: bool) -> Experts:
    number, chosen = read_chosen(config, "n_routed_experts", 256 if later else 64, 8)
    inner = config.size("moe_intermediate_size", 2048 if later else 1407)
    factor = config.content.get("routed_scaling_factor", 2.5 if later else 1.0)
    config.check_positive("routed_scaling_factor", factor)
    method = "noaux_tc" if later else config.content.get("topk_method", "greedy")
    groups = 0
    if method != "greedy" and config.content.get("n_group", 8 if later else None) is not None:
        groups = config.size("n_group", 8)
    grouped = groups > 1
    taken = read_groups(config, number, chosen, groups, 4 if later else 1) if grouped else 0
    # Null is none of them, as the models were published.
    beside = config.content.get("n_shared_experts", 1 if later else 2)
    shared = 0 if beside is None else config.size("n_shared_experts", beside)
    return Experts(
        number,
        chosen,
        inner,
        normalised=later and config.flag("norm_topk_prob", default=True),
        shared=inner * shared,
        scaled=factor != 1.0,
        groups=groups if grouped else 0,
        groups_chosen=taken,
    )


_SHARED = FeedForward(
    "mlp.shared_experts", up="up_proj", down="down_proj", activation="act_fn", gate="gate_proj"
)
_INPUTS = ("q_proj", "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj")
_NORMS = ("q_a_layernorm", "kv_a_layernorm")

DEEPSEEK3 = replace(
    LLAMA,
    name="DeepSeek-V3",
    classes={"deepseek_v3": "DeepseekV3"},
    read=_read,
    attention=Attention("self_attn", _INPUTS, "o_proj", rotary=True, norms=_NORMS),
    mixture=Mixture(
        "mlp",
        "gate",
        Scoring.SIGMOID,
        corrected=True,
        shared=_SHARED,
        router_class="TopkRouter",
    ),
    converted=False,
)
DEEPSEEK2 = replace(
    DEEPSEEK3,
    name="DeepSeek-V2",
    classes={"deepseek_v2": "DeepseekV2"},
    attention=Attention("self_attn", _INPUTS, "o_proj", norms=_NORMS),
    angles=None,
    mixture=Mixture(
        "mlp", "gate", Scoring.SOFTMAX, shared=_SHARED, router_class="TopkRouter", group_best=1
    ),
)
