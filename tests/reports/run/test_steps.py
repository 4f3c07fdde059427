from __future__ import annotations

from pathlib import Path

import pytest

from energy import Label
from reports.run.steps import StepCount, StepsError, read_steps, steps_csv

STEPS = (
    StepCount("transformer.h.0.attn.encoder", Label("attention", "neuron", 0), 0, 3, 8),
    StepCount("transformer.h.0.attn.encoder", Label("attention", "neuron", 0), 1, 0, 8),
    StepCount("eyes", Label("other", "a, b"), 0, 9, 4),  # a burst: more than one per slot
    StepCount("blind", Label("other", "LIF"), 0, 0, 0),
)


def test_the_text_of_the_file() -> None:
    assert steps_csv(STEPS) == (
        "variant,layer,block,component,depth,step,spikes,slots,spike_rate\n"
        "ssa,transformer.h.0.attn.encoder,attention,neuron,0,0,3,8,0.375\n"
        "ssa,transformer.h.0.attn.encoder,attention,neuron,0,1,0,8,0.0\n"
        'ssa,eyes,other,"a, b",,0,9,4,2.25\n'
        "ssa,blind,other,LIF,,0,0,0,\n"
    )


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text(steps_csv(STEPS), encoding="utf-8")
    assert read_steps(path) == STEPS


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("spike_rate\n", "rate\n", "they must be variant, layer"),
        (",3,8,", ",-3,8,", r"line 2, column 'spikes' \(= '-3'\) must be a whole number"),
        (",3,8,", ",3,8e0,", r"line 2, column 'slots' \(= '8e0'\)"),
        (",0,1,0,", ",0,x,0,", "line 3, column 'step'"),
        (",0,0,3,8,0.375", ",0,0,3", "line 2 has not the 9 columns"),
        ('"a, b"', '"a, b', "steps.csv"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = tmp_path / "steps.csv"
    path.write_text(steps_csv(STEPS).replace(old, new), encoding="utf-8")
    with pytest.raises(StepsError, match=said) as caught:
        read_steps(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepsError, match="does not exist"):
        read_steps(tmp_path / "steps.csv")
