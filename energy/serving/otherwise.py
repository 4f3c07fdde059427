"""How far a fit depends on what was taken for granted: one thing otherwise, the same points."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from energy.serving.doubt import LEAST
from energy.serving.points import WORKS, Point, Sample, Target, amounts_of
from energy.serving.selection import BASE, choose
from hwmodels.wholechip import Kind, Work


class Otherwise(NamedTuple):
    """A fit with one thing otherwise. Errors are relative, of models left out, means of points."""

    what: str  #: what is otherwise
    energy: float  #: error of the energy of a token
    dense: float | None  #: the same of dense models; None without any
    experts: float | None  #: the same of mixtures of experts
    latency: float | None  #: error of the time between two tokens; None where nobody measured it
    rate: float | None  #: error of tokens per second
    prices: dict[Work, float]  #: joules of the works that always have a price


def otherwise(what: str, points: Sequence[Point], never: Collection[Work] = ()) -> Otherwise:
    """Fit these points, where `never` are works that get no price. Both are one thing otherwise."""
    amounts = amounts_of(points)
    errors: dict[Target, float] = {}
    kinds: dict[Kind, float] = {}
    prices = np.zeros(len(WORKS))
    for target in Target:
        sample = Sample.of(target, points, amounts)
        if not sample.points or len(sample.models) < 2:
            continue
        works = choose(sample, never)[-1].works
        ratios = sample.predicted_left_out(works)
        off = np.abs(ratios - 1)
        if target is Target.STEP:
            errors[target] = float(np.abs(1 / np.maximum(ratios, LEAST) - 1).mean())
            continue
        errors[target] = float(off.mean())
        if target is Target.ENERGY:
            prices = sample.fit(works)
            masks = {kind: sample.where(kind=kind) for kind in Kind}
            kinds = {kind: float(off[mask].mean()) for kind, mask in masks.items() if mask.any()}
    return Otherwise(
        what,
        errors[Target.ENERGY],
        kinds.get(Kind.DENSE),
        kinds.get(Kind.EXPERTS),
        errors.get(Target.LATENCY),
        errors.get(Target.STEP),
        {work: float(prices[WORKS.index(work)]) for work in BASE},
    )
