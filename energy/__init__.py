"""The meter and the bill: count what a model does, price what was counted.

Counting needs torch, pricing does not; so the counting names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from energy.bill.estimate import Estimate, LayerEnergy, estimate
from energy.bill.pricing import price_many
from energy.bill.saving import Saving, saving
from energy.counts.counts import Counts, Label, LayerCount, Tally
from energy.counts.file import CountsError
from energy.counts.levels import Levels
from energy.formulas.linear import Attention, Conventions

if TYPE_CHECKING:
    from energy.layers.elementwise import Multiply, Rotary
    from energy.layers.expose import ExposeError, exposed_attention
    from energy.layers.matmul import MatMul
    from energy.meter.crosscheck import check_against_fvcore
    from energy.meter.events import EventError, count_events
    from energy.meter.meter import UncountedOperation, count_pass, counting
    from energy.meter.tally import tally_call

_NEEDS_TORCH = {
    "counting": "energy.meter.meter",
    "count_pass": "energy.meter.meter",
    "UncountedOperation": "energy.meter.meter",
    "exposed_attention": "energy.layers.expose",
    "ExposeError": "energy.layers.expose",
    "MatMul": "energy.layers.matmul",
    "Multiply": "energy.layers.elementwise",
    "Rotary": "energy.layers.elementwise",
    "EventError": "energy.meter.events",
    "count_events": "energy.meter.events",
    "tally_call": "energy.meter.tally",
    "check_against_fvcore": "energy.meter.crosscheck",
}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TORCH:
        return getattr(import_module(_NEEDS_TORCH[name]), name)
    raise AttributeError(f"module 'energy' has no attribute '{name}'")


__all__ = [
    "Attention",
    "Conventions",
    "Counts",
    "CountsError",
    "Estimate",
    "EventError",
    "ExposeError",
    "Label",
    "LayerCount",
    "LayerEnergy",
    "Levels",
    "MatMul",
    "Multiply",
    "Rotary",
    "Saving",
    "Tally",
    "UncountedOperation",
    "count_events",
    "count_pass",
    "counting",
    "check_against_fvcore",
    "estimate",
    "price_many",
    "exposed_attention",
    "saving",
    "tally_call",
]
