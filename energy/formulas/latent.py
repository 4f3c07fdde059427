"""Attention whose cache holds a latent vector for each token (multi-head latent attention, MLA).

Source: DeepSeek-AI, "DeepSeek-V2", arXiv 2405.04434, section 2.1: c = W_DKV h is cached with one
rotated key of all heads; keys and values are W_UK c and W_UV c.
"""

from __future__ import annotations

from typing import NamedTuple

from energy.counts import Tally
from energy.formulas.attention import Product, Role
from energy.formulas.layers import linear
from hwmodels import Op

#: What an absorbed form has in the place of the layer that expands: queries times W_UK, and results
#: times W_UV.
ABSORBED = ("absorb", "expand")


class Latent(NamedTuple):
    """What the cache of one token holds in one layer."""

    rank: int  #: entries of the latent vector (`kv_lora_rank`)
    rotary: int  #: entries of the rotated key that all heads share (`qk_rope_head_dim`)


def expansion(sequences: int, keys: int, latent: Latent, fan_out: int) -> Tally:
    """Keys and values of all heads, made of the latent vectors of all keys.

    The layer `kv_b_proj`, whose inputs come from the cache.
    """
    return cached_input(linear(sequences * keys, latent.rank, fan_out, bias=False))


def cached_input(tally: Tally) -> Tally:
    """The same of a layer whose inputs come from the cache."""
    ops = dict(tally.ops)
    ops[Op.KV_READ] = ops.pop(Op.ACTIVATION_READ)
    return tally._replace(ops=ops)


def expanded_attention(role: Role, product: Product, sequences: int, latent: Latent) -> Tally:
    """A product with expanded keys or values: those are activations.

    Scores read the rotated part of the keys from the cache, once for all heads, and append what it
    holds of the new tokens.
    """
    read, written = product.moved(role)
    macs = product.pairs * product.width
    heads = product.kv_heads // sequences
    ops = {Op.MAC: macs, Op.ACTIVATION_READ: read + product.cached, Op.ACTIVATION_WRITE: written}
    if role == "scores":
        rotated = product.cached // product.width // heads * latent.rotary
        ops[Op.ACTIVATION_READ] -= rotated * heads
        ops[Op.KV_READ] = rotated
        ops[Op.KV_WRITE] = sequences * product.queries * (latent.rank + latent.rotary)
    return Tally(ops, dense_macs=macs)


def absorbed_attention(product: Product, value: int, nope: int, latent: Latent) -> dict[str, Tally]:
    """The same attention without keys and values: W_UK and W_UV act on queries and results.

    Each head multiplies its query (its `nope` channels without rotation) by W_UK, its scores are
    products with the latent and the rotated key, its mix is one of latents, which W_UV turns into
    `value` channels. Cheaper than the expansion where few queries meet many keys, as in decode. The
    latent is the stored operand of both products and is read once for the two.

    Args:
        product: The shape of the attention; its width does not count, nor do cached heads: there is
            one for each sequence, so that `kv_heads` are sequences.
        value: Entries of a value of one head.
        nope: Entries of a query of one head that are not rotated.
        latent: What the cache holds.

    Returns:
        Tallies by part: `absorb` (queries times W_UK), `scores`, `mix`, `expand` (times W_UV).
    """
    sequences = product.kv_heads
    heads, tokens = product.heads // sequences, sequences * product.queries
    cached = product._replace(width=1).cached
    scores = product.pairs * (latent.rank + latent.rotary)
    mix = product.pairs * latent.rank
    rows = product.rows
    return {
        "absorb": _per_head(tokens, heads, nope, latent.rank),
        "scores": Tally(
            {
                Op.MAC: scores,
                Op.ACTIVATION_READ: rows * (latent.rank + latent.rotary),
                Op.ACTIVATION_WRITE: product.pairs,
                Op.KV_READ: cached * (latent.rank + latent.rotary),
                Op.KV_WRITE: tokens * (latent.rank + latent.rotary),
            },
            dense_macs=scores,
        ),
        "mix": Tally(
            {
                Op.MAC: mix,
                Op.ACTIVATION_READ: product.pairs,
                Op.ACTIVATION_WRITE: rows * latent.rank,
            },
            dense_macs=mix,
        ),
        "expand": _per_head(tokens, heads, latent.rank, value),
    }


def _per_head(tokens: int, heads: int, fan_in: int, fan_out: int) -> Tally:
    """A dense layer of each head, applied to its vectors."""
    macs = tokens * heads * fan_in * fan_out
    return Tally(
        {
            Op.MAC: macs,
            Op.WEIGHT_READ: heads * fan_in * fan_out,
            Op.ACTIVATION_READ: tokens * heads * fan_in,
            Op.ACTIVATION_WRITE: tokens * heads * fan_out,
        },
        dense_macs=macs,
    )
