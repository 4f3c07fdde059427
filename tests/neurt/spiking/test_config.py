from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from builders import refused
from pydantic import ValidationError

from energy import Levels
from neurt.spiking.config import (
    Calibrate,
    Code,
    Coded,
    DeadZone,
    Form,
    KeyValue,
    SpikingConfig,
    SpikingConfigError,
    stored_choices,
)


def test_is_frozen_and_refuses_what_it_does_not_know() -> None:
    config = SpikingConfig()
    with pytest.raises(ValidationError):
        config.timesteps = 8  # type: ignore[misc]
    with pytest.raises(ValidationError, match="time_steps"):
        SpikingConfig(time_steps=4)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "bad",
    [
        {"timesteps": 0},
        {"timesteps": 65},
        {"tau": 1.0},
        {"tau": float("nan")},
        {"input_quantile": 0},
        {"input_quantile": 1.5},
        {"lif_quantile": 0},
        {"lif_quantile": None},
        {"threshold": 0},
        {"threshold": -1.0},
        {"threshold": float("inf")},
        {"attention_threshold": 0},
        {"attention_threshold": float("nan")},
        {"surrogate_alpha": 0},
        {"form": "asa"},
        {"key_value": "cached"},
        {"code": "rate"},
        {"attention_code": "rate"},
    ],
)
def test_refuses_impossible_values(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        SpikingConfig.model_validate(bad)


def test_words_are_enough() -> None:
    config = SpikingConfig.model_validate(
        {
            "form": "softmax",
            "code": "pow2",
            "attention_code": "sar",
            "key_value": "streamed",
        }
    )
    assert config.form is Form.SOFTMAX
    assert (config.code, config.attention_code) == (Code.POW2, Code.SAR)
    assert config.key_value is KeyValue.STREAMED
    assert SpikingConfig().key_value is KeyValue.STORED


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", Code)
def test_survives_json(form: Form, code: Code) -> None:
    config = SpikingConfig(form=form, code=code, attention_threshold=0.3, calibrate=Calibrate.MSE)
    stored = config.model_dump(mode="json")
    assert stored["code"] == code.value
    assert SpikingConfig.model_validate(stored) == config


def test_the_attention_block_is_coded_like_the_feed_forward_block_unless_stated() -> None:
    same = SpikingConfig(code=Code.POW2, threshold=2.0)
    assert same.code_of_attention is Code.POW2
    assert same.threshold_of(Coded.ATTENTION) == 2.0
    other = SpikingConfig(attention_code=Code.SAR, attention_threshold=0.5)
    assert (other.code_of_attention, other.code) == (Code.SAR, Code.POW2)
    assert (other.threshold_of(Coded.ATTENTION), other.threshold) == (0.5, 1.0)


def test_a_code_says_what_its_events_may_be() -> None:
    assert {code: code.levels for code in Code} == {
        Code.SIGNED_IF: Levels.TERNARY,
        Code.BURST: Levels.BURST,
        Code.MULTI_THRESHOLD: Levels.POWER,
        Code.SAR: Levels.POWER,
        Code.POW2: Levels.POWER,
        Code.EXACT: Levels.ANALOG,
    }


def test_a_code_is_a_mean_where_a_constant_input_is_integrated() -> None:
    assert {code for code in Code if code.averages} == {
        Code.SIGNED_IF,
        Code.BURST,
        Code.MULTI_THRESHOLD,
    }


OLD = {"attention": "softmax", "feedforward": "sar", "attention_quantile": 0.7, "threshold": 2.0}


@pytest.mark.parametrize(
    ("stored", "calibrate", "quantile"),
    [
        ({"input_quantile": None}, Calibrate.MSE, 0.99),
        ({"input_quantile": 0.9}, Calibrate.QUANTILE, 0.9),
        ({}, Calibrate.QUANTILE, 0.99),
    ],
)
def test_reads_what_version_0_1_stored(
    stored: dict[str, Any], calibrate: Calibrate, quantile: float
) -> None:
    expected = SpikingConfig(
        form=Form.SOFTMAX,
        code=Code.SAR,
        lif_quantile=0.7,
        threshold=2.0,
        calibrate=calibrate,
        input_quantile=quantile,
        dead_zone=DeadZone.OUTPUT,
        resolution=1.0,
    )
    assert stored_choices(OLD | stored) == expected


def test_an_old_name_is_one_of_stored_models_only() -> None:
    for old, new in (("attention", "form"), ("feedforward", "code")):
        with pytest.raises(ValidationError, match=f"'{old}' is called '{new}' since version 0.2"):
            SpikingConfig(**{old: "softmax"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (
            {"attention": "softmax", "form": "softmax"},
            "'spiking' has 'form', and 'attention', its name in version 0.1; keep one",
        ),
        ([], "'spiking' (= []) must be an object"),
        ("softmax", "'spiking' (= 'softmax') must be an object"),
        ({"timesteps": "4"}, "'spiking.timesteps' (= '4') is no choice of a conversion: "),
        ({"timesteps": True}, "'spiking.timesteps' (= True) is no choice of a conversion: "),
        ({"timesteps": 4.0}, "'spiking.timesteps' (= 4.0) is no choice of a conversion: "),
        ({"timesteps": None}, "'spiking.timesteps' (= None) is no choice of a conversion: "),
        ({"timesteps": 65}, "'spiking.timesteps' (= 65) is no choice of a conversion: "),
        ({"tau": "2"}, "'spiking.tau' (= '2') is no choice of a conversion: "),
        ({"threshold": -1}, "'spiking.threshold' (= -1) is no choice of a conversion: "),
        ({"feedforward": "rate"}, "'spiking.code' (= 'rate') is no choice of a conversion: "),
        ({"steps": 4}, "'spiking.steps' (= 4) is no choice of a conversion: Extra inputs"),
    ],
)
def test_stored_choices_that_cannot_be_are_named(stored: object, said: str) -> None:
    assert refused(SpikingConfigError, stored_choices, stored).startswith(said)


def test_stored_choices_are_as_they_were() -> None:
    for config in (SpikingConfig(), SpikingConfig(code=Code.POW2, attention_threshold=2)):
        assert stored_choices(config.model_dump(mode="json")) == config
        assert stored_choices(config) is config


def test_a_model_that_version_0_1_wrote_loads() -> None:
    # The gpt2-nano-spiking that it shipped.
    config = stored_choices(
        {
            "attention": "spikformer",
            "attention_code": None,
            "attention_quantile": 0.6,
            "attention_threshold": None,
            "feedforward": "pow2",
            "input_quantile": 0.99,
            "key_value": "stored",
            "surrogate_alpha": 2.0,
            "tau": 2.0,
            "threshold": 0.25,
            "timesteps": 4,
        }
    )
    assert (config.form, config.code, config.threshold) == (Form.SPIKFORMER, Code.POW2, 0.25)
    assert (config.dead_zone, config.calibrate) == (DeadZone.OUTPUT, Calibrate.QUANTILE)


def test_the_shipped_model_is_the_one_of_its_record() -> None:
    folder = files("neurt") / "assets" / "gpt2-nano-spiking"
    model, record = (
        json.loads((folder / name).read_text())["spiking"]
        for name in ("config.json", "finetune.json")
    )
    assert stored_choices(model) == stored_choices(record)
    assert stored_choices(model).form is Form.SPIKFORMER


def test_what_a_stored_conversion_leaves_out_was_the_default_then() -> None:
    assert stored_choices({}) == SpikingConfig(
        form=Form.SPIKFORMER, code=Code.SIGNED_IF, dead_zone=DeadZone.OUTPUT, resolution=1.0
    )
    assert stored_choices({"form": "softmax"}).code is Code.SIGNED_IF
    assert stored_choices({"feedforward": "pow2"}).form is Form.SPIKFORMER


def test_the_literal_form_has_the_code_that_costs_it_least() -> None:
    assert SpikingConfig().code is Code.POW2
    assert SpikingConfig(form=Form.SPIKFORMER).code is Code.SIGNED_IF
    assert SpikingConfig(form=Form.SPIKFORMER, code=Code.POW2).code is Code.POW2


@pytest.mark.parametrize(
    ("choices", "trained", "random"),
    [
        ({}, "loss", "output"),
        ({"attention_code": "pow2"}, "loss", "output"),
        # Only pow2 in softmax attention has dead zones by loss.
        ({"code": "sar"}, "output", "output"),
        ({"attention_code": "sar"}, "output", "output"),
        ({"form": "spikformer", "code": "pow2"}, "output", "output"),
        ({"dead_zone": "output"}, "output", "output"),
        ({"dead_zone": "loss"}, "loss", "loss"),
    ],
)
def test_dead_zones_are_by_loss_where_there_is_something_to_lose(
    choices: dict[str, Any], trained: str, random: str
) -> None:
    config = SpikingConfig.model_validate(choices)
    for weights, zone in ((True, trained), (False, random)):
        resolved = config.resolved(trained=weights)
        assert resolved == config.model_copy(update={"dead_zone": DeadZone(zone)})
        assert not resolved.conflict
