"""Choices that change a count, and the sum that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Attention(StrEnum):
    """Which query-key pairs of a causal attention are counted."""

    FULL = "full"  #: all pairs, as fvcore and torch count
    CAUSAL = "causal"  #: only keys at or before the query: what a masked kernel must do


class Mla(StrEnum):
    """How a step of decode works with a cache of latent vectors (multi-head latent attention)."""

    #: keys and values of all tokens are made of their latent vectors in each step: what the modules
    #: of transformers do
    EXPANDED = "expanded"
    #: queries and results are multiplied by the two matrices in their place: what kernels of
    #: servers do; a prefill, in which many queries meet the same keys, expands in both
    ABSORBED = "absorbed"


@dataclass(frozen=True)
class Conventions:
    """Choices that change a count; printed with every report."""

    attention: Attention = Attention.FULL  #: which query-key pairs are counted
    #: in a product with a spike operand, count only the events that meet a non-zero on the other
    #: side, instead of every event of the streaming operand
    coincidences: bool = False
    #: in dense layers, count the multiply-accumulates whose activation is zero. They stay among the
    #: MACs; an activation-sparse baseline takes them off
    zeros: bool = False
    #: what a plan takes a step of decode to do where the cache holds latent vectors
    mla: Mla = Mla.EXPANDED


class Window(NamedTuple):
    """The keys that a query of a layer with local attention may see at most."""

    tokens: int  #: how many, the query's own among them
    #: whether the text is cut into chunks of so many tokens, which see nothing before themselves
    #: (Llama 4), instead of a window that slides along with the query (Mistral, Gemma)
    chunked: bool = False


def pairs(queries: int, keys: int, attention: Attention, window: Window | None = None) -> int:
    """Query-key pairs of one head; query `i` of `q` is token `keys - queries + i`.

    Full: each query with each key at hand; see `held`. No mask is taken off, and neither is the
    one that makes a window.

    Causal: sum over queries of (keys - queries + i + 1) = q k - q (q - 1) / 2. With a window of w
    no query has more than w; of S > w tokens from the first on that is w (w + 1) / 2 + (S - w) w.
    In chunks of c, token p has p mod c + 1.
    """
    if attention is Attention.FULL:
        return queries * held(queries, keys, window)
    if window is None:
        return _triangle(keys) - _triangle(keys - queries)
    reach = _chunked if window.chunked else _sliding
    return reach(keys, window.tokens) - reach(keys - queries, window.tokens)


def held(queries: int, keys: int, window: Window | None = None) -> int:
    """Keys at hand, those of the new tokens included.

    A cache keeps what a later token may see: w - 1 tokens before the new ones. A pass over a whole
    text has all of them.
    """
    return keys if window is None else min(keys, queries + window.tokens - 1)


def attended(queries: int, keys: int, attention: Attention, window: Window | None = None) -> int:
    """Rows of K or V that are read: those that any query is counted to see."""
    if window is None or attention is Attention.FULL or not window.chunked:
        return held(queries, keys, window)
    return keys - (keys - queries) // window.tokens * window.tokens


def _triangle(tokens: int) -> int:
    """Pairs of so many tokens, each with itself and all before it."""
    return tokens * (tokens + 1) // 2


def _sliding(tokens: int, window: int) -> int:
    """The same where none is paired with more than a window of them."""
    return _triangle(min(tokens, window)) + max(0, tokens - window) * window


def _chunked(tokens: int, chunk: int) -> int:
    """The same in chunks."""
    whole, rest = divmod(tokens, chunk)
    return whole * _triangle(chunk) + _triangle(rest)
