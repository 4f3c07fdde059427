from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy import Counts, estimate
from hwmodels import Buffer, HardwareProfile, Op, load_profile
from neurt.cli import main
from neurt.closed_form.passes import PlanError, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import ALIASES, Shape
from neurt.measure.planning import run_plan
from neurt.requests.base import RequestError
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import Code, DeadZone, Form, SpikingConfig
from reports import Run

pytestmark = pytest.mark.usefixtures("alone")

SMALL = ALIASES["gpt2-small"][1]
TINY = Shape(layers=2, width=8, heads=2, inner=32, vocabulary=11, positions=64)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    sizes = {"n_layer": 2, "n_embd": 8, "n_head": 2, "n_positions": 64, "vocab_size": 11}
    model = tmp_path / "tiny"
    model.mkdir()
    config = json.dumps({"model_type": "gpt2", **sizes})
    (model / "config.json").write_text(config, encoding="utf-8")
    return str(model)


def plan(model: str = "gpt2-small", *hw: str, **fields: Any) -> Run:
    return run_plan(PlanRequest(model=model, hw=hw or ("45nm",), out=Path("out"), **fields))


def all_in_dram() -> HardwareProfile:
    profile = load_profile("45nm")
    return profile.model_copy(update={"placement": dict.fromkeys(Buffer, ("dram",))})


def test_a_plan_is_a_run_of_both_variants() -> None:
    run = plan("gpt2-small", "45nm", "loihi", spiking=SpikingConfig(timesteps=3))
    assert run.command == "plan"
    assert (run.asa.variant, run.ssa.variant) == ("asa", "ssa")
    assert run.asa.model == run.ssa.model == "gpt2-small"
    assert (run.asa.timesteps, run.ssa.timesteps) == (1, 3)
    assert [profile.name for profile in run.profiles] == ["45nm", "loihi"]
    assert run.settings["phase"] == "prefill"
    assert run.settings["spike_rate"] == 0.2
    # Nobody has read weights: dead zones are as they are without.
    chosen = SpikingConfig(timesteps=3, dead_zone=DeadZone.OUTPUT)
    assert run.settings["spiking"] == chosen.model_dump(mode="json")
    assert "python" in run.versions
    assert [phase.name for phase in run.phases] == ["prefill"]


def test_a_hub_id_whose_sizes_are_not_cached_cannot_be_planned() -> None:
    with pytest.raises(PlanError, match="'someone/some-gpt2' are not in the local cache"):
        plan("someone/some-gpt2")


def test_a_request_beyond_the_positions_is_refused(tiny: str) -> None:
    with pytest.raises(PlanError, match="65 tokens are more than the 64 positions of "):
        plan(tiny, prompt=60, generate=6)


def test_positions_that_are_no_table_are_planned_and_each_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 11}
    sizes |= {"intermediate_size": 12, "max_position_embeddings": 64}
    config = json.dumps({"model_type": "llama", **sizes})
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    run = plan(str(tmp_path), prompt=60, generate=6)
    assert run.request[1].asa.phase == "decode@61-65"
    says = f"65 tokens are more than the 64 positions that the configuration of '{tmp_path}' names"
    assert run.settings["beyond"] == (
        f"{says}: no count depends on them, but what it answers there may"
    )
    assert "beyond" not in plan(str(tmp_path), seq_len=64).settings
    for verb, lengths in (("plan", "65"), ("plan", "8,65"), ("breakeven", "65"), ("plan", "8,64")):
        words = f"{verb} --model {tmp_path} --hw 45nm --phase decode --context {lengths}"
        out = ["--out", str(tmp_path / f"{verb}{lengths}"), "--pictures", "none"]
        assert main([*words.split(), *out]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert (says in said) == ("65" in lengths), (verb, lengths)


def rows(counts: Counts) -> dict[str, Any]:
    return {row.name: (row.kind, row.label, row.calls, row.tally) for row in counts.layers}


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    prompt=st.integers(1, 6),
    generate=st.integers(1, 5),
    batch=st.integers(1, 3),
    windows=st.integers(1, 2),
    form=st.sampled_from(["softmax", "spikformer"]),
)
def test_a_request_is_its_prefill_and_its_decode_steps(
    tiny: str, prompt: int, generate: int, batch: int, windows: int, form: str
) -> None:
    spiking = SpikingConfig(form=form)
    many = {"batch": batch, "windows": windows}
    run = plan(tiny, prompt=prompt, generate=generate, spiking=spiking, **many)

    passes = [prefill(prompt, batch=batch, repeats=windows)]
    passes += [
        decode(n, batch=batch, repeats=windows) for n in range(prompt + 1, prompt + generate)
    ]
    for whole, steps in (
        (run.asa, [plan_asa(TINY, one) for one in passes]),
        (run.ssa, [plan_ssa(TINY, one, spiking, 0.2) for one in passes]),
    ):
        assert whole.phase == f"request {prompt}+{generate}"
        assert whole.tokens == batch * windows * (prompt + generate - 1)
        for i, row in enumerate(whole.layers):
            assert row.calls == sum(step.layers[i].calls for step in steps)
            for op in Op:
                assert row.ops[op] == sum(step.layers[i].ops[op] for step in steps)
    [(asa, ssa)] = run.estimates.values()
    [bills] = run.phase_estimates.values()
    for i, side in enumerate((asa, ssa)):
        parts = math.fsum(pair[i].energy_pj() for pair in bills)
        assert side.energy_pj() == pytest.approx(parts, rel=1e-15)


def test_a_request_of_one_token_is_its_prefill(tiny: str) -> None:
    run, alone = plan(tiny, prompt=6, generate=1), plan(tiny, seq_len=6)
    assert rows(run.asa) == rows(alone.asa)
    assert rows(run.ssa) == rows(alone.ssa)
    assert [phase.name for phase in run.phases] == ["prefill"]


@pytest.mark.parametrize("form", ["softmax", "spikformer"])
def test_twice_the_time_steps_are_twice_the_neuron_updates(tiny: str, form: str) -> None:
    few, many = (
        plan(tiny, prompt=5, generate=4, spiking=SpikingConfig(form=form, timesteps=t)).ssa
        for t in (3, 6)
    )
    assert few.total(Op.NEURON_UPDATE) > 0
    assert many.total(Op.NEURON_UPDATE) == 2 * few.total(Op.NEURON_UPDATE)


@pytest.mark.parametrize(
    ("context", "cached", "printed_mj"), [(128, 2_359_296, 81.83), (1024, 18_874_368, 92.56)]
)
def test_decode_of_gpt2_small_from_dram(context: int, cached: int, printed_mj: float) -> None:
    # Weights: 12 x 12 x 768^2 + 50257 x 768 = 123,532,032, in FP32 494,128,128 bytes.
    # KV read: 2 x 12 x 768 x context. DRAM: 1.3 nJ per 8 bytes = 162.5 pJ per byte.
    run = plan(phase="decode", context=context)
    assert run.asa.total(Op.WEIGHT_READ) * 4 == 494_128_128
    assert run.asa.total(Op.KV_READ) == cached
    bill = estimate(run.asa, all_in_dram())
    streamed = math.fsum(
        layer.pj.get(op, 0.0) for layer in bill.layers for op in (Op.WEIGHT_READ, Op.KV_READ)
    )
    assert streamed == pytest.approx((494_128_128 + 4 * cached) * 162.5, rel=1e-15)
    assert round(streamed / 1e9, 2) == printed_mj


def test_the_multiply_accumulates_of_that_decode() -> None:
    # (12 x 12 x 768^2 + 50257 x 768 + 2 x 12 x 768 x 1024) x 4.6 pJ = 0.655 mJ
    [(asa, _)] = plan(phase="decode", context=1024).estimates.values()
    assert round(asa.energy_pj("compute") / 1e9, 3) == 0.655


def test_a_batch_shares_the_weights_and_not_the_cache() -> None:
    one, eight = (plan(phase="decode", context=1024, batch=b).asa for b in (1, 8))
    assert (one.tokens, eight.tokens) == (1, 8)
    # Per token: 123,532,032 / 8 weights, and as much cache as before.
    assert eight.total(Op.WEIGHT_READ) / eight.tokens == 15_441_504
    assert eight.total(Op.KV_READ) / eight.tokens == one.total(Op.KV_READ) == 18_874_368


def test_the_dataflow_reaches_the_bills_and_the_settings(tiny: str) -> None:
    run = plan(tiny, "45nm", seq_len=4, dataflow="stepwise")
    [(asa, ssa)] = run.estimates.values()
    assert (str(asa.dataflow), str(ssa.dataflow)) == ("stepwise", "stepwise")
    assert run.settings["dataflow"] == "stepwise"


def test_latencies_reach_the_bills_and_the_settings(tiny: str) -> None:
    latency = {"asa": 0.5, "ssa": 2.0}
    run = plan(tiny, "loihi", seq_len=4, latency_s=latency)
    [(asa, ssa)] = run.estimates.values()
    assert (asa.latency_s, ssa.latency_s) == (0.5, 2.0)
    assert run.settings["latency_s"] == latency


def test_a_converted_model_is_planned_as_it_was_converted() -> None:
    # gpt2-nano-spiking is stored in the spikformer form, with one zone; a plan is of softmax with
    # two unless told so.
    run = plan("gpt2-nano-spiking", "45nm", seq_len=4)
    chosen = SpikingConfig(form=Form.SPIKFORMER, code=Code.POW2, resolution=1)
    same = plan("gpt2-nano", "45nm", seq_len=4, spiking=chosen)
    assert [row.tally for row in run.ssa.layers] == [row.tally for row in same.ssa.layers]
    assert run.settings["spiking"]["form"] == "spikformer"  # type: ignore[index]


@pytest.mark.parametrize("choice", [{"timesteps": 8}, {"timesteps": 4}, {"code": "pow2"}])
def test_a_converted_model_is_not_planned_as_another_one(choice: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="is a converted model and keeps its conversion"):
        plan("gpt2-nano-spiking", "45nm", seq_len=4, spiking=SpikingConfig(**choice))


def test_the_share_of_active_channels_is_assumed_and_said() -> None:
    request = {"model": "gpt2-small", "hw": ("45nm",), "phase": "decode", "batch": 2}
    half = run_plan(PlanRequest.model_validate(request | {"active_rate": 0.5}))
    # 1 - 0.5^2 of the rows of 768 x 3072
    up = half.ssa.layer("transformer.h.0.mlp.c_fc").tally
    assert up.touched_weights == 0.75 * 768 * 3072
    assert up.active_weights == 2 * 0.5 * 768 * 3072
    assert "A = 0.5 (as given)" in str(half.settings["assumed"])
    assert half.settings["active_rate"] == 0.5
    usual = run_plan(PlanRequest.model_validate(request | {"spike_rate": 0.2}))
    steps = usual.ssa.timesteps
    share = 1 - 0.8 ** (2 * steps)
    up = usual.ssa.layer("transformer.h.0.mlp.c_fc").tally
    assert up.touched_weights == round(share * 768 * 3072)
    assert "slots independent" in str(usual.settings["assumed"])
