from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from energy import Counts, estimate
from energy.compare.breakeven import BreakEven, Verdict
from energy.compare.part_breakeven import silenced, with_events
from energy.counts.file import CountsError, to_csv
from hwmodels import Dataflow, Encoding, Room, load_profile
from neurt.closed_form.passes import PlanError, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import ALIASES, Shape
from neurt.measure.breakeven import run_breakeven
from neurt.measure.parts import BreakEvenError
from neurt.requests.breakeven import BreakEvenRequest
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig
from reports.breakeven.case import Case

pytestmark = pytest.mark.usefixtures("alone")

TINY = Shape(2, 32, 4, 128, vocabulary=101, positions=64)
SPIKFORMER = SpikingConfig(form=Form.SPIKFORMER)
CHIP = """
extends = "45nm"
name = "chip"
title = "45nm with a price for everything"
[prices.spike]
pj = 0.5
source = "test"
evidence = "derived"
[prices.exp]
pj = 30.0
source = "test"
evidence = "derived"
[prices.sqrt]
pj = 30.0
source = "test"
evidence = "derived"
"""


@pytest.fixture
def chip(tmp_path: Path) -> str:
    path = tmp_path / "chip.toml"
    path.write_text(CHIP, encoding="utf-8")
    return str(path)


def written(path: Path, *variants: Counts) -> Path:
    path.write_text(to_csv(variants), encoding="utf-8")
    return path


def pair(spiking: SpikingConfig, rate: float = 0.2) -> tuple[Counts, Counts]:
    what = prefill(16)
    return plan_asa(TINY, what, model="tiny"), plan_ssa(TINY, what, spiking, rate, model="tiny")


def by_name(case: Case, accounting: str) -> dict[str, BreakEven]:
    return {one.part.name: one for one in case.breakevens if one.accounting == accounting}


def ask(**asked: Any) -> list[Case]:
    return run_breakeven(BreakEvenRequest(**{"hw": ("45nm",), **asked}))


@pytest.mark.parametrize(
    ("hw", "code", "rate"),
    [
        ("45nm", Code.SIGNED_IF, 4.6 / (4 * 0.9)),
        ("45nm-int8", Code.SIGNED_IF, 0.3 / (4 * 0.1)),
        ("45nm", Code.POW2, 4.6 / (4 * 0.93)),  # a shift and an addition
    ],
)
def test_arithmetic_of_a_shape_alone(hw: str, code: Code, rate: float) -> None:
    [case] = ask(hw=(hw,), shapes=((768, 3072),), spiking=SpikingConfig(code=code))
    compute, *ends = case.breakevens
    assert compute.rate == pytest.approx(rate)
    assert compute.verdict is (Verdict.ALWAYS if rate > 1 else Verdict.BELOW)
    assert (compute.part.kind, compute.silent_pj) == ("layer", 0)
    # Beside 3,072 outputs, the steps of a coder and what its events save in traffic are little, but
    # that at INT8 the potentials of unfused coders are four times as wide as anything else.
    assert [one.accounting for one in ends] == ["fused", "unfused"]
    for full in ends:
        assert full.unpriced == ()
        assert full.rate is not None
        assert (0.79 if hw == "45nm-int8" else 0.9) * rate < full.rate < 1.1 * rate


def test_a_shape_pays_for_its_coder(chip: str) -> None:
    signed = SpikingConfig(code=Code.SIGNED_IF)
    [case] = ask(hw=(chip,), shapes=((768, 3072), (768, 3072)), seq_len=8, spiking=signed)
    full = by_name(case, "fused")["768x3072"]
    silent = {row.count.name: row for row in case.ssa.layers}
    # 8 tokens x 4 steps x 768 coders, of 2 additions and 2 comparisons at 0.9 pJ
    assert silent["encoder"].group_pj("neuron") == pytest.approx(8 * 4 * 768 * 4 * 0.9)
    assert full.silent_pj > silent["encoder"].group_pj("neuron")
    assert full.rate is not None
    assert full.rate < by_name(case, "compute")["768x3072"].rate  # type: ignore[operator]


def test_the_parts_of_a_model() -> None:
    [case] = ask(model="gpt2-small", spiking=SPIKFORMER)
    kinds = {one.part.name: (one.part.kind, one.part.includes) for one in case.breakevens}
    assert kinds == {
        "qkv": ("layer", "768x2304, with its coder"),
        # The LIF neurons before them feed both.
        "scores": ("product", "two activations, no neurons"),
        "mix": ("product", "two activations, no neurons"),
        "proj": ("layer", "768x768, with its coder"),
        "ffn_up": ("layer", "768x3072, with its coder"),
        "ffn_down": ("layer", "3072x768, with its coder"),
        "attention block": ("block", "whole block, with norms and neurons"),
        "ffn block": ("block", "whole block, with norms and neurons"),
        "model": ("model", "whole model, with embeddings and head"),
    }
    rates = {one.rate for one in case.breakevens if one.accounting == "compute"}
    assert [round(rate, 4) for rate in rates if rate] == [1.2778] * len(rates)
    assert not case.measured


def test_products_of_softmax_attention_pay_for_their_coders() -> None:
    spiking = SpikingConfig(form=Form.SOFTMAX, key_value=KeyValue.STREAMED)
    [case] = ask(model="gpt2-small", spiking=spiking)
    scores, mix = (by_name(case, "fused")[name].part for name in ("scores", "mix"))
    inner = {name.removeprefix("transformer.h.3.attn.") for name in scores.spiking or ()}
    assert {"core.scores", "query_encoder", "key_encoder"} <= inner
    inner = {name.removeprefix("transformer.h.3.attn.") for name in mix.spiking or ()}
    assert {"core.mix", "core.weight_encoder", "value_encoder"} <= inner
    # Two streams: each of T steps brings two events for each MAC.
    assert by_name(case, "compute")["scores"].busy_events_per_mac == 8


#: A machine whose bill is linear in the rate: packed spikes, operands that are fetched for each
#: use, and room that does not go to what events use more often.
LINEAR: dict[str, Any] = {
    "encoding": Encoding.PACKED,
    "reuse": {"mac": 1, "event": 1},
    "room": Room.FIXED_ORDER,
}

FORMS = [
    SpikingConfig(timesteps=3, form=Form.SPIKFORMER),
    SpikingConfig(timesteps=3, form=Form.SPIKFORMER, code=Code.SAR),
    SpikingConfig(timesteps=3, code=Code.BURST),
    SpikingConfig(timesteps=3, code=Code.SIGNED_IF, key_value=KeyValue.STREAMED),
]


@pytest.mark.parametrize("spiking", FORMS, ids=lambda s: f"{s.form}-{s.code}")
def test_silence_is_a_plan_at_rate_zero(spiking: SpikingConfig) -> None:
    for what in (prefill(8), decode(24)):
        busy, none = (plan_ssa(TINY, what, spiking, rate) for rate in (0.25, 0.0))
        rows = zip(silenced(busy).layers, none.layers, strict=True)
        for ours, theirs in rows:
            assert (ours.name, ours.tally.spikes) == (theirs.name, 0)
            assert {op: n for op, n in ours.tally.ops.items() if n} == {
                op: n for op, n in theirs.tally.ops.items() if n
            }


@pytest.mark.parametrize("dataflow", Dataflow)
@pytest.mark.parametrize("spiking", FORMS, ids=lambda s: f"{s.form}-{s.code}")
def test_energy_is_linear_in_the_rate(
    dataflow: Dataflow, spiking: SpikingConfig, chip: str
) -> None:
    plain, what = load_profile(chip).model_copy(update={"delivery": None}), prefill(8)

    def bills(encoding: Encoding) -> list[float]:
        profile = plain.model_copy(update={"encoding": encoding})
        return [
            estimate(plan_ssa(TINY, what, spiking, rate), profile, dataflow=dataflow).energy_pj()
            for rate in (0.0, 0.5, 1.0)
        ]

    for encoding in (Encoding.PACKED, Encoding.BITMAP, Encoding.ADDRESSES):
        silent, half, busy = bills(encoding)
        if dataflow is Dataflow.GATHERED:  # at half the events, more than half of the rows are read
            assert half > (silent + busy) / 2
        else:
            assert half == pytest.approx((silent + busy) / 2, rel=1e-9)
    # The cheapest of the three is below all of them: its bill bends, and lies above the line.
    silent, half, busy = bills(Encoding.CHEAPEST)
    assert half >= (silent + busy) / 2 * (1 - 1e-9)


@pytest.mark.parametrize("accounting", ["fused", "unfused"])
def test_where_rows_are_gathered_the_break_even_lies_on_the_curve(accounting: str) -> None:
    # Few events touch many rows, so that a straight line to one event per slot misses the place.
    spiking = SpikingConfig(timesteps=2, form=Form.SOFTMAX)
    how = {"dataflow": Dataflow.GATHERED, "phase": "decode", "widths": {"weights": 4}}
    [case] = ask(hw=("45nm",), model="gpt2-small", spiking=spiking, **how)
    one = by_name(case, accounting)["ffn block"]
    assert one.rate is not None
    shape = ALIASES["gpt2-small"][1]
    plans = (plan_ssa(shape, decode(128), spiking, x * one.rate) for x in (1.0, 1.1))
    bills = (estimate(x, case.asa.profile, dataflow=Dataflow.GATHERED) for x in plans)
    there, more = (bill.energy_pj(accounting, block="ffn") for bill in bills)
    assert there == pytest.approx(one.asa_pj, rel=1e-3)
    assert one.saving(1.1 * one.rate) == pytest.approx(1 - more / one.asa_pj, abs=4e-3)
    line = (one.asa_pj - one.silent_pj) / (one.busy_pj - one.silent_pj)
    assert one.rate < 0.9 * line
    [plain] = ask(hw=("45nm",), model="gpt2-small", spiking=spiking, **how | {"dataflow": None})
    assert by_name(plain, accounting)["ffn block"].curve == ()  # it always wins


def test_as_many_looks_as_touched_the_rows_touch_those_of_another_rate() -> None:
    # 1 - (1 - r)^8 of a vector of 4 steps and 2 tokens, as the plan has it at each rate
    spiking = SpikingConfig(form=Form.SOFTMAX)
    one, other = (plan_ssa(TINY, decode(8, batch=2), spiking, rate) for rate in (0.1, 0.3))
    rows = zip(with_events(one, 3).layers, other.layers, strict=True)
    pairs = [(a.tally.looked[i], b.tally.looked[i]) for a, b in rows for i in (0, 2)]
    known = [(ours, theirs) for ours, theirs in pairs if theirs is not None]
    assert len(known) == 6 * TINY.layers  # qkv, proj, up, down; K and V
    for ours, theirs in known:
        assert ours == pytest.approx(theirs, rel=0.02)


@pytest.mark.parametrize("dataflow", [None, Dataflow.EVENT_DRIVEN])
def test_at_the_break_even_rate_a_planned_model_saves_nothing(
    dataflow: Dataflow | None, chip: str
) -> None:
    spiking = SpikingConfig(timesteps=8, form=Form.SOFTMAX)
    linear = dict(LINEAR)
    if dataflow is Dataflow.EVENT_DRIVEN:
        del linear["encoding"]  # its spikes are addresses
    [case] = ask(hw=(chip,), model="gpt2-small", spiking=spiking, dataflow=dataflow, **linear)
    one = by_name(case, "fused")["model"]
    assert one.rate is not None
    assert 0 < one.rate < 1
    there = plan_ssa(ALIASES["gpt2-small"][1], prefill(128), spiking, one.rate)
    bill = estimate(there, case.asa.profile, dataflow=dataflow)
    # Spikes are whole, so the bill has steps: at a rate of 0.003 of up to 3e-4.
    assert bill.energy_pj() == pytest.approx(case.asa.energy_pj(), rel=3e-4)
    assert case.asa.dataflow is (dataflow or Dataflow.LAYERWISE)


@pytest.mark.parametrize("accounting", ["fused", "unfused"])
def test_a_bill_that_bends_is_met_where_it_is_not_on_its_line(accounting: str) -> None:
    # Spikes have the cheapest encoding, and room goes by need: at the rate on the line through both
    # ends the bill is 0.2 % off, at that on the bill itself by what whole spikes round.
    spiking = SpikingConfig(timesteps=8, form=Form.SOFTMAX)
    [case] = ask(model="gpt2-small", spiking=spiking)
    one = by_name(case, accounting)["model"]

    def off(rate: float) -> float:
        plan = plan_ssa(ALIASES["gpt2-small"][1], prefill(128), spiking, rate)
        bill = estimate(plan, case.asa.profile).energy_pj(accounting)
        return abs(bill / case.asa.energy_pj(accounting) - 1)

    assert one.rate is not None
    assert off(one.rate) < 1e-5
    assert off((one.asa_pj - one.silent_pj) / (one.busy_pj - one.silent_pj)) > 1e-3


def test_layers_that_share_a_coder_are_one(tmp_path: Path, chip: str) -> None:
    bare = {"qkv_bias": False, "out_bias": False, "ffn_bias": False}
    sizes = {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "inner": 48}
    shape = Shape(**sizes, **bare, model_type="llama", activation="silu")
    asa, ssa = plan_asa(shape, prefill(16)), plan_ssa(shape, prefill(16), SpikingConfig(), 0.2)
    [case] = ask(hw=(chip,), run=written(tmp_path / "counts.csv", asa, ssa), **LINEAR)
    found = by_name(case, "fused")
    assert len(found) == 2 * 6 + 3
    qkv = found["model.layers.1.self_attn.q_proj+k_proj+v_proj"].part
    assert qkv.includes == "32x16/32x32, with its coder"
    parts = {name.removeprefix("model.layers.1.self_attn.") for name in qkv.spiking or ()}
    assert parts == {"q_proj", "k_proj", "v_proj", "encoder"}
    assert qkv.analog == (qkv.spiking or frozenset()) - {"model.layers.1.self_attn.encoder"}
    up = found["model.layers.0.mlp.gate_proj+up_proj"].part
    assert (up.component, up.includes) == ("ffn_up", "32x48, with its coder")
    config = {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "vocab_size": 50257,
        "max_position_embeddings": 64,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    [plan] = ask(hw=(chip,), model=str(tmp_path), seq_len=16, **LINEAR)
    kinds = {one.part.name: (one.part.kind, one.part.includes) for one in plan.breakevens}
    assert kinds["qkv"] == ("layer", "32x16/32x32, with its coder")
    assert kinds["ffn_up"] == ("layer", "32x48, with its coder")
    for name, one in found.items():  # at one rate, the break-evens of the closed form
        same = by_name(plan, "fused")[one.part.component or name]
        assert one.verdict is same.verdict
        if same.rate is not None:
            # Spikes are whole: the line through a run and the steps of the bill are this far apart.
            assert one.rate == pytest.approx(same.rate, rel=2e-2)


def test_the_layers_of_a_run_are_found_one_by_one(tmp_path: Path, chip: str) -> None:
    path = written(tmp_path / "counts.csv", *pair(SpikingConfig(), rate=0.2))
    [case] = ask(hw=(chip,), run=path)
    assert case.measured
    found = by_name(case, "fused")
    assert len(found) == 2 * 6 + 3
    layer = found["transformer.h.1.mlp.c_fc"]
    assert layer.part.includes == "32x128, with its coder"
    assert layer.busy_rate == pytest.approx(0.2, abs=1e-3)
    model = found["model"]
    assert model.busy_pj == pytest.approx(case.ssa.energy_pj())
    assert model.busy_events_per_mac == pytest.approx(case.ssa.counts.events_per_mac)


def test_a_run_at_one_rate_has_the_break_evens_of_the_closed_form(
    tmp_path: Path, chip: str
) -> None:
    config = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 101}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    written(tmp_path / "counts.csv", *pair(SpikingConfig(), rate=0.25))
    plan, run = ask(hw=(chip,), run=tmp_path / "counts.csv", model=str(tmp_path), seq_len=16)
    for accounting in ("compute", "full"):
        planned, measured = by_name(plan, accounting), by_name(run, accounting)
        for name, one in measured.items():
            same = planned[one.part.component or name]
            assert one.verdict is same.verdict
            if same.share is not None:
                assert one.rate == pytest.approx(same.rate, rel=1e-9), name
                assert one.events_per_mac == pytest.approx(same.events_per_mac, rel=1e-9)


def test_measured_bursts_may_exceed_one_event_per_slot(tmp_path: Path) -> None:
    [case] = ask(
        run=written(
            tmp_path / "counts.csv", *pair(SpikingConfig(form=Form.SPIKFORMER, code=Code.BURST))
        )
    )
    limits = {name: one.part.highest_rate for name, one in by_name(case, "compute").items()}
    assert limits["transformer.h.0.mlp.c_fc"] == limits["model"] == 7
    assert limits["transformer.h.0.attn.c_proj"] == 1  # fed by LIF neurons


def test_each_hardware_and_each_thing_is_a_case(tmp_path: Path) -> None:
    path = written(tmp_path / "counts.csv", *pair(SpikingConfig()))
    cases = ask(
        hw=("45nm", "loihi"), run=path, model="gpt2-medium", shapes=((8, 8),), phase="decode"
    )
    assert [(case.asa.profile.name, case.title) for case in cases] == [
        (hw, title)
        for hw in ("45nm", "loihi")
        for title in (
            "linear layer 8x8, closed form",
            "gpt2-medium, closed form",
            "tiny, measured",
        )
    ]
    assert cases[1].asa.counts.phase == "decode@128"
    # Loihi has no multiplier: no break-even, and never 0.
    assert {one.verdict for case in cases[3:] for one in case.breakevens} == {Verdict.UNPRICED}


@pytest.mark.parametrize("weights", ["none(closed form)", "assumed(rate=0.2)"])
def test_the_rates_of_a_plan_are_called_assumed(tmp_path: Path, weights: str) -> None:
    sides = (replace(side, weights=weights) for side in pair(SpikingConfig()))
    [case] = ask(run=written(tmp_path / "counts.csv", *sides))
    assert (case.title, case.origin, case.has_rates) == ("tiny, assumed rates", "plan", True)


def test_causal_attention(chip: str) -> None:
    [full], [causal] = (
        ask(hw=(chip,), model="gpt2-small", attention=a, spiking=SPIKFORMER)
        for a in ("full", "causal")
    )
    assert causal.asa.counts.attention == "causal"
    assert causal.asa.energy_pj() < full.asa.energy_pj()
    assert by_name(causal, "compute")["scores"].rate == pytest.approx(4.6 / 3.6, rel=1e-3)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({}, BreakEvenError, "nothing to compare; give --model, --shape or --run"),
        (
            {
                "model": "gpt2-small",
                "spiking": SpikingConfig(form=Form.SPIKFORMER, code=Code.EXACT),
            },
            None,
            "",
        ),
        (
            {"shapes": ((8, 8),), "spiking": SpikingConfig(code=Code.EXACT)},
            BreakEvenError,
            "linear layer 8x8, closed form: no layer takes events; choose another --code",
        ),
        ({"model": "someone/some-gpt2"}, PlanError, "'someone/some-gpt2' are not in the local"),
        ({"model": "gpt2-small", "seq_len": 1025}, PlanError, "1025 tokens are more than"),
        ({"run": Path("nowhere")}, CountsError, "counts 'nowhere' does not exist"),
    ],
)
def test_what_cannot_be_compared(
    asked: dict[str, Any], error: type[Exception] | None, said: str
) -> None:
    if error is None:  # Spikformer's LIF neurons send events in any code
        [case] = ask(**asked)
        assert "scores" in by_name(case, "compute")
        assert "ffn_up" not in by_name(case, "compute")
        return
    with pytest.raises(error, match=said):
        ask(**asked)


def test_a_run_without_its_analog_side(tmp_path: Path) -> None:
    asa, ssa = pair(SpikingConfig())
    with pytest.raises(CountsError, match=r"counts '.*ssa.csv' have no variant 'asa'"):
        ask(run=written(tmp_path / "ssa.csv", ssa))
    with pytest.raises(CountsError, match=r"counts '.*asa.csv' have no variant 'ssa'"):
        ask(run=written(tmp_path / "asa.csv", asa))
    fewer = Counts("asa", asa.layers[:4], model="tiny", tokens=16)
    with pytest.raises(BreakEvenError, match=r"layer 'transformer\.h\.0\.attn\.core\.scores'"):
        ask(run=written(tmp_path / "other.csv", fewer, ssa))


def test_a_run_of_several_phases_is_refused(tmp_path: Path) -> None:
    asa, ssa = pair(SpikingConfig())
    later = [replace(counts, phase="decode@9") for counts in (asa, ssa)]
    with pytest.raises(BreakEvenError, match=r"are of several phases \(prefill, decode@9\)"):
        ask(run=written(tmp_path / "request.csv", asa, ssa, *later))
