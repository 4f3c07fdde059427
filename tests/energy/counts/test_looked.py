"""Rows of stored operands that events need, in sums, tables and columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import refused

from energy import Counts, LayerCount, Tally
from energy.counts import CountsError, read_csv, to_csv
from energy.counts.columns import Columns
from hwmodels import Op

#: 3 of 4 channels of a 4 x 5 matrix in a call of 2 tokens, one of which needs 1 of them alone.
LINEAR = Tally({Op.AC: 20, Op.WEIGHT_READ: 20}, 80, 4, 16, touched_weights=15, active_weights=20)
#: 2 of 3 rows of V, of width 4.
MIX = Tally({Op.AC: 20, Op.KV_READ: 12}, 80, 4, 16, touched_kv=8)
UNSEEN = Tally({Op.MAC: 40, Op.WEIGHT_READ: 20}, 40)


def test_what_is_touched_adds_over_calls_and_is_unknown_where_one_was_not_looked_at() -> None:
    twice = Tally.total((LINEAR, LINEAR))
    assert twice.looked == (30, 40, None)
    assert Tally.total((MIX, MIX)).touched_kv == 16
    # A stream that arrives beside the cache reads none of it, and was looked at by nobody.
    assert Tally.total((MIX, Tally({Op.AC: 3}))).touched_kv == 8
    assert Tally.total((LINEAR, UNSEEN)).touched_weights is None
    assert Tally.total(()).looked == (None, None, None)


def test_it_is_written_and_read_back(tmp_path: Path) -> None:
    names = zip(("linear", "mix", "unseen"), (LINEAR, MIX, UNSEEN), strict=True)
    counts = Counts("ssa", tuple(LayerCount(name, calls=1, kind="", tally=x) for name, x in names))
    (path := tmp_path / "counts.csv").write_text(to_csv([counts]))
    assert read_csv(path) == [counts]
    columns = counts.columns
    assert np.array_equal(columns.touched_weights, [15, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(columns.touched_kv, [np.nan, 8, np.nan], equal_nan=True)
    taken = columns.take(np.array([1]))
    assert taken.touched_kv.tolist() == [8]
    assert Columns.of(replace(counts, layers=()).layers).touched_kv.size == 0


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ("21,,", "'touched_weights' (= 21) must not exceed column 'weight_read_values' (= 20)"),
        (",81,", "'active_weights' (= 81) must not exceed column 'dense_macs' (= 80)"),
        (",,13", "'touched_kv' (= 13) must not exceed what is read of the cache (= 12)"),
    ],
)
def test_no_more_is_touched_than_there_is(tmp_path: Path, cells: str, says: str) -> None:
    header = "layer,ac,dense_macs,weight_read_values,kv_read_values,kv_spike_read_slots"
    columns = f"{header},touched_weights,active_weights,touched_kv"
    (path := tmp_path / "counts.csv").write_text(f"{columns}\na,20,80,20,5,7,{cells}\n")
    assert f"line 2, column {says}" in refused(CountsError, read_csv, path)
    path.write_text(f"{columns}\na,20,80,20,5,7,20,80,12\n")
    assert read_csv(path)[0].layers[0].tally.looked == (20, 80, 12)
