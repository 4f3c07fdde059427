"""Many profiles priced at once: those of one structure share their terms and are one product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from energy.bill.given import checked
from energy.bill.layer import COMPUTE
from energy.bill.placement import Floats
from energy.bill.pricing import Constant, prepare, terms
from energy.counts import Counts
from hwmodels import HardwareProfile
from hwmodels.given import check_kind


def price_many(counts: Counts, profiles: Sequence[HardwareProfile]) -> Floats:
    """Energy of each layer on each of many profiles, in picojoules, (profiles, layers).

    Everything that has a price is summed; NaN where a MAC or an AC has none. Static energy is not
    in it: it belongs to no layer.
    """
    check_kind("profiles", profiles, Sequence, "give a list of profiles")
    for profile in profiles:
        checked(counts, profile)
    bills = np.empty((len(profiles), len(counts.layers)))
    groups: dict[object, list[int]] = {}
    for i, profile in enumerate(profiles):
        groups.setdefault(_structure(profile), []).append(i)
    for members in groups.values():
        first = profiles[members[0]]
        work = prepare(counts, first)
        columns: dict[Constant, Floats] = {}
        for term in terms(work, first):
            if term.constant is not None:
                columns[term.constant] = columns.get(term.constant, 0.0) + term.amounts
        values = [[c.pj(profiles[i]) for c in columns] for i in members]
        amounts = np.array(list(columns.values())).reshape(len(columns), len(counts.layers))
        energy = np.array(values).reshape(len(members), len(columns)) @ amounts
        for op in COMPUTE & work.amounts.keys():
            if not first.is_priced(op):
                energy[:, work.amounts[op] > 0] = np.nan
        bills[members] = energy
    return bills


def _structure(profile: HardwareProfile) -> tuple[object, ...]:
    """Equal for profiles that differ in nothing but their picojoules."""
    delivery = profile.delivery
    return (
        *(profile.dataflow, profile.fusion, profile.encoding, profile.room, profile.core),
        *(profile.value_bytes, profile.widths),
        delivery and (delivery.mac_reuse, delivery.event_reuse),
        tuple(profile.prices),
        tuple(profile.included),
        tuple(profile.placement.items()),
        tuple(
            (name, level.capacity_bytes, tuple(size for size, _ in level.curve))
            for name, level in profile.memory.items()
        ),
    )
