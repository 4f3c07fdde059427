"""Families that are planned and counted, and not converted: the plan is what hooks count."""

from __future__ import annotations

from functools import cache

import pytest
from plans import measured, rows, without_the_choice
from tiny_models import MIXTURES, TINY, tiny_model
from transformers import PreTrainedModel

from energy import Attention, Conventions, Counts, exposed_attention
from energy.formulas import Mla
from hwmodels import Op
from neurt.closed_form.passes import Pass, PlanError, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Experts, LatentAttention, layout, names_of, read_shape
from neurt.families.parameters import parameters
from neurt.spiking.config import SpikingConfig
from reports.kit.palette import COMPONENT_COLOURS
from reports.kit.parts import COMPONENT_NAMES, ORDER

made = cache(tiny_model)


def hooks(model: PreTrainedModel, what: Pass, conventions: Conventions) -> Counts:
    label = names_of(model.config.model_type).label
    with exposed_attention(model, partial=True):
        return measured(model, what, "asa", conventions, label, loose=True)


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("what", [prefill(9, batch=3), decode(6, batch=2), Pass(2, 3, 8)], ids=str)
@pytest.mark.parametrize("attention", Attention)
def test_the_plan_is_what_the_hooks_count(kind: str, what: Pass, attention: Attention) -> None:
    model, conventions = made(kind), Conventions(attention)
    found = hooks(model, what, conventions)
    shape = read_shape(model.config.to_dict(), kind)
    assert rows(plan_asa(shape, what, conventions)) == rows(found)
    assert [row.name for row in found.layers if row.calls and row.label.block == "other"] == []
    if kind.startswith("deepseek"):  # whose layers all rotate, of V3 through a layer
        turned = [row.calls for row in found.layers if row.kind == "Rotary"]
        assert turned == [1] * shape.layers * (kind == "deepseek_v3")


def test_decode_that_absorbs_the_expansion_of_latents_by_hand() -> None:
    shape = read_shape(made("deepseek_v3").config.to_dict(), "deepseek_v3")
    [mixer] = {kind.mixer for kind in shape.each}
    assert isinstance(mixer, LatentAttention)
    convention = Conventions(mla=Mla.ABSORBED)
    for what in (decode(7, batch=2), decode(20)):
        forms = [plan_asa(shape, what, x) for x in (Conventions(), convention)]
        heads, keys, sequences = shape.heads, what.keys, what.batch
        whole = mixer.nope + mixer.rotary + mixer.value
        made_of_latents = keys * mixer.rank * heads * (mixer.nope + mixer.value)
        absorbed = heads * mixer.rank * (mixer.nope + mixer.value)
        products = keys * heads * (2 * mixer.rank + mixer.rotary)
        more = sequences * (absorbed + products - made_of_latents - keys * heads * whole)
        assert forms[1].dense_macs - forms[0].dense_macs == shape.layers * more
        # Weights are the same ones; the expanded form reads the latents and rotated keys apart.
        for op in (Op.WEIGHT_READ, Op.KV_READ, Op.KV_WRITE):
            assert forms[0].total(op) == forms[1].total(op)
        assert forms[1].total(Op.KV_READ) == shape.layers * sequences * keys * (
            mixer.rank + mixer.rotary
        )
        assert not [row.name for row in forms[1].layers if row.label.block == "other"]
    # Keys and values of a whole prompt are made in both.
    assert plan_asa(shape, prefill(9), convention) == plan_asa(shape, prefill(9))


@pytest.mark.parametrize("kind", MIXTURES)
@pytest.mark.parametrize("what", [prefill(9, batch=3), decode(6), Pass(2, 3, 8)], ids=str)
@pytest.mark.parametrize("attention", Attention)
def test_a_mixture_is_planned_but_for_the_choice(
    kind: str, what: Pass, attention: Attention
) -> None:
    model, conventions = made(kind), Conventions(attention)
    found = rows(hooks(model, what, conventions))
    planned = rows(plan_asa(read_shape(model.config.to_dict(), kind), what, conventions))
    if what.tokens == 1:  # one token reads as many experts as it chooses
        assert planned == found
    else:
        assert list(map(without_the_choice, (planned[name] for name in found))) == list(
            map(without_the_choice, found.values())
        )
        assert planned.keys() == found.keys()


@pytest.mark.parametrize("kind", MIXTURES)
def test_the_experts_that_are_expected(kind: str) -> None:
    shape = read_shape(made(kind).config.to_dict(), kind)
    first, block = next(
        (depth, layer.feedforward)
        for depth, layer in enumerate(shape.each)
        if isinstance(layer.feedforward, Experts)
    )
    mixture = layout(shape).mixture
    assert mixture is not None
    name = f"model.layers.{first}.{mixture.path}.experts.down_proj"
    for tokens, used in ((1, 2.0), (2, 3.0), (5, 4 * (1 - 0.5**5))):  # E (1 - (1 - k / E)^n)
        counts = plan_asa(shape, decode(4, batch=tokens))
        assert counts.layer(name).ops[Op.WEIGHT_READ] == round(used * 32 * block.inner)


@pytest.mark.parametrize("kind", MIXTURES)
def test_a_mixture_uses_some_of_its_parameters(kind: str) -> None:
    model = made(kind)
    found, of_experts = parameters(read_shape(model.config.to_dict(), kind)), 0
    for module in model.modules():
        if type(module).__name__.endswith("Experts"):
            of_experts += sum(x.numel() for x in module.parameters())
    assert found.total == sum(x.numel() for x in model.parameters())
    assert found.active == found.total - of_experts // 2  # 2 of 4


@pytest.mark.parametrize("kind", TINY)
def test_the_sizes_give_the_number_of_parameters(kind: str) -> None:
    model = made(kind)
    shape = read_shape(model.config.to_dict(), kind)
    found = parameters(shape)
    assert found.total == found.active == sum(x.numel() for x in model.parameters())
    assert found.looked_up == (0 if shape.tied else 101 * 32)  # V d


@pytest.mark.parametrize("kind", [*TINY, *MIXTURES])
def test_every_part_has_a_name_and_a_place_and_a_colour_where_it_multiplies(kind: str) -> None:
    counts = plan_asa(read_shape(made(kind).config.to_dict(), kind), prefill(4))
    for row in counts.layers:
        component = row.label.component
        assert component in COMPONENT_NAMES
        assert component in ORDER[row.label.block]
        if Op.MAC in row.tally.ops:
            assert component in COMPONENT_COLOURS


def test_there_is_no_spiking_side_and_the_error_says_what_there_is() -> None:
    shape = read_shape(made("qwen3").config.to_dict(), "mine")
    with pytest.raises(PlanError, match=r"type 'qwen3' \(Qwen3\) is counted and planned, and not"):
        plan_ssa(shape, prefill(8), SpikingConfig(), 0.2)
