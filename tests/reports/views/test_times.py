from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import CITED, chip, labelled

from energy import Counts
from hwmodels import HardwareProfile, Op
from reports import Run
from reports.kit.pictures import Pictures
from reports.run.run import Phase, merged
from reports.views.times import scaled, time_table, times
from reports.write import views_of, write_report


def counted(variant: str, macs: int, read: int) -> Counts:
    made = labelled(
        variant,
        a=("ffn", "ffn_up", {Op.MAC: macs}),
        b=("head", "head", {Op.MAC: 0, Op.WEIGHT_READ: read}),
    )
    return replace(made, tokens=10, batch=2)


def machine(**changed: Any) -> HardwareProfile:
    # 1 MAC and 2 bytes per nanosecond
    rates = {
        "throughput": {"mac": {"per_second": 1e9, **CITED}},
        "bandwidth": {"ram": {"bytes_per_second": 2e9, **CITED}},
    }
    return chip({Op.MAC: 1.0}, **(rates | changed))


def found(run: Run) -> list[dict[str, Any]]:
    """Rows at the fused bound; weights are read once in both, so the other one has the same."""
    rows = times(run).records()
    fused, unfused = ([row for row in rows if row["fusion"] == x] for x in ("fused", "unfused"))
    assert [row | {"fusion": "fused"} for row in unfused] == fused
    return fused


@pytest.fixture
def timed(make_run: Callable[..., Run]) -> Run:
    # 300 ns of arithmetic, then 100 ns of memory; of the spiking side 100 and 300
    asa, ssa = counted("asa", 300, 200), counted("ssa", 100, 600)
    return replace(make_run("45nm"), asa=asa, ssa=ssa, profiles=(machine(),))


def test_a_phase_takes_as_long_as_its_layers(timed: Run) -> None:
    asa, ssa = found(timed)
    assert (asa["phase"], asa["variant"], ssa["variant"]) == ("prefill", "asa", "ssa")
    assert asa["seconds"] == ssa["seconds"] == pytest.approx(400e-9)
    assert (asa["bound_by"], ssa["bound_by"]) == (
        "arithmetic 75 %, ram 25 %",
        "ram 75 %, arithmetic 25 %",
    )
    # 10 tokens in 400 ns
    assert asa["tokens_per_second"] == pytest.approx(25e6)
    # 300 MACs of 1 pJ and 200 bytes of 3 pJ: 900 pJ in 400 ns; 100 + 1800 pJ
    assert asa["watts"] == pytest.approx(900e-12 / 400e-9)
    assert asa["joule_seconds"] == pytest.approx(900e-12 * 400e-9)
    assert ssa["energy_pj"] == pytest.approx(1900)


def test_static_energy_is_in_the_power(timed: Run) -> None:
    leaky = machine(static_power={"watts": 0.01, **CITED})
    [asa, _] = found(replace(timed, profiles=(leaky,)))
    assert asa["watts"] == pytest.approx(900e-12 / 400e-9 + 0.01)


def test_a_request_takes_as_long_as_its_phases(timed: Run) -> None:
    steps = (counted("asa", 0, 1600), counted("ssa", 0, 1600))  # 800 ns each
    decode = [replace(x, phase="decode", tokens=4) for x in steps]
    pair = ((timed.asa, decode[0]), (timed.ssa, decode[1]))
    asa, ssa = (merged(sides, "request 5+3") for sides in pair)
    phases = (Phase("prefill", timed.asa, timed.ssa), Phase("decode", decode[0], decode[1], 2))
    run = replace(timed, asa=asa, ssa=ssa, request=phases)
    rows = found(run)
    assert [row["phase"] for row in rows[::2]] == ["prefill", "decode", "request"]
    assert rows[4]["seconds"] == pytest.approx(1200e-9)
    # 300 of the 1200 ns
    assert rows[4]["bound_by"] == "ram 75 %, arithmetic 25 %"


def test_a_time_that_is_given_is_bound_by_nothing_known(timed: Run) -> None:
    asa, ssa = found(replace(timed, latency_s={"asa": 2e-6}))
    assert (asa["seconds"], asa["bound_by"]) == (2e-6, "")
    assert ssa["seconds"] == pytest.approx(400e-9)


def test_where_nothing_is_known_nothing_is_said(timed: Run, tmp_path: Path) -> None:
    slow = replace(timed, profiles=(machine(throughput={}),))
    assert times(slow).rows == time_table(slow, "mine").rows == []
    # a product without a rate
    events = labelled("ssa", a=("ffn", "ffn_up", {Op.AC: 1}))
    assert [row["variant"] for row in found(replace(timed, ssa=events))] == ["asa"]


def test_the_file_is_there_where_something_is_known(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    write_report(make_run("7nm-hbm2"), tmp_path, pictures=Pictures.NONE, page=False)
    text = (tmp_path / "times.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["variant"] for row in rows] == ["asa", "ssa"] * 2
    # the other bound moves more, so it takes no less
    assert 0 < float(rows[0]["seconds"]) <= float(rows[2]["seconds"])
    assert tmp_path / "times.csv" in views_of(tmp_path)
    other = tmp_path / "other"
    write_report(make_run("45nm"), other, pictures=Pictures.NONE, page=False)
    assert not (other / "times.csv").exists()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "-"),
        (1.5, "1.5 J s"),
        (0.0255, "25.5 mJ s"),
        (999.6e-6, "1 mJ s"),
        (3.2e-15, "0.0032 pJ s"),
        (1234.0, "1,234 J s"),
    ],
)
def test_numbers_have_the_prefix_that_fits_them(value: float | None, says: str) -> None:
    assert scaled(value, "J s") == says
