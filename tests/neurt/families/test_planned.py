"""Families that are planned and counted, and not converted: the plan is what hooks count."""

from __future__ import annotations

from functools import cache

import pytest
from plans import measured
from tiny_models import TINY, tiny_model
from transformers import PreTrainedModel

from energy import Attention, Conventions, Counts, LayerCount, exposed_attention
from neurt.closed_form.passes import Pass, PlanError, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import names_of, read_shape
from neurt.families.parameters import parameters
from neurt.spiking.config import SpikingConfig

made = cache(tiny_model)


def rows(counts: Counts) -> dict[str, LayerCount]:
    """Those that ran, without operations of which there were none."""
    return {row.name: row.with_ops(row.tally.ops) for row in counts.layers if row.calls}


def hooks(model: PreTrainedModel, what: Pass, conventions: Conventions) -> Counts:
    label = names_of(model.config.model_type).label
    with exposed_attention(model):
        return measured(model, what, "asa", conventions, label)


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("what", [prefill(9, batch=3), decode(6, batch=2), Pass(2, 3, 8)], ids=str)
@pytest.mark.parametrize("attention", Attention)
def test_the_plan_is_what_the_hooks_count(kind: str, what: Pass, attention: Attention) -> None:
    model, conventions = made(kind), Conventions(attention)
    found = hooks(model, what, conventions)
    shape = read_shape(model.config.to_dict(), kind)
    assert rows(plan_asa(shape, what, conventions)) == rows(found)
    assert [row.name for row in found.layers if row.label.block == "other"] == []


@pytest.mark.parametrize("kind", TINY)
def test_the_sizes_give_the_number_of_parameters(kind: str) -> None:
    model = made(kind)
    shape = read_shape(model.config.to_dict(), kind)
    found = parameters(shape)
    assert found.total == found.active == sum(x.numel() for x in model.parameters())
    assert found.looked_up == (0 if shape.tied else 101 * 32)  # V d


def test_there_is_no_spiking_side_and_the_error_says_what_there_is() -> None:
    shape = read_shape(made("qwen3").config.to_dict(), "mine")
    with pytest.raises(PlanError, match=r"type 'qwen3' \(Qwen3\) is counted and planned, and not"):
        plan_ssa(shape, prefill(8), SpikingConfig(), 0.2)
