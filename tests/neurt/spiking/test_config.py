from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from energy import Levels
from neurt.spiking.config import Calibrate, Code, Form, KeyValue, SpikingConfig


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
    assert same.threshold_of_attention == 2.0
    other = SpikingConfig(attention_code=Code.SAR, attention_threshold=0.5)
    assert (other.code_of_attention, other.code) == (Code.SAR, Code.SIGNED_IF)
    assert (other.threshold_of_attention, other.threshold) == (0.5, 1.0)


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
    )
    assert SpikingConfig.model_validate(OLD | stored) == expected


def test_refuses_an_old_name_beside_its_new_one() -> None:
    with pytest.raises(ValidationError, match="attention"):
        SpikingConfig.model_validate({"attention": "softmax", "form": "softmax"})


def test_the_shipped_model_which_version_0_1_wrote_loads() -> None:
    folder = files("neurt") / "assets" / "gpt2-nano-spiking"
    stored = json.loads((folder / "config.json").read_text())["spiking"]
    assert stored.keys() >= {"attention", "feedforward", "attention_quantile"}
    config = SpikingConfig.model_validate(stored)
    assert (config.form, config.code, config.threshold) == (Form.SPIKFORMER, Code.POW2, 0.25)
    assert json.loads((folder / "finetune.json").read_text())["spiking"]["feedforward"] == "pow2"
