from __future__ import annotations

import pytest

from energy.table import Column, Table
from reports.kit.latex import latex_escape, to_latex


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("signed_if", r"signed\_if"),
        ("50 % & #1 $x {y}", r"50 \% \& \#1 \$x \{y\}"),
        (r"a\b", r"a\textbackslash{}b"),
        ("~^<|>", r"\textasciitilde{}\textasciicircum{}\textless{}\textbar{}\textgreater{}"),
        ("[1pt]*", "{[}1pt{]}{*}"),
        ("0.75–1.80", "0.75--1.80"),
        ("two\nlines %", r"two lines \%"),
    ],
)
def test_text_is_printed_as_it_is(text: str, escaped: str) -> None:
    assert latex_escape(text) == escaped


ROWS = [("all", "-"), ("a_b", "-1.5"), ("c-2", "0.5–1"), ("d", "2e-05")]
COLUMNS: tuple[Column[tuple[str, str]], ...] = (
    Column("model", lambda row: row[0], "model", words=True),
    Column("saved", lambda row: row[1], "energy saved (%)"),
    Column("file", lambda row: row[1]),
)


def test_a_table_is_a_tabular_with_rules() -> None:
    groups = {"all": 0, "d": 2}
    table = to_latex(
        Table(COLUMNS, ROWS, "A table, 100 % ours.", group=lambda row: groups.get(row[0], 1))
    )
    assert (
        table
        == r"""% A table, 100 \% ours.
% Needs \usepackage{booktabs}. A wide one fits a sidewaystable of the package
% rotating, in \scriptsize with \setlength{\tabcolsep}{2pt}.
\begin{tabular}{@{}lr@{}}
\toprule
 & energy \\
 & saved \\
model & (\%) \\
\midrule
all & -- \\
\midrule
a\_b & $-$1.5 \\
c-2 & 0.5--1 \\
\addlinespace
d & 2e-05 \\
\bottomrule
\end{tabular}
"""
    )


def test_a_note_is_a_comment_whatever_is_in_it() -> None:
    table = to_latex(Table(COLUMNS, ROWS), ["long " * 40 + "\n\\input{x}\nend"])
    comments = table.partition(r"\begin{tabular}")[0].splitlines()
    assert all(line.startswith("% ") for line in comments)
    assert max(map(len, comments)) <= 98
