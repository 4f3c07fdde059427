"""How many parameters a decoder has, from its sizes. No torch here."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from neurt.families.declared import layout
from neurt.families.shape import (
    DeltaRule,
    Dense,
    Head,
    LatentAttention,
    Layer,
    SelfAttention,
    Shape,
    SharedBlock,
    SideBySide,
    StateSpace,
)


class Parameters(NamedTuple):
    """Numbers of weights, biases and scales."""

    total: int  #: all of them, each once
    #: those of the layers that one token passes: of experts, the chosen ones alone
    active: int
    #: those of the table of tokens, of which a token takes one row; some publishers leave it out of
    #: `active`. Where the head is the same table, its product uses all of them, and this is 0
    looked_up: int


def parameters(shape: Shape) -> Parameters:
    """Count the parameters of a model."""
    family, kinds = layout(shape), Counter(shape.each)
    table = shape.vocabulary * shape.entries
    made = shape.vocabulary if shape.head is Head.TOKENS else shape.labels
    learned = (
        (shape.positions + family.positions_unused) * shape.width
        if len(family.embeddings) > 1
        else 0
    )
    norms = sum(name is not None for name in (family.embedding_norm, family.final_norm))
    projected = 2 * shape.width * shape.table_width
    outside = (
        table
        + (0 if shape.tied else made * shape.entries)
        + learned
        + made * shape.head_bias
        + norms * family.norm.parameters(shape.width)
        + projected
    )
    outside += _shared(shape)
    total, active = (
        outside + sum(n * layer_parameters(shape, kind, active=active) for kind, n in kinds.items())
        for active in (False, True)
    )
    return Parameters(total, active, 0 if shape.tied else table)


def _shared(shape: Shape) -> int:
    """Those of the blocks that several layers share, without adapters, each once."""
    mixer = next((x.mixer for x in shape.each if isinstance(x.mixer, SharedBlock)), None)
    if mixer is None:
        return 0
    calls = sum(isinstance(kind.mixer, SharedBlock) for kind in shape.each)
    width, made = shape.width, shape.query_width + 2 * shape.kv_width
    attention = 2 * width * made + shape.query_width * width
    dense = 3 * width * mixer.inner + (2 * mixer.inner + width) * shape.ffn_bias
    return min(calls, mixer.blocks) * (attention + dense + 3 * width)


def _adapted(shape: Shape, mixer: SharedBlock) -> int:
    """What a layer that shares a block has of its own: adapters, a projection, a mixer, a norm."""
    width, rank = shape.width, mixer.rank
    adapters = rank * (width + 2 * mixer.inner) + mixer.adapted * 3 * rank * 4 * width
    return adapters + width * width + _state_space(shape, mixer.state) + width


def layer_parameters(shape: Shape, kind: Layer, *, active: bool = False) -> int:
    """Weights, biases and scales of a transformer layer; active: those that one token passes."""
    family = layout(shape)
    if isinstance(kind.mixer, SharedBlock):
        return _adapted(shape, kind.mixer)
    norms = sum(family.norm.parameters(shape.width) for name in family.norms.of(kind) if name)
    return _mixer(shape, kind) + norms + _feedforward(shape, kind, active=active)


def _mixer(shape: Shape, kind: Layer) -> int:
    if isinstance(kind.mixer, SideBySide):
        both = (kind.mixer.attention, kind.mixer.state)
        return sum(_mixer(shape, replace(kind, mixer=mixer)) for mixer in both)
    if isinstance(kind.mixer, StateSpace):
        return _state_space(shape, kind.mixer)
    if isinstance(kind.mixer, DeltaRule):
        return _delta_rule(shape, kind.mixer)
    if isinstance(kind.mixer, LatentAttention):
        return _latent(shape, kind.mixer)
    return _attention(shape, kind.mixer) if isinstance(kind.mixer, SelfAttention) else 0


def _state_space(shape: Shape, mixer: StateSpace) -> int:
    scan, width = mixer.scan, shape.width
    products = width * (scan.made + scan.channels)
    products += scan.made * mixer.bias + width * mixer.out_bias
    convolution = scan.convolved * (mixer.kernel + mixer.kernel_bias)
    # A, D and the bias of the step; the scale of the norm.
    return products + convolution + 3 * scan.heads + scan.channels * mixer.normed


def _delta_rule(shape: Shape, mixer: DeltaRule) -> int:
    delta, names = mixer.delta, layout(shape).delta
    assert names is not None
    made = sum(names.made(delta).values())
    # A and the bias of the step; the scale of the norm of a head.
    own = delta.convolved * mixer.kernel + 2 * delta.heads + delta.value_width
    return shape.width * (made + delta.values) + own


def _attention(shape: Shape, mixer: SelfAttention) -> int:
    family, width = layout(shape), shape.width
    attention = family.attention
    made = (1 + attention.gated) * shape.query_width + 2 * shape.kv_width
    products = width * (made + shape.query_width)
    biases = made * shape.qkv_bias + width * shape.out_bias
    shared = attention.norm_over == "head"
    heads = (1, 1) if shared else (shape.heads, shape.kv_heads)
    normed = sum(heads[: len(attention.norms)]) * shape.head_width * mixer.normed
    norm = attention.norm or family.norm
    own = norm.parameters(normed) + shape.heads * attention.sinks
    return products + biases + own


def _latent(shape: Shape, mixer: LatentAttention) -> int:
    width, heads, rank = shape.width, shape.heads, mixer.query_rank
    made = heads * (mixer.nope + mixer.rotary)
    queries = width * rank + rank + rank * made + rank * shape.qkv_bias if rank else width * made
    cached = mixer.rank + mixer.rotary
    stored = (width + shape.qkv_bias) * cached + mixer.rank
    expanded = mixer.rank * heads * (mixer.nope + mixer.value)
    return queries + stored + expanded + (heads * mixer.value + shape.out_bias) * width


def _feedforward(shape: Shape, kind: Layer, *, active: bool) -> int:
    block, names = kind.feedforward, layout(shape).feedforward
    into = 2 if names.gated else 1
    if block is None:
        return 0

    def dense(inner: int, *, biased: bool) -> int:
        biases = (into * inner + shape.width) * biased
        return (into + 1) * shape.width * inner + biases

    if isinstance(block, Dense):
        return dense(block.inner, biased=shape.ffn_bias)
    mixture = layout(shape).mixture
    biased = mixture is not None and mixture.biased
    router = (shape.width + biased) * block.number
    used = block.chosen if active else block.number
    shared = dense(block.shared, biased=False) if block.shared else 0
    if mixture is not None and mixture.shared_gate is not None:
        shared += shape.width
    return router + used * dense(block.inner, biased=biased) + shared
