"""The architectures of GGUF files that are planned, and not run, from such a file. No torch here.

What metadata cannot say is taken from the tensors where it can be, and refused where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from neurt.families import Family, Shape, layout
from neurt.families.parameters import parameters
from neurt.loading.gguf import metadata
from neurt.loading.gguf import metadata_mixed as mixed
from neurt.loading.gguf.contents import GGUFError, GGUFHeader
from neurt.loading.gguf.metadata import Config, Said
from neurt.loading.gguf.tensors import OUTPUT, part_of

#: What a file of `llama` with experts is called here.
MIXTRAL = "llama with experts"

#: By `general.architecture`.
_READ: dict[str, Callable[[Said], Config]] = {
    MIXTRAL: mixed.mixtral,
    "qwen2moe": mixed.qwen2_moe,
    "qwen3moe": mixed.qwen3_moe,
    "qwen3next": mixed.qwen3_next,
    "gemma": metadata.gemma("gemma"),
    "gemma2": metadata.gemma("gemma2"),
    "gemma3": metadata.gemma("gemma3_text"),
    "phi2": metadata.phi,
    "phi3": metadata.phi3,
    "gptneox": metadata.gpt_neox,
    "falcon": metadata.falcon,
    "bloom": metadata.bloom,
    "olmo": metadata.plain("olmo"),
    "olmo2": metadata.olmo2,
    "olmoe": mixed.olmoe,
    "granite": metadata.granite,
    "smollm3": metadata.smollm3,
    "command-r": metadata.cohere,
    "cohere2": metadata.cohere2,
    "stablelm": metadata.stablelm,
    "starcoder2": metadata.starcoder2,
    "deepseek2": mixed.deepseek,
    "gpt-oss": mixed.gpt_oss,
    "llama4": mixed.llama4,
    "mamba2": mixed.mamba2,
    "nemotron_h": mixed.nemotron_h,
}

#: Every `general.architecture` that is planned alone.
PLANNED = tuple(name for name in _READ if name != MIXTRAL)

#: Endings of tensors that are no parameters of transformers: factors of rotations, and what
#: DeepSeek's router adds for the choice.
_NO_PARAMETERS = ("rope_freqs", "rope_factors_long", "rope_factors_short", "exp_probs_b")


def planned_as(header: GGUFHeader) -> str | None:
    """The architecture of a file that is planned alone; None for any other."""
    name = header.metadata.get("general.architecture")
    if name == "llama" and header.metadata.get("llama.expert_count", 0) != 0:
        return MIXTRAL
    return name if name in PLANNED else None


def config_of_planned(header: GGUFHeader, name: str) -> Config:
    """What the `config.json` would say, but for the vocabulary and whether the head is tied.

    Raises:
        GGUFError: If a size is missing or is none, or the file is one part of several.
    """
    if part_of(header)[1] > 1:
        raise GGUFError(
            f"'{header.path}' is a part of a model, and what others hold of its biases and norms "
            "it does not say; give its config.json, or one file of all parts"
        )
    return _READ[name](Said(header, "llama" if name == MIXTRAL else name))


def check_values(header: GGUFHeader, shape: Shape) -> None:
    """Raise GGUFError if the tensors of a file hold more or fewer values than its sizes have."""
    held = sum(
        prod(tensor.shape)
        for name, tensor in header.tensors.items()
        if name.rpartition(".")[0].rpartition(".")[2] not in _NO_PARAMETERS
        and not name.startswith(_NO_PARAMETERS)
        and not (name == OUTPUT and shape.tied)
    )
    wanted = parameters(shape).total
    if held != wanted:
        raise GGUFError(
            f"the tensors of '{header.path}' hold {held:,} values, where a {shape.model_type} of "
            f"its sizes has {wanted:,}; give its config.json"
        )


def names_outside(shape: Shape) -> dict[str, str]:
    """Names of tensors outside the blocks, each with the layer that it is of."""
    family = layout(shape)
    found = {"token_embd": family.embeddings[0][0], "output": "lm_head", "blk": family.layers}
    for tensor, name in (
        ("output_norm", family.final_norm),
        ("token_embd_norm", family.embedding_norm),
    ):
        if name is not None:
            found[tensor] = name
    return found


def names_inside(shape: Shape) -> dict[str, str]:
    """The same of the tensors of a block; several may be of one layer."""
    family = layout(shape)
    return {**_attention(family), **_feedforward(family), **_norms(family), **_states(family)}


def _attention(family: Family) -> dict[str, str]:
    names = family.attention
    latent = len(names.inputs) > 3
    inputs = {1: _FUSED, 3: _APART}.get(len(names.inputs), _LATENT)
    norms = ("attn_q_a_norm", "attn_kv_a_norm") if latent else ("attn_q_norm", "attn_k_norm")
    own = (name.partition("{")[0].rstrip(".") for name in names.norms)
    found = {**_paired(inputs, names.inputs), **_paired(norms, own), "attn_output": names.output}
    if latent:
        found |= dict.fromkeys(("attn_k_b", "attn_v_b"), names.inputs[-1])
    return {tensor: f"{names.path}.{name}" for tensor, name in found.items()}


_FUSED = ("attn_qkv",)
_APART = ("attn_q", "attn_k", "attn_v")
_LATENT = ("attn_q", "attn_q_a", "attn_q_b", "attn_kv_a_mqa", "attn_kv_b")


def _paired(tensors: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    return dict(zip(tensors, names, strict=False))


def _feedforward(family: Family) -> dict[str, str]:
    block, mixture = family.feedforward, family.mixture
    found = {"ffn_up": block.name(block.up), "ffn_down": block.name(block.down)}
    if block.gate is not None:
        found["ffn_gate"] = block.name(block.gate)
    if mixture is None:
        return found
    up = "gate_up_proj" if mixture.gated else "up_proj"
    into = f"{mixture.path}.experts.{up}"
    found |= dict.fromkeys(("ffn_gate_exps", "ffn_up_exps", "ffn_gate_up_exps"), into)
    found["ffn_down_exps"] = f"{mixture.path}.experts.down_proj"
    found["ffn_gate_inp"] = f"{mixture.path}.{mixture.router}"
    if (shared := mixture.shared) is not None:
        found |= {
            "ffn_up_shexp": shared.name(shared.up),
            "ffn_down_shexp": shared.name(shared.down),
        }
        if shared.gate is not None:
            found["ffn_gate_shexp"] = shared.name(shared.gate)
    if mixture.shared_gate is not None:
        found["ffn_gate_inp_shexp"] = mixture.shared_gate
    return found


def _norms(family: Family) -> dict[str, str]:
    tensors = ("attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm")
    found = {
        tensor: name for tensor, name in zip(tensors, family.norms, strict=True) if name is not None
    }
    # llama.cpp calls what Falcon norms for its block `attn_norm`, where both have a norm.
    return {**found, "attn_norm_2": found["attn_norm"]} if "attn_norm" in found else found


def _states(family: Family) -> dict[str, str]:
    found: dict[str, str] = {}
    if family.recurrence is not None:
        path = family.recurrence.path
        found |= {"ssm_in": f"{path}.in_proj"}
    elif family.delta is not None:
        path = family.delta.path
        inputs = (f"{path}.{name}" for name, _ in family.delta.inputs)
        found |= _paired(("ssm_in", "ssm_ba"), inputs)
    else:
        return {}
    return found | {
        "ssm_conv1d": f"{path}.conv1d",
        "ssm_norm": f"{path}.norm",
        "ssm_out": f"{path}.out_proj",
    }
