"""Gemma: norms that scale by 1 + weight, heads wider than the model's width over their number.

Gemma 2 and 3 norm what each block reads and what it gives, and have layers with a window between
those that see everything. Gemma 2 bounds its scores by a tanh; Gemma 3 norms Q and K.
"""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.family import Norm, Norms
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_windows

_GELU = ("gelu_pytorch_tanh", "gelu", "gelu_new", "silu", "relu")


def _read(config: Config, model_type: str) -> Shape:
    # What the first files call `gelu` is its tanh form, and transformers takes it for that.
    absent = Absent(head_width=256, positions=8192, tied=True, vocabulary=256_000)
    return _biased(read_sizes(config, model_type, absent, known=_GELU), config)


def _biased(shape: Shape, config: Config) -> Shape:
    biased = config.flag("attention_bias", default=False)
    return replace(shape, qkv_bias=biased, out_bias=biased)


def _read_gemma2(config: Config, model_type: str) -> Shape:
    absent = Absent(4, 256, 8, 256_000, 8192, tied=True)
    shape = _read_later(config, model_type, absent, every=2)
    cap = config.content.get("attn_logit_softcapping", 50.0)
    config.check_positive("attn_logit_softcapping", cap)
    return replace(shape, capped=cap is not None)


def _read_gemma3(config: Config, model_type: str) -> Shape:
    absent = Absent(4, 256, 8, 262_208, 131_072, tied=True)
    every = config.size("sliding_window_pattern", config.size("_sliding_window_pattern", 6))
    return _read_later(config, model_type, absent, every)


def _read_later(config: Config, model_type: str, absent: Absent, every: int) -> Shape:
    """Every so many layers one sees everything; the others have a window."""
    shape = read_sizes(config, model_type, absent, activation="hidden_activation", known=_GELU)
    window = read_window(config, 4096)
    shape = with_windows(shape, config, window, lambda depth: (depth + 1) % every != 0)
    return _biased(shape, config)


GEMMA = replace(
    LLAMA,
    name="Gemma",
    classes={"gemma": "Gemma"},
    read=_read,
    norm=Norm("RMSNorm", offset=True),
    embeddings=(("model.embed_tokens", "GemmaTextScaledWordEmbedding"),),
    embedding_scaled=True,
    converted=False,
)
GEMMA2 = replace(
    GEMMA,
    name="Gemma 2",
    classes={"gemma2": "Gemma2"},
    read=_read_gemma2,
    norms=Norms(
        "input_layernorm",
        "pre_feedforward_layernorm",
        "post_attention_layernorm",
        "post_feedforward_layernorm",
    ),
    embeddings=(("model.embed_tokens", "Gemma2TextScaledWordEmbedding"),),
)
GEMMA3 = replace(
    GEMMA2,
    name="Gemma 3",
    classes={"gemma3_text": "Gemma3"},
    read=_read_gemma3,
    attention=replace(ATTENTION, norms=("q_norm", "k_norm")),
    embeddings=(("model.embed_tokens", "Gemma3TextScaledWordEmbedding"),),
    angles_apart=True,
)
