from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from energy.compare.breakeven import Bound
from energy.compare.thresholds import THRESHOLDS
from reports.breakeven.case import Case, Origin
from reports.breakeven.table import breakeven_table
from reports.breakeven.write import write_breakeven
from reports.kit.files import OutputError

Make = Callable[..., Case]


def rows(case: Case) -> list[dict[str, Any]]:
    return breakeven_table([case]).records()


def test_measured_events_are_marked(make_case: Make) -> None:
    case = make_case(measured=True)
    low, high = rows(case)[:6:3]
    # Crosses at 0.5 of T = 4: rate 0.1 may grow fivefold, rate 0.8 must shrink by 3 / 8.
    assert (low["part"], low["rate"], low["mark"]) == ("low", pytest.approx(0.5), "below (saves)")
    assert low["margin"] == pytest.approx(4)
    assert (high["part"], high["mark"]) == ("high", "above (costs)")
    assert high["margin"] == pytest.approx(-3 / 8)
    assert (low["measured_rate"], low["measured_spikes_per_synapse"]) == (0.1, 0.4)
    # Saving at rate r: 1 - (2 + 16 r) / 10
    assert low["measured_saving"] == pytest.approx(0.64)
    assert high["measured_saving"] == pytest.approx(-0.48)
    # 4 x 0.1 = 0.4 and 4 x 0.8 = 3.2 spikes per synapse
    keys = [threshold.key for threshold in THRESHOLDS]
    assert [low[key] for key in keys] == ["below", "within", "above"]
    assert [high[key] for key in keys] == ["above", "above", "above"]


def test_the_rates_of_a_plan_are_in_no_column_of_measurements(make_case: Make) -> None:
    low = rows(make_case(origin=Origin.PLAN))[0]
    ends = ("rate", "events_per_mac", "spikes_per_synapse", "saving")
    assert [low[f"measured_{end}"] for end in ends] == [None] * 4
    # 4 steps x 0.1; 1 - (2 + 16 x 0.1) / 10
    assert [low[f"assumed_{end}"] for end in ends] == pytest.approx([0.1, 0.4, 0.4, 0.64])
    assert (low["origin"], low["mark"]) == ("plan", "below (saves)")
    run = rows(make_case(measured=True))[0]
    assert [run[f"assumed_{end}"] for end in ends] == [None] * 4


def test_a_closed_form_measures_nothing(make_case: Make) -> None:
    for row in rows(make_case(measured=False)):
        assert row["origin"] == "closed form"
        assert [row[x] for x in ("measured_rate", "mark", "margin", "yan_2024")] == [None] * 4


def test_what_has_no_price_is_empty_and_named(make_case: Make) -> None:
    case = make_case(measured=True)
    one = replace(case.breakevens[0], unpriced=("spike",), bound=Bound.AT_MOST, cancelled=("exp",))
    [row] = rows(replace(case, breakevens=(one,)))
    assert (row["verdict"], row["unpriced"], row["cancelled"]) == ("unpriced", "spike", "exp")
    assert (row["bound"], row["bounded_rate"]) == ("at most", pytest.approx(0.5))
    empty = ("rate", "events_per_mac", "spikes_per_synapse", "measured_saving", "margin")
    assert [row[column] for column in empty] == [None] * 5
    assert (row["mark"], row["margin"]) == ("", None)
    unknown = replace(one, bound=Bound.UNKNOWN)
    [row] = rows(replace(case, breakevens=(unknown,)))
    assert (row["bound"], row["bounded_rate"]) == ("unknown", None)


def test_files(make_case: Make, tmp_path: Path) -> None:
    out = tmp_path / "new"
    files = write_breakeven([make_case(measured=False), make_case(measured=True)], out)
    names = ["breakeven.csv", "thresholds.csv", "breakeven_45nm.png", "breakeven_45nm.svg"]
    assert [path.name for path in files] == names
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    with files[0].open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["origin"] for row in written] == ["closed form"] * 9 + ["run"] * 9
    with files[1].open(encoding="utf-8", newline="") as file:
        assert [row["low"] for row in csv.DictReader(file)][:2] == ["1.72", "0.15"]
    # One picture per hardware: that of the last case, the run.
    assert "measured" in files[3].read_text(encoding="utf-8")


def test_a_directory_that_cannot_be_written(make_case: Make, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_breakeven([make_case(measured=True)], tmp_path / "file")
