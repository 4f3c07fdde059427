from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from energy import saving
from reports import Run
from reports.compare.comparison import CompareError, Comparison, compare_runs, write_comparison

EVIL = "<b>x</b>|y*"


@pytest.fixture
def found(make_run: Callable[..., Run]) -> Comparison:
    return compare_runs({"first": make_run("45nm", "loihi"), "wide": make_run("45nm", width=16)})


def test_each_run_on_each_hardware_is_a_row(found: Comparison) -> None:
    assert [(row.name, row.asa.profile.name) for row in found.rows] == [
        ("first", "45nm"),
        ("first", "loihi"),
        ("wide", "45nm"),
    ]


def test_the_frame_has_the_savings_of_the_runs(found: Comparison) -> None:
    frame = found.to_frame()
    assert len(frame) == 3 * 3 * 3  # rows x blocks x accountings
    frame = frame.set_index(["run", "hw", "block", "accounting"])
    asa, ssa = found.runs["wide"].estimates["45nm"]
    row = frame.loc["wide", "45nm", "attention", "unfused"]
    expected = saving(asa, ssa, "unfused", block="attention")
    assert (row.asa_pj, row.ssa_pj, row.saving) == (
        expected.asa_pj,
        expected.ssa_pj,
        expected.saving,
    )
    assert row.asa_pj_per_token == expected.asa_pj / 4
    assert row.saving_p5 < row.saving_p95
    # Every eighth slot of the feed-forward block spikes.
    assert frame.loc["first", "45nm", "ffn", "compute"].spike_rate == 1 / 8
    lost = frame.loc["first", "loihi", "attention", "compute"]
    assert lost[["asa_pj", "saving", "saving_p5"]].isna().all()


def test_networks_have_energies_per_sample(make_run: Callable[..., Run]) -> None:
    tokens = make_run("45nm")
    sides = {side: replace(getattr(tokens, side), phase="inference") for side in ("asa", "ssa")}
    network = replace(tokens, **sides)
    alone = compare_runs({"network": network}, alone=True).to_frame()
    assert not [name for name in alone.columns if name.endswith("_per_token")]
    total = alone[(alone.block == "total") & (alone.accounting == "fused")].iloc[0]
    assert total.ssa_pj_per_sample == total.ssa_pj / 4  # what the run takes in, of either kind

    both = compare_runs({"network": network, "model": tokens}).to_frame().set_index("run")
    assert both.loc["network", ["asa_pj_per_token", "ssa_pj_per_token"]].isna().all(axis=None)
    assert both.loc["model", ["asa_pj_per_sample", "ssa_pj_per_sample"]].isna().all(axis=None)
    assert both.loc["model", "asa_pj_per_token"].notna().any()


def test_what_is_the_same_is_said_once(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    other = replace(run, ssa=replace(run.ssa, timesteps=8))
    found = compare_runs({"four": run, "eight": other})
    assert found.same["model"] == "tiny"
    assert "T" not in found.same
    assert [found.differing(row) for row in found.rows] == ["T = 4", "T = 8"]
    assert found.same_text == (
        "tiny, weights random(seed=0), 45nm, prefill, batch 1, 4 tokens, full attention, "
        "layerwise, measured"
    )


def test_form_and_code_are_those_of_the_settings(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    spiking = {"form": "softmax", "code": "sar"}
    found = compare_runs(
        {"a": run, "b": replace(run, settings={**run.settings, "spiking": spiking})}
    )
    assert found.to_frame().groupby("run").first()[["form", "code"]].to_dict("index") == {
        "a": {"form": "", "code": ""},
        "b": {"form": "softmax", "code": "sar"},
    }


def test_the_markdown_is_the_golden_file(
    found: Comparison, golden: Callable[[str, str], None]
) -> None:
    golden("compare.md", found.to_markdown())


def test_names_are_escaped(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    found = compare_runs({EVIL: run, "b": replace(run, ssa=replace(run.ssa, model=EVIL))})
    assert "<b>" not in found.to_markdown()
    assert "<b>" not in found._repr_html_()
    rows = found.to_markdown().splitlines()[2:]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


@pytest.mark.parametrize("runs", [0, 1])
def test_one_row_is_no_comparison(make_run: Callable[..., Run], runs: int) -> None:
    with pytest.raises(CompareError, match=f"needs two rows, but there are {runs}; give two"):
        compare_runs({str(i): make_run("45nm") for i in range(runs)})


def test_the_files_of_a_comparison(found: Comparison, tmp_path: Path) -> None:
    files = write_comparison(found, tmp_path / "out")
    names = [f"compare.{x}" for x in ("csv", "md", "png", "svg", "html")]
    names.insert(2, "sources.bib")
    assert [path.name for path in files] == names
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)
    with files[0].open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    assert list(rows[0]) == list(found.to_frame().columns)
    assert files[1].read_text(encoding="utf-8") == found.to_markdown()
    for one, other in zip(files, write_comparison(found, tmp_path / "again"), strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
