"""AdamW, its learning rates, and all it knows as tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from neurt.requests.training import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """The learning rate of a step, the first of which is 0."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.learning_rate
    done = (step - settings.warmup_steps) / max(1, settings.steps - 1 - settings.warmup_steps)
    return settings.learning_rate * (0.55 + 0.45 * math.cos(math.pi * done))


def adamw(trained: Mapping[str, nn.Parameter], settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW over named parameters, without weight decay for those of one dimension."""
    parameters = trained.values()
    groups = [
        {
            "params": [p for p in parameters if p.ndim > 1],
            "weight_decay": settings.weight_decay,
        },
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=(0.9, 0.95),
    )


def state_tensors(
    trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Parameters and what AdamW knows of each, on the CPU, named `kind/parameter`."""
    tensors = {f"parameter/{name}": p.detach().cpu() for name, p in trained.items()}
    for name, p in trained.items():
        tensors |= {f"{key}/{name}": value.cpu() for key, value in optimizer.state[p].items()}
    return tensors


def restore(
    tensors: Mapping[str, Tensor],
    trained: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Put back what `state_tensors` returned, in place."""
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        if kind == "parameter":
            with torch.no_grad():
                trained[name].copy_(tensor)
        else:
            state: dict[str, Any] = optimizer.state[trained[name]]
            state[kind] = tensor if kind == "step" else tensor.to(trained[name].device)
