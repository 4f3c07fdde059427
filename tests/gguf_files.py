"""GGUF files of tiny models, as llama.cpp's converter writes them, with the names of `gguf`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
from numpy import ndarray
from transformers import PreTrainedModel

#: `general.architecture` of each `model_type` whose name is another one.
ARCHITECTURES = {
    **{"mixtral": "llama", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe", "phi": "phi2"},
    **{"qwen3_next": "qwen3next", "gemma3_text": "gemma3", "gpt_neox": "gptneox"},
    **{"cohere": "command-r", "olmo3": "olmo2", "gpt_oss": "gpt-oss", "llama4_text": "llama4"},
    **dict.fromkeys(("deepseek_v2", "deepseek_v3"), "deepseek2"),
}
#: What the names of transformers are in those that `gguf` knows.
_OLDER = (
    (r"\.word_embeddings_layernorm\.", ".ln_f_embedding."),
    (r"^model\.(layers\.\d+\.(mixer|norm)|embeddings|norm_f)", r"backbone.\1"),
    (r"\.gate\.e_score_correction_bias$", ".gate.e_score_correction.bias"),
)
#: Those that the converter renames itself.
_OWN = (
    (r"^transformer\.ln_f_embedding\.", "token_embd_norm."),
    (r"^transformer\.h\.(\d+)\.post_attention_layernorm\.", r"blk.\1.ffn_norm."),
    (r"^.*layers\.(\d+)\.(?:mixer|linear_attn)\.dt_bias$", r"blk.\1.ssm_dt.bias"),
    (r"^.*layers\.(\d+)\.mlp\.experts\.down_proj_bias$", r"blk.\1.ffn_down_exps.bias"),
    (r"^.*layers\.(\d+)\.self_attn\.([qk])_layernorm\.", r"blk.\1.attn_\2_norm."),
)


def _tensors(model: PreTrainedModel, arch: str) -> Iterator[tuple[str, ndarray[Any, Any]]]:
    """Names in the file and values."""
    number = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == arch)
    names = gguf.get_tensor_name_map(number, model.config.num_hidden_layers)
    state = dict(model.state_dict())
    if model.config.tie_word_embeddings:
        del state["lm_head.weight"]
    for parameter, tensor in state.items():
        value, name = tensor.float().numpy(), parameter
        if match := re.fullmatch(r".*layers\.(\d+)\..*experts\.gate_up_proj(_bias)?", parameter):
            kind = ".bias" if match[2] else ".weight"
            half = value.shape[1] // 2
            for part, rows in (("gate", value[:, :half]), ("up", value[:, half:])):
                yield f"blk.{match[1]}.ffn_{part}_exps{kind}", rows
            continue
        for own, new in _OLDER:
            name = re.sub(own, new, name)
        found = names.get_name(name, (".weight", ".bias"))
        if found is None:
            found = name
            for own, new in _OWN:
                found = re.sub(own, new, found)
        if found == name:
            raise AssertionError(f"{parameter} has no name in a file of {arch}")
        # Weights of all experts, which are no layer of transformers.
        yield f"{found}.weight" if found.endswith("_exps") else found, value


def write_tiny(model: PreTrainedModel, path: Path, **metadata: Any) -> Path:
    """Write a file of a model, with metadata of its architecture (dots as two underscores)."""
    model_type = model.config.model_type
    arch = ARCHITECTURES.get(model_type, model_type)
    writer = gguf.GGUFWriter(path, arch)
    for name, value in _tensors(model, arch):
        writer.add_tensor(name, value.copy())
    adds = {str: "string", bool: "bool", int: "uint32", float: "float32", list: "array"}
    for key, value in metadata.items():
        full = f"{arch}.{key.replace('__', '.')}"
        getattr(writer, f"add_{adds[type(value)]}")(full, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
