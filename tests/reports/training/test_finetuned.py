from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from reports.kit.table import print_table
from reports.training.finetuned import Finetuned, Judged, stages_table

RESULT = Finetuned(
    "nano",
    "random(seed=0)",
    [
        Judged("analog", 0, 80.0, 999),
        Judged("converted", 0, 200.0, 999),
        Judged("distilled", 1500, 82.0, 999),
        Judged("analog, same training text", 1500, 76.0, 999),
    ],
    [],
    "nano, weights random(seed=0), T = 4",
)


def test_each_change_is_against_the_analog_model_as_it_came() -> None:
    rows = stages_table(RESULT).records()
    # 80 / 80, 200 / 80, 82 / 80, 76 / 80, each minus 1
    assert [row["change"] for row in rows] == pytest.approx([0.0, 1.5, 0.025, -0.05])
    assert {row["against"] for row in rows} == {"analog"}


def test_the_table_is_written_with_every_digit() -> None:
    judged = [Judged("analog", 0, 80 / 3, 9)]
    one = Finetuned("nano, small", "local(x)", judged, [], "")
    [row] = csv.DictReader(stages_table(one).to_csv().splitlines())
    assert float(row["perplexity"]) == 80 / 3
    assert (row["model"], row["weights"]) == ("nano, small", "local(x)")


def test_the_printed_table_has_both_absolute_perplexities() -> None:
    text = io.StringIO()
    print_table(stages_table(RESULT), Console(file=text, width=100))
    lines = text.getvalue().splitlines()
    assert lines[0] == "nano, weights random(seed=0), T = 4"
    assert stages_table(RESULT).cells() == [
        ["analog", "0", "80.00", "+0.00 %"],
        ["converted", "0", "200.00", "+150.00 %"],
        ["distilled", "1,500", "82.00", "+2.50 %"],
        ["analog, same training text", "1,500", "76.00", "-5.00 %"],
    ]
    assert lines[-1].split() == [
        "analog,",
        "same",
        "training",
        "text",
        "1,500",
        "76.00",
        "-5.00",
        "%",
    ]
