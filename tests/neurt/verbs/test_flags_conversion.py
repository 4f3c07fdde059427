from __future__ import annotations

import argparse

import pytest

from neurt.spiking.config import Calibrate, Code, DeadZone, Form, KeyValue, SpikingConfig
from neurt.verbs.flags_conversion import FIELDS, add_conversion_flags, conversion_of


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_conversion_flags(parser)
    return parser.parse_args(words)


def test_without_a_flag_it_is_the_default_conversion() -> None:
    assert conversion_of(parse()) == SpikingConfig()


def test_every_flag_is_one_of_the_fields() -> None:
    assert set(vars(parse())) == set(FIELDS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--timesteps", "7"], SpikingConfig(timesteps=7)),
        (["--form", "softmax"], SpikingConfig(form=Form.SOFTMAX)),
        (["--code", "pow2"], SpikingConfig(code=Code.POW2)),
        (["--attention-code", "sar"], SpikingConfig(attention_code=Code.SAR)),
        (["--key-value", "streamed"], SpikingConfig(key_value=KeyValue.STREAMED)),
        (["--dead-zone", "loss"], SpikingConfig(dead_zone=DeadZone.LOSS)),
        (["--threshold", "0.5"], SpikingConfig(threshold=0.5)),
        (["--attention-threshold", "3"], SpikingConfig(attention_threshold=3.0)),
        (["--calibrate", "mse"], SpikingConfig(calibrate=Calibrate.MSE)),
        (["--lif-quantile", "0.8"], SpikingConfig(lif_quantile=0.8)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_flag_makes_its_choice_and_no_other(words: list[str], expected: SpikingConfig) -> None:
    assert conversion_of(parse(*words)) == expected


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--timesteps", "0"], "must be at least 1"),
        (["--timesteps", "65"], "must be at most 64"),
        (["--timesteps", "four"], "must be an integer"),
        (["--threshold", "0"], "must be above 0"),
        (["--threshold", "-1"], "must be above 0"),
        (["--threshold", "inf"], "must be above 0"),
        (["--threshold", "nan"], "must be above 0"),
        (["--attention-threshold", "low"], "must be a number"),
        (["--form", "asa"], "--form"),
        (["--code", "rate"], "--code"),
        (["--dead-zone", "wide"], "--dead-zone"),
        (["--calibrate", "0.9"], "--calibrate"),
        (["--lif-quantile", "0"], "--lif-quantile"),
        (["--lif-quantile", "1.5"], "--lif-quantile"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_word_that_makes_no_sense_is_refused_with_the_rule(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*words)
    assert caught.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert words[0] in said
    assert says in said
