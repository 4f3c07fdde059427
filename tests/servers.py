"""Servers for tests: steps of simple numbers, points at known prices, and their tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from energy.serving.points import Point, Target
from energy.serving.step import Step
from hwmodels.wholechip import Kind, Work

#: Joules, and seconds, of a unit of work.
JOULES = {Work.STEP: 0.5, Work.WEIGHT_BYTE: 1.6e-10, Work.CACHE_BYTE: 2e-10, Work.MAC: 2e-12}
SECONDS = {Work.STEP: 2e-3, Work.WEIGHT_BYTE: 3e-13, Work.CACHE_BYTE: 3e-13, Work.MAC: 2e-15}

#: Weights in bytes of four models, whose layers and widths differ too.
MODELS = {"small": 2e9, "middle": 14e9, "large": 60e9, "wide": 30e9}


def step(model: str = "small", sequences: float = 16, gpus: int = 1, context: float = 400) -> Step:
    """A step of a model, half a token of a prompt for each of an answer."""
    place, weights = list(MODELS).index(model), MODELS[model]
    tokens = 1.5 * sequences
    return Step(
        kind=Kind.EXPERTS if model == "wide" else Kind.DENSE,
        sequences=sequences,
        gpus=gpus,
        weight_bytes=weights,
        cache_bytes=sequences * context * 1e5 * (1 + place % 3),
        macs=tokens * weights / (6 if model == "wide" else 2),
        activation_bytes=tokens * 1e6 * (place + 1),
        tokens=tokens,
        sublayers=40 + 20 * place,
        width=2048,
        context=context,
        expert_tokens=tokens * 100 if model == "wide" else 0,
    )


def total(prices: Mapping[Work, float], amounts: Mapping[Work, float]) -> float:
    """What amounts of work cost."""
    return sum(price * amounts[work] for work, price in prices.items())


def points(more: Mapping[Work, float] | None = None, models: tuple[str, ...] = ()) -> list[Point]:
    """Points at the prices above, and at more prices of energy."""
    found = []
    for model in models or MODELS:
        for sequences in (8, 32, 128, 512):
            for gpus, context in ((1, 300), (2, 3000)):
                done = step(model, sequences, gpus, context)
                joules = total({**JOULES, **(more or {})}, done.amounts)
                seconds = total(SECONDS, done.amounts) / gpus
                point = Point(
                    model, model, done, joules / sequences, seconds, sequences / seconds, "chat"
                )
                found.append(point)
    return found


def measured_csv(path: Path, header: str, *rows: str) -> Path:
    """A table of measured servers."""
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


__all__ = ["JOULES", "MODELS", "SECONDS", "Target", "measured_csv", "points", "step", "total"]
