from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import reports
from energy import estimate
from hwmodels import Dataflow, HardwareProfile, Op, load_profile
from hwmodels.prices import Evidence, StaticPower
from reports import PUBLISHED_SAVING, Run, write_report
from reports.kit.caveats import PUBLISHED_SOURCE
from reports.kit.closeness import Closeness, Scored
from reports.kit.pictures import Pictures
from reports.read import read_run
from reports.run.record import RunError
from reports.run.run import Phase, merged


def powered(watts: float) -> HardwareProfile:
    power = StaticPower(watts=watts, source="a bench", evidence=Evidence.MEASURED)
    return load_profile("45nm").model_copy(update={"static_power": power})


@pytest.fixture
def request_run(make_run: Callable[..., Run]) -> Run:
    # A prefill of 4 tokens and, for the sake of the sums, the same work once more as 3 steps.
    run = make_run("45nm", "loihi")
    steps = [replace(x, phase="decode@5-7", tokens=3) for x in (run.asa, run.ssa)]
    phases = (Phase("prefill", run.asa, run.ssa), Phase("decode", steps[0], steps[1], 3))
    sums = [merged(pair, "request 4+4") for pair in ((run.asa, steps[0]), (run.ssa, steps[1]))]
    return replace(run, asa=sums[0], ssa=sums[1], request=phases)


def test_each_profile_has_a_bill_of_both_variants_in_the_order_asked_for(
    make_run: Callable[..., Run],
) -> None:
    run = make_run("loihi", "45nm")
    assert list(run.estimates) == ["loihi", "45nm"]
    for name, pair in run.estimates.items():
        assert pair == tuple(estimate(side, load_profile(name)) for side in (run.asa, run.ssa))


def test_the_bills_are_made_once(run: Run) -> None:
    assert run.estimates is run.estimates


def test_a_run_of_one_phase_is_that_phase(run: Run) -> None:
    assert run.phases == (Phase("prefill", run.asa, run.ssa),)
    decode = replace(run, asa=replace(run.asa, phase="decode@1024"))
    assert [phase.name for phase in decode.phases] == ["decode"]
    for name, [pair] in run.phase_estimates.items():
        assert pair == run.estimates[name]


def test_a_request_is_the_sum_of_its_phases(request_run: Run) -> None:
    assert [phase.name for phase in request_run.phases] == ["prefill", "decode"]
    assert [phase.tokens for phase in request_run.phases] == [4, 3]
    assert (request_run.asa.phase, request_run.asa.tokens) == ("request 4+4", 7)
    for name, bills in request_run.phase_estimates.items():
        for whole, first, second in zip(request_run.estimates[name], *bills, strict=True):
            # The two phases are the same work, so that their sum is twice either: exactly.
            assert whole.energy_pj() == 2 * first.energy_pj() == 2 * second.energy_pj()
            assert whole.counts.total(Op.MAC) == 2 * first.counts.total(Op.MAC)


def test_counts_of_another_model_do_not_merge(run: Run) -> None:
    with pytest.raises(ValueError, match="variant 'asa' and 'ssa' do not add"):
        merged((run.asa, run.ssa), "request 1+1")


def test_the_dataflow_asked_for_is_that_of_every_bill(run: Run) -> None:
    assert {bill.dataflow for pair in run.estimates.values() for bill in pair} == {
        profile.dataflow for profile in run.profiles
    }
    asked = replace(run, dataflow=Dataflow.STEPWISE)
    assert {bill.dataflow for pair in asked.estimates.values() for bill in pair} == {"stepwise"}


def test_a_latency_gives_static_energy(run: Run) -> None:
    # 2 W x 0.5 s = 1 J = 1e12 pJ; 2 W x 0.25 s = 5e11 pJ
    asked = replace(run, profiles=(powered(2.0),), latency_s={"asa": 0.5, "ssa": 0.25})
    [pair] = asked.estimates.values()
    assert [side.static_pj for side in pair] == [1e12, 5e11]
    [without] = replace(run, profiles=(powered(2.0),)).estimates.values()
    assert [side.static_pj for side in without] == [None, None]


def test_the_latency_of_a_request_is_not_that_of_its_phases(request_run: Run) -> None:
    latency = {"asa": 0.5, "ssa": 0.25}
    asked = replace(request_run, profiles=(powered(2.0),), latency_s=latency)
    assert [side.static_pj for side in asked.estimates["45nm"]] == [1e12, 5e11]
    phases = asked.phase_estimates["45nm"]
    assert {side.static_pj for pair in phases for side in pair} == {None}


def test_a_measured_run_says_model_weights_and_time_steps(make_run: Callable[..., Run]) -> None:
    assert make_run().title == "tiny, weights random(seed=0), T = 4"


def test_a_planned_run_says_its_spike_rate_as_well(make_run: Callable[..., Run]) -> None:
    run = make_run(command="plan", weights="none(closed form)")
    assert run.title == "tiny, weights none(closed form), T = 4, spike rate 0.125"


def test_the_subtitle_says_phase_tokens_and_attention(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert run.subtitle == "prefill, 4 tokens, full attention"
    asa = replace(run.asa, phase="decode@1024", tokens=12_345, attention="causal")
    assert replace(run, asa=asa).subtitle == "decode@1024, 12,345 tokens, causal attention"


def test_the_published_range_is_that_of_the_abstract() -> None:
    assert PUBLISHED_SAVING == (0.6471, 0.8528)
    assert "arXiv 2510.00133" in PUBLISHED_SOURCE


@pytest.mark.parametrize("name", reports.__all__)
def test_every_exported_name_resolves(name: str) -> None:
    assert getattr(reports, name) is not None


def test_quality_is_written_and_read_back(make_run: Callable[..., Run], tmp_path: Path) -> None:
    windows = (Scored(3, 4.0, 5.0, 0.5, 1, 1, 2), Scored(2, 3.0, 3.5, 0.25, 1, 0, 1))
    run = replace(make_run("45nm"), quality=Closeness(windows))
    write_report(run, tmp_path, pictures=Pictures.NONE, page=False)
    assert read_run(tmp_path).quality == run.quality
    stated = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["quality"]
    # 5 tokens, 1.5 nats more than the analog model: e^0.3 - 1
    assert stated["perplexity_change"] == pytest.approx(math.exp(0.3) - 1)
    assert (stated["tokens"], stated["kl_nats"]) == (5, 0.15)


def test_a_run_that_measured_no_quality_says_none(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    write_report(make_run("45nm"), tmp_path, pictures=Pictures.NONE, page=False)
    assert read_run(tmp_path).quality is None
    path = tmp_path / "run.json"
    old = json.loads(path.read_text(encoding="utf-8"))
    del old["quality"]  # as versions before 0.2 wrote it
    path.write_text(json.dumps(old), encoding="utf-8")
    assert read_run(tmp_path).quality is None
    path.write_text(json.dumps(old | {"quality": {"windows": []}}), encoding="utf-8")
    with pytest.raises(RunError, match="no window has a scored token"):
        read_run(tmp_path)
