"""The parts of a model, in the order of the forward pass, and those that a summary shows."""

from __future__ import annotations

from energy import Counts

#: Blocks and their components, in the order of the forward pass.
ORDER = {
    "embedding": ("embedding", "rotary"),
    "attention": ("norm", "neuron", "qkv", "rotary", "scores", "softmax", "mix", "proj"),
    "ffn": ("norm", "neuron", "ffn_up", "activation", "ffn_down"),
    "head": ("norm", "lm_head"),
}

#: What fits on a line: heading, accounting, block.
SHOWN: tuple[tuple[str, str, str | None], ...] = (
    ("attention, MACs and ACs", "compute", "attention"),
    ("attention, all", "full", "attention"),
    ("model, all", "full", None),
)


def present(*variants: Counts) -> dict[str, list[str]]:
    """Blocks and components that occur, in the order of the forward pass, unknown ones last."""
    found: dict[str, list[str]] = {block: [] for block in ORDER}
    for counts in variants:
        for layer in counts.layers:
            components = found.setdefault(layer.label.block, [])
            if layer.label.component not in components:
                components.append(layer.label.component)
    for block, components in found.items():
        order = ORDER.get(block, ())
        components.sort(key=lambda c: order.index(c) if c in order else len(order))
    return {block: components for block, components in found.items() if components}
