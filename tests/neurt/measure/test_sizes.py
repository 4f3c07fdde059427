from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from neurt.cli import main
from neurt.measure.planning import run_plan
from neurt.measure.planning_analog import run_analog_plan
from neurt.measure.sizes import run_sizes
from neurt.requests.passes import PlanRequest
from reports.sizes.picture import is_drawable, sizes_picture
from reports.sizes.table import grid_table, sizes_table

SWEPT = {"phase": "decode", "batch": "1,4", "context": "8..32"}


def request(**how: object) -> PlanRequest:
    return PlanRequest.model_validate({"model": "gpt2-small", "hw": ("45nm",), **how})


def test_each_cell_is_the_plan_of_its_batch_and_context() -> None:
    [grid] = run_sizes(request(**SWEPT))
    assert [(x.batch, x.context) for x in grid.cells] == [
        (batch, context) for batch in (1, 4) for context in (8, 16, 32)
    ]
    for cell in grid.cells:
        alone = run_plan(request(phase="decode", batch=cell.batch, context=cell.context))
        for side, bill in zip(("asa_pj", "ssa_pj"), alone.estimates["45nm"], strict=True):
            for bound in ("fused", "unfused"):
                # One new token for each sequence of the batch.
                each = bill.under(bound).energy_pj() / cell.batch
                assert getattr(cell.bills[bound], side) == pytest.approx(each, rel=1e-12)


def test_a_prefill_is_swept_over_batches_of_the_same_length() -> None:
    [grid] = run_sizes(request(batch="1,3", seq_len=5))
    assert [(x.batch, x.context) for x in grid.cells] == [(1, 5), (3, 5)]
    alone = run_plan(request(batch=3, seq_len=5)).estimates["45nm"][0]
    assert grid.cells[1].bills["fused"].asa_pj == pytest.approx(alone.energy_pj() / 15)


def test_a_model_that_is_planned_alone_has_no_spiking_side(tmp_path: Path) -> None:
    how = {"analog": True, **SWEPT}
    [grid] = run_sizes(request(**how))
    alone = run_analog_plan(request(analog=True, phase="decode", batch=4, context=32))
    bill = grid.cells[-1].bills["fused"]
    assert bill.asa_pj == pytest.approx(alone.estimates["45nm"].energy_pj() / 4)
    assert (bill.ssa_pj, bill.saving, grid.timesteps) == (None, None, None)
    headings = [column.heading for column in grid_table(grid).shown]
    assert headings == ["batch", "context", "analog fused", "analog unfused"]
    assert sizes_picture(grid).get_suptitle().startswith("A token costs ")


def test_what_has_no_price_is_no_zero() -> None:
    grid, other = run_sizes(request(hw=("loihi", "45nm"), **SWEPT))
    assert {bill.asa_pj for cell in grid.cells for bill in cell.bills.values()} == {None}
    assert not is_drawable(grid)
    assert is_drawable(other)
    records = sizes_table([grid]).records()
    assert {record["saving"] for record in records} == {None}
    assert all("mac" in record["unpriced"].split() for record in records)


def test_a_sweep_is_one_table_one_picture_and_a_record(tmp_path: Path) -> None:
    words = "plan --model gpt2-small --hw 45nm --set prices.mac=0.5pJ --pictures svg --json"
    flags = [f"--{name}={value}" for name, value in SWEPT.items()]
    assert main([*words.split(), *flags, "--out", str(tmp_path)]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["sizes.csv", "sizes.json", "sizes_45nm-set.svg"]
    frame = pd.read_csv(tmp_path / "sizes.csv")
    assert len(frame) == 2 * 3 * 2  # batches, contexts, bounds
    fused = frame[(frame.batch == 4) & (frame.context == 32) & (frame.fusion == "fused")].iloc[0]
    assert fused.saving == pytest.approx(1 - fused.ssa_pj_per_token / fused.asa_pj_per_token)
    record = json.loads((tmp_path / "sizes.json").read_text(encoding="utf-8"))
    assert record["settings"]["batch"] == [1, 4]
    source = record["hardware"]["45nm+set"]["prices"]["mac"]["source"]
    assert source == "set on the command line"
    assert main([*words.split(), *flags, "--out", str(tmp_path)]) == 1


def test_a_picture_has_a_panel_for_each_batch_and_says_both_bounds() -> None:
    [grid] = run_sizes(request(**SWEPT))
    figure = sizes_picture(grid)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["batch 1", "batch 4"]
    ends = [grid.cells[0], grid.cells[-1]]
    for cell in ends:
        for bound in ("fused", "unfused"):
            assert f"{100 * (cell.bills[bound].saving or 0):.1f} %" in figure.get_suptitle()


def test_a_whole_request_is_swept_over_batches() -> None:
    how = {"prompt": 6, "generate": 3}
    [grid] = run_sizes(request(batch="1,4", **how))
    assert [(x.batch, x.context) for x in grid.cells] == [(1, 9), (4, 9)]
    assert (grid.phase, grid.token) == ("request 6+3", "generated token")
    asa, ssa = run_plan(request(batch=4, **how)).estimates["45nm"]
    bill = grid.cells[1].bills["fused"]
    # 4 sequences, of which each is given 3 tokens
    assert bill.asa_pj == pytest.approx(asa.energy_pj() / 12)
    assert bill.ssa_pj == pytest.approx(ssa.energy_pj() / 12)
    assert sizes_picture(grid).get_suptitle().startswith("The spiking generated token ")
    [alone] = run_sizes(request(batch="1,4", analog=True, **how))
    whole = run_analog_plan(request(batch=4, analog=True, **how)).estimates["45nm"]
    assert alone.cells[1].bills["fused"].asa_pj == pytest.approx(whole.energy_pj() / 12)


def test_a_whole_chip_is_swept_over_batches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "plan --model gpt2-small --hw h100 --prompt 8 --generate 4 --pictures png --out"
    assert main([*words.split(), str(tmp_path / "two"), "--batch", "8,64"]) == 0
    said = capsys.readouterr().out
    assert said.count("ms between tokens") == 1
    assert (tmp_path / "two" / "serving_h100.png").exists()
    swept = pd.read_csv(tmp_path / "two" / "serving.csv")
    assert main([*words.split(), str(tmp_path / "one"), "--batch", "64"]) == 0
    alone = pd.read_csv(tmp_path / "one" / "serving.csv")
    assert [*swept.batch.unique()] == [8, 64]
    many = swept[swept.batch == 64].reset_index(drop=True)
    pd.testing.assert_frame_equal(many, alone)
    assert not [*(tmp_path / "one").glob("*.png")]  # one batch is no curve


def test_a_model_that_is_run_is_run_at_one_size(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("count", "profile"):
        assert main([verb, "--model", "gpt2-nano", "--hw", "45nm", "--batch", "1,8"]) == 2
        assert "several are swept in closed form by `neurt-energy plan`" in capsys.readouterr().err
