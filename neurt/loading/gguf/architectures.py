"""The architectures that can be run from a GGUF file: sizes, and the names of their tensors.

Sizes and names are those of llama.cpp (gguf-py/gguf/tensor_mapping.py). No torch here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neurt.loading.gguf.contents import GGUFError, GGUFHeader
from neurt.loading.gguf.rope import rope_parameters

#: Within a block, as llama.cpp names it and as transformers does.
_GATED_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_NORMED_BLOCK = {
    **_GATED_BLOCK,
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
_GPT2_BLOCK = {
    "attn_norm": "ln_1",
    "attn_qkv": "attn.c_attn",
    "attn_output": "attn.c_proj",
    "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
}
_GATED = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "blk": "model.layers",
}
_GPT2 = {
    "token_embd": "transformer.wte",
    "position_embd": "transformer.wpe",
    "output_norm": "transformer.ln_f",
    "output": "lm_head",
    "blk": "transformer.h",
}


@dataclass(frozen=True)
class Architecture:
    """How one architecture is written in a GGUF file."""

    names: dict[str, str]  #: names outside the blocks; `blk` is the prefix of the blocks
    block: dict[str, str]  #: names inside a block
    #: the `config.json` of transformers that a header stands for
    config: Callable[[GGUFHeader, str], dict[str, Any]]
    #: whether linear weights are stored as (out, in) and wanted as (in, out)
    transposed: bool = False
    #: whether rows of queries and keys are stored for rotary positions of neighbouring pairs, where
    #: transformers rotates pairs half a head apart
    permuted: bool = False

    def parameter(self, tensor: str) -> str | None:
        """The parameter of transformers for a tensor of the file; None where there is none."""
        stem, _, kind = tensor.rpartition(".")
        if match := re.fullmatch(r"blk\.(\d+)\.(\w+)", stem):
            name = self.block.get(match[2])
            return name and f"{self.names['blk']}.{match[1]}.{name}.{kind}"
        name = self.names.get(stem) if stem != "blk" else None
        return name and f"{name}.{kind}"


def _gated(header: GGUFHeader, arch: str) -> dict[str, Any]:
    width = header.integer(f"{arch}.embedding_length")
    heads = header.integer(f"{arch}.attention.head_count")
    config: dict[str, Any] = {
        "model_type": arch,
        "hidden_size": width,
        "intermediate_size": header.integer(f"{arch}.feed_forward_length"),
        "num_hidden_layers": header.integer(f"{arch}.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": header.integer(f"{arch}.attention.head_count_kv", heads),
        "max_position_embeddings": header.integer(f"{arch}.context_length"),
        "rms_norm_eps": header.number(f"{arch}.attention.layer_norm_rms_epsilon", 1e-6),
        # 10,000 where the file is silent, as in llama.cpp
        "rope_parameters": rope_parameters(header, header.number(f"{arch}.rope.freq_base", 1e4)),
        "hidden_act": "silu",
    }
    key_length = f"{arch}.attention.key_length"
    # Of what a file does not say transformers takes 128 for Qwen3, and llama.cpp an even share.
    if key_length in header.metadata or (arch == "qwen3" and width % heads == 0):
        config["head_dim"] = header.integer(key_length, width // heads)
    head = config.get("head_dim", width // heads)
    rotated = header.integer(f"{arch}.rope.dimension_count", head)
    if rotated != head:
        raise not_honoured(header, f"rotates {rotated} of the {head} channels of a head")
    if arch == "llama":
        config["attention_bias"] = "blk.0.attn_q.bias" in header.tensors
        config["mlp_bias"] = "blk.0.ffn_up.bias" in header.tensors
    return config


def _gpt2(header: GGUFHeader, arch: str) -> dict[str, Any]:
    return {
        "model_type": arch,
        "n_embd": header.integer(f"{arch}.embedding_length"),
        "n_inner": header.integer(f"{arch}.feed_forward_length"),
        "n_layer": header.integer(f"{arch}.block_count"),
        "n_head": header.integer(f"{arch}.attention.head_count"),
        "n_positions": header.integer(f"{arch}.context_length"),
        "layer_norm_epsilon": header.number(f"{arch}.attention.layer_norm_epsilon", 1e-5),
    }


#: By `general.architecture`. Mistral's files are of `llama`.
ARCHITECTURES = {
    "gpt2": Architecture(_GPT2, _GPT2_BLOCK, _gpt2, transposed=True),
    "llama": Architecture(_GATED, _GATED_BLOCK, _gated, permuted=True),
    "qwen2": Architecture(_GATED, _GATED_BLOCK, _gated),
    "qwen3": Architecture(_GATED, _NORMED_BLOCK, _gated),
}


def not_honoured(header: GGUFHeader, does: str) -> GGUFError:
    """The error about a file that asks for what would be left out."""
    return GGUFError(
        f"'{header.path}' {does}, which cannot be honoured; give the model in Hugging Face format"
    )
