"""What every report says beside its numbers: what is published, and what is not modelled."""

from __future__ import annotations

#: What the paper states for the attention block: arXiv 2510.00133, abstract.
PUBLISHED_SAVING = (0.6471, 0.8528)
#: What it states for the perplexity of GPT-2 small, on the text of its own choice.
PUBLISHED_CHANGE = 0.097
PUBLISHED_SOURCE = "NeurTransformer, arXiv 2510.00133, abstract: attention block, GPT-2, digital"

#: What no report of this version contains, said in each of them.
NOT_MODELLED = (
    "dropout and sampling (listed as uncounted)",
    "control, clock, instruction fetch, links between chips",
    "what a compiler fuses: something between `fused` and `unfused`",
    "tiles of products with weights, beyond strips where neither operand fits on the chip",
    "leakage where no latency is known",
)

#: Said wherever the models are on machines of their own.
OF_TWO_MACHINES = (
    "Two machines: all of the spiking model is on the second one, what stays dense in it too; "
    "technology, precision and what a price has inside it differ, so that this is not what spikes "
    "save."
)


def on_two(answer: str) -> str:
    """An answer, as that of a comparison of two machines."""
    return f"Two machines: {answer[:1].lower()}{answer[1:]}"


def are_random(weights: str) -> bool:
    """Whether weights were drawn and not learned, by their provenance."""
    return weights.startswith("random")


def rates_are_assumed(weights: str) -> bool:
    """Whether spike rates are somebody's assumption, as in a plan, by the provenance of weights."""
    return weights.startswith(("none(closed form", "assumed("))


def of_random_weights(weights: str) -> str:
    """What weights that were drawn, and not learned, are good for; empty for others."""
    if not are_random(weights):
        return ""
    return (
        f"Weights are {weights}: dense counts are those of any weights, spike rates and savings "
        "are not."
    )
