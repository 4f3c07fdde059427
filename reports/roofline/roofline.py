"""What a token costs in decode as the context grows: arithmetic against memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hwmodels import HardwareProfile

#: What the energy of a token is split into.
PARTS = ("arithmetic", "weights", "kv_cache", "other_traffic")


class TokenCost(NamedTuple):
    """One decode step, shared by the sequences of its batch; picojoules per token.

    Attributes:
        variant: `asa` or `ssa`.
        batch: Sequences side by side.
        context: Attended tokens, the new one included.
        arithmetic: Products, neurons, non-linear functions and routing; None where a MAC or an
            event has no price.
        weights: Reading weights, once for the whole batch; None where that has no price.
        kv_cache: Reading and writing the cache; None where that has no price.
        other_traffic: Activations, spikes and membrane potentials; None where nothing of it has a
            price.
        unpriced: Operations without a price, by name.
    """

    variant: str
    batch: int
    context: int
    arithmetic: float | None
    weights: float | None
    kv_cache: float | None
    other_traffic: float | None
    unpriced: tuple[str, ...] = ()

    @property
    def memory(self) -> float:
        """All traffic that has a price."""
        return sum(pj or 0.0 for pj in (self.weights, self.kv_cache, self.other_traffic))


@dataclass(frozen=True)
class Roofline:
    """The decode of one model on one hardware.

    Attributes:
        profile: The hardware.
        dataflow: How often operands of spiking layers move.
        costs: By variant, batch and context, in this order.
        crossings: The first context at which the cache costs more than the weights, by variant and
            batch; missing where it never does.
        title: The model and its conversion.
        model: Its name.
        weights: Where its weights came from.
        timesteps: Time steps of the spiking model.
        rates: Where its spike rates came from.
    """

    profile: HardwareProfile
    dataflow: str
    costs: tuple[TokenCost, ...]
    crossings: dict[tuple[str, int], int]
    title: str
    model: str
    weights: str
    timesteps: int
    rates: str

    @property
    def batches(self) -> tuple[int, ...]:
        """The batches, in the order asked for."""
        return tuple(dict.fromkeys(cost.batch for cost in self.costs))

    def curve(self, variant: str, batch: int) -> list[TokenCost]:
        """Costs of one variant and batch, by context."""
        return [c for c in self.costs if (c.variant, c.batch) == (variant, batch)]
