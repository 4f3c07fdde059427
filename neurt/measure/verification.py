"""Witnesses of a measured run: the closed form for each pass, fvcore for each row."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Unpack

from torch import Tensor
from transformers import PreTrainedModel

from energy import Counts, LayerCount, Tally, check_against_fvcore, count_pass, exposed_attention
from energy.formulas import Conventions
from energy.formulas.arithmetic import ARITHMETIC
from energy.meter import CountSettings
from hwmodels import Op
from hwmodels.errors import UserError
from neurt.closed_form.passes import Pass
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.progress import Progress
from neurt.spiking.config import SpikingConfig


class VerificationError(UserError, RuntimeError):
    """Two witnesses disagree about a count."""


def verify_analog(shape: Shape, conventions: Conventions, step: Pass, counts: Counts) -> None:
    """Raise VerificationError if a pass of the analog model differs from the closed form."""
    _same(counts, plan_asa(shape, replace(step, repeats=1), conventions))


def verify_spiking(
    shape: Shape, conventions: Conventions, chosen: SpikingConfig, step: Pass, counts: Counts
) -> None:
    """Raise VerificationError if one of the spiking model does, given its spikes."""
    if spikes_suffice(conventions):
        spikes = {row.name: int(row.tally.spikes) for row in counts.layers if row.tally.slots}
        touched = {row.name: row.tally for row in counts.layers if row.tally.slots}
        _same(counts, plan_ssa(shape, replace(step, repeats=1), chosen, spikes, touched=touched))


def spikes_suffice(conventions: Conventions) -> bool:
    """Whether the number of spikes decides all counts, wherever they are."""
    return replace(conventions, zeros=False) == Conventions()


def _same(counts: Counts, planned: Counts) -> None:
    for layer in (layer for layer in counts.layers if layer.calls):
        expected = planned.layer(layer.name).tally
        wrong = next((op for op in Op if not _agrees(layer, expected, op)), None)
        if wrong or _about(layer.tally) != expected._replace(ops={}):
            raise VerificationError(
                f"layer '{layer.name}' was counted with another number of "
                f"{wrong or 'dense MACs, spikes or slots'} than planned"
            )


def _about(tally: Tally) -> Tally:
    """What of a tally is not operations, and follows from shapes and spikes."""
    looked = (
        tally.looked if tally.slots else ()
    )  # which analog values are zero follows from nothing
    return tally._replace(zero_macs=None, ops={}).seen(*looked)


def _agrees(layer: LayerCount, planned: Tally, op: Op) -> bool:
    """Whether an operation was counted as often as planned.

    A coder that stops when it is silent executes at least a step for each event, and at most what
    the plan says: how its events are spread over values decides, which no number of them tells.
    """
    counted, expected = layer.tally.ops.get(op, 0), planned.ops.get(op, 0)
    if layer.kind.endswith("Experts") and op in (Op.WEIGHT_READ, Op.VECTOR_READ):
        return (counted > 0) == (expected > 0)  # which experts tokens choose follows from no size
    arithmetic = ARITHMETIC.get(layer.kind)
    if arithmetic and arithmetic.stops and op in (Op.NEURON_ADD, Op.NEURON_CMP):
        return layer.tally.spikes <= counted <= expected
    return counted == expected


def verify_fvcore(
    analog: PreTrainedModel, spiking: PreTrainedModel, ids: Tensor, progress: Progress
) -> None:
    """Compare each row of one prefill window with fvcore, which counts all query-key pairs."""
    progress("fvcore", 0, 2)
    with exposed_attention(analog, fused=False):
        agree_with_fvcore(analog, ids, "asa")
    progress("fvcore", 1, 2)
    agree_with_fvcore(spiking, ids, "ssa")
    progress("fvcore", 2, 2)


def agree_with_fvcore(
    model: PreTrainedModel, ids: Tensor, variant: str, /, **settings: Unpack[CountSettings]
) -> None:
    """Raise VerificationError if fvcore counts a row of one prefill window otherwise, or cannot."""
    call = partial(model, input_ids=ids, use_cache=False)
    counts = count_pass(model, call, variant=variant, **settings)
    try:
        rows = check_against_fvcore(model, ids, counts)
    except RuntimeError as error:  # its tracer cannot follow all code of transformers
        reason = str(error).strip().splitlines()[0]
        raise VerificationError(f"fvcore cannot be a witness: {reason}") from error
    # fvcore has no row of a product outside of layers, but its total has those that it knows.
    loose = {row.name: row.kind for row in counts.layers if ".(" in row.name}
    if wrong := [row for row in rows if row.layer not in loose]:
        first = wrong[0]
        of_it = f", of which it may not know {', '.join(sorted(set(loose.values())))}"
        raise VerificationError(
            f"fvcore counts {first.theirs:,} MACs in layer '{first.layer}', our hooks "
            f"{first.ours:,} ({len(wrong)} layers differ){of_it if loose else ''}"
        )
