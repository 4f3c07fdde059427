from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import GPT2LMHeadModel

from energy import Counts
from hwmodels import Op
from neurt.closed_form.passes import PlanError, whole_request
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.loading.models import LoadedModel
from neurt.loading.source import ModelSource
from neurt.measure import pair, verification
from neurt.measure.profiling import run_profile
from neurt.measure.verification import VerificationError
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import SpikingConfig
from reports import Run

pytestmark = pytest.mark.usefixtures("alone")

TINY = Shape(layers=2, width=32, heads=4, inner=128, vocabulary=101, positions=64)


class Letters:
    """A tokenizer of 101 entries: one token for each character."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) % 101 for letter in text]


@pytest.fixture
def measure(tiny_gpt2: GPT2LMHeadModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    loaded = LoadedModel(
        ModelSource("tiny", None, None, None), tiny_gpt2, Letters(), "random(seed=0)"
    )
    monkeypatch.setattr(pair, "load_model", lambda *_asked, **_how: loaded)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(tiny_gpt2.config.to_json_string())

    def run(progress: Any = lambda *_how: None, **fields: Any) -> Run:
        asked = {"model": "tiny", "hw": ("45nm",), "out": tmp_path / "out"}
        return run_profile(ProfileRequest(**(asked | fields)), progress)

    return run


def planned(run: Run, batch: int, *spikes: Any) -> list[Counts]:
    passes = [one for stage in whole_request(6, 4, batch=batch) for one in stage.passes]
    return [plan_ssa(TINY, one, *spikes) if spikes else plan_asa(TINY, one) for one in passes]


@pytest.mark.parametrize("form", ["softmax", "spikformer"])
def test_a_measured_request_is_the_planned_one(measure: Any, form: str) -> None:
    spiking = SpikingConfig(form=form, timesteps=3)
    run = measure(prompt=6, generate=4, batch=2, windows=2, spiking=spiking, verify=True)
    assert [phase.name for phase in run.phases] == ["prefill", "decode"]
    assert (run.asa.phase, run.asa.tokens) == ("request 6+4", 2 * 2 * 9)
    assert run.phases[1].asa.phase == "decode@7-9"
    steps = planned(run, 2)
    for i, row in enumerate(run.asa.layers):
        assert row.calls == 2 * sum(step.layers[i].calls for step in steps), row.name
        for op in Op:
            assert row.ops[op] == 2 * sum(step.layers[i].ops[op] for step in steps), (row.name, op)
    # Dense rows of the spiking model need no spike rate to be known.
    steps = planned(run, 2, spiking, 0.5)
    dense = [i for i, row in enumerate(run.ssa.layers) if not row.tally.slots]
    assert len(dense) > 5
    for i in dense:
        row = run.ssa.layers[i]
        if "normalise" not in row.name:  # divides by the events that arrived
            found = {op: sum(step.layers[i].ops[op] for step in steps) for op in Op}
            assert {op: row.ops[op] for op in Op} == {op: 2 * n for op, n in found.items()}


def test_the_steps_follow_the_text_so_that_a_run_repeats(measure: Any) -> None:
    first, second = (measure(prompt=5, generate=3) for _ in range(2))
    assert first.ssa == second.ssa
    assert first.phases == second.phases


def test_progress_counts_every_step(measure: Any) -> None:
    said: list[tuple[str, int, int]] = []
    measure(lambda *how: said.append(how), prompt=5, generate=3, windows=2)
    # 2 windows x (a prefill and 2 steps)
    counted = [tuple(how) for name, *how in said if name == "counting"]
    assert counted == [(n, 6) for n in range(7)]  # both models in turns


def test_a_request_begins_as_a_prefill_does(measure: Any) -> None:
    # With a cache to fill, as without: keys and values are written either way.
    request, alone = measure(prompt=6, generate=2), measure(seq_len=6)
    first = request.phases[0].asa
    assert {x.name: x.tally for x in first.layers} == {x.name: x.tally for x in alone.asa.layers}


def test_zeros_are_measured_where_asked_for(measure: Any) -> None:
    assert not measure(seq_len=4).asa.zeros_measured
    run = measure(seq_len=4, zeros=True, verify=True)
    assert run.asa.zeros_measured


def test_a_request_beyond_the_positions_is_refused_before_loading(
    measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair, "load_model", lambda *_asked: pytest.fail("was loaded"))
    with pytest.raises(PlanError, match="65 tokens are more than the 64 positions"):
        measure(prompt=60, generate=6)


def test_a_step_that_differs_from_the_plan_is_found(
    measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(shape: Shape, what: Any, *how: Any) -> Counts:
        longer = what.keys == 8  # the last step only
        return plan_asa(Shape(2, 32, 4, 128 + longer, 101, 64), what, *how)

    monkeypatch.setattr(verification, "plan_asa", wrong)
    with pytest.raises(
        VerificationError, match=r"layer 'transformer\.h\.0\.mlp\.c_fc' was counted"
    ):
        measure(prompt=6, generate=3, verify=True)


@pytest.mark.parametrize("detokenise", [False, True])
def test_a_conversion_is_calibrated_on_the_users_text(
    measure: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detokenise: bool
) -> None:
    given: list[list[int]] = []
    convert = pair.convert

    def watched(model: Any, spiking: Any, windows: Any, *rest: Any, **how: Any) -> Any:
        given.extend(ids.flatten().tolist() for ids in windows)
        return convert(model, spiking, windows, *rest, **how)

    monkeypatch.setattr(pair, "convert", watched)
    own, text = tmp_path / "own.txt", tmp_path / "text.txt"
    own.write_text("a well @-@ known , man . \n" * 20, encoding="utf-8")
    text.write_text("It is a well @-@ known whale . \n" * 20, encoding="utf-8")
    how = {"calibration": own, "calibration_tokens": 150, "text": text, "seq_len": 16}
    run = measure(**how, detokenise=detokenise)
    read = "a well-known, man.\n" if detokenise else "a well @-@ known , man . \n"
    ids = Letters().encode(read * 20)
    assert given == [ids[:64], ids[64:128]]  # 150 = 2 x 64 + 22
    suffix = ", detokenised" if detokenise else ""
    assert run.settings["calibration"] == f"own.txt{suffix}"
    assert run.settings["text"] == f"text.txt{suffix}"
    assert run.settings["calibration_tokens"] == 150
    assert run.settings["detokenise"] is detokenise
