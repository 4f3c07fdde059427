from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from neurt.cli import command_line, main

pytestmark = pytest.mark.usefixtures("alone")

CONVERSION_FLAGS = {
    "--timesteps": 4,
    "--form": "spikformer",
    "--code": "signed_if",
    "--attention-code": None,
    "--key-value": "stored",
    "--dead-zone": "output",
    "--threshold": 1.0,
    "--attention-threshold": None,
    "--calibrate": "quantile",
    "--lif-quantile": 0.6,
}
EXECUTION_FLAGS: dict[str, object] = {"--dataflow": None, "--latency": {}}
PASS_FLAGS = (
    CONVERSION_FLAGS
    | EXECUTION_FLAGS
    | {
        "--model": None,
        "--hw": None,
        "--phase": None,
        "--seq-len": 128,
        "--context": 128,
        "--prompt": None,
        "--generate": None,
        "--batch": 1,
        "--windows": 1,
        "--attention": "full",
        "--coincidences": False,
        "--mixed": False,
        "--out": None,
        "--force": False,
    }
)
MEASURING_FLAGS = {
    "--weights": "auto",
    "--seed": 0,
    "--text": None,
    "--calibration": None,
    "--calibration-tokens": 512,
    "--detokenise": False,
    "--verify": False,
    "--zeros": False,
}
#: The flags of other commands are frozen beside the files that add them.
ELSEWHERE = {
    *(
        "convert",
        "evaluate",
        "sweep",
        "pretrain",
        "finetune",
        "breakeven",
        "sensitivity",
        "check",
        "count",
        "report",
        "reproduce",
    ),
    *("hw list", "hw show", "hw diff", "hw new", "hw validate", "hw schema"),
}
FLAGS = {
    "profile": PASS_FLAGS | MEASURING_FLAGS,
    "plan": PASS_FLAGS | {"--spike-rate": 0.2},
    "price": EXECUTION_FLAGS
    | {"counts": None, "--hw": None, "--accounting": "bill", "--out": Path()},
}


def commands(top: argparse.ArgumentParser, prefix: str = "") -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                found |= commands(sub, f"{prefix}{name} ") or {f"{prefix}{name}": sub}
    return found


def test_the_flags_of_every_command_and_their_defaults_are_frozen() -> None:
    found = {
        name: {
            (action.option_strings[-1] if action.option_strings else action.dest): action.default
            for action in sub._actions
            if not isinstance(action, argparse._HelpAction)
        }
        for name, sub in commands(command_line()).items()
    }
    assert found.keys() == FLAGS.keys() | ELSEWHERE
    assert {name: flags for name, flags in found.items() if name not in ELSEWHERE} == FLAGS


@pytest.mark.parametrize("command", ["evaluate", "finetune", "convert"])
def test_commands_that_convert_have_the_flags_of_the_conversion(command: str) -> None:
    found = {
        action.option_strings[-1]: action.default
        for action in commands(command_line())[command]._actions
        if action.option_strings
    }
    assert found | CONVERSION_FLAGS == found


def test_flags_with_a_choice_name_their_choices() -> None:
    choices = {
        action.option_strings[-1]: tuple(action.choices)
        for action in commands(command_line())["profile"]._actions
        if action.choices
    }
    codes = ("signed_if", "burst", "multi_threshold", "sar", "pow2", "exact")
    assert choices == {
        "--form": ("spikformer", "softmax"),
        "--code": codes,
        "--attention-code": codes,
        "--key-value": ("stored", "streamed"),
        "--dead-zone": ("output", "loss"),
        "--calibrate": ("quantile", "mse"),
        "--phase": ("prefill", "decode"),
        "--attention": ("full", "causal"),
        "--dataflow": ("layerwise", "stepwise", "event-driven", "time-batched"),
        "--weights": ("auto", "pretrained", "random"),
    }


@pytest.mark.parametrize(
    "words",
    [
        *(
            [],
            ["profile"],
            ["plan"],
            ["convert"],
            ["evaluate"],
            ["sweep"],
            ["pretrain"],
            ["finetune"],
        ),
        *(["price"], ["breakeven"], ["sensitivity"], ["check"], ["hw"], ["hw", "show"]),
    ],
)
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    assert "usage: neurt-energy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "COMMAND"),
        (["measure"], "measure"),
        (["profile", "--hw", "45nm"], "--model"),
        (["plan", "--model", "gpt2-small"], "--hw"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--timesteps", "0"], "--timesteps"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--timesteps", "65"], "--timesteps"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--timesteps", "4.5"], "--timesteps"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--seq-len", "0"], "--seq-len"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--context", "-1"], "--context"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--batch", "0"], "--batch"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--windows", "0"], "--windows"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--spike-rate", "1.5"], "--spike-rate"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--spike-rate", "nan"], "--spike-rate"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--phase", "both"], "--phase"),
        (["plan", "--model", "gpt2-small", "--hw", "45nm", "--verify"], "--verify"),
        (["profile", "--model", "x", "--hw", "45nm", "--weights", "mine"], "--weights"),
        (["profile", "--model", "x", "--hw", "45nm", "--spike-rate", "0.1"], "--spike-rate"),
        (["price", "--hw", "45nm"], "counts"),
        (["price", "counts.csv"], "--hw"),
        (["price", "counts.csv", "--hw", "45nm", "--dataflow", "best"], "--dataflow"),
        (["price", "counts.csv", "--hw", "45nm", "--latency", "1"], "--latency"),
        (["price", "counts.csv", "--hw", "45nm", "--accounting", "x"], "--accounting"),
        (["hw"], "COMMAND"),
        (["hw", "show"], "name"),
        (["hw", "validate"], "file"),
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense_end_with_2_and_name_the_flag(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert "error: " in said[-1]
    assert named in said[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("steps", [1, 64])
def test_the_ends_of_the_range_of_time_steps_are_allowed(steps: int) -> None:
    words = ["plan", "--model", "gpt2-small", "--hw", "45nm", "--timesteps", str(steps)]
    assert command_line().parse_args(words).timesteps == steps


@pytest.mark.parametrize("rate", ["0", "1", "0.125"])
def test_the_ends_of_the_range_of_spike_rates_are_allowed(rate: str) -> None:
    words = ["plan", "--model", "gpt2-small", "--hw", "45nm", "--spike-rate", rate]
    assert command_line().parse_args(words).spike_rate == float(rate)
