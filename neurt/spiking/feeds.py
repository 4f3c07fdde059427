"""Which coders of a converted model feed which products, by name. No torch."""

from __future__ import annotations

from collections.abc import Iterator

from neurt.families import CONVERTED, Family


def _feeds(family: Family) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Products by name within a transformer layer, and the coders that are billed with them.

    The neurons of Q, K and V of Spikformer feed two products, so they are billed with the block
    alone.
    """
    attention, feedforward = family.attention, family.feedforward
    of_attention = {
        **{name: ("encoder", f"encoders.{name}") for name in attention.inputs},
        "core.scores": ("query_encoder", "key_encoder"),
        "core.mix": ("core.weight_encoder", "value_encoder"),
        attention.output: ("mix_encoder", "mix_neuron"),
    }
    for product, coders in of_attention.items():
        yield f"{attention.path}.{product}", tuple(f"{attention.path}.{one}" for one in coders)
    for product in feedforward.into_hidden:
        coders = ("encoder", f"encoders.{product}")
        yield feedforward.name(product), tuple(map(feedforward.name, coders))
    yield feedforward.name(feedforward.down), (feedforward.name("hidden_encoder"),)


_FEEDS = {product: coders for family in CONVERTED for product, coders in _feeds(family)}
_FEEDS["lm_head"] = ("lm_head.encoder",)


def coders_of(name: str) -> set[str]:
    """Names of the coders that may feed a product, given its full name."""
    for product, coders in _FEEDS.items():
        if name == product or name.endswith(f".{product}"):
            return {name.removesuffix(product) + coder for coder in coders}
    return set()
