"""The method: a trained GPT-2 becomes a spiking one, and both are measured.

Everything here needs torch, so names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neurt.config import SpikingConfig

if TYPE_CHECKING:
    from neurt.conversion import ConversionError, convert
    from neurt.in_memory import profile_model
    from neurt.modeling import SpikingGPT2Config, SpikingGPT2LMHeadModel
    from neurt.models import LoadedModel, ModelError, load_model

_NEEDS_TORCH = {
    "convert": "neurt.conversion",
    "ConversionError": "neurt.conversion",
    "profile_model": "neurt.in_memory",
    "SpikingGPT2Config": "neurt.modeling",
    "SpikingGPT2LMHeadModel": "neurt.modeling",
    "load_model": "neurt.models",
    "LoadedModel": "neurt.models",
    "ModelError": "neurt.models",
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
    "convert",
    "load_model",
    "profile_model",
]
