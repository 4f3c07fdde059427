"""The optimiser of all trainings, and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from neurt.requests.training import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """The learning rate of a step, the first of which is 0."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.learning_rate
    done = (step - settings.warmup_steps) / max(1, settings.steps - 1 - settings.warmup_steps)
    return settings.learning_rate * (0.55 + 0.45 * math.cos(math.pi * done))


def adamw(
    trained: Mapping[str, nn.Parameter], settings: TrainingSettings, threshold_factor: float = 1.0
) -> torch.optim.AdamW:
    """AdamW over named parameters, without weight decay for those of one dimension.

    Args:
        threshold_factor: Kept as `factor` of the group of thresholds, for whoever sets the rate;
            that of the others is 1.
    """
    thresholds = [p for name, p in trained.items() if "threshold" in name.split(".")]
    others = [p for name, p in trained.items() if "threshold" not in name.split(".")]
    decay = settings.weight_decay
    groups = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": decay, "factor": 1.0},
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0, "factor": 1.0},
        {"params": thresholds, "weight_decay": 0.0, "factor": threshold_factor},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=settings.learning_rate, betas=(0.9, 0.95)
    )
