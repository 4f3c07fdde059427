"""What the metadata of a GGUF file say of decoders that are planned, and not run, from such files.

Each function gives the `config.json` of transformers that a header stands for. Keys and constants
are those of llama.cpp (gguf-py/gguf/constants.py, src/llama-model.cpp), which has the kinds of
activations, and of most windows which layers have them, in its code and not in the file. No torch
here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from neurt.loading.gguf.contents import GGUFHeader

Config = dict[str, Any]


class Said(NamedTuple):
    """The metadata of one architecture."""

    header: GGUFHeader
    arch: str

    def has(self, key: str) -> bool:
        """Whether the file says something."""
        return f"{self.arch}.{key}" in self.header.metadata

    def size(self, key: str, default: int | None = None) -> int:
        """A size; raises GGUFError where it is none, or absent without a default."""
        return self.header.integer(f"{self.arch}.{key}", default)

    def each(self, key: str) -> list[int]:
        """A number for each layer, of which the file may say one for all."""
        value = self.header.metadata.get(f"{self.arch}.{key}")
        layers = self.size("block_count")
        if not isinstance(value, list):
            return [self.size(key)] * layers
        if len(value) != layers or any(type(x) is not int or x < 0 for x in value):
            raise self.header.wrong(f"{self.arch}.{key}", f"{layers} whole numbers, one a layer")
        return value

    def holds(self, tensor: str) -> bool:
        """Whether any layer has such a tensor."""
        return any(name.endswith(f".{tensor}") for name in self.header.tensors)


def sizes(said: Said, model_type: str) -> Config:
    """The keys that most decoders have."""
    width, heads = said.size("embedding_length"), said.size("attention.head_count")
    config: Config = {
        "model_type": model_type,
        "hidden_size": width,
        "num_hidden_layers": said.size("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": said.size("attention.head_count_kv", heads),
        "max_position_embeddings": said.size("context_length"),
        "head_dim": said.size("attention.key_length", max(1, width // heads)),
        "attention_bias": said.holds("attn_q.bias") or said.holds("attn_qkv.bias"),
    }
    if said.has("feed_forward_length"):
        config["intermediate_size"] = said.size("feed_forward_length")
    if said.has("rope.dimension_count"):
        turned = said.size("rope.dimension_count")
        config["partial_rotary_factor"] = turned / config["head_dim"]
    return config


def whole(config: Config) -> Config:
    """The configuration of a model that rotates all channels of a head."""
    return {key: x for key, x in config.items() if key != "partial_rotary_factor"}


def window(said: Said) -> Config:
    """Its window; null where the file says none."""
    key = "attention.sliding_window"
    none = said.header.metadata.get(f"{said.arch}.{key}") in (None, 0)
    return {"sliding_window": None if none else said.size(key)}


def plain(model_type: str, **more: Any) -> Callable[[Said], Config]:
    """Decoders of which nothing but the sizes differs."""
    return lambda said: {**whole(sizes(said, model_type)), **more}


def gemma(model_type: str) -> Callable[[Said], Config]:
    """Gemma 1 to 3; llama.cpp says in its code which layers have the window."""

    def read(said: Said) -> Config:
        config = {**whole(sizes(said, model_type)), **window(said)}
        return config | {"attn_logit_softcapping": 50.0 if model_type == "gemma2" else None}

    return read


def phi(said: Said) -> Config:
    """Phi."""
    config = sizes(said, "phi")
    return {key: x for key, x in config.items() if key != "attention_bias"}


def phi3(said: Said) -> Config:
    """Phi-3 and -4."""
    return {**sizes(said, "phi3"), **window(said)}


def gpt_neox(said: Said) -> Config:
    """GPT-NeoX."""
    config = sizes(said, "gpt_neox")
    return config | {"rotary_pct": config.pop("partial_rotary_factor", 1.0)}


def falcon(said: Said) -> Config:
    """Falcon, of which llama.cpp runs the sizes whose blocks are side by side."""
    return {
        **whole(sizes(said, "falcon")),
        "new_decoder_architecture": True,
        "num_kv_heads": said.size("attention.head_count_kv"),
        "num_ln_in_parallel_attn": 2 if said.holds("attn_norm_2.weight") else 1,
        "ffn_hidden_size": said.size("feed_forward_length"),
        "bias": said.holds("attn_qkv.bias"),
    }


def bloom(said: Said) -> Config:
    """Bloom."""
    return {
        "model_type": "bloom",
        "hidden_size": said.size("embedding_length"),
        "n_layer": said.size("block_count"),
        "n_head": said.size("attention.head_count"),
    }


def olmo2(said: Said) -> Config:
    """OLMo 2, or 3 where it has a window."""
    slides = window(said)
    if slides["sliding_window"] is None:
        return whole(sizes(said, "olmo2"))
    return {**whole(sizes(said, "olmo3")), **slides}


def granite(said: Said) -> Config:
    """Granite."""
    return {**whole(sizes(said, "granite")), "mlp_bias": said.holds("ffn_up.bias")}


def cohere(said: Said) -> Config:
    """Cohere."""
    normed = said.holds("attn_q_norm.weight")
    return {**whole(sizes(said, "cohere")), "use_qk_norm": normed}


def cohere2(said: Said) -> Config:
    """Cohere 2, of which llama.cpp has every fourth layer without a window."""
    return {**whole(sizes(said, "cohere2")), **window(said)}


def stablelm(said: Said) -> Config:
    """StableLM."""
    return {
        **sizes(said, "stablelm"),
        "use_qkv_bias": said.holds("attn_q.bias"),
        "qk_layernorm": said.holds("attn_q_norm.weight"),
        # Without a norm of what the blocks read, they read what one norm gives.
        "use_parallel_residual": not said.holds("ffn_norm.weight"),
    }


def starcoder2(said: Said) -> Config:
    """StarCoder2, as llama.cpp runs it: its files say no window."""
    biased = said.holds("ffn_up.bias")
    config = whole(sizes(said, "starcoder2"))
    return {**config, "use_bias": biased, "sliding_window": None, "hidden_act": "gelu_pytorch_tanh"}


def smollm3(said: Said) -> Config:
    """SmolLM3, of which one layer in four does not rotate."""
    return {**whole(sizes(said, "smollm3")), "mlp_bias": said.holds("ffn_up.bias")}
