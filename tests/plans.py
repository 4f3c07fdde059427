"""A pass that hooks count, and the plan of the same pass."""

from __future__ import annotations

from typing import Any

import torch

from energy import Conventions, Counts, LayerCount, count_pass
from energy.meter.meter import LabelLayer
from hwmodels import Op
from neurt.closed_form.passes import Pass
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import label, read_shape
from neurt.measure.stages import cached
from neurt.spiking.config import SpikingConfig

FULL = Conventions()


def measured(
    model: Any,
    what: Pass,
    variant: str,
    conventions: Conventions = FULL,
    naming: LabelLayer = label,
    *,
    loose: bool = False,
) -> Counts:
    """What the hooks count in a pass, after what is cached before it."""
    ids = torch.randint(0, 101, (what.batch, what.keys), generator=torch.Generator().manual_seed(5))
    new = ids[:, -what.queries :]
    given: dict[str, Any] = {"use_cache": False}
    if what.queries < what.keys:
        given = cached(model)
        with torch.no_grad():
            model(ids[:, : -what.queries], **given)
    return count_pass(
        model,
        lambda: model(new, **given),
        variant=variant,
        conventions=conventions,
        label=naming,
        loose=loose,
    )


def planned(
    model: Any, what: Pass, spikes: Counts | float, conventions: Conventions = FULL
) -> Counts:
    """The plan of a converted model, with a rate of spikes or those that were counted.

    Which rows of weights, of K and of V events need follows from no number of them: of counts it is
    what was seen.
    """
    touched = (
        {x.name: x.tally for x in spikes.layers if x.tally.slots}
        if isinstance(spikes, Counts)
        else {}
    )
    rates: float | dict[str, int] = (
        {x.name: x.tally.spikes for x in spikes.layers if x.tally.slots}
        if isinstance(spikes, Counts)
        else spikes
    )
    shape = read_shape(model.config.to_dict(), "it")
    spiking = SpikingConfig.model_validate(model.config.spiking)
    return plan_ssa(shape, what, spiking, rates, conventions, touched=touched)


#: How many steps a greedy coder executes depends on how its spikes lie, which no rate tells.
EXECUTED = (Op.NEURON_ADD, Op.NEURON_CMP)


def by_name(counts: Counts) -> dict[str, LayerCount]:
    """Its rows, in whatever order, without the executed steps of greedy coders."""
    return {row.name: _without_steps(row) for row in counts.layers}


def _without_steps(row: LayerCount) -> LayerCount:
    ops = row.tally.ops.items()
    return row.with_ops({op: n for op, n in ops if not executes_fewer_steps(row.kind, op)})


def executes_fewer_steps(kind: str, op: Op) -> bool:
    """Whether the plan of an operation of rows of this kind is a bound, and no count."""
    return kind == "PowerOfTwo" and op in EXECUTED


def check_steps(plan: Counts, counts: Counts) -> None:
    """Planned steps of greedy coders: no fewer than are executed, no more than there are."""
    for row in counts.layers:
        if row.kind == "PowerOfTwo":
            for op in EXECUTED:
                executed, planned = row.tally.ops[op], plan.layer(row.name).tally.ops[op]
                rows = 2 * row.tally.slots  # and once for each row of softmax weights
                assert executed <= planned <= rows


def rows(counts: Counts) -> dict[str, LayerCount]:
    """Those that ran, without operations of which there were none."""
    return {row.name: row.with_ops(row.tally.ops) for row in counts.layers if row.calls}


#: What is read once for each expert that somebody chose.
OF_EXPERTS = (Op.WEIGHT_READ, Op.VECTOR_READ)


def without_the_choice(row: LayerCount) -> LayerCount:
    """A row without what depends on the experts that tokens chose."""
    if not row.kind.endswith("Experts"):
        return row
    return row.with_ops({op: n for op, n in row.tally.ops.items() if op not in OF_EXPERTS})
