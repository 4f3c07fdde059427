"""The meter and the bill: count what a model does, price what was counted.

Counting needs torch, pricing does not; so the counting names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from energy.counts import Counts, Label, LayerCount, Tally
from energy.countsfile import CountsError
from energy.estimate import Estimate, LayerEnergy, estimate
from energy.formulas import Attention, Conventions
from energy.levels import Levels
from energy.pricing import price_many
from energy.saving import Saving, saving

if TYPE_CHECKING:
    from energy.crosscheck import check_against_fvcore
    from energy.elementwise import Multiply, Rotary
    from energy.events import EventError, count_events
    from energy.expose import ExposeError, exposed_attention
    from energy.matmul import MatMul
    from energy.meter import UncountedOperation, count_pass, counting
    from energy.tally import tally_call

_NEEDS_TORCH = {
    "counting": "energy.meter",
    "count_pass": "energy.meter",
    "UncountedOperation": "energy.meter",
    "exposed_attention": "energy.expose",
    "ExposeError": "energy.expose",
    "MatMul": "energy.matmul",
    "Multiply": "energy.elementwise",
    "Rotary": "energy.elementwise",
    "EventError": "energy.events",
    "count_events": "energy.events",
    "tally_call": "energy.tally",
    "check_against_fvcore": "energy.crosscheck",
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
