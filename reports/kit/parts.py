"""The parts of a model and of its bill: their order, and their names for people."""

from __future__ import annotations

from collections.abc import Iterator

from energy import Counts
from hwmodels import HardwareProfile

#: Blocks and their components, in the order of the forward pass.
ORDER = {
    "embedding": ("embedding", "projection", "rotary", "norm", "residual"),
    "attention": (
        "norm",
        "neuron",
        "qkv",
        "convolution",
        "activation",
        "scan",
        "rotary",
        "scores",
        "softmax",
        "mix",
        "proj",
        "residual",
    ),
    "ffn": ("norm", "neuron", "router", "ffn_up", "activation", "ffn_down", "residual"),
    "head": ("norm", "projection", "neuron", "lm_head", "score"),
}

#: Blocks whose saving is looked at; None is the whole model.
BLOCKS = ("attention", "ffn", None)

#: The accountings of a saving, for people.
ACCOUNTING_NAMES = {
    "compute": "MACs and ACs",
    "fused": "all priced, fused",
    "unfused": "all priced, unfused",
}
#: Both ends of what moves between products.
BOUNDS = ("fused", "unfused")
#: The accounting of most papers.
COMPUTE_ONLY = "compute"

#: Savings that fit on a line: heading, accounting, block.
SHOWN: tuple[tuple[str, str, str | None], ...] = (
    ("attention, MACs and ACs", "compute", "attention"),
    ("attention, fused", "fused", "attention"),
    ("attention, unfused", "unfused", "attention"),
    ("model, fused", "fused", None),
    ("model, unfused", "unfused", None),
)
#: The same of networks without a block of attention.
SHOWN_OF_NETWORKS: tuple[tuple[str, str, str | None], ...] = (
    ("model, MACs and ACs", COMPUTE_ONLY, None),
    *SHOWN[3:],
)

GROUP_NAMES = {
    "compute": "MACs and ACs",
    "scalar": "non-linear functions",
    "neuron": "neuron updates",
    "routing": "spike routing",
    "delivery": "operand delivery",
    "memory": "memory traffic",
}
#: What energy is spent on, in a few words: headings, memory by what is stored.
SPENT_ON = {
    "compute": "MACs, ACs",
    "scalar": "non-linear",
    "neuron": "neurons",
    "routing": "routing",
    "delivery": "delivery",
    "weights": "weights",
    "activations": "activations, spikes",
    "kv": "KV cache",
}
COMPONENT_NAMES = {
    "qkv": "Q, K, V projections",
    "convolution": "causal convolution",
    "scan": "recurrence over a state",
    "rotary": "rotary positions",
    "scores": "scores Q Kᵀ",
    "softmax": "softmax / row scale",
    "mix": "mix A V",
    "proj": "output projection",
    "router": "router of experts",
    "ffn_up": "feed-forward up",
    "activation": "activation",
    "ffn_down": "feed-forward down",
    "neuron": "spiking neurons",
    "norm": "norms",
    "residual": "residual additions",
    "embedding": "embeddings",
    "projection": "width of embeddings",
    "lm_head": "language-model head",
    "score": "scores of labels",
    "conv": "convolutions",
    "linear": "linear layers",
    "product": "products of activations",
    "recurrent": "recurrent layers",
    "pool": "pooling",
}
_BLOCK_NAMES = {
    None: "model",
    "attention": "attention block",
    "ffn": "feed-forward block",
}


def layer_axis(phase: str) -> str:
    """What the layers of a phase are called, below an axis and in headings."""
    return "layer" if phase == "inference" else "transformer layer"


def other_bound(profile: HardwareProfile) -> str:
    """The bound that is not that of a profile."""
    return next(bound for bound in BOUNDS if bound != profile.fusion)


def block_name(block: str | None) -> str:
    """A block for people; None is the model."""
    return _BLOCK_NAMES.get(block) or str(block)


def present(*variants: Counts) -> dict[str, list[str]]:
    """Blocks and components that occur, in the order of the forward pass, unknown ones last."""
    blocks: dict[str, list[str]] = {block: [] for block in ORDER}
    for counts in variants:
        for label in counts.columns.labels.all:
            components = blocks.setdefault(label.block, [])
            if label.component not in components:
                components.append(label.component)
    for block, components in blocks.items():
        order = ORDER.get(block, ())
        components.sort(key=lambda c: order.index(c) if c in order else len(order))
    return {block: components for block, components in blocks.items() if components}


def component_names(*variants: Counts) -> dict[tuple[str, str], str]:
    """For people what is `present`, with its block where several have a component of that name."""
    keys = [(block, part) for block, parts in present(*variants).items() for part in parts]
    parts = [part for _, part in keys]
    return {
        (block, part): COMPONENT_NAMES.get(part, part)
        + (f" ({block})" if parts.count(part) > 1 else "")
        for block, part in keys
    }


def scopes(*variants: Counts, components: bool = True) -> Iterator[tuple[str | None, str | None]]:
    """(block, component): each block after its components, and last the model (None, None)."""
    for block, inside in present(*variants).items():
        if components:
            yield from ((block, component) for component in inside)
        yield block, None
    yield None, None
