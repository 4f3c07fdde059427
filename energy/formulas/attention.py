"""What the two products of attention cost, Q K^T and A V, analog and spiking, from shapes.

Keys and values come from the cache, to which the new tokens are appended.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from energy.counts import Levels, Tally
from energy.formulas.conventions import Attention, Window, attended, pairs
from hwmodels import Op

#: `scores` (Q K^T) or `mix` (A V).
Role = Literal["scores", "mix"]


class Product(NamedTuple):
    """The shape of a product of attention."""

    heads: int  #: products side by side: heads x batch, x time steps where each has its own result
    queries: int  #: new tokens
    keys: int  #: attended tokens
    width: int  #: width of a head
    kv_heads: int  #: cached heads, of which several products may share one
    attention: Attention  #: which query-key pairs are counted
    window: Window | None = None  #: what a query may see at most; None for all before it
    #: what a mask leaves that neither says: pairs of all heads, and rows of K or V of all cached
    #: heads that any query sees
    masked: tuple[int, int] | None = None

    @property
    def pairs(self) -> int:
        """Query-key pairs of all heads: entries of the scores, or of the weights A."""
        if self.masked is not None:
            return self.masked[0]
        return self.heads * pairs(self.queries, self.keys, self.attention, self.window)

    @property
    def rows(self) -> int:
        """Rows of scores of all heads."""
        return self.heads * self.queries

    @property
    def vectors(self) -> int:
        """Entries of Q, or of the output."""
        return self.heads * self.queries * self.width

    @property
    def cached(self) -> int:
        """Entries of K or V that are read."""
        if self.masked is not None:
            return self.masked[1] * self.width
        seen = attended(self.queries, self.keys, self.attention, self.window)
        return self.kv_heads * seen * self.width

    @property
    def appended(self) -> int:
        """Entries of K or V that belong to the new tokens."""
        return self.kv_heads * self.queries * self.width

    def moved(self, role: Role) -> tuple[int, int]:
        """Entries of the operand that is not cached, and of the result."""
        return (self.vectors, self.pairs) if role == "scores" else (self.pairs, self.vectors)


class Events(NamedTuple):
    """The events of the streaming operand."""

    number: int  #: how many there are
    slots: int  #: entries of the operand, time steps included
    accumulates: int  #: events times fan-out; see `energy.meter.accumulates`


def analog_attention(role: Role, product: Product) -> Tally:
    """A product of two analog operands."""
    read, written = product.moved(role)
    macs = product.pairs * product.width
    return Tally(
        {
            Op.MAC: macs,
            Op.ACTIVATION_READ: read,
            Op.ACTIVATION_WRITE: written,
            Op.KV_READ: product.cached,
            Op.KV_WRITE: product.appended,
        },
        dense_macs=macs,
    )


def event_attention(
    role: Role,
    product: Product,
    events: Events,
    *,
    left: Levels | None,
    right: Levels | None,
    steps: int = 1,
) -> Tally:
    """A product in which events of one operand stream over the other.

    Args:
        role: Which product.
        product: Its shape.
        events: Those of the streaming operand.
        left: What the events of Q (or A) may be; None for an analog operand.
        right: What the events of K (or V) in the cache may be; None for an analog one.
        steps: Time steps of the left operand that meet in the same accumulators.
    """
    read, written = product.moved(role)
    dense = steps * product.pairs * product.width
    streaming = left if left is not None else right
    assert streaming is not None
    analog = streaming is Levels.ANALOG
    ops = {
        streaming.op: dense if analog else events.accumulates,
        Op.ACTIVATION_WRITE: written,
    }
    if left is None or analog:
        ops[Op.ACTIVATION_READ] = steps * read
    else:
        ops[Op.SPIKE_READ] = steps * read
    if right is None:
        ops[Op.KV_READ] = product.cached
        ops[Op.KV_WRITE] = product.appended
    else:
        ops[Op.KV_SPIKE_READ] = product.cached
        ops[Op.KV_SPIKE_WRITE] = product.appended
    if analog:
        return Tally(ops, dense_macs=dense)
    return Tally(
        ops,
        dense_macs=dense,
        spikes=events.number,
        slots=events.slots,
        levels=streaming,
        channels=product.keys if role == "mix" and left is not None else product.width,
    )


def spikformer(role: Role, product: Product, events: int, accumulates: int) -> Tally:
    """A product of Spikformer, with its own result in each time step.

    Scores: binary Q streams over cached binary K; one spike of Q meets each key. Mix: cached binary
    V streams into integer weights A; one spike of key `j` adds A[i, j] to the output of each query
    `i` that may see it, in each of the heads that share it.
    """
    scores = role == "scores"
    slots = product.vectors if scores else product.cached
    left = Levels.BINARY if scores else None
    streaming = Events(events, slots, accumulates)
    return event_attention(role, product, streaming, left=left, right=Levels.BINARY)
