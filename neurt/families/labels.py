"""What a layer of a model is in its architecture, from its dotted name. No torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from energy.counts import Label
from energy.formulas.latent import ABSORBED
from neurt.families.family import Family, FeedForward

#: Block and component.
Part = tuple[str, str]


class Names:
    """The names of the layers of some families."""

    def __init__(self, families: Iterable[Family]) -> None:
        families = tuple(families)
        #: parts of a transformer layer, by the dotted name of the list that holds them
        self._within: dict[str, dict[str, Part]] = {}
        self._outside = {"lm_head": ("head", "lm_head"), "lm_head.encoder": ("head", "neuron")}
        for family in families:
            self._within.setdefault(f"{family.layers}.", {}).update(_in_layer(family))
            self._outside |= _outside(family)
        self.label = cache(self._label)

    def _label(self, name: str) -> Label:
        for layers, parts in self._within.items():
            if name.startswith(layers):
                depth, _, part = name.removeprefix(layers).partition(".")
                if depth.isdecimal():
                    # Layers of one kind, one for each head, are told apart by a number.
                    kind = re.sub(r"\d+", "", part)
                    block, component = parts.get(part) or parts.get(kind) or ("other", part)
                    return Label(block, component, int(depth))
        block, component = self._outside.get(name, ("other", name.rpartition(".")[2]))
        return Label(block, component)


def _in_layer(family: Family) -> dict[str, Part]:
    """What is in a transformer layer, by name: the analog parts, and what a conversion adds."""
    attention, feedforward = family.attention, family.feedforward
    of_attention = {
        **dict.fromkeys(attention.inputs, "qkv"),
        **dict.fromkeys((name.partition("{")[0] for name in attention.norms), "norm"),
        **{f"{name}.{part}": "qkv" for name in attention.inputs for part in ABSORBED},
        attention.output: "proj",
        **{f"core.{part}": part for part in _PRODUCTS},
        **{f"({part})": part for part in _PRODUCTS if not attention.exposed},
        "core.normalise": "softmax",
        **dict.fromkeys(_NEURONS_OF_ATTENTION, "neuron"),
        **dict.fromkeys((f"encoders.{name}" for name in attention.inputs), "neuron"),
    }
    of_feedforward = {
        **_dense(feedforward),
        **dict.fromkeys(_CODERS_OF_FEEDFORWARD, "neuron"),
        **dict.fromkeys((f"encoders.{name}" for name in feedforward.into_hidden), "neuron"),
    }
    if attention.rotary:
        of_attention["core.rotary"] = "rotary"
    return {
        **family.parts,
        **_recurrence(family),
        **_mixture(family),
        **_norms(family),
        # Where layers are one block each, a name does not tell which.
        family.residuals[1]: ("ffn", "residual"),
        family.residuals[0]: ("attention", "residual"),
        **{f"{attention.path}.{part}": ("attention", name) for part, name in of_attention.items()},
        **{feedforward.name(part): ("ffn", name) for part, name in of_feedforward.items()},
    }


def _recurrence(family: Family) -> Mapping[str, Part]:
    """The parts of mixers with a state of fixed size."""
    found: dict[str, Part] = {}
    for names in (family.recurrence, family.delta):
        if names is not None:
            parts = {f"{names.path}.{part}": what for part, what in OF_RECURRENCE.items()}
            found |= {part: ("attention", what) for part, what in parts.items()}
    if family.recurrence is not None and family.recurrence.sum is not None:
        found[family.recurrence.sum] = "attention", "residual"
    if family.delta is not None:
        inputs = (f"{family.delta.path}.{name}" for name, _ in family.delta.inputs)
        found |= dict.fromkeys(inputs, ("attention", "qkv"))
    return found


#: Parts of a mixer with a state of fixed size.
OF_RECURRENCE = {
    "in_proj": "qkv",
    "conv1d": "convolution",
    "act": "activation",
    "scan": "scan",
    "norm": "norm",
    **dict.fromkeys(("gate", "multipliers"), "activation"),
    "out_proj": "proj",
}


def _dense(block: FeedForward) -> dict[str, str]:
    """The components of a dense feed-forward block."""
    found = {
        **dict.fromkeys(block.into_hidden, "ffn_up"),
        block.down: "ffn_down",
        block.activation: "activation",
    }
    return found | {"multiply": "activation"} if block.gated else found


def _mixture(family: Family) -> Mapping[str, Part]:
    """The parts of a mixture of experts, of which those of all experts are held together."""
    names = family.mixture
    if names is None:
        return {}
    router = dict.fromkeys((names.router, f"{names.router}.choice"), "router")
    parts = router | {f"experts.{part}": what for part, what in _EXPERTS.items()}
    found = {f"{names.path}.{part}": ("ffn", what) for part, what in parts.items()}
    if names.shared is not None:
        found |= {names.shared.name(part): ("ffn", x) for part, x in _dense(names.shared).items()}
        found[names.sum or f"{names.path}.residual.0"] = "ffn", "residual"
        if names.shared_gate is not None:
            found[names.shared_gate] = "ffn", "router"
    return found


_EXPERTS = {
    **dict.fromkeys(("gate_up_proj", "up_proj"), "ffn_up"),
    **dict.fromkeys(("multiply", "act_fn"), "activation"),
    **dict.fromkeys(("down_proj", "weighted_sum"), "ffn_down"),
}


def _norms(family: Family) -> Mapping[str, Part]:
    before, inside, after, last = family.norms
    blocks = (("ffn", (inside, last)), ("attention", (before, after)))
    return {name: (block, "norm") for block, names in blocks for name in names if name}


#: The products of attention and what stands between them.
_PRODUCTS = ("scores", "softmax", "mix")

_NEURONS_OF_ATTENTION = (
    "encoder",
    "qkv_neuron",
    "query_encoder",
    "key_encoder",
    "value_encoder",
    "core.weight_encoder",
    "mix_encoder",
    "mix_neuron",
)
_CODERS_OF_FEEDFORWARD = ("encoder", "hidden_encoder")


def _outside(family: Family) -> dict[str, Part]:
    """What is beside the transformer layers, but for the head."""
    found = {name: ("embedding", "embedding") for name, _ in family.embeddings}
    found |= dict.fromkeys(("score", family.token_scores), ("head", "score"))
    if family.final_norm is not None:
        found[family.final_norm] = "head", "norm"
    if family.projections is not None:
        into, out = family.projections
        found |= {into: ("embedding", "projection"), out: ("head", "projection")}
    found[f"{family.layers.rpartition('.')[0]}.residual.0"] = "embedding", "residual"
    if family.embedding_norm is not None:
        found[family.embedding_norm] = "embedding", "norm"
    if family.angles is not None:
        found[family.angles] = "embedding", "rotary"
    return found
