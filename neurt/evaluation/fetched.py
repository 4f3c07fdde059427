"""Rows of weights that one token needs of a spiking model: those of inputs with any event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from neurt.evaluation.sums import Sums
from neurt.spiking.synapse import Synapse


@contextmanager
def fetched(model: nn.Module, sums: Sums) -> Iterator[None]:
    """Add, inside the block, the inputs of each layer that have an event in any time step.

    Sums are by ("needed", name), and all inputs by ("inputs", name), of all tokens. An event of any
    time step needs the row once. Open it inside of `energy.counting`: see `layers.inputs_changed`.
    """
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if isinstance(module, Synapse):
                hook = partial(_add, sums, name)
                stack.callback(module.register_forward_pre_hook(hook).remove)
        yield


def _add(sums: Sums, name: str, _layer: nn.Module, args: tuple[Any, ...]) -> None:
    events: Tensor = args[0]  # (T, ..., channels)
    sums["needed", name] += int(events.bool().any(0).sum())
    sums["inputs", name] += events[0].numel()


def shares(sums: Sums) -> dict[str, float]:
    """Share of the rows that a token needs in the mean, by layer; of all others it needs all."""
    inputs = [name for kind, name in list(sums) if kind == "inputs"]
    return {name: sums["needed", name] / sums["inputs", name] for name in inputs}
