"""The method: a trained language model becomes a spiking one, and both are measured.

Everything here needs torch, so names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neurt.spiking.config import SpikingConfig

if TYPE_CHECKING:
    from neurt.loading.models import LoadedModel, ModelError, load_model
    from neurt.measure.in_memory import profile_model
    from neurt.spiking.conversion import ConversionError, convert
    from neurt.spiking.modeling import (
        SpikingGPT2Config,
        SpikingGPT2LMHeadModel,
        SpikingLanguageModel,
        SpikingLlamaConfig,
        SpikingLlamaForCausalLM,
    )

_NEEDS_TORCH = {
    "convert": "neurt.spiking.conversion",
    "ConversionError": "neurt.spiking.conversion",
    "profile_model": "neurt.measure.in_memory",
    "SpikingGPT2Config": "neurt.spiking.modeling",
    "SpikingGPT2LMHeadModel": "neurt.spiking.modeling",
    "SpikingLanguageModel": "neurt.spiking.modeling",
    "SpikingLlamaConfig": "neurt.spiking.modeling",
    "SpikingLlamaForCausalLM": "neurt.spiking.modeling",
    "load_model": "neurt.loading.models",
    "LoadedModel": "neurt.loading.models",
    "ModelError": "neurt.loading.models",
}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TORCH:
        return getattr(import_module(_NEEDS_TORCH[name]), name)
    raise AttributeError(f"module 'neurt' has no attribute '{name}'")


__all__ = [
    "ConversionError",
    "LoadedModel",
    "ModelError",
    "SpikingConfig",
    "SpikingGPT2Config",
    "SpikingGPT2LMHeadModel",
    "SpikingLanguageModel",
    "SpikingLlamaConfig",
    "SpikingLlamaForCausalLM",
    "convert",
    "load_model",
    "profile_model",
]
