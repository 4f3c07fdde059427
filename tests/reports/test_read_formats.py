"""Runs of an older format are read, and billed by the machine of today."""

import shutil
from pathlib import Path

import pytest

from energy import saving
from hwmodels import Op
from reports import write_report
from reports.read import read_run
from reports.run.record import RunError
from reports.run.summary import counts_summary

#: `plan --model gpt2-nano --hw 45nm` of version 0.1.
OLD = Path(__file__).parents[1] / "golden" / "run_format_2"


def test_a_run_that_counted_bytes_is_billed_anew_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    run = read_run(OLD, said.append)
    [sentence] = said
    assert "is of neurt-energy 0.1.0: its counts are billed by the model of memory of" in sentence
    # Values of the head are its bytes / 4: 2,048 words x 128 channels
    [head] = (row for row in run.asa.layers if row.name == "lm_head")
    assert head.ops[Op.WEIGHT_READ] == head.tally.dense_macs / run.asa.tokens
    # MACs and ACs are what the run stated: 4.6 pJ a MAC, and 0.2 x 4 events of 0.9 pJ in its place
    found = saving(*run.estimates["45nm"], block="attention").saving
    assert found == pytest.approx(1 - 0.8 * 0.9 / 4.6, rel=0.01)
    write_report(run, tmp_path / "new")
    again = read_run(tmp_path / "new", said.append)
    assert counts_summary(again.ssa) == counts_summary(run.ssa)
    assert len(said) == 1  # what is written is of the format of today


def test_one_that_was_edited_is_refused(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "run")
    counts = tmp_path / "run" / "counts.csv"
    counts.write_bytes(counts.read_bytes().replace(b",LayerNorm,", b",Norm,", 1))
    with pytest.raises(RunError, match=r"counts\.csv is not the file that run\.json describes"):
        read_run(tmp_path / "run")
