"""Mixtures of experts in the layers of Llama: Mixtral, Qwen2-MoE and Qwen3-MoE, OLMoE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from energy.formulas.experts import Scoring
from neurt.families.config import Config
from neurt.families.family import Mixture
from neurt.families.llama import ATTENTION, FEEDFORWARD, LLAMA
from neurt.families.qwen3 import QWEN3
from neurt.families.shape import Experts, Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_experts, with_windows


def _read(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(kv_heads=8))
    shape = with_windows(shape, config, read_window(config))
    number, chosen = read_chosen(config, "num_local_experts", 8, 2)
    return with_experts(shape, Experts(number, chosen, shape.inner, normalised=True))


def read_chosen(config: Config, key: str, number: int, chosen: int) -> tuple[int, int]:
    """How many experts there are, and how many a token chooses: no more; else ShapeError."""
    for other in (name for name in _NAMES if name != key):
        config.check_synonyms({key: other})
    number, chosen = config.size(key, number), config.size("num_experts_per_tok", chosen)
    if chosen > number:
        raise config.wrong("num_experts_per_tok", chosen, f"must be at most '{key}' (= {number})")
    return number, chosen


def read_groups(config: Config, number: int, chosen: int, groups: int, taken: int) -> int:
    """How many groups of experts a token chooses first; ShapeError unless the experts are in reach.

    Args:
        config: What is read.
        number: Experts.
        chosen: Those that a token passes.
        groups: Groups that they are in.
        taken: Groups that a token chooses, where a configuration does not say.
    """
    if number % groups:
        raise config.wrong("n_group", groups, f"must divide 'n_routed_experts' (= {number})")
    taken = config.size("topk_group", taken)
    if taken > groups:
        raise config.wrong("topk_group", taken, f"must be at most 'n_group' (= {groups})")
    in_reach = taken * (number // groups)
    if chosen > in_reach:
        raise config.wrong(
            "num_experts_per_tok", chosen, f"must be at most the {in_reach} of 'topk_group' groups"
        )
    return taken


#: Names of the number of experts, which transformers takes for each other.
_NAMES = ("num_experts", "num_local_experts", "n_routed_experts")


MIXTRAL = replace(
    LLAMA,
    name="Mixtral",
    classes={"mixtral": "Mixtral"},
    read=_read,
    mixture=Mixture("mlp", "gate", Scoring.SOFTMAX),
    converted=False,
)


def _read_qwen3(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(kv_heads=4))
    biased = config.flag("attention_bias", default=False)
    shape = replace(shape, qkv_bias=biased, out_bias=biased)
    slides = config.flag("use_sliding_window", default=False)
    shape = with_windows(shape, config, read_window(config, 4096) if slides else None)
    key = "num_experts" if "num_experts" in config.content else "num_local_experts"
    number, chosen = read_chosen(config, key, 128, 8)
    normalised = config.flag("norm_topk_prob", default=False)
    experts = Experts(number, chosen, config.size("moe_intermediate_size", 768), normalised)
    return with_experts(shape, experts, read_sparse(config))


def read_sparse(config: Config) -> Callable[[int], bool]:
    """Whether the layer of an index has experts, in Qwen."""
    dense = config.content.get("mlp_only_layers") or []
    every = config.size("decoder_sparse_step", 1)
    layers = range(config.layers("num_hidden_layers"))
    if not isinstance(dense, list) or any(type(x) is not int or x not in layers for x in dense):
        raise config.wrong(
            "mlp_only_layers", dense, f"must be a list of the indices of layers, 0 to {layers[-1]}"
        )
    return lambda depth: depth not in dense and (depth + 1) % every == 0


QWEN3_MOE = replace(
    QWEN3,
    name="Qwen3-MoE",
    classes={"qwen3_moe": "Qwen3Moe"},
    read=_read_qwen3,
    mixture=Mixture("mlp", "gate", Scoring.SOFTMAX),
)


def _read_qwen2(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(16, None, 16, 151_936, 32_768))
    shape = replace(shape, qkv_bias=config.flag("qkv_bias", default=True))
    slides = config.flag("use_sliding_window", default=False)
    first = config.size("max_window_layers", 28) if slides else 0
    window = read_window(config, 4096) if slides else None
    shape = with_windows(shape, config, window, lambda depth: depth % 2 == 0 and depth < first)
    experts = read_experts_of_qwen(config, Experts(60, 4, 1408, normalised=False, shared=5632))
    return with_experts(shape, experts, read_sparse(config))


def read_experts_of_qwen(config: Config, absent: Experts) -> Experts:
    """The experts of a configuration of Qwen, one beside them; `absent` has what it leaves out."""
    number, chosen = read_chosen(config, "num_experts", absent.number, absent.chosen)
    return Experts(
        number,
        chosen,
        config.size("moe_intermediate_size", absent.inner),
        normalised=config.flag("norm_topk_prob", default=absent.normalised),
        shared=config.size("shared_expert_intermediate_size", absent.shared),
    )


#: The block beside the experts of Qwen, which a weight of each token multiplies.
SHARED_OF_QWEN = replace(FEEDFORWARD, path="mlp.shared_expert")
MIXTURE_OF_QWEN = Mixture(
    "mlp",
    "gate",
    Scoring.SOFTMAX,
    shared=SHARED_OF_QWEN,
    shared_gate="mlp.shared_expert_gate",
)

QWEN2_MOE = replace(
    LLAMA,
    name="Qwen2-MoE",
    classes={"qwen2_moe": "Qwen2Moe"},
    read=_read_qwen2,
    mixture=MIXTURE_OF_QWEN,
    converted=False,
)


def _read_olmoe(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(positions=4096))
    biased = config.flag("attention_bias", default=False)
    number, chosen = read_chosen(config, "num_experts", 64, 8)
    normalised = config.flag("norm_topk_prob", default=False)
    experts = Experts(number, chosen, shape.inner, normalised)
    return with_experts(replace(shape, qkv_bias=biased, out_bias=biased), experts)


OLMOE = replace(
    LLAMA,
    name="OLMoE",
    classes={"olmoe": "Olmoe"},
    read=_read_olmoe,
    attention=replace(ATTENTION, norms=("q_norm", "k_norm"), norm_over="all"),
    mixture=Mixture("mlp", "gate", Scoring.SOFTMAX),
    converted=False,
)
