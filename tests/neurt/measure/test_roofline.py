from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from energy import Counts, estimate
from hwmodels import Buffer, Room, load_profile
from neurt.closed_form.passes import decode
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape, ShapeError
from neurt.loading.source import ModelSource
from neurt.measure.planning import run_plan
from neurt.measure.roofline import decode_rooflines
from neurt.measure.stored_model import measured_rates
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import Form, SpikingConfig
from reports.run.run import Run

SHAPE = Shape(layers=2, width=64, heads=4, inner=256, vocabulary=500, positions=96)
CONTEXTS = [1, 2, 4, 8, 16, 32, 64, 96]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    source = ModelSource("tiny", None, None, SHAPE)
    monkeypatch.setattr("neurt.measure.planning.resolve_sizes", lambda _name: source)

    def make(*hw: str, form: Form = Form.SOFTMAX, **asked: Any) -> Run:
        spiking = SpikingConfig(form=form)
        what = {"seq_len": 48} | asked
        request = PlanRequest(model="x", hw=hw or ("45nm",), spiking=spiking, out=Path("x"), **what)
        run = run_plan(request)
        return replace(run, settings={**run.settings, "shape": SHAPE.as_dict()})

    return make


@pytest.mark.parametrize("form", Form)
def test_a_cost_is_the_bill_of_a_decode_step_for_each_sequence(
    plan: Callable[..., Run], form: Form
) -> None:
    run = plan(form=form)
    [found] = decode_rooflines(run, batches=(1, 8))
    profile, spiking = load_profile("45nm"), SpikingConfig(form=form)
    for cost in found.costs:
        what = decode(cost.context, batch=cost.batch)
        counts = (
            plan_asa(SHAPE, what) if cost.variant == "asa" else plan_ssa(SHAPE, what, spiking, 0.2)
        )
        bill = estimate(counts, profile)

        def spent(*buffers: Buffer | None, bill: Any = bill, cost: Any = cost) -> float:
            parts = (pj for x in bill.layers for op, pj in x.pj.items() if op.buffer in buffers)
            return math.fsum(parts) / cost.batch

        assert cost.arithmetic == pytest.approx(spent(None))
        assert cost.weights == pytest.approx(spent(Buffer.WEIGHTS))
        assert cost.kv_cache == pytest.approx(spent(Buffer.KV_CACHE))
        rest = (Buffer.ACTIVATIONS, Buffer.SPIKES, Buffer.STATE)
        assert cost.other_traffic == pytest.approx(spent(*rest))
        assert (cost.arithmetic or 0) + cost.memory == pytest.approx(bill.energy_pj() / cost.batch)
        assert set(cost.unpriced) == {op.value for op in bill.unpriced}


def test_contexts_are_powers_of_two_and_the_last_position(plan: Callable[..., Run]) -> None:
    [found] = decode_rooflines(plan(), batches=(1, 64))
    assert found.batches == (1, 64)
    for variant in ("asa", "ssa"):
        for batch in (1, 64):
            assert [c.context for c in found.curve(variant, batch)] == CONTEXTS
    assert (found.timesteps, found.rates, found.model) == (4, "assumed 0.2", "tiny")


def test_weights_are_shared_by_a_batch_and_the_cache_is_not(plan: Callable[..., Run]) -> None:
    profile = load_profile("45nm")
    flat = {"dram": profile.memory["dram"]}
    placed = dict.fromkeys(Buffer, ("dram",))
    run = plan()
    changed = {"memory": flat, "placement": placed, "delivery": None}
    one = profile.model_copy(update=changed)
    [found] = decode_rooflines(replace(run, profiles=(one,)), batches=(1, 8))
    for variant in ("asa", "ssa"):
        for alone, shared in zip(found.curve(variant, 1), found.curve(variant, 8), strict=True):
            assert alone.kv_cache == pytest.approx(shared.kv_cache)
            assert alone.arithmetic == pytest.approx(shared.arithmetic, rel=2e-3)  # whole spikes
            # The embeddings of a token are its own: 2 rows of 64 values; the rest is matrices.
            assert alone.weights is not None
            assert shared.weights is not None
            assert 1 / 8 < shared.weights / alone.weights < 1.05 / 8


@pytest.mark.parametrize("batch", [1, 64, 512])
def test_a_crossing_is_the_first_context_at_which_the_cache_costs_more(
    plan: Callable[..., Run], batch: int
) -> None:
    [found] = decode_rooflines(plan(), batches=(batch,))
    profile = load_profile("45nm")

    def passed(context: int) -> bool:
        bill = estimate(plan_asa(SHAPE, decode(context, batch=batch)), profile)
        pj = dict.fromkeys(Buffer, 0.0)
        for row in bill.layers:
            for op, spent in row.pj.items():
                if op.buffer is not None:
                    pj[op.buffer] += spent
        return pj[Buffer.KV_CACHE] > pj[Buffer.WEIGHTS]

    first = next((x for x in range(1, SHAPE.positions + 1) if passed(x)), None)
    assert found.crossings.get(("asa", batch)) == first
    assert (first is None) is (batch == 1)


def test_in_fixed_order_both_sides_of_a_jump_to_a_dearer_memory_are_there(
    plan: Callable[..., Run],
) -> None:
    # 2 layers x (K, V) x 64 x 4 bytes = 1,024 bytes a token; the weights are 0.5 MB: with 512
    # sequences the cache leaves 24 MiB of SRAM between contexts 32 and 64.
    whole = load_profile("45nm").model_copy(update={"room": Room.FIXED_ORDER})
    [found] = decode_rooflines(replace(plan(), profiles=(whole,)), batches=(512,))
    curve = found.curve("asa", 512)
    each = {cost.context: (cost.kv_cache or 0.0) / cost.context for cost in curve}
    [(a, b)] = [(a, a + 1) for a in each if a + 1 in each and a > 2]
    assert 32 < a < b < 64
    assert each[b] > 5 * each[a]


@pytest.mark.parametrize("batch", [64, 512])
@pytest.mark.parametrize("variant", ["asa", "ssa"])
def test_by_need_a_token_more_of_context_is_no_cliff(
    plan: Callable[..., Run], variant: Any, batch: int
) -> None:
    [found] = decode_rooflines(plan(), batches=(batch,))
    costs = found.curve(variant, batch)
    for before, after in pairwise(costs):
        # The cache costs no less for a longer context, and at twice the context no more than if
        # what is added all came from DRAM: 162.5 pJ x its 1,024 bytes a token (of 4 steps in bits)
        grown = (after.context - before.context) * 1024 * 162.5
        assert before.kv_cache is not None
        assert after.kv_cache is not None
        assert before.kv_cache <= after.kv_cache <= before.kv_cache + grown + 2 * 1024 * 162.5


def test_rates_of_a_run_are_taken_layer_by_layer(plan: Callable[..., Run]) -> None:
    # Of a decode step that was measured at the rate of a plan, the same costs follow.
    planned = plan(phase="decode", context=20)
    measured = replace(planned, command="profile")
    [a], [b] = (decode_rooflines(run, batches=(2,)) for run in (planned, measured))
    for one, other in zip(a.costs, b.costs, strict=True):
        assert one.arithmetic == pytest.approx(other.arithmetic, rel=1e-3)  # spikes are whole
        assert one.memory == pytest.approx(other.memory, rel=1e-3)
    assert b.rates == "measured in decode"


def test_weights_that_the_mask_hides_are_no_slots_of_decode(plan: Callable[..., Run]) -> None:
    # 48 tokens: of 48 x 48 weights 48 x 49 / 2 are seen, so the rate of those is 96 / 49 as high.
    run = plan()
    rates = measured_rates(run, SpikingConfig(form=Form.SOFTMAX))
    assert rates["transformer.h.1.attn.core.weight_encoder"] == pytest.approx(
        0.2 * 96 / 49, rel=1e-4
    )
    assert rates["transformer.h.1.attn.core.mix"] == pytest.approx(0.2 * 96 / 49, rel=1e-4)
    assert rates["transformer.h.1.attn.core.scores"] == pytest.approx(0.2, rel=1e-3)
    # Two windows of two sequences are four sequences of 48 tokens.
    many = measured_rates(plan(batch=2, windows=2), SpikingConfig(form=Form.SOFTMAX))
    assert many == pytest.approx(rates, rel=1e-3)


def test_of_a_request_the_last_phase_tells_the_rates(plan: Callable[..., Run]) -> None:
    run = plan(prompt=8, generate=4)

    def silent(counts: Counts) -> Counts:
        rows = (replace(x, tally=x.tally._replace(spikes=0)) for x in counts.layers)
        return replace(counts, layers=tuple(rows))

    first, last = run.phases
    run = replace(run, command="profile", request=(replace(first, ssa=silent(first.ssa)), last))
    rates = measured_rates(run, SpikingConfig(form=Form.SOFTMAX))
    assert list(rates.values()) == pytest.approx([0.2] * len(rates), rel=0.05)
    assert decode_rooflines(run, batches=(1,))[0].rates == "measured in decode"


def test_hardware_without_prices_of_memory_has_no_roofline(plan: Callable[..., Run]) -> None:
    found = decode_rooflines(plan("kerasspiking-gpu", "45nm"), batches=(1,))
    assert [one.profile.name for one in found] == ["45nm"]


def test_a_run_that_does_not_say_its_sizes_has_none(plan: Callable[..., Run]) -> None:
    run = plan()
    settings = {key: value for key, value in run.settings.items() if key != "shape"}
    assert decode_rooflines(replace(run, settings=settings)) == ()


@pytest.mark.parametrize(
    "shape",
    [
        {"layers": 2},
        {"depth": 2},
        *(SHAPE.as_dict() | change for change in ({"model_type": "x"}, {"heads": 0}, {"tied": 1})),
        *(SHAPE.as_dict() | {"layers": layers} for layers in ("2", True, 2.0, -1, 10**9)),
    ],
)
def test_sizes_that_were_edited_are_named(plan: Callable[..., Run], shape: dict[str, Any]) -> None:
    run = plan()
    with pytest.raises(ShapeError, match=r"describe no known model .*; run the command again"):
        decode_rooflines(replace(run, settings={**run.settings, "shape": shape}))


def test_a_layer_that_was_renamed_is_named(plan: Callable[..., Run]) -> None:
    run = replace(plan(), command="profile")
    layers = tuple(
        replace(row, name="x") if row.name.endswith("h.1.mlp.c_fc") else row
        for row in run.ssa.layers
    )
    assert any(row.name == "x" and row.tally.slots for row in layers)
    with pytest.raises(ShapeError, match=r"no spikes of the layer 'transformer\.h\.1\.mlp\.c_fc'"):
        decode_rooflines(replace(run, ssa=replace(run.ssa, layers=layers)))


@pytest.mark.parametrize("rate", ["0.2", -0.1, 1.5, None, []])
def test_a_rate_that_was_edited_is_named(plan: Callable[..., Run], rate: Any) -> None:
    run = plan()
    with pytest.raises(ShapeError, match=r"the 'spike_rate' of the run is .*, and was 0 to 1"):
        decode_rooflines(replace(run, settings={**run.settings, "spike_rate": rate}))
