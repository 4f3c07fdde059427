"""Witnesses of a measured run: the closed form for each pass, fvcore for each row."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import Tensor
from transformers import PreTrainedModel

from energy import Counts, check_against_fvcore, count_pass, exposed_attention
from energy.formulas import Attention, Conventions
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


def verify_analog(shape: Shape, conventions: Conventions, one: Pass, counts: Counts) -> None:
    """Compare the counts of one pass of the analog model with the closed form.

    Raises:
        VerificationError: If they differ.
    """
    _same(counts, plan_asa(shape, replace(one, repeats=1), conventions))


def verify_spiking(
    shape: Shape, conventions: Conventions, chosen: SpikingConfig, one: Pass, counts: Counts
) -> None:
    """Compare the counts of one pass of the spiking model with the closed form, given its spikes.

    Raises:
        VerificationError: If they differ.
    """
    if spikes_suffice(conventions):
        spikes = {row.name: int(row.tally.spikes) for row in counts.layers if row.tally.slots}
        _same(counts, plan_ssa(shape, replace(one, repeats=1), chosen, spikes))


def spikes_suffice(conventions: Conventions) -> bool:
    """Whether the number of spikes decides all counts, wherever they are."""
    return replace(conventions, zeros=False) == Conventions()


def _same(counts: Counts, planned: Counts) -> None:
    for layer in counts.layers:
        expected = planned.layer(layer.name).tally
        if layer.tally._replace(zero_macs=None) != expected:  # zeros follow from no shape
            wrong = next(
                (op for op in Op if layer.tally.ops.get(op, 0) != expected.ops.get(op, 0)), None
            )
            raise VerificationError(
                f"layer '{layer.name}' was counted with another number of "
                f"{wrong or 'dense MACs, spikes or slots'} than planned"
            )


def verify_fvcore(
    analog: PreTrainedModel, spiking: PreTrainedModel, ids: Tensor, progress: Progress
) -> None:
    """Compare each row of one prefill window with fvcore, which counts all query-key pairs.

    Raises:
        VerificationError: If one differs.
    """
    full = Conventions(Attention.FULL)
    progress("fvcore", 0, 2)
    with exposed_attention(analog, fused=False):
        _agree(analog, ids, full, "asa")
    progress("fvcore", 1, 2)
    _agree(spiking, ids, full, "ssa")
    progress("fvcore", 2, 2)


def _agree(model: PreTrainedModel, ids: Tensor, conventions: Conventions, variant: str) -> None:
    call = partial(model, input_ids=ids, use_cache=False)
    counts = count_pass(model, call, variant=variant, conventions=conventions)
    wrong = check_against_fvcore(model, ids, counts)
    if wrong:
        first = wrong[0]
        raise VerificationError(
            f"fvcore counts {first.theirs:,} MACs in layer '{first.layer}', our hooks "
            f"{first.ours:,} ({len(wrong)} layers differ)"
        )
