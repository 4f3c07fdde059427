from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import transformers
from tiny_models import SIZES
from transformers import PreTrainedModel

from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.modeling import SpikingLanguageModel

_TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", SIZES),
    "llama, all biased": ("Llama", SIZES | {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("Mistral", SIZES | {"head_dim": 12, "sliding_window": None}),
    "qwen2": ("Qwen2", SIZES | {"num_key_value_heads": 1, "tie_word_embeddings": True}),
    "opt": (
        "OPT",
        {
            "num_hidden_layers": 2,
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "num_attention_heads": 4,
            "ffn_dim": 48,
            "vocab_size": 101,
            "max_position_embeddings": 64,
        },
    ),
    "opt, gelu and no bias": (
        "OPT",
        {
            "num_hidden_layers": 1,
            "hidden_size": 16,
            "word_embed_proj_dim": 16,
            "num_attention_heads": 2,
            "ffn_dim": 24,
            "vocab_size": 101,
            "max_position_embeddings": 64,
            "enable_bias": False,
            "activation_function": "gelu",
        },
    ),
}


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], PreTrainedModel]:
    """`tiny("llama")`: an analog model with random weights. Nobody may change it."""

    @cache
    def make(kind: str) -> PreTrainedModel:
        prefix, sizes = _TINY[kind]
        config = getattr(transformers, f"{prefix}Config")(
            **sizes, bos_token_id=None, eos_token_id=None, pad_token_id=None
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model: PreTrainedModel = getattr(transformers, f"{prefix}ForCausalLM")(config)
            return model.eval()

    return make


@pytest.fixture(scope="session")
def converted_tiny(
    tiny: Callable[[str], PreTrainedModel],
) -> Callable[..., SpikingLanguageModel]:
    """`converted_tiny("llama", attention=.., ...)`: its conversion. Nobody may change it."""

    @cache
    def make(kind: str, **choices: Any) -> SpikingLanguageModel:
        text = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
        return convert(tiny(kind), SpikingConfig(**choices), [text])

    return make
