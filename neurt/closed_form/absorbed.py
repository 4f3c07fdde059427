"""Latent attention as servers decode it: its expansion absorbed in query and result. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from energy.counts import Counts, LayerCount, Tally
from energy.formulas import Attention
from energy.formulas.attention import Product
from energy.formulas.latent import Latent, absorbed_attention
from neurt.families import LatentAttention, Shape, layout


def absorbed(shape: Shape, counts: Counts, context: int) -> Counts:
    """The plan of the decode of one token at a context, without keys and values of all before it.

    A plan expands the latent vectors of all tokens in each pass, as transformers does. A server
    multiplies the query by W_UK and the mix by W_UV instead: see `absorbed_attention`.
    """
    mixers = [layer.mixer for layer in shape.each]
    latent = {depth: x for depth, x in enumerate(mixers) if isinstance(x, LatentAttention)}
    if not latent:
        return counts
    parts = {mixer: _parts(shape, mixer, context) for mixer in set(latent.values())}
    expansion = layout(shape).attention.inputs[-1]
    rows: list[LayerCount] = []
    for row in counts.layers:
        mixer = None if row.label.depth is None else latent.get(row.label.depth)
        known = {} if mixer is None else parts[mixer]
        rows += _replaced(row, known, expansion)
    return replace(counts, layers=tuple(rows))


def _parts(shape: Shape, mixer: LatentAttention, context: int) -> dict[str, Tally]:
    product = Product(shape.heads, 1, context, 1, 1, Attention.FULL)
    latent = Latent(mixer.rank, mixer.rotary)
    return absorbed_attention(product, mixer.value, mixer.nope, latent)


def _replaced(row: LayerCount, parts: Mapping[str, Tally], expansion: str) -> Iterator[LayerCount]:
    """What stands for a row."""
    if parts and row.name.endswith(f".{expansion}"):
        for part in ("absorb", "expand"):
            yield replace(row, name=f"{row.name}.{part}", tally=parts[part])
    elif (part := row.label.component) in ("scores", "mix") and parts:
        yield replace(row, tally=parts[part])
    else:
        yield row
