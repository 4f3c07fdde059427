"""Nemotron-H: layers of one block each, a mixer of Mamba-2, attention, a dense block or experts.

Source: NVIDIA, "Nemotron-H", arXiv 2504.03624, section 2. Positions are not rotated, and blocks
have no gate.
"""

from __future__ import annotations

from dataclasses import replace

from energy.formulas.experts import Scoring
from neurt.families.config import MAX_LAYERS, Config, ShapeError
from neurt.families.family import Attention, FeedForward, Mixture, Norms, Recurrence
from neurt.families.llama import LLAMA
from neurt.families.mamba2 import read_state_space
from neurt.families.mixtral import read_chosen, read_groups
from neurt.families.shape import Dense, Experts, Layer, SelfAttention, Shape

#: Kinds of layers, by their letter in `hybrid_override_pattern` and words in `layers_block_type`.
_LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
_WORDS = {
    **dict.fromkeys(("mamba", "linear_attention"), "mamba"),
    **dict.fromkeys(("attention", "full_attention"), "attention"),
    "mlp": "mlp",
    "moe": "moe",
}


def _read(config: Config, model_type: str) -> Shape:
    heads = config.size("num_attention_heads", 32)
    kv_heads = config.size("num_key_value_heads", 8)
    if heads % kv_heads:
        raise ShapeError(
            f"model '{config.name}': 'num_attention_heads' (= {heads}) must be divisible by "
            f"'num_key_value_heads' (= {kv_heads})"
        )
    config.require("mamba_hidden_act", "silu")
    inner, words = config.size("intermediate_size", 21_504), _kinds(config)
    kinds = {
        "mamba": lambda: Layer(
            read_state_space(
                config,
                heads="mamba_num_heads",
                width="mamba_head_dim",
                state="ssm_state_size",
                absent=(128, 64),
            ),
            None,
        ),
        "attention": lambda: Layer(SelfAttention(rotated=False), None),
        "mlp": lambda: Layer(None, Dense(inner)),
        "moe": lambda: Layer(None, _experts(config)),
    }
    made = {word: kinds[word]() for word in set(words)}
    return Shape(
        layers=len(words),
        width=config.size("hidden_size", 4096),
        heads=heads,
        inner=inner,
        vocabulary=config.size("vocab_size", 131_072),
        positions=config.size("max_position_embeddings", 4096),
        model_type=model_type,
        kv_heads=kv_heads,
        head_width=config.size("head_dim", 128),
        activation=config.require("mlp_hidden_act", "relu2", "relu", "silu", "gelu"),
        qkv_bias=False,
        out_bias=False,
        ffn_bias=config.flag("mlp_bias", default=False),
        tied=config.flag("tie_word_embeddings", default=False),
        kinds=tuple(made[word] for word in words),
    )


def _kinds(config: Config) -> list[str]:
    """The kind of each layer."""
    words = config.content.get("layers_block_type", config.content.get("layer_types"))
    if words is None and (pattern := config.content.get("hybrid_override_pattern")) is not None:
        if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_LAYERS:
            raise config.wrong(
                "hybrid_override_pattern",
                pattern,
                f"must be a text of one letter for each of 1 to {MAX_LAYERS:,} layers",
            )
        if not set(pattern) <= set(_LETTERS):
            known = "M (Mamba-2), * (attention), - (dense block) and E (experts)"
            raise config.wrong("hybrid_override_pattern", pattern, f"may hold {known} alone")
        return [_LETTERS[letter] for letter in pattern]
    if (
        not isinstance(words, list)
        or not 0 < len(words) <= MAX_LAYERS
        or any(not isinstance(word, str) or word not in _WORDS for word in words)
    ):
        raise config.wrong(
            "layers_block_type",
            words,
            f"must name one of {', '.join(_WORDS)} for each of 1 to {MAX_LAYERS:,} layers",
        )
    return [_WORDS[word] for word in words]


def _experts(config: Config) -> Experts:
    config.require("moe_latent_size", None)
    number, chosen = read_chosen(config, "n_routed_experts", 8, 2)
    groups = config.size("n_group", 1)
    # The block beside the experts would have biases, and the experts none.
    config.require("mlp_bias", False, None)
    factor = config.content.get("routed_scaling_factor", 1.0)
    config.check_positive("routed_scaling_factor", factor)
    grouped = groups > 1
    return Experts(
        number,
        chosen,
        config.size("moe_intermediate_size", 7688),
        normalised=config.flag("norm_topk_prob", default=True),
        shared=config.size("moe_shared_expert_intermediate_size", 7688),
        scaled=factor != 1.0,
        groups=groups if grouped else 0,
        groups_chosen=read_groups(config, number, chosen, groups, 1) if grouped else 0,
    )


def _dense(path: str) -> FeedForward:
    return FeedForward(path, up="up_proj", down="down_proj", activation="act_fn")


NEMOTRON_H = replace(
    LLAMA,
    name="Nemotron-H",
    classes={"nemotron_h": "NemotronH"},
    read=_read,
    attention=Attention("mixer", ("q_proj", "k_proj", "v_proj"), "o_proj"),
    recurrence=Recurrence("mixer", "NemotronHMamba2Mixer", "NemotronHRMSNormGated"),
    feedforward=_dense("mixer"),
    mixture=Mixture(
        "mixer",
        "gate",
        Scoring.SIGMOID,
        corrected=True,
        gated=False,
        shared=_dense("mixer.shared_experts"),
        router_class="TopkRouter",
    ),
    norms=Norms("norm", "norm"),
    residuals=("residual.0", "residual.0"),
    final_norm="model.norm_f",
    embeddings=(("model.embeddings", "Embedding"),),
    angles=None,
    converted=False,
)
