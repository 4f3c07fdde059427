"""A pass that hooks count, and the plan of the same pass."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache

from energy import Conventions, Counts, LayerCount, count_pass
from neurt.closed_form.passes import Pass
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import label, read_shape
from neurt.spiking.config import SpikingConfig

FULL = Conventions()


def measured(model: Any, what: Pass, variant: str, conventions: Conventions = FULL) -> Counts:
    """What the hooks count in a pass, after what is cached before it."""
    ids = torch.randint(0, 101, (what.batch, what.keys), generator=torch.Generator().manual_seed(5))
    new, cache = ids[:, -what.queries :], None
    if what.queries < what.keys:
        cache = DynamicCache(config=model.config)
        with torch.no_grad():
            model(ids[:, : -what.queries], past_key_values=cache, use_cache=True)
    return count_pass(
        model,
        lambda: model(new, past_key_values=cache, use_cache=cache is not None),
        variant=variant,
        conventions=conventions,
        label=label,
    )


def planned(
    model: Any, what: Pass, spikes: Counts | float, conventions: Conventions = FULL
) -> Counts:
    """The plan of a converted model, with a rate of spikes or those that were counted."""
    rates: float | dict[str, int] = (
        {x.name: x.tally.spikes for x in spikes.layers if x.tally.slots}
        if isinstance(spikes, Counts)
        else spikes
    )
    shape = read_shape(model.config.to_dict(), "it")
    spiking = SpikingConfig.model_validate(model.config.spiking)
    return plan_ssa(shape, what, spiking, rates, conventions)


def by_name(counts: Counts) -> dict[str, LayerCount]:
    """Its rows, in whatever order."""
    return {row.name: row for row in counts.layers}
