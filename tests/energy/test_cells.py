from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import Counts, Label, LayerCount, Tally
from energy.cells import csv_text, from_cell, to_cell
from energy.counts.file import read_csv, to_csv
from energy.table import Column, Table
from hwmodels import Op
from hwmodels.plain import printable_lines


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("\t=1", "\\t=1"),
        ("'=1", "''=1"),
        ("'s", "'s"),
        ("a=1", "a=1"),
        ("", ""),
        ("h.0.attn\x1b[31m\u202e", "h.0.attn\\x1b[31m\\u202e"),
    ],
)
def test_a_spreadsheet_runs_no_text_and_a_terminal_obeys_none(text: str, cell: str) -> None:
    assert to_cell(text) == cell
    assert from_cell(cell) == printable_lines(text)


@pytest.mark.parametrize("value", [-1, -0.5, 7, None, True])
def test_a_number_is_no_text(value: object) -> None:
    assert to_cell(value) is value


@given(st.text(st.sampled_from("'=+-@＝a\x1b \n"), max_size=5) | st.text())
def test_a_reader_finds_the_text_that_was_written(text: str) -> None:
    assert from_cell(to_cell(text)) == printable_lines(text)
    assert to_cell(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


def test_a_table_has_such_cells_in_its_file_and_plain_ones_for_people() -> None:
    table = Table((Column[str]("name", str, "name"), Column[str]("n", lambda _: -1)), ["=1\x1b[0m"])
    assert list(csv.reader(io.StringIO(table.to_csv()))) == [["name", "n"], ["'=1\\x1b[0m", "-1"]]
    assert table.cells() == [["=1\\x1b[0m"]]
    assert "\x1b" not in table.to_html()
    assert table.records() == [{"name": "=1\x1b[0m", "n": -1}]


def test_counts_of_a_layer_that_is_called_like_a_formula_are_read_again(tmp_path: Path) -> None:
    row = LayerCount("=1+1", "Linear", Label("attention"), 1, Tally({Op.MAC: 3}))
    path = tmp_path / "counts.csv"
    path.write_text(to_csv([Counts("asa", (row,), model="@me")]), encoding="utf-8")
    assert "'=1+1" in path.read_text(encoding="utf-8")
    [counts] = read_csv(path)
    assert (counts.model, counts.layers[0].name) == ("@me", "=1+1")


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
TEXTS = st.text(st.sampled_from("ab,\"'=\n\r\x1b \u212b"), max_size=4)
COLUMNS = st.one_of(
    TEXTS,
    st.sampled_from(Op),
    NUMBERS,
    st.none(),
    *(
        st.lists(cells, min_size=3, max_size=3)
        for cells in (
            NUMBERS,
            NUMBERS | st.none(),
            TEXTS,
            TEXTS | st.booleans(),
            st.sampled_from(Op),
        )
    ),
)


@given(st.lists(COLUMNS, min_size=1, max_size=4))
def test_columns_are_written_as_the_csv_module_writes_rows(columns: list[object]) -> None:
    # A column is a list of cells, or one that all rows share.
    rows = [[x[row] if isinstance(x, list) else x for x in columns] for row in range(3)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*map(to_cell, row)] for row in rows)
    assert csv_text(columns, 3) == text.getvalue()
