"""One analog model alone: what was counted, what it costs, and what nobody could name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from energy import Counts, Estimate, estimate
from energy.bill.layer import known_pj, relevant_ops
from energy.words import unit_of
from hwmodels import HardwareProfile, Op
from hwmodels.plain import several


class Unnamed(NamedTuple):
    """Layers that are alike but for their numbers, of which nobody could say what they are."""

    pattern: str  #: their dotted name, each number as `*`
    layers: int  #: how many
    macs: float  #: their multiply-accumulates


@dataclass(frozen=True)
class CountRun:
    """One model and the hardware it is priced on."""

    counts: Counts  #: what was counted
    profiles: tuple[HardwareProfile, ...]  #: hardware, in the order asked for
    settings: Mapping[str, object]  #: everything that was chosen, for `count.json`
    versions: Mapping[str, str]  #: software, for `count.json`
    created: str  #: when, in ISO format
    command: str = "count"  #: `count` (measured) or `plan` (closed form)
    said: tuple[str, ...] = ()  #: what has to be known of it, in sentences

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """The bill on each hardware, by the name of the profile."""
        return {profile.name: estimate(self.counts, profile) for profile in self.profiles}

    @property
    def title(self) -> str:
        """The model, in one line for tables and pictures."""
        return f"{self.counts.model}, weights {self.counts.weights}"

    @property
    def subtitle(self) -> str:
        """What was run on it, in one line for tables and pictures."""
        counts, unit = self.counts, unit_of(self.counts.phase)
        size = several(counts.tokens, unit)
        if unit == "sample":
            return f"{counts.phase}, {size}, T = {counts.timesteps}"
        return f"{counts.phase}, {size}, batch {counts.batch}, {counts.attention} attention"

    @cached_property
    def unnamed(self) -> tuple[Unnamed, ...]:
        """The layers of the block `other`, in the order of the model."""
        alike: dict[str, list[float]] = {}
        for layer in self.counts.only(block="other").layers:
            pattern = re.sub(r"(?<![^.])\d+(?![^.])", "*", layer.name)
            alike.setdefault(pattern, []).append(layer.tally.ops.get(Op.MAC, 0))
        return tuple(Unnamed(name, len(macs), sum(macs)) for name, macs in alike.items())


def part_pj(
    bill: Estimate, accounting: str, block: str | None = None, component: str | None = None
) -> float | None:
    """Energy of a part of the model in picojoules; of all of it where no part is named.

    None where a MAC of it has no price, or nothing but what is free has one.
    """
    part = bill.counts.only(block=block, component=component)
    counted = {op for op in relevant_ops(accounting) if part.total(op)}
    unpriced = {op for op in counted if not bill.profile.is_priced(op)}
    energy = bill.energy_pj(accounting, block=block, component=component)
    return known_pj(energy, unpriced)
