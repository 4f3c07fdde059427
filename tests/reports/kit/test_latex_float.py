from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex import caption_of, lines_of

from energy.table import Column, Table
from reports.kit.fit import Fit
from reports.kit.latex_float import Float, Head, common_unit, significant, to_float


class Row(NamedTuple):
    hardware: str
    part: str
    saved: str


COLUMNS: tuple[Column[Row], ...] = (
    Column("hw", lambda row: row.hardware, "hardware", words=True, key=True),
    Column("part", lambda row: row.part, "part", words=True, key=True),
    Column("saved", lambda row: row.saved, "saved (%)"),
    Column("file", lambda row: row.saved),
)


def made(*rows: Row, **about: str) -> str:
    said = Float("A caption, 100 % ours.", ["a model", "45nm", "T4"], **about)  # type: ignore[arg-type]
    return to_float(Table(COLUMNS, rows), said)


def test_a_table_is_a_float_with_aligned_numbers() -> None:
    assert (
        made(Row("45nm", "a_b", "-1.5"), Row("45nm", "c", "12.25"), Row("45nm", "d", "unpriced"))
        == r"""% Needs \usepackage{booktabs} and \usepackage{siunitx}.
\begin{table}[t]
\centering\setlength{\belowcaptionskip}{6pt}
\caption{A caption, 100 \% ours. In all rows: hardware 45nm.}
\label{tab:a-model-45nm-T4}
\footnotesize\setlength{\tabcolsep}{3pt}
\begin{tabular}{@{}lS[table-format=-2.2]@{}}
\toprule
 & {saved} \\
{part} & {(\%)} \\
\midrule
{a\_\allowbreak{}b} & -1.5 \\
{c} & 12.25 \\
{d} & {unpriced} \\
\bottomrule
\end{tabular}
\end{table}
"""
    )


def test_what_names_rows_is_in_the_caption_where_it_is_the_same_in_all() -> None:
    both = made(Row("45nm", "a", "1"), Row("loihi", "a", "2"))
    assert "part a" in caption_of(both)
    assert lines_of(both) == [["45nm", "1"], ["loihi", "2"]]
    # One column names the row of a table of one row all the same.
    one = made(Row("45nm", "a", "1"))
    assert "part a." in caption_of(one)
    assert lines_of(one) == [["45nm", "1"]]


def test_a_result_that_is_the_same_in_all_rows_stays_a_column() -> None:
    assert lines_of(made(Row("45nm", "a", "1"), Row("45nm", "b", "1"))) == [["a", "1"], ["b", "1"]]


def test_hardware_may_stand_above_its_rows() -> None:
    text = made(Row("45nm", "a", "1"), Row("loihi", "b", "2"), above="hw")
    assert r"\multicolumn{2}{@{}l}{45nm} \\" in text
    assert lines_of(text) == [["a", "1"], ["b", "2"]]
    assert "hardware" not in text


def test_heads_stand_over_their_columns() -> None:
    said = Float("Caption.", ["x"], [Head("saved", 1)])
    rows = [Row("45nm", "a", "1"), Row("loihi", "b", "2")]
    text = to_float(Table(COLUMNS, rows), said, Fit.TWO)
    assert r"\begin{table*}[t]" in text
    assert r"\cmidrule(lr){3-3}" in text  # after two columns that name the row


def test_a_column_of_words_that_is_too_wide_goes_on_in_further_lines() -> None:
    # 8.5 cm are 241.8 points, of which 6 are between the two columns.
    text = made(*(Row(f"{i}", "of many words " * 9, "1") for i in range(2)))
    assert "p{" not in text  # the same in all rows, so in the caption
    text = made(*(Row("45nm", f"{i} of many words" * 9, "1") for i in range(2)))
    [width] = re.findall(r"p\{(\d+)pt\}", text)
    assert 180 < int(width) < 236


@given(st.floats(1e-9, 1e12))
def test_a_number_has_its_digits_and_no_exponent(value: float) -> None:
    text = significant(value)
    assert re.fullmatch(r"\d+(\.\d+)?", text)
    assert abs(Decimal(text) - Decimal(value)) <= Decimal(value) * Decimal("0.0005")


@pytest.mark.parametrize(
    ("energies", "unit"),
    [
        ([5e6, 7e6], (1e6, "µJ")),
        ([1e3, None, 1e9, 0.0], (1e6, "µJ")),  # the middle of nJ and mJ
        ([None], (1.0, "pJ")),
        ([0.0], (1.0, "pJ")),
    ],
)
def test_energies_share_the_unit_in_which_most_are_short(
    energies: list[float | None], unit: tuple[float, str]
) -> None:
    assert common_unit(energies) == unit
