from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from energy import estimate
from energy.bill.layer import ACCOUNTINGS
from energy.compare.ranges import constants_of
from energy.compare.sensitivity import SensitivityError
from energy.compare.structure import choices_of
from hwmodels import load_profile
from reports import Run
from reports.kit.files import OutputError
from reports.sensitivity.study import Study, range_text, value_text
from reports.sensitivity.table import write_sensitivity


def study(run: Run, hw: str = "45nm", samples: int = 50, seed: int = 7) -> Study:
    profile = load_profile(hw)
    return Study(estimate(run.asa, profile), estimate(run.ssa, profile), samples, seed)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_each_constant_of_each_saving(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    ours = study(make_run())
    table, *pictures = write_sensitivity([ours], tmp_path / "new")
    assert [path.name for path in (table, *pictures)] == [
        "sensitivity.csv",
        "tornado_45nm.png",
        "tornado_45nm.svg",
    ]
    found = rows(table)
    chip = load_profile("45nm")
    names = [constant.name for constant in constants_of(chip)]
    # MACs and ACs follow from no capacity, reuse, width or encoding.
    more = [choice.constant.name for choice in choices_of(chip)]
    parts = [(b, a) for b in ("attention", "ffn", "total") for a in ACCOUNTINGS]
    assert len(found) == len(names) * len(parts) + len(more) * 3 * 2
    for block, accounting in parts:
        of_part = [r for r in found if (r["block"], r["accounting"]) == (block, accounting)]
        expected = names if accounting == "compute" else names + more
        assert sorted(r["constant"] for r in of_part) == sorted(expected)
        spans = [float(r["span"]) for r in of_part]
        assert spans == sorted(spans, reverse=True)
    assert {(r["samples"], r["seed"], r["dataflow"]) for r in found} == {("50", "7", "layerwise")}


def test_samples_of_a_network_are_no_tokens_and_have_no_attention(
    make_run: Callable[..., Run],
) -> None:
    ours = study(make_run())
    counts = replace(ours.asa.counts, phase="inference", tokens=2)
    of_network = replace(ours, asa=estimate(counts, ours.asa.profile))
    assert of_network.title.endswith("inference, 2 samples")
    assert ours.title.endswith("attention")


@pytest.mark.usefixtures("sketched")
def test_a_row_says_how_far_the_constant_may_be_off_and_what_that_does(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    ours = study(make_run())
    found = rows(write_sensitivity([ours], tmp_path)[0])
    row = next(r for r in found if r["constant"] == "prices.mac" and r["block"] == "total")
    # derived: x/1.3, a choice of this project
    assert row["accounting"] == "compute"
    assert (row["value"], row["unit"], row["evidence"]) == ("4.6", "pJ", "derived")
    assert float(row["low_factor"]) == pytest.approx(1 / 1.3)
    assert (float(row["high_factor"]), row["range_from"]) == (1.3, "our choice")
    asa, ssa = (side.energy_pj("compute") for side in (ours.asa, ours.ssa))
    assert float(row["saving"]) == pytest.approx(1 - ssa / asa)
    # All of the analog compute are MACs; of the spiking one, so much more with a dearer MAC.
    dense = float(row["ssa_pj"])
    assert float(row["asa_pj"]) == pytest.approx(asa)
    assert float(row["saving_at_high"]) == pytest.approx(1 - (ssa + 0.3 * dense) / (1.3 * asa))
    assert row["source"].startswith("fp32 multiply 3.7 + add 0.9 pJ, Horowitz")
    assert float(row["saving_p5"]) <= float(row["saving_p50"]) <= float(row["saving_p95"])


def test_a_saving_that_does_not_exist_is_a_row_that_says_why(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    files = write_sensitivity([study(make_run(), "loihi")], tmp_path)
    assert [path.name for path in files] == ["sensitivity.csv"]
    found = rows(files[0])
    assert len(found) == 9
    for row in found:
        assert (row["hw"], row["constant"], row["saving"], row["saving_p50"]) == (
            "loihi",
            "",
            "",
            "",
        )
        assert "mac" in row["unpriced"].split()


@pytest.mark.usefixtures("sketched")
def test_each_hardware_has_a_picture_of_its_own(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    ours = study(make_run())
    slashed = [
        replace(
            ours,
            **{
                side: getattr(ours, side).on(ours.asa.profile.model_copy(update={"name": name}))
                for side in ("asa", "ssa")
            },
        )
        for name in ("a/b", "a b")
    ]
    files = write_sensitivity(slashed, tmp_path)
    assert [path.name for path in files if path.suffix == ".png"] == [
        "tornado_a-b.png",
        "tornado_a-b-2.png",
    ]


@pytest.mark.usefixtures("sketched")
def test_a_block_without_layers_is_no_part_and_cannot_be_shown(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run()
    run = replace(run, asa=run.asa.only(block="attention"), ssa=run.ssa.only(block="attention"))
    ours = study(run)
    assert ours.blocks == ("attention", None)
    assert "ffn" not in {row["block"] for row in rows(write_sensitivity([ours], tmp_path)[0])}
    with pytest.raises(SensitivityError, match="no layer belongs to the block 'ffn'"):
        write_sensitivity([ours], tmp_path, "ffn")


def test_numbers_are_bad_before_anything_is_written(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    with pytest.raises(SensitivityError, match="samples"):
        write_sensitivity([study(make_run(), samples=0)], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_directory_that_cannot_be_written_is_said(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_sensitivity([study(make_run())], tmp_path / "taken")


def test_a_level_is_said_from_its_cheapest_to_its_dearest_byte() -> None:
    named = {constant.name: constant for constant in constants_of(load_profile("45nm"))}
    sram = named["memory.sram"]
    assert value_text(sram) == "1.25 to 12.5"
    assert value_text(sram, 2) == "2.5 to 25"
    assert range_text(sram) == f"x {sram.low:.3g} to {sram.high:.3g}"
    # printed as 1.3 to 2.6 nJ per 64-bit access, charged as 1.3
    assert range_text(named["memory.dram"]) == "162.5 to 325"
