"""What a step of a server costs at the prices of a whole chip, part by part, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import NamedTuple

from energy.serving.step import Step
from hwmodels.wholechip import Interval, WholeChip, Work

_PJ, _PS = 1e-12, 1e-12


class Bounded(NamedTuple):
    """A prediction, and between what 90 % of measurements would lie."""

    value: float
    low: float | None  #: None where nobody knows how far such predictions are off
    high: float | None


class Part(NamedTuple):
    """What one kind of work costs."""

    work: Work
    amount: float  #: units of it in a step, on all GPUs together
    energy_j: float  #: energy for each token of an answer
    latency_s: float | None  #: its share of the time between two tokens; None where unknown


@dataclass(frozen=True)
class Prediction:
    """What a server costs in a steady state."""

    energy_j: Bounded  #: energy of all GPUs for each token of an answer, its share of prompts in it
    latency_s: Bounded | None  #: time between two tokens of a sequence; None where unknown
    tokens_per_s: Bounded | None  #: tokens of all answers; None where unknown
    power_w: Bounded | None  #: mean power of all GPUs; None where unknown
    parts: tuple[Part, ...]  #: what has a price, in the order of `Work`


def predict(step: Step, chip: WholeChip) -> Prediction:
    """Price a step."""
    amounts, tokens = step.amounts, step.sequences
    parts = tuple(
        Part(work, amounts[work], cost.pj * _PJ * amounts[work] / tokens, _time(step, chip, work))
        for work, cost in sorted(chip.energy.items(), key=lambda x: list(Work).index(x[0]))
    )
    parts += tuple(
        Part(work, amounts[work], 0.0, _time(step, chip, work))
        for work in chip.latency
        if work not in chip.energy
    )
    energy = fsum(part.energy_j for part in parts)
    latency = fsum(part.latency_s or 0.0 for part in parts) if chip.latency else None
    step_s = step_time(step, chip)
    off = chip.intervals
    rate = None if step_s is None else tokens / step_s
    return Prediction(
        _bounded(energy, off.energy),
        None if latency is None else _bounded(latency, off.latency),
        None if rate is None else _bounded(rate, off.rate),
        None if rate is None else _bounded(energy * rate, off.power),
        parts,
    )


def step_time(step: Step, chip: WholeChip) -> float | None:
    """Seconds from one step to the next, prompts included; None where nobody measured a time."""
    costs = chip.step or chip.latency
    if not costs:
        return None
    amounts = step.amounts
    return fsum(cost.ps * _PS * amounts[work] for work, cost in costs.items()) / step.gpus


def _time(step: Step, chip: WholeChip, work: Work) -> float | None:
    if not chip.latency:
        return None
    cost = chip.latency.get(work)
    return 0.0 if cost is None else cost.ps * _PS * step.amounts[work] / step.gpus


def _bounded(value: float, off: Interval | None) -> Bounded:
    low, high = (None, None) if off is None else (off[0] * value, off[1] * value)
    return Bounded(value, low, high)
