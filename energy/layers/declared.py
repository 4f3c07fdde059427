"""What an attention module of transformers says of its keys and its cache."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn


class Reach(NamedTuple):
    """Which keys the queries of an attention may see at most."""

    tokens: int | None = None  #: how many, the query's own among them; None for all before it
    chunked: bool = False  #: whether the text is cut into chunks of so many tokens


def latent_of(owner: nn.Module) -> tuple[int, int] | None:
    """What an attention module caches of a token in place of its key and value; None for these.

    Entries of the latent vector, from which its `kv_b_proj` makes keys and values of all tokens
    in each call, and of the rotated key.
    """
    rank, rotary = (getattr(owner, name, None) for name in ("kv_lora_rank", "qk_rope_head_dim"))
    expands = isinstance(getattr(owner, "kv_b_proj", None), nn.Linear)
    if expands and isinstance(rank, int) and isinstance(rotary, int):
        return rank, rotary
    return None


def reach_of(owner: Any, sliding: object) -> Reach:
    """Which keys the queries of an attention module may see at most, as far as it says so."""
    config, index = getattr(owner, "config", None), getattr(owner, "layer_idx", None)
    kinds = getattr(config, "layer_types", None) or ()
    kind = kinds[index] if isinstance(index, int) and index < len(kinds) else None
    if kind == "chunked_attention":
        return Reach(getattr(config, "attention_chunk_size", None), chunked=True)
    if sliding is None and kind == "sliding_attention":
        sliding = getattr(config, "sliding_window", None)
    return Reach(sliding) if isinstance(sliding, int) else Reach()
