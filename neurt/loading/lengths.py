"""How long sequences of a decoder of transformers may be, found out without its weights."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Size, nn
from transformers import PretrainedConfig

#: How configurations call their positions, where transformers knows no common name.
_KEYS = ("max_position_embeddings", "max_seq_len")


def positions_of(config: PretrainedConfig) -> int | None:
    """The positions that a configuration names; None where it names none."""
    text = config.get_text_config()
    named = (getattr(text, key, None) for key in _KEYS)
    return next((it for it in named if isinstance(it, int) and it > 0), None)


def lengthened(
    build: Callable[[PretrainedConfig], nn.Module], config: PretrainedConfig, longest: int
) -> PretrainedConfig | None:
    """The configuration with which sequences of so many tokens run; None where there is none.

    A table that a model learned ends with its positions. One that it computes grows with them, and
    what needs no table stays as it is. Which of these it is, the sizes of its tensors say.

    Args:
        build: Makes a model; it is called where tensors have sizes and no memory.
        config: Its configuration.
        longest: Tokens of the longest sequence.
    """
    positions = positions_of(config)
    if positions is None or longest <= positions:
        return config
    longer = copy.deepcopy(config)
    text = longer.get_text_config()
    for key in _KEYS:
        if hasattr(text, key):
            setattr(text, key, longest)
    (learned, made), (also_learned, also_made) = _sizes(build, config), _sizes(build, longer)
    if learned != also_learned:
        return None
    # Under the second name it is how far scores fall with distance, computed as a model runs.
    return config if made == also_made and not hasattr(text, _KEYS[1]) else longer


def _sizes(
    build: Callable[[Any], nn.Module], config: PretrainedConfig
) -> tuple[dict[str, Size], dict[str, Size]]:
    """Of the parameters and of the buffers of a model."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        model = build(config)
    learned, made = model.named_parameters(), model.named_buffers()
    return {name: x.shape for name, x in learned}, {name: x.shape for name, x in made}
