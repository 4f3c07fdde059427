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
from energy.meter.crosscheck import macs_by_torch
from energy.meter.rules import is_counted
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
    unseen = _unseen_by_fvcore(model, ids, _counted(model, ids, variant, **settings))
    if unseen:
        raise VerificationError(f"fvcore cannot be a witness: {unseen}")


def agree_with_witnesses(
    model: PreTrainedModel, ids: Tensor, /, *, undeclared: bool, **settings: Unpack[CountSettings]
) -> str:
    """Compare one prefill window of an analog model with the witnesses that can see it.

    That is fvcore, row by row. What it cannot see, because a product has no module of its own or
    its tracer cannot follow, is left to torch's FlopCounterMode, which sees the whole pass.

    Args:
        model: The model, with nothing exposed.
        ids: Its input, (batch, tokens).
        undeclared: Whether no family declares it, so that its attention may be its own.
        **settings: See `energy.count_pass`.

    Returns:
        Which witness agrees about what, and why another does not see it.

    Raises:
        VerificationError: If a witness that sees it disagrees.
    """
    with exposed_attention(model, fused=False, partial=undeclared):
        counts = _counted(model, ids, "asa", **settings)
        unseen = _unseen_by_fvcore(model, ids, counts)
    if not unseen:
        return "hooks and fvcore agree on the MACs of every row"
    call = partial(model, input_ids=ids, use_cache=False)
    theirs, ours, left_out = macs_by_torch(model, call, counts)
    if theirs != ours:
        raise VerificationError(
            f"torch's FlopCounterMode counts {theirs:,} MACs on eager attention, our hooks "
            f"{ours:,.0f}, and fvcore is no witness: {unseen}"
        )
    but = ""
    if left_out:
        but = f" (but for those of '{left_out[0]}' and its like, which transformers runs otherwise)"
    return (
        f"hooks and torch's FlopCounterMode, on eager attention, agree on the MACs of the "
        f"pass{but}; fvcore is no witness of all of it: {unseen}"
    )


def _counted(
    model: PreTrainedModel, ids: Tensor, variant: str, /, **settings: Unpack[CountSettings]
) -> Counts:
    call = partial(model, input_ids=ids, use_cache=False)
    return count_pass(model, call, variant=variant, **settings)


def _unseen_by_fvcore(model: PreTrainedModel, ids: Tensor, counts: Counts) -> str:
    """What fvcore cannot see, in words; empty where it sees every row, and agrees.

    Raises VerificationError if it sees a row and disagrees.
    """
    try:
        rows = check_against_fvcore(model, ids, counts)
    except RuntimeError as error:  # its tracer cannot follow all code of transformers
        return str(error).strip().splitlines()[0]
    # A convolution that its mixer runs by itself is a module that is never called.
    modules = {name for name, module in model.named_modules() if is_counted(type(module))}
    apart = [row for row in counts.layers if row.tally.dense_macs and row.name not in modules]
    names = {row.name for row in apart}
    wrong = [row for row in rows if row.layer not in names]
    if wrong and (wrong[0].layer != "(total)" or not apart):
        first = wrong[0]
        raise VerificationError(
            f"fvcore counts {first.theirs:,} MACs in layer '{first.layer}', our hooks "
            f"{first.ours:,.0f} ({len(wrong)} layers differ)"
        )
    return f"'{apart[0].name}' and its like are no modules" if wrong else ""
