"""How close a spiking model comes to its analog one, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from energy.words import change, number, percent
from reports.kit.closeness import RESAMPLES, Interval
from reports.quality.evaluation import Comparison


def closeness_in_words(compared: Comparison) -> str:
    """The change of perplexity, the KL divergence and how sure they are; what a token needs."""
    return " ".join(_sentences(compared))


def _sentences(compared: Comparison) -> Iterator[str]:
    if compared.change_interval is not None:
        yield (
            f"Perplexity {change(compared.perplexity_change)}"
            f"{_between(compared.change_interval, change)}; in brackets: 95 % of {RESAMPLES:,} "
            "draws of as many windows."
        )
    kl = f"{compared.kl_nats:.4g} nats{_between(compared.kl_interval, '{:.4g}'.format)}"
    yield f"Same likeliest token: {percent(compared.top1_agreement)}."
    yield f"KL(analog || spiking): {kl}."
    yield f"Cosine of the final hidden states: {number(compared.cosine_final, 5)}."
    if (share := compared.ssa.weights_per_token) is not None:
        yield f"A token alone needs {percent(share, 1)} of the weights of layers with events."


def _between(interval: Interval | None, words: Callable[[float], str]) -> str:
    return f" ({words(interval.low)} to {words(interval.high)})" if interval else ""
