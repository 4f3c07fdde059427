"""How well a spiking model predicts a text beside its analog one, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

#: Samples of a bootstrap, and the share of them that its interval holds.
RESAMPLES, CONFIDENCE = 1000, 0.95
#: Fewer scored tokens than these leave a change of perplexity so uncertain that it is said.
FEW_TOKENS = 1000


class Scored(NamedTuple):
    """Sums over the scored tokens of one window."""

    tokens: int = 0  #: tokens that both models predicted
    analog_nats: float = 0.0  #: their negative log-likelihood by the analog model
    spiking_nats: float = 0.0  #: and by the spiking model
    kl_nats: float = 0.0  #: KL(analog || spiking) of the predictions
    analog_correct: int = 0  #: tokens that the analog model thought the likeliest
    spiking_correct: int = 0  #: and the spiking model
    agreed: int = 0  #: tokens for which both think the same one the likeliest


def total(windows: Iterable[Scored]) -> Scored:
    """The sums over all windows; nothing of no window."""
    return Scored(*map(sum, zip(*windows, strict=True)))


class Interval(NamedTuple):
    """Where a number lies in 95 % of the texts that the same windows make."""

    low: float
    high: float


@dataclass(frozen=True)
class Closeness:
    """An analog and a spiking model on the same windows of a text, at least one token scored."""

    windows: tuple[Scored, ...]

    @cached_property
    def sums(self) -> Scored:
        """Over all windows."""
        return total(self.windows)

    @property
    def tokens(self) -> int:
        """Tokens scored."""
        return self.sums.tokens

    @property
    def perplexity_change(self) -> float:
        """Perplexity of the spiking model over that of the analog one, minus 1."""
        return _change(self.sums.tokens, self.sums.spiking_nats - self.sums.analog_nats)

    @property
    def kl_nats(self) -> float:
        """Mean KL divergence of the spiking predictions from the analog ones."""
        return self.sums.kl_nats / self.sums.tokens

    @property
    def standard_error(self) -> float:
        """How far the change may be off by the choice of the tokens.

        The log-likelihoods of a token differ with a variance of 2 KL, to second order.
        """
        return math.sqrt(2 * max(0.0, self.kl_nats) / self.tokens)

    @cached_property
    def change_interval(self) -> Interval | None:
        """That of the change, by bootstrap over windows; None of a single window."""
        return self._interval(lambda x: _change(x.tokens, x.spiking_nats - x.analog_nats))

    @cached_property
    def kl_interval(self) -> Interval | None:
        """That of the mean KL divergence."""
        return self._interval(lambda x: x.kl_nats / x.tokens)

    def _interval(self, measure: Callable[[Scored], float]) -> Interval | None:
        import numpy as np

        if len(self.windows) < 2:
            return None
        rows, draw = np.array(self.windows, dtype=float), np.random.default_rng(0)
        drawn = (draw.integers(len(rows), size=len(rows)) for _ in range(RESAMPLES))
        found = [measure(Scored(*rows[chosen].sum(axis=0))) for chosen in drawn]
        beyond = (1 - CONFIDENCE) / 2
        low, high = np.quantile(found, (beyond, 1 - beyond))
        return Interval(float(low), float(high))


def _change(tokens: float, nats: float) -> float:
    """From the difference of the likelihoods: exactly 0 for equal models; may be infinite."""
    try:
        return math.expm1(nats / tokens)
    except OverflowError:
        return math.inf
