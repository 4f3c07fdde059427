from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from plans import by_name, check_steps, executes_fewer_steps, measured, planned

from energy import Attention, Conventions, Levels
from hwmodels import Op
from neurt.closed_form.passes import Pass, PlanError, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import ALIASES, Shape
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig
from neurt.spiking.modeling import SpikingGPT2LMHeadModel

Converted = Callable[..., SpikingGPT2LMHeadModel]
TINY = Shape(layers=2, width=32, heads=4, inner=128, vocabulary=101, positions=64)
SMALL = ALIASES["gpt2-small"][1]
CAUSAL = Conventions(Attention.CAUSAL)

PASSES = [prefill(9, batch=3), decode(5, batch=2), prefill(1), Pass(batch=2, queries=3, keys=8)]


@pytest.mark.parametrize("timesteps", [1, 3])
@pytest.mark.parametrize("what", PASSES, ids=str)
def test_plan_with_measured_spikes_is_what_the_hooks_count(
    converted: Converted, form: str, code: Code, timesteps: int, what: Pass
) -> None:
    model = converted("gpt2", form, torch.float32, code=code, timesteps=timesteps)
    found = measured(model, what, "ssa")
    plan = planned(model, what, found)
    assert by_name(plan) == by_name(found)
    check_steps(plan, found)


def test_plan_follows_a_code_of_its_own_for_attention(converted: Converted, form: str) -> None:
    for attention_code, code in ((Code.SAR, Code.BURST), (Code.SIGNED_IF, Code.POW2)):
        how = {"code": code, "attention_code": attention_code, "timesteps": 2}
        model = converted("gpt2", form, torch.float32, **how)
        found = measured(model, prefill(7), "ssa")
        assert by_name(planned(model, prefill(7), found)) == by_name(found)
        kinds = {x.name.partition("attn.")[2]: x.kind for x in found.layers}
        assert kinds["encoder"] == attention_code.kind


@pytest.mark.parametrize("what", PASSES, ids=str)
def test_causal_plan_agrees_where_no_spike_position_matters(
    converted: Converted, form: str, code: Code, what: Pass
) -> None:
    model = converted("gpt2", form, torch.float32, code=code, timesteps=2)
    found, plan = measured(model, what, "ssa", CAUSAL), planned(model, what, 0.2, CAUSAL)
    assert [x.name for x in plan.layers] == [x.name for x in found.layers]
    for row in found.layers:
        other = plan.layer(row.name).tally
        assert (row.tally.dense_macs, row.tally.slots) == (other.dense_macs, other.slots)
        depend = {Op.AC, Op.SHIFT_AC, Op.SPIKE}
        if row.kind == "RowNormalise":
            depend.add(Op.ADD)  # one for each event that arrived
        for op in set(Op) - depend:
            if executes_fewer_steps(row.kind, op):
                continue
            assert row.tally.ops.get(op, 0) == other.ops.get(op, 0), (row.name, op)


@pytest.mark.parametrize(("queries", "keys"), [(6, 6), (1, 5), (2, 8)])
def test_causal_plan_spreads_spikes_evenly_over_the_pairs(queries: int, keys: int) -> None:
    # With a spike in every slot all of them meet all they may see, so the share is exact.
    for form, key_value in (
        ("spikformer", "stored"),
        ("softmax", "stored"),
        ("softmax", "streamed"),
    ):
        how = {"form": form, "key_value": key_value}
        spiking = SpikingConfig.model_validate({"timesteps": 3, "code": "pow2", **how})
        counts = plan_ssa(TINY, Pass(2, queries, keys), spiking, 1.0, CAUSAL)
        row = counts.layer("transformer.h.0.attn.core.scores")
        pairs = sum(keys - queries + i + 1 for i in range(queries))
        first = 3 * 2 * pairs * 32  # steps x batch x pairs x width
        new = sum(queries - j for j in range(queries))  # who sees the new keys
        second = 3 * 2 * new * 32 if spiking.key_value is KeyValue.STREAMED else 0
        assert row.tally.dense_macs == first
        assert row.ops[Op.AC] + row.ops[Op.SHIFT_AC] == first + second


def test_each_value_of_the_cache_is_a_slot_in_each_step() -> None:
    counts = plan_ssa(SMALL, decode(1024), SpikingConfig(form=Form.SPIKFORMER), 0.2)
    # 2 x 12 layers x 1,024 tokens x 768 channels, T slots for each
    assert counts.total(Op.KV_SPIKE_READ) == 18_874_368 * 4
    assert counts.total(Op.KV_READ) == 0


@pytest.mark.parametrize("key_value", KeyValue)
def test_softmax_attention_reads_an_analog_cache_once_for_all_steps(key_value: KeyValue) -> None:
    spiking = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, timesteps=4, key_value=key_value)
    counts = plan_ssa(SMALL, decode(1024), spiking, 0.2)
    asa = plan_asa(SMALL, decode(1024))
    assert counts.total(Op.KV_READ) == asa.total(Op.KV_READ) == 18_874_368
    assert counts.total(Op.KV_WRITE) == asa.total(Op.KV_WRITE)
    assert counts.total(Op.KV_SPIKE_READ, Op.KV_SPIKE_WRITE) == 0


def test_softmax_attention_pays_for_its_softmax_and_its_sums() -> None:
    spiking = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, timesteps=4)
    what = prefill(16, batch=2)
    counts, asa = plan_ssa(TINY, what, spiking, 0.5), plan_asa(TINY, what)
    softmax = counts.layer("transformer.h.0.attn.core.softmax")
    assert softmax.tally == asa.layer("transformer.h.0.attn.core.softmax").tally
    assert softmax.ops[Op.EXP] == 2 * 4 * 16 * 16  # once, not in each step
    normalise = counts.layer("transformer.h.0.attn.core.normalise")
    slots = 4 * 2 * 4 * 16 * 16
    assert normalise.ops[Op.ADD] == slots // 2  # an addition per event
    assert normalise.ops[Op.DIV] == 2 * 4 * 16
    assert normalise.ops[Op.MUL] == 2 * 16 * 32


@pytest.mark.parametrize(("dead_zone", "thresholds"), [("output", 1), ("loss", 4)])
def test_dead_zones_by_loss_have_a_threshold_for_the_weights_of_each_head(
    converted: Converted, dead_zone: str, thresholds: int
) -> None:
    how = {"code": "pow2", "dead_zone": dead_zone}
    model = converted("gpt2", "softmax", torch.float32, timesteps=2, **how)
    found = measured(model, prefill(7), "ssa")
    assert by_name(planned(model, prefill(7), found)) == by_name(found)
    row = found.layer("transformer.h.0.attn.core.weight_encoder")
    assert row.ops[Op.VECTOR_READ] == thresholds


@pytest.mark.parametrize(
    ("code", "op", "bits"),
    [
        (Code.SIGNED_IF, Op.AC, 2),
        (Code.BURST, Op.AC, 4),
        (Code.MULTI_THRESHOLD, Op.SHIFT_AC, 6),
        (Code.SAR, Op.SHIFT_AC, 6),
        (Code.POW2, Op.SHIFT_AC, 6),
    ],
)
def test_the_code_decides_what_an_event_costs_and_what_it_may_be(
    code: Code, op: Op, bits: int
) -> None:
    spiking = SpikingConfig(code=code, timesteps=4)
    row = plan_ssa(TINY, prefill(16), spiking, 0.25).layer("transformer.h.1.mlp.c_fc")
    # 4 steps x 16 tokens x 32 channels, every fourth an event, 128 outputs
    assert row.ops[op] == 4 * 16 * 32 // 4 * 128
    assert row.ops[Op.SPIKE_READ] == 4 * 16 * 32
    assert (row.tally.levels, code.levels.bits_per_slot) == (code.levels, bits)
    assert row.ops[Op.ACTIVATION_WRITE] == 16 * 128  # one sum for all steps
    assert code.levels is not Levels.ANALOG


def test_rate_one_makes_every_slot_an_event(converted: Converted, form: str, code: Code) -> None:
    what = prefill(8, batch=2)
    choices = converted("gpt2", form, torch.float32, code=code, timesteps=3).config.spiking
    spiking = SpikingConfig.model_validate(choices)
    counts = plan_ssa(TINY, what, spiking, 1.0)
    streams = 2 if spiking.key_value is KeyValue.STREAMED else 1
    for row in counts.layers:
        events = row.ops[Op.AC] + row.ops[Op.SHIFT_AC]
        if row.tally.slots and row.tally.dense_macs and code is not Code.EXACT:
            twice = ".core." in row.name
            assert events == row.tally.dense_macs * (streams if twice else 1), row.name
    silent = plan_ssa(TINY, what, spiking, 0.0)
    if code is not Code.EXACT:
        assert silent.total(Op.AC, Op.SHIFT_AC, Op.SPIKE) == 0
        assert silent.dense_macs == counts.dense_macs


def test_rate_one_is_as_many_events_per_mac_as_steps() -> None:
    counts = plan_ssa(TINY, prefill(8, batch=2), SpikingConfig(timesteps=3), 1.0)
    assert counts.events_per_mac == 3


def test_windows_multiply() -> None:
    spiking = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2)
    once, thrice = (plan_ssa(TINY, prefill(8, repeats=n), spiking, 0.25) for n in (1, 3))
    assert thrice.tokens == 3 * once.tokens
    for a, b in zip(once.layers, thrice.layers, strict=True):
        assert b.tally.ops == {op: 3 * n for op, n in a.tally.ops.items()}
        assert (b.tally.spikes, b.tally.slots) == (3 * a.tally.spikes, 3 * a.tally.slots)


def test_refuses_what_it_cannot_know() -> None:
    with pytest.raises(PlanError, match="coincidences"):
        plan_ssa(TINY, prefill(8), SpikingConfig(), 0.2, Conventions(coincidences=True))
