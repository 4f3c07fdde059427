"""How many rows of stored operands are needed, where only shares are known: what is expected.

Values are taken as independent of each other: of all slots, or of all tokens where the share of a
token is given. Tokens of a text are not, so that fewer rows are touched than this says.
"""

from __future__ import annotations

from math import expm1, log1p

from energy.formulas.attention import Product, Role
from energy.formulas.conventions import Attention


def any_of(share: float, number: float) -> float:
    """Chance that at least one of so many happens: 1 - (1 - share)^number."""
    return 1.0 if share >= 1 and number > 0 else -expm1(number * log1p(-share)) if share else 0.0


def one_of(chance: float, number: float) -> float:
    """The share of one, given the chance that at least one of so many happens; see `any_of`."""
    return 1.0 if chance >= 1 else -expm1(log1p(-chance) / number)


def keys_met(product: Product, heads: int, awake: float) -> float:
    """Rows of K that so many cached heads need.

    A query is not silent with the chance `awake`, and then needs all keys that it is counted to
    see. Causal: with p = awake and q = 1 - p, the last query that is not silent is m before the end
    with the chance p q^m, and sees n - m keys.
    """
    queries, keys, q = product.queries, product.keys, 1 - awake
    seen = keys * any_of(awake, queries)
    if product.attention is Attention.CAUSAL and 0 < awake < 1:
        # sum over m < S of m p q^m = q (1 - S q^(S - 1) + (S - 1) q^S) / p
        seen -= q * (1 - queries * q ** (queries - 1) + (queries - 1) * q**queries) / awake
    return heads * seen


def keys_weighed(product: Product, heads: int, weight: float) -> float:
    """Rows of V that so many cached heads need.

    A query gives a key a weight with the chance `weight`, in any of the heads that share the row.
    Causal: the newest key is seen by one query, the one before it by two, and so on.
    """
    queries, keys, q = product.queries, product.keys, 1 - weight
    if product.attention is Attention.FULL:
        return heads * keys * any_of(weight, queries)
    new = queries - (q * any_of(weight, queries) / weight if weight else queries)
    return heads * (new + (keys - queries) * any_of(weight, queries))


def cached_rows(role: Role, product: Product, active: float) -> float:
    """Entries of K or V that are needed, if so much of Q or of the weights is not silent."""
    heads, shared_by = product.kv_heads, product.heads // product.kv_heads
    if role == "mix":
        return keys_weighed(product, heads, any_of(active, shared_by)) * product.width
    return keys_met(product, heads, any_of(active, product.width * shared_by)) * product.width


def rows_in_steps(role: Role, product: Product, query: float, key: float) -> float:
    """The same of Spikformer, whose steps have a cache each, at rates of spikes of Q and of K.

    A score is not zero where a channel of both has a spike.
    """
    weight = any_of(query * key, product.width)
    return cached_rows(role, product, query if role == "scores" else weight)


def touched_at(share: float, rate: float, times: float) -> float:
    """The share of rows that so many times the spikes would touch, of which `share` are now.

    As many independent slots as touch this share at the rate of now, k of 1 - (1 - rate)^k, are
    taken to have the other rate. All rows stay all rows, unless nothing is sent.
    """
    if not share or not times or not rate:
        return share if times else 0.0
    if share >= 1 or rate >= 1:
        return 1.0
    return any_of(min(1.0, times * rate), log1p(-share) / log1p(-rate))
