"""Choices that change a count, and the sum that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Attention(StrEnum):
    """Which query-key pairs of a causal attention are counted."""

    FULL = "full"  #: all pairs, as fvcore and torch count
    CAUSAL = "causal"  #: only keys at or before the query: what a masked kernel must do


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


def pairs(queries: int, keys: int, attention: Attention) -> int:
    """Query-key pairs of one head; query `i` of `q` is token `keys - queries + i`.

    Causal: sum over queries of (keys - queries + i + 1) = q k - q (q - 1) / 2.
    """
    if attention is Attention.FULL:
        return queries * keys
    return queries * keys - queries * (queries - 1) // 2
