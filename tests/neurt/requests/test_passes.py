from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from energy import Attention, Conventions
from neurt.closed_form.passes import Pass, PlanError, decode, prefill, whole_request
from neurt.requests.base import RequestError
from neurt.requests.passes import PassRequest, PlanRequest, ProfileRequest
from neurt.spiking.config import SpikingConfig


def ask(kind: type[PassRequest] = PassRequest, **fields: Any) -> PassRequest:
    return kind.model_validate({"model": "gpt2-small", "hw": ["45nm"], "out": "out"} | fields)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, prefill(128)),
        ({"seq_len": 9, "context": 7, "batch": 2, "windows": 3}, prefill(9, batch=2, repeats=3)),
        ({"phase": "decode"}, decode(128)),
        (
            {"phase": "decode", "seq_len": 9, "context": 7, "batch": 2, "windows": 3},
            decode(7, batch=2, repeats=3),
        ),
    ],
    ids=["prefill", "prefill of a batch", "decode", "decode of a batch"],
)
def test_the_phase_decides_which_length_counts(fields: dict[str, Any], what: Pass) -> None:
    [stage] = ask(**fields).stages
    assert stage.passes == (what,)
    assert stage.name == ("decode" if fields.get("phase") == "decode" else "prefill")
    assert ask(**fields).phase_name == what.phase


def test_a_prompt_and_new_tokens_are_a_whole_request() -> None:
    request = ask(prompt=512, generate=128, batch=2, windows=3)
    assert request.stages == whole_request(512, 128, batch=2, repeats=3)
    assert request.phase_name == "request 512+128"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": 5}, "--generate is missing"),
        ({"generate": 5}, "--prompt is missing"),
        ({"prompt": 5, "generate": 5, "phase": "decode"}, "--phase decode is one pass"),
        ({"latency_s": {"asa": 0.5}}, "--latency-s is given for asa alone"),
        (
            {"latency_s": {"asa": 0.5, "ssa": 1}, "hw": ["45nm", "loihi"]},
            "--latency-s is that of one chip, but --hw names 45nm, loihi",
        ),
    ],
    ids=["no new tokens", "no prompt", "a phase as well", "one variant", "two chips"],
)
def test_a_request_that_contradicts_itself_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises((PlanError, RequestError), match=said):
        ask(**fields).check()


def test_only_a_measured_run_looks_for_zeros() -> None:
    assert ask(ProfileRequest, zeros=True).conventions == Conventions(zeros=True)
    assert not ask(ProfileRequest).conventions.zeros


@pytest.mark.parametrize(
    ("fields", "conventions"),
    [
        ({}, Conventions()),
        ({"attention": "causal"}, Conventions(Attention.CAUSAL)),
        ({"coincidences": True}, Conventions(Attention.FULL, coincidences=True)),
    ],
    ids=["defaults", "causal", "coincidences"],
)
def test_conventions_are_what_was_asked(fields: dict[str, Any], conventions: Conventions) -> None:
    assert ask(ProfileRequest, **fields).conventions == conventions


def test_the_conversion_has_the_time_steps_asked_for() -> None:
    assert ask().spiking == SpikingConfig(timesteps=4)
    assert ask(spiking={"timesteps": 7}).spiking == SpikingConfig(timesteps=7)


def test_words_become_types() -> None:
    request = ask()
    assert request.hw == ("45nm",)
    assert request.out == Path("out")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (PassRequest, "seq_length", 8),
        (PassRequest, "spike_rate", 0.5),
        (PlanRequest, "verify", True),
        (ProfileRequest, "spike_rate", 0.5),
        (PassRequest, "seq_len", 0),
        (PassRequest, "context", 0),
        (PassRequest, "batch", -1),
        (PassRequest, "windows", 0),
        (PassRequest, "phase", "both"),
        (PassRequest, "prompt", 0),
        (PassRequest, "generate", 0),
        (PassRequest, "zeros", True),
        (PassRequest, "dataflow", "sideways"),
        (PassRequest, "attention", "half"),
        (PlanRequest, "spike_rate", -0.1),
        (PlanRequest, "spike_rate", 1.1),
        (PlanRequest, "spike_rate", float("nan")),
        (ProfileRequest, "weights", "mine"),
    ],
)
def test_an_unknown_field_or_a_value_out_of_range_is_refused(
    kind: type[PassRequest], field: str, value: object
) -> None:
    with pytest.raises(ValidationError) as caught:
        ask(kind, **{field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    "latency", [{"asa": 0}, {"asa": -1}, {"ssa": float("inf")}, {"ssa": float("nan")}, {"ann": 1}]
)
def test_a_latency_is_of_a_variant_and_above_0(latency: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ask(latency_s=latency)


@pytest.mark.parametrize(
    ("field", "value"),
    [("timesteps", 0), ("timesteps", 65), ("form", "full"), ("time_steps", 4)],
)
def test_an_impossible_conversion_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        ask(spiking={field: value})
    assert [error["loc"] for error in caught.value.errors()] == [("spiking", field)]
