from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from energy.table import Column, Table, TableError, at, attributes, texts

TABLE: Table[tuple[str, int | None, float]] = Table(
    (
        Column("name", lambda row: row[0], "name", words=True, key=True),
        Column("depth", lambda row: row[1], dtype="Int64"),
        Column("share", lambda row: row[2], "share", "{:.1%}".format),
        Column("known", lambda row: row[1], "known"),
    ),
    [("a, <b>", 1, 0.5), ("c", None, 0.25), ("c", 2, 2**-60)],
    "T & co",
    group=lambda row: row[0],
)


def test_a_file_has_every_column_under_its_name_and_gaps_are_empty() -> None:
    assert TABLE.to_csv() == (
        'name,depth,share,known\n"a, <b>",1,0.5,1\nc,,0.25,\nc,2,8.673617379884035e-19,2\n'
    )


def test_people_see_columns_with_a_heading_and_a_dash_for_a_gap() -> None:
    assert [column.heading for column in TABLE.shown] == ["name", "share", "known"]
    assert TABLE.cells() == [["a, <b>", "50.0%", "1"], ["c", "25.0%", "-"], ["c", "0.0%", "2"]]


def test_a_frame_has_the_types_asked_for() -> None:
    frame = TABLE.to_frame()
    assert str(frame.depth.dtype) == "Int64"
    assert frame.depth.isna().tolist() == [False, True, False]
    assert frame.share.tolist() == [0.5, 0.25, 2**-60]


def test_html_is_escaped_and_numbers_are_flush_right() -> None:
    html = TABLE.to_html()
    assert html.startswith('<table><caption style="text-align:left">T &amp; co</caption>')
    assert '<td style="text-align:left">a, &lt;b&gt;</td>' in html
    assert '<td style="text-align:right">50.0%</td>' in html


def test_rows_that_follow_each_other_stand_together() -> None:
    assert [len(group) for group in TABLE.groups()] == [1, 2]


def test_some_columns_in_the_order_asked_for() -> None:
    assert TABLE.only("share", "name").names == ["share", "name"]
    with pytest.raises(KeyError):
        TABLE.only("no")


def test_a_path_leads_to_an_attribute_and_ends_at_none() -> None:
    one, other = SimpleNamespace(part=SimpleNamespace(pj=2)), SimpleNamespace(part=None)
    assert [at("part.pj")(row) for row in (one, other)] == [2, None]
    assert Table(attributes("part", "pj"), [one, other]).records() == [{"pj": 2}, {"pj": None}]
    assert Table(attributes("", "part"), [other]).records() == [{"part": None}]


def test_rows_of_texts_have_a_column_for_each() -> None:
    table = Table(texts("name", "pJ", "source", words=("source",)), [("mac", "4.6", None)])
    assert table.cells() == [["mac", "4.6", "-"]]
    assert [(x.words, x.key) for x in table.columns] == [
        (True, True),
        (False, False),
        (True, False),
    ]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), np.float64("inf")])
def test_what_is_not_finite_reaches_no_file(value: float) -> None:
    table = replace(TABLE, rows=[("a", 1, 0.5), ("b", None, value)])
    for write in (table.to_csv, table.records):
        with pytest.raises(TableError, match="column 'share' of the row 'b' would be"):
            write()
