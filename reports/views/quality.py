"""What a conversion costs in quality, in a sentence beside what it saves."""

from __future__ import annotations

from energy.words import change, percent
from reports.kit.caveats import are_random
from reports.kit.closeness import FEW_TOKENS, Closeness
from reports.run.run import Run


def quality_in_words(quality: Closeness) -> str:
    """The change of perplexity, how far the predictions are apart, on how many tokens."""
    few = quality.tokens < FEW_TOKENS
    sure = f", give or take {percent(quality.standard_error)}" if few else ""
    return (
        f"perplexity {change(quality.perplexity_change)}{sure}, KL {quality.kl_nats:.2g} nats, on "
        f"{quality.tokens:,} tokens"
    )


def quality_sentence(run: Run) -> str:
    """The quality of a run beside its analog model, or why nothing is known of it."""
    if run.quality is not None:
        text = str(run.settings.get("text", ""))
        return f"Quality: {quality_in_words(run.quality)}{text and f' of {text}'}."
    if run.of_network:
        return "Quality: not measured; compare how often the two networks are right."
    if run.command == "plan":
        return "Quality: unknown, a plan reads no text; `neurt-energy profile` measures it."
    if are_random(run.asa.weights):
        return "Quality: means nothing, with random weights."
    return "Quality: not measured here; `neurt-energy evaluate` does."
