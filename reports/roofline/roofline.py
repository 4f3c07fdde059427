"""What a token costs in decode as the context grows: arithmetic against memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hwmodels import HardwareProfile
from reports.kit.parts import other_bound

#: What the energy of a token is split into.
PARTS = ("arithmetic", "weights", "kv_cache", "other_traffic")


class TokenCost(NamedTuple):
    """One decode step, shared by the sequences of its batch; picojoules per token."""

    variant: str  #: `asa` or `ssa`
    batch: int  #: sequences side by side
    context: int  #: attended tokens, the new one included
    #: products, neurons, non-linear functions and routing; None where a MAC or an event has no
    #: price
    arithmetic: float | None
    #: reading weights, once for the whole batch; None where that has no price
    weights: float | None
    kv_cache: float | None  #: reading and writing the cache; None where that has no price
    #: activations, spikes and membrane potentials; None where nothing of it has a price
    other_traffic: float | None
    unpriced: tuple[str, ...] = ()  #: operations without a price, by name

    @property
    def energy(self) -> float:
        """Everything that has a price."""
        return self.memory + (self.arithmetic or 0.0)

    @property
    def memory(self) -> float:
        """All traffic that has a price."""
        return sum(pj or 0.0 for pj in (self.weights, self.kv_cache, self.other_traffic))


@dataclass(frozen=True)
class Roofline:
    """The decode of one model on one hardware."""

    profile: HardwareProfile  #: the hardware
    dataflow: str  #: how often operands of spiking layers move
    #: at the bound of the profile, by variant, batch and context, in this order
    costs: tuple[TokenCost, ...]
    beyond: tuple[TokenCost, ...]  #: at the other bound, likewise
    #: the first context at which the cache costs more than the weights, by variant and batch;
    #: missing where it never does
    crossings: dict[tuple[str, int], int]
    title: str  #: the model and its conversion
    model: str  #: its name
    weights: str  #: where its weights came from
    timesteps: int  #: time steps of the spiking model
    rates: str  #: where its spike rates came from
    #: over the batch, at one context: with the dataflow, which is the last one where the spiking
    #: model gathers rows
    over_batch: tuple[tuple[str, TokenCost], ...] = ()

    @property
    def batches(self) -> tuple[int, ...]:
        """The batches, in the order asked for."""
        return tuple(dict.fromkeys(cost.batch for cost in self.costs))

    @property
    def at_bounds(self) -> dict[str, tuple[TokenCost, ...]]:
        """The costs by bound, that of the profile first."""
        return {str(self.profile.fusion): self.costs, other_bound(self.profile): self.beyond}

    def curve(self, variant: str, batch: int, bound: str = "") -> list[TokenCost]:
        """Costs of one variant and batch, by context, at a bound or that of the profile."""
        costs = self.at_bounds[bound or str(self.profile.fusion)]
        return [c for c in costs if (c.variant, c.batch) == (variant, batch)]
